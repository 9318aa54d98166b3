import type { KeptBytes } from './memory.js';
import type { Program } from './program.js';
import type { Step } from './step.js';
import type { DType } from './view.js';

/** Numbers as an engine holds them: f32 slots are Float64Array on `reference`, Float32Array on the others. */
export type Numbers = Float32Array | Float64Array | Uint32Array | Uint8Array;

/** What a processor can do at best, per second: by one thread, and by all of them. */
export interface Peak {
  /** Floating-point operations, multiply-adds in registers counted as two. */
  readonly flops: readonly [number, number];
  /** Bytes read from memory that no cache holds. */
  readonly bytes: readonly [number, number];
}

/** The steps that the engine runs, which may differ from the recorded ones, also in order, and how long each took. */
export interface StepTimes {
  /** In the order in which they ran. */
  readonly steps: readonly Step[];
  /** One number a step. */
  readonly nanoseconds: ArrayLike<number>;
}

/** A tensor that lives on a device and outlasts programs: data sets, parameters, distilled images, counters. */
export interface Tensor {
  /** Type of its elements. */
  readonly dtype: DType;
  /** Elements. */
  readonly length: number;
  /**
   * Replaces all elements, or some from `offset` on; after every run asked for earlier. Throws ERR_SHAPE for another number of them, or
   * what reaches beyond the end; ERR_DATA for values that its type cannot hold.
   */
  write(values: ArrayLike<number>, offset?: number): Promise<void>;
  /** A copy of all elements, after every run asked for earlier. */
  read(): Promise<Numbers>;
  /** Gives its memory back; using it afterwards is ERR_PROGRAM. */
  dispose(): void;
  /** The same, for `using`. */
  [Symbol.dispose](): void;
}

/** How to run a program. */
export interface RunOptions {
  /** How many times to run the program; counters on the device tell the runs apart. Default 1. */
  readonly times?: number;
  /** Stops between runs (and, where the engine can, between steps); the promise rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** A program loaded on a device: memory planned, kernels chosen, nothing allocated from then on. */
export interface Executable {
  /** What was loaded. */
  readonly program: Program;
  /** Runs the program in its turn; done when the device is. Throws ERR_DEVICE when the device was lost. */
  run(options?: RunOptions): Promise<void>;
  /** Runs, and tells how long each step took in all; only where the engine can (`cpu`). */
  profile?(options?: RunOptions): Promise<StepTimes>;
  /** Gives its memory back; tensors that were bound stay. */
  dispose(): void;
  /** The same, for `using`. */
  [Symbol.dispose](): void;
}

/**
 * `reference`: float64 TypeScript, the definition; `cpu`: native, SIMD and threads; `webgpu`: WGSL, through Dawn or a
 * browser.
 */
export type EngineName = 'reference' | 'cpu' | 'webgpu';

/** What is alive on a device. */
export interface DeviceMemory {
  /** Tensors that have not been disposed. */
  tensors: number;
  /** Loaded programs that have not been disposed. */
  executables: number;
  /** Bytes of all of them, without what the engine itself needs. */
  bytes: number;
}

/** What something would take of a device. */
export interface Need {
  /** As long as it is there. */
  readonly bytes: number;
  /** Why the device cannot have it, however much memory it has. */
  readonly refused?: string;
}

/** What a loaded program would take. */
export interface ProgramNeed extends Need {
  /** Bytes beside those, while it runs. */
  readonly running: number;
  /** What of both is kept for a way back through training, when they are fullest. */
  readonly kept: KeptBytes;
}

/** What an engine would take for tensors and programs, by its own plans; finding out takes no memory of the device. */
export interface Needs {
  /** Whether the memory of the device is that of the machine. */
  readonly ofHost: boolean;
  tensor(dtype: DType, length: number): Need;
  /** Tensors may be any: those that are bound to several slots are told by their identity. */
  program(program: Program, bindings: Readonly<Record<string, Tensor>>): Promise<ProgramNeed>;
}

/**
 * One engine on one processor. Everything is asynchronous and happens in the order it was asked for. Tensors
 * and executables belong to their device; disposing it disposes them.
 */
export interface Device {
  /** Which engine it is. */
  readonly engine: EngineName;
  /** For people: `cpu (avx512, 2 threads)`. */
  readonly description: string;
  /** A tensor of zeros, or of `values` when given. Throws ERR_OUT_OF_MEMORY when there is no room. */
  tensor(dtype: DType, length: number, values?: ArrayLike<number>): Promise<Tensor>;
  /**
   * Binds every external slot of the program, by name, to a tensor of the same type and length. Throws ERR_PROGRAM where one is
   * missing, of another device or disposed, ERR_SHAPE for another length, ERR_OUT_OF_MEMORY where temporaries do not fit.
   */
  load(program: Program, bindings: Readonly<Record<string, Tensor>>): Promise<Executable>;
  /** Measures what the processor can do at best, in less than a second; only where the engine can (`cpu`). */
  peak?(): Promise<Peak>;
  /** @internal What tensors and programs would take. */
  readonly needs: Needs;
  /** What is alive: for leak checks. */
  memory(): DeviceMemory;
  /** Waits for the runs that were asked for, then gives everything back; calls afterwards are ERR_PROGRAM. */
  dispose(): Promise<void>;
  /** The same, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}
