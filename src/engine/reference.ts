import { breathe } from '../util/breathe.js';
import { LimbeckError } from '../util/errors.js';
import {
  bindExternals,
  checkLength,
  checkTimes,
  checkWrite,
  disposedDeviceError,
  disposedError,
} from './bindings.js';
import type { Device, Executable, Needs, RunOptions, Tensor } from './device.js';
import type { Elements, Members } from './kernel.js';
import { livesOf, temporariesOf } from './memory.js';
import type { Program } from './program.js';
import type { Step } from './step.js';
import { Turns } from './turns.js';
import { type DType, elements, type Slot } from './view.js';

/**
 * The definition of every program: float64 TypeScript, slow, bounds-checked, one array per slot and nothing
 * shared. The other engines are tested against it.
 */
const arrays: Record<
  DType,
  { new (from: number | ArrayLike<number>): Elements; readonly BYTES_PER_ELEMENT: number }
> = {
  f32: Float64Array,
  u32: Uint32Array,
  u8: Uint8Array,
};

class ReferenceTensor implements Tensor {
  readonly values: Elements;

  constructor(
    readonly device: ReferenceDevice,
    readonly dtype: DType,
    readonly length: number,
  ) {
    checkLength(dtype, length);
    this.values = new arrays[dtype](length);
    device.tensors.add(this);
  }

  async write(values: ArrayLike<number>, offset?: number): Promise<void> {
    this.checkAlive();
    checkWrite(this.dtype, this.length, values, offset);
    // Copied now: the caller may change its array before earlier runs are over.
    const copy = new arrays[this.dtype](values);
    await this.device.turns.take(() => this.values.set(copy, offset));
  }

  async read(): Promise<Elements> {
    this.checkAlive();
    return this.device.turns.take(() => this.values.slice());
  }

  checkAlive(what = `a tensor of ${this.length} ${this.dtype}`): void {
    if (!this.device.tensors.has(this)) throw disposedError(what);
  }

  /** Calls made earlier still see the values. */
  dispose(): void {
    this.device.tensors.delete(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Runs one step on the arrays of its slots; a view outside its slot is an error, not a silent NaN. */
function runStep(step: Step, arrayOf: (slot: Slot) => Elements): void {
  const operands: Record<string, Members> = {};
  for (const [name, view] of Object.entries(step.operands)) {
    if (!view) continue;
    const values = arrayOf(view.slot);
    const length = elements(view.shape);
    operands[name] = (member) => {
      const start = view.offset + member * view.stride;
      if (start < 0 || start + length > values.length)
        throw new LimbeckError(
          'ERR_PROGRAM',
          `${step.kernel.name}: ${name} member ${member} is elements ${start} to ${start + length} of ${view.slot.name}, which has ${values.length}`,
        );
      return values.subarray(start, start + length);
    };
  }
  step.kernel.reference(operands, step.sizes, step.constants, step.accumulate);
}

class ReferenceExecutable implements Executable {
  readonly #bound: Map<Slot, ReferenceTensor>;

  constructor(
    readonly device: ReferenceDevice,
    readonly program: Program,
    bindings: Readonly<Record<string, Tensor>>,
  ) {
    this.#bound = bindExternals(
      program,
      bindings,
      (tensor): tensor is ReferenceTensor => tensor instanceof ReferenceTensor && tensor.device === device,
    );
    this.#checkTensors();
    device.executables.add(this);
  }

  async run({ times = 1, signal }: RunOptions = {}): Promise<void> {
    if (!this.device.executables.has(this)) throw disposedError(`the program ${this.program.name}`);
    this.#checkTensors();
    checkTimes(times);
    await this.device.turns.take(() => this.#runNow(times, signal));
  }

  async #runNow(times: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    for (let time = 0; time < times; time++) {
      const temporaries = new Map<Slot, Elements>();
      const arrayOf = (slot: Slot) => {
        const tensor = this.#bound.get(slot);
        if (tensor) return tensor.values;
        let values = temporaries.get(slot);
        if (!values) {
          // Fresh memory is poison: a step that reads what was never written gives NaN, not a plausible zero.
          values = new arrays[slot.dtype](slot.length).fill(slot.dtype === 'f32' ? Number.NaN : 255);
          temporaries.set(slot, values);
        }
        return values;
      };
      for (const step of this.program.steps) {
        await this.device.breathe();
        signal?.throwIfAborted();
        runStep(step, arrayOf);
      }
    }
  }

  dispose(): void {
    this.device.executables.delete(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #checkTensors(): void {
    for (const [slot, tensor] of this.#bound)
      tensor.checkAlive(`the tensor bound to ${slot.name} of ${this.program.name}`);
  }
}

/** Bytes that this engine has for so many elements. */
const bytesFor = (dtype: DType, length: number): number => length * arrays[dtype].BYTES_PER_ELEMENT;

/** Every temporary has an array of its own, from its first step to the end of a run. */
const needs: Needs = {
  ofHost: true,
  tensor: (dtype, length) => ({ bytes: bytesFor(dtype, length) }),
  async program({ steps }) {
    const slots = livesOf(temporariesOf(steps)).map(({ of }) => of);
    const sum = (some: readonly Slot[]) =>
      some.reduce((bytes, { dtype, length }) => bytes + bytesFor(dtype, length), 0);
    const kept = (what: Slot['kept']) => sum(slots.filter((slot) => slot.kept === what));
    return {
      bytes: 0,
      running: sum(slots),
      kept: { trajectory: kept('trajectory'), batches: kept('batches') },
    };
  },
};

/** How long this engine, which computes on the main thread, blocks the event loop; one step may take longer. */
const patienceMs = 50;

export class ReferenceDevice implements Device {
  readonly engine = 'reference';
  readonly description = 'reference (float64 TypeScript, for checking, slow)';
  readonly tensors = new Set<ReferenceTensor>();
  readonly executables = new Set<ReferenceExecutable>();
  readonly turns = new Turns();
  readonly needs = needs;
  #breathed = performance.now();
  #disposed = false;

  /** Yields to the event loop when it was blocked for long enough, also over many short runs. */
  async breathe(): Promise<void> {
    if (performance.now() - this.#breathed < patienceMs) return;
    await breathe();
    this.#breathed = performance.now();
  }

  /** Throws when the device has been disposed. */
  checkOpen(): void {
    if (this.#disposed) throw disposedDeviceError(this.description);
  }

  async tensor(dtype: DType, length: number, values?: ArrayLike<number>): Promise<Tensor> {
    this.checkOpen();
    const tensor = new ReferenceTensor(this, dtype, length);
    try {
      if (values) await tensor.write(values);
    } catch (error) {
      tensor.dispose();
      throw error;
    }
    return tensor;
  }

  async load(program: Program, bindings: Readonly<Record<string, Tensor>>): Promise<Executable> {
    this.checkOpen();
    return new ReferenceExecutable(this, program, bindings);
  }

  memory(): { tensors: number; executables: number; bytes: number } {
    let bytes = 0;
    for (const tensor of this.tensors) bytes += tensor.values.byteLength;
    return { tensors: this.tensors.size, executables: this.executables.size, bytes };
  }

  /** Waits for what was asked for earlier. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    this.tensors.clear();
    this.executables.clear();
    await this.turns.take(() => {});
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
