import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LimbeckError } from '../../util/errors.js';
import type { Peak } from '../device.js';

/** The exports of the addon (native/addon.cc). Its errors carry a `code` of LimbeckError. */
export interface Binding {
  /** The kernels it was built with; a step names its kernel by the place in this list. */
  kernels(): KernelSignature[];
  /** Instruction sets this processor can run, best first. */
  isas(): string[];
  /**
   * c += transpose(a) b in float64: a `[depth, m]`, b `[depth, n]`, c `[m, n]`; half the work where the product is known
   * to be symmetric. Off the main thread; one at a time per device.
   */
  matrixProduct(
    device: NativeDevice,
    a: Float64Array,
    b: Float64Array,
    c: Float64Array,
    sizes: MatrixSizes,
  ): Promise<void>;
  /**
   * The processor's peak rates; reads about `bytes` bytes, which must be more than its caches hold. Off the main thread; nothing
   * else may run on the device meanwhile.
   */
  measurePeak(device: NativeDevice, bytes: number): Promise<Peak>;
  readonly NativeDevice: new (isa: string, threads: number) => NativeDevice;
  /** Without memory where it is imagined: for imagined programs. */
  readonly NativeTensor: new (
    bytes: number,
    imagined?: boolean,
  ) => NativeTensor;
  readonly NativeProgram: new (device: NativeDevice, description: ProgramDescription) => NativeProgram;
}

export interface MatrixSizes {
  readonly depth: number;
  readonly m: number;
  readonly n: number;
  readonly symmetric?: boolean;
}

export interface KernelSignature {
  readonly name: string;
  readonly operands: readonly string[];
  readonly sizes: readonly string[];
  readonly constants: readonly string[];
}

/** An instruction set and a pool of threads. */
export interface NativeDevice {
  free(): void;
}

export interface NativeTensor {
  write(bytes: Uint8Array, offset: number): void;
  read(into: Uint8Array): void;
  free(): void;
}

export interface NativeProgram {
  /** Runs off the main thread; false when `stop` was called meanwhile. One run at a time. */
  run(times: number): Promise<boolean>;
  /** The same: nanoseconds of each step, added up over the runs; undefined when `stop` was called meanwhile. */
  profile(times: number): Promise<Float64Array | undefined>;
  stop(): void;
  free(): void;
  /** What it holds besides the tensors. */
  bytes(): number;
}

export interface ProgramDescription {
  /** Where each slot lives: in a tensor, or `offset` bytes into the program's own memory. */
  readonly storages: readonly { tensor?: NativeTensor; offset: number; bytes: number }[];
  readonly arenaBytes: number;
  readonly steps: readonly StepDescription[];
  /** In order, without overlap; steps in no group run whole. */
  readonly groups: readonly GroupDescription[];
  /** Whether it is only to say what it would take: it gets no memory, and cannot run. */
  readonly imagined?: boolean;
}

/** How a group of steps is cut. */
export interface StripSizes {
  /** Images, or planes of all images. */
  readonly parts: number;
  /** Of an image; 1 where images are cut. */
  readonly channels: number;
  readonly members: number;
  /** Into how many nearly equal strips the parts are cut, and into how many pieces the strips. */
  readonly strips: number;
  readonly pieces: number;
  /** Whether there is too little to do for two threads. */
  readonly alone: boolean;
  /** Bytes of a worker's strip memory. */
  readonly innerBytes: number;
  /** Floats of partial sums of a piece. */
  readonly sumFloats: number;
}

/** Steps that run strip by strip; see strips.ts for how it is planned. */
export interface GroupDescription extends StripSizes {
  /** The first of its steps; there are as many as `cuts`. */
  readonly first: number;
  readonly cuts: readonly {
    /**
     * Two numbers an operand: its kind and, in bytes, what a part takes (cut, perChannel, perImage) or where it begins (inner; sum and
     * channelSum: in floats).
     */
    readonly operands: readonly number[];
    /** What one part adds to each size; 0 for sizes that stay, -1 for those that become 1. */
    readonly sizes: readonly number[];
    /** Whether it is the first step that writes its sum. */
    readonly begins: boolean;
  }[];
  /** Seven numbers a sum: five as for an operand, its place among a piece's sums in floats, and 1 when accumulating. */
  readonly sums: readonly number[];
}

export interface StepDescription {
  readonly kernel: number;
  /** Five numbers an operand: storage (-1 when left out), offset, stride, members, and bytes of one member. */
  readonly operands: readonly number[];
  readonly sizes: readonly number[];
  readonly constants: readonly number[];
  readonly accumulate: boolean;
}

/** The package's folder, from src/engine/cpu as well as from dist/engine/cpu. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) break;
    folder = parent;
  }
  return folder;
}

/** Why the addon could not be loaded, in one line. */
function reasonOf(cause: unknown): string {
  const [first] = (cause as Error).message.split('\n');
  return /No native build/.test(first) ? 'the package brings none for it' : first;
}

let loaded: Binding | undefined;

/** Loads the addon, from `build/Release` of a checkout or else `prebuilds/`; throws ERR_DEVICE when there is none. */
export function loadBinding(): Binding {
  if (loaded) return loaded;
  const root = packageRoot();
  try {
    const load = createRequire(import.meta.url)('node-gyp-build') as (folder: string) => Binding;
    loaded = load(root);
    return loaded;
  } catch (cause) {
    throw new LimbeckError(
      'ERR_DEVICE',
      `the CPU engine's native addon could not be loaded for ${process.platform}-${process.arch} (${reasonOf(cause)}); build it with cmake and a C++17 compiler: node ${join(root, 'scripts', 'build-native.mjs')}`,
      { cause },
    );
  }
}
