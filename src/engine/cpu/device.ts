import { breathe, breathing } from '../../util/breathe.js';
import { LimbeckError } from '../../util/errors.js';
import { shown } from '../../util/expect.js';
import {
  bindExternals,
  checkLength,
  checkTimes,
  checkWrite,
  disposedDeviceError,
  disposedError,
} from '../bindings.js';
import type { Device, Executable, Needs, Numbers, Peak, RunOptions, StepTimes, Tensor } from '../device.js';
import type { Program } from '../program.js';
import type { Step } from '../step.js';
import { Turns } from '../turns.js';
import { bytesOf, type DType, type Slot, slotBytes } from '../view.js';
import {
  type Binding,
  loadBinding,
  type NativeDevice,
  type NativeProgram,
  type NativeTensor,
  type ProgramDescription,
} from './binding.js';
import { optimiserOf } from './optimise.js';
import { findProcessors, processorsText, threadsFor } from './processors.js';
import { describeProgram } from './serialise.js';
import { type PlannedUnit, planStrips } from './strips.js';

/** The native engine: SIMD kernels on a pool of threads, off the main thread, one run at a time per device. */

export interface CpuOptions {
  /** Threads that compute, 1 to 1024; the results are the same bits for any number. Default: one per core, at most 16. */
  readonly threads?: number;
  /** An instruction set out of `cpuInfo().isas`. Default: the environment variable LIMBECK_ISA, or else the best. */
  readonly isa?: string;
  /** The passes to apply to programs (`winograd` and so on), to measure what each gains. Default: all. */
  readonly passes?: readonly string[];
}

const arrays = { f32: Float32Array, u32: Uint32Array, u8: Uint8Array } as const;

/** Errors of the addon carry a stable code; they become what every engine throws. */
function native<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const { code, message } = error as { code?: LimbeckError['code']; message: string };
    if (!code) throw error;
    throw new LimbeckError(code, `cpu: ${message}`, { cause: error });
  }
}

// A long run must not hold up the end of the process: runs stop between two steps or groups of them.
const devices = new Set<CpuDevice>();
let listening = false;
function stopAtExit(): void {
  if (listening) return;
  listening = true;
  process.once('exit', () => {
    for (const device of devices) device.stop();
  });
}

class CpuTensor implements Tensor {
  readonly native: NativeTensor;
  #alive = true;

  constructor(
    readonly device: CpuDevice,
    readonly dtype: DType,
    readonly length: number,
  ) {
    checkLength(dtype, length);
    this.native = native(() => new device.binding.NativeTensor(this.bytes));
    device.tensors.add(this);
  }

  get bytes(): number {
    return this.length * bytesOf[this.dtype];
  }

