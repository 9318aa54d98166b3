import { bindExternals, checkLength, checkTimes } from './bindings.js';
import type { Device, Executable, Need, Numbers, ProgramNeed, RunOptions, Tensor } from './device.js';
import type { Program } from './program.js';
import type { DType } from './view.js';

/** A program that was loaded on a measuring device: what it would take, and how often it was run. */
export interface Counted {
  readonly program: Program;
  readonly bindings: Readonly<Record<string, Tensor>>;
  readonly need: ProgramNeed;
  runs: number;
  /** Until it is disposed of. */
  alive: boolean;
}

class MeasuredTensor implements Tensor {
  constructor(
    readonly device: MeasuringDevice,
    readonly dtype: DType,
    readonly length: number,
    readonly need: Need,
  ) {}

  /** Values have nowhere to go. */
  async write(): Promise<void> {}

  /** Zeros, which take no memory of the host either until somebody writes to them. */
  async read(): Promise<Numbers> {
    if (this.dtype === 'u8') return new Uint8Array(this.length);
    if (this.dtype === 'u32') return new Uint32Array(this.length);
    return this.device.engine === 'reference' ? new Float64Array(this.length) : new Float32Array(this.length);
  }

  dispose(): void {
    this.device.release(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

class MeasuredExecutable implements Executable {
  constructor(
    readonly device: MeasuringDevice,
    readonly program: Program,
    readonly need: ProgramNeed,
    private readonly counted: Counted,
  ) {}

  async run({ times = 1, signal }: RunOptions = {}): Promise<void> {
    checkTimes(times);
    signal?.throwIfAborted();
    this.counted.runs += times;
    this.device.running(this.need);
  }

  dispose(): void {
    this.counted.alive = false;
    this.device.release(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * A device that allocates and computes nothing: it takes what another one takes, by that one's own plans, and counts. Whatever is begun
 * on it says what it needs before anybody has that much. What is read from it is zero.
 */
export class MeasuringDevice implements Device {
  readonly engine: Device['engine'];
  readonly description: string;
  readonly needs: Device['needs'];
  /** Every program that was loaded, in order; those that were disposed of too. */
  readonly loaded: Counted[] = [];
  /** Why the device would refuse something, however much memory it had. */
  readonly refused: string[] = [];
  readonly #tensors = new Set<MeasuredTensor>();
  readonly #executables = new Set<MeasuredExecutable>();
  #bytes = 0;
  #most = 0;

  constructor({ engine, description, needs }: Device) {
    this.engine = engine;
    this.description = description;
    this.needs = needs;
  }

  /** Bytes that were alive at once, at most. */
  get most(): number {
    return this.#most;
  }

  async tensor(dtype: DType, length: number): Promise<Tensor> {
    checkLength(dtype, length);
    const tensor = new MeasuredTensor(this, dtype, length, this.needs.tensor(dtype, length));
    this.#tensors.add(tensor);
    this.#take(tensor.need);
    return tensor;
  }

  async load(program: Program, bindings: Readonly<Record<string, Tensor>>): Promise<Executable> {
    bindExternals(
      program,
      bindings,
      (tensor): tensor is MeasuredTensor => tensor instanceof MeasuredTensor && tensor.device === this,
    );
    const need = await this.needs.program(program, bindings);
    const counted = { program, bindings, need, runs: 0, alive: true };
    const executable = new MeasuredExecutable(this, program, need, counted);
    this.loaded.push(counted);
    this.#executables.add(executable);
    this.#take(need);
    return executable;
  }

  /** Notes what a program takes while it runs. */
  running({ running }: ProgramNeed): void {
    this.#most = Math.max(this.#most, this.#bytes + running);
  }

  /** Takes a tensor or a program away. */
  release(one: MeasuredTensor | MeasuredExecutable): void {
    const there = one instanceof MeasuredTensor ? this.#tensors.delete(one) : this.#executables.delete(one);
    if (there) this.#bytes -= one.need.bytes;
  }

  #take({ bytes, refused }: Need): void {
    this.#bytes += bytes;
    this.#most = Math.max(this.#most, this.#bytes);
    if (refused !== undefined) this.refused.push(refused);
  }

  memory(): { tensors: number; executables: number; bytes: number } {
    return { tensors: this.#tensors.size, executables: this.#executables.size, bytes: this.#bytes };
  }

  async dispose(): Promise<void> {
    for (const one of [...this.#executables, ...this.#tensors]) one.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