  /** Throws when it has been disposed. */
  checkAlive(slot: string, program: string): void {
    if (!this.#alive) throw disposedError(`the tensor bound to ${slot} of ${program}`);
  }

  async write(values: ArrayLike<number>, offset?: number): Promise<void> {
    this.#check();
    checkWrite(this.dtype, this.length, values, offset);
    // Copied now: the caller may change its array before earlier runs are over.
    const copy = arrays[this.dtype].from(values);
    const bytes = new Uint8Array(copy.buffer, copy.byteOffset, copy.byteLength);
    const start = (offset ?? 0) * bytesOf[this.dtype];
    await this.device.turns.take(() => native(() => this.native.write(bytes, start)));
  }

  async read(): Promise<Numbers> {
    this.#check();
    const values = new arrays[this.dtype](this.length);
    await this.device.turns.take(() => native(() => this.native.read(new Uint8Array(values.buffer))));
    return values;
  }

  dispose(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.device.tensors.delete(this);
    // Not before the runs and reads that were asked for earlier.
    this.device.turns.take(() => this.native.free());
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #check(): void {
    if (!this.#alive) throw disposedError(`a tensor of ${this.length} ${this.dtype}`);
  }
}

/** How a program is run. Planning takes a tenth of a second for a large one: it yields to the event loop in between. */
async function plan(
  { optimise, kernels }: CpuDevice,
  program: Program,
  tensors: ReadonlyMap<Slot, NativeTensor>,
) {
  // Strips reorder steps, which is only right where slots do not share tensors.
  const shared = new Set(tensors.values()).size < tensors.size;
  const units: readonly PlannedUnit[] = shared
    ? program.steps.map((step) => ({ steps: [step] }))
    : await breathing(planStrips(await optimise(program)));
  await breathe();
  const description = await breathing(describeProgram(units, kernels, tensors));
  await breathe();
  return { units, description };
}

/** What the native engine says of programs and tensors that have no memory. */
const needsOf = (device: CpuDevice): Needs => ({
  ofHost: true,
  tensor: (dtype, length) => ({ bytes: length * bytesOf[dtype] }),
  async program(program, bindings) {
    const { NativeTensor, NativeProgram } = device.binding;
    const imagined = new Map<Tensor, NativeTensor>();
    const tensors = new Map<Slot, NativeTensor>();
    for (const slot of program.slots) {
      if (!slot.external) continue;
      const tensor = bindings[slot.name];
      const own = imagined.get(tensor) ?? native(() => new NativeTensor(slotBytes(slot), true));
      imagined.set(tensor, own);
      tensors.set(slot, own);
    }
    const { description } = await plan(device, program, tensors);
    device.checkOpen();
    const one = native(() => new NativeProgram(device.native, { ...description, imagined: true }));
    const bytes = one.bytes();
    one.free();
    return { bytes, running: 0, kept: description.kept };
  },
});

class CpuExecutable implements Executable {
  readonly #bound: ReadonlyMap<Slot, CpuTensor>;
  readonly #native: NativeProgram;
  readonly #steps: readonly Step[];
  readonly bytes: number;
  #alive = true;

  private constructor(
    readonly device: CpuDevice,
    readonly program: Program,
    bound: ReadonlyMap<Slot, CpuTensor>,
    units: readonly PlannedUnit[],
    description: ProgramDescription,
  ) {
    this.#bound = bound;
    // They may have been disposed while the program was planned.
    this.#checkTensors();
    this.#steps = units.flatMap(({ steps }) => steps);
    this.#native = native(() => new device.binding.NativeProgram(device.native, description));
    this.bytes = this.#native.bytes();
    device.executables.add(this);
  }

  static async load(
    device: CpuDevice,
    program: Program,
    bindings: Readonly<Record<string, Tensor>>,
  ): Promise<CpuExecutable> {
    const bound = bindExternals(
      program,
      bindings,
      (tensor): tensor is CpuTensor => tensor instanceof CpuTensor && tensor.device === device,
    );
    for (const [slot, tensor] of bound) tensor.checkAlive(slot.name, program.name);
    const tensors = new Map([...bound].map(([slot, tensor]) => [slot, tensor.native]));
    const { units, description } = await plan(device, program, tensors);
    device.checkOpen();
    return new CpuExecutable(device, program, bound, units, description);
  }

  async run(options: RunOptions = {}): Promise<void> {
    await this.#run(options, (times) => this.#native.run(times));
  }

  async profile(options: RunOptions = {}): Promise<StepTimes> {
    return {
      steps: this.#steps,
      nanoseconds: await this.#run(options, (times) => this.#native.profile(times)),
    };
  }

  /** `work` resolves to nothing (or false) when it was stopped. */
  async #run<T>(
    { times = 1, signal }: RunOptions,
    work: (times: number) => Promise<T | false | undefined>,
  ): Promise<T> {
    if (!this.#alive) throw disposedError(`the program ${this.program.name}`);
    this.#checkTensors();
    checkTimes(times);
    return this.device.turns.take(async () => {
      signal?.throwIfAborted();
      const stop = () => this.#native.stop();
      signal?.addEventListener('abort', stop, { once: true });
      try {
        const result = await native(() => work(times));
        if (result) return result;
        signal?.throwIfAborted();
        throw disposedError(`the device of ${this.program.name}`);
      } finally {
        signal?.removeEventListener('abort', stop);
      }
    });
  }

  stop(): void {
    this.#native.stop();
  }

  dispose(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.device.executables.delete(this);
    this.device.turns.take(() => this.#native.free());
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #checkTensors(): void {
    for (const [slot, tensor] of this.#bound) tensor.checkAlive(slot.name, this.program.name);
  }
}

export class CpuDevice implements Device {
  readonly engine = 'cpu';
  readonly description: string;
  readonly binding: Binding;
  readonly kernels: ReturnType<Binding['kernels']>;
  readonly native: NativeDevice;
  readonly tensors = new Set<CpuTensor>();
  readonly executables = new Set<CpuExecutable>();
  readonly turns = new Turns();
  readonly optimise: ReturnType<typeof optimiserOf>;
  readonly needs = needsOf(this);
  #disposed?: Promise<void>;

  constructor({ threads, isa, passes }: CpuOptions = {}) {
    this.optimise = optimiserOf(passes);
    this.binding = loadBinding();
    this.kernels = this.binding.kernels();
    const info = cpuInfo();
    const count = threads ?? info.threads;
    const set = isa ?? info.isa;
    if (!Number.isSafeInteger(count) || count < 1 || count > 1024)
      throw new LimbeckError(
        'ERR_OPTION',
        `threads is ${shown(count)}, expected a whole number from 1 to 1024`,
      );
    if (!info.isas.includes(set))
      throw new LimbeckError(
        'ERR_OPTION',
        `isa is ${set}, expected one that this processor can run: ${info.isas.join(', ')}`,
      );
    this.native = native(() => new this.binding.NativeDevice(set, count));
    this.description = `cpu (${set}, ${count} ${count === 1 ? 'thread' : 'threads'})`;
    devices.add(this);
    stopAtExit();
  }

  async tensor(dtype: DType, length: number, values?: ArrayLike<number>): Promise<Tensor> {
    this.checkOpen();
    const tensor = new CpuTensor(this, dtype, length);
    if (values) {
      try {
        await tensor.write(values);
      } catch (error) {
        tensor.dispose();
        throw error;
      }
    }
    return tensor;
  }

  async load(program: Program, bindings: Readonly<Record<string, Tensor>>): Promise<Executable> {
    this.checkOpen();
    return CpuExecutable.load(this, program, bindings);
  }

  async peak(): Promise<Peak> {
    this.checkOpen();
    // More than any cache holds, unless memory is short.
    const bytes = Math.min(2 ** 28, process.availableMemory() / 4);
    return this.turns.take(() => native(() => this.binding.measurePeak(this.native, bytes)));
  }

  memory(): { tensors: number; executables: number; bytes: number } {
    let bytes = 0;
    for (const tensor of this.tensors) bytes += tensor.bytes;
    for (const executable of this.executables) bytes += executable.bytes;
    return { tensors: this.tensors.size, executables: this.executables.size, bytes };
  }

  /** Waits for the runs that were asked for, then gives everything back. */
  dispose(): Promise<void> {
    this.#disposed ??= (async () => {
      for (const executable of [...this.executables]) executable.dispose();
      for (const tensor of [...this.tensors]) tensor.dispose();
      await this.turns.take(() => this.native.free());
      devices.delete(this);
    })();
    return this.#disposed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** Ends the current run between two steps or groups of them. */
  stop(): void {
    for (const executable of this.executables) executable.stop();
  }

  /** Throws when the device has been disposed. */
  checkOpen(): void {
    if (this.#disposed) throw disposedDeviceError(this.description);
  }
}

export async function openCpuDevice(options: CpuOptions = {}): Promise<Device> {
  return new CpuDevice(options);
}

/** What the `cpu` engine would use here. */
export interface CpuInfo {
  /** The instruction set: `avx512`, `avx2`, `sse2` or `neon`. */
  isa: string;
  /** Every instruction set this processor can run, the best first. */
  isas: string[];
  /** How many threads. */
  threads: number;
  /** What decided that, where it is not the number of processors: quota and cores; else empty. */
  threadsBecause: string;
}

/** What the engine would use, and every instruction set it could; throws ERR_DEVICE when the addon is not there. */
export function cpuInfo(): CpuInfo {
  const isas = loadBinding().isas();
  const processors = findProcessors();
  return {
    isa: process.env.LIMBECK_ISA || isas[0],
    isas,
    threads: threadsFor(processors),
    threadsBecause: processorsText(processors),
  };
}
