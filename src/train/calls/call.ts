import type { Device, Executable, Tensor } from '../../engine/device.js';
import { loadWithTensors } from '../../engine/load.js';
import { Program } from '../../engine/program.js';
import { Turns } from '../../engine/turns.js';
import { createNetwork, type Network, type NetworkOptions } from '../../networks/index.js';
import { breathing, type InPieces } from '../../util/breathe.js';
import { LimbeckError } from '../../util/errors.js';
import { expectArgument, expectDevice, expectOptions, shown } from '../../util/expect.js';
import { type Owned, owning } from '../../util/owned.js';

/** Answers of a call, of the type that the engine computes in. */
export type Floats = Float32Array | Float64Array;

/** What all calls are given. */
export interface NetworkCallOptions {
  /** The network that is trained or looked at. */
  readonly network: NetworkOptions;
  /** Stops the run; the promise then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** What calls on networks as they are are given. */
export interface CallOptions extends NetworkCallOptions {
  /** `[P, count]`: networks, in PyTorch's parameter order. */
  readonly parameters: ArrayLike<number>;
}

/** What programs of all calls depend on. */
export interface CallGeometry {
  readonly network: Network;
  /** Networks, P. */
  readonly members: number;
}

/**
 * A function on flat arrays is a program that is recorded once for each geometry: `inputs` are options and external slots of
 * the same names, all other external slots are answers.
 */
export interface Call<O extends NetworkCallOptions, G extends CallGeometry> {
  /** As it is exported, for messages. */
  readonly name: string;
  /** Every option there is. */
  readonly known: Readonly<Record<keyof O, true>>;
  /** The first of them is `[P, count]`: as many networks as it has rows. */
  readonly inputs: readonly (keyof O & string)[];
  /** Checks all but the network and its parameters, and finds the sizes. */
  sizesOf(options: O, given: Given<O>): Omit<G, keyof CallGeometry>;
  /** In pieces where it takes long. */
  record(geometry: G): Program | InPieces<Program>;
}

/** A loaded program for one geometry; calls share its tensors, so they take turns. */
interface Loaded {
  readonly key: string;
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly executable: Executable;
  readonly owned: Owned;
}

/** What a device keeps of a call: the last geometry stays loaded, so that a loop of calls records once. */
class Cache {
  readonly turns = new Turns();
  #loaded: Loaded | undefined;

  async load(
    device: Device,
    key: string,
    record: () => Program | InPieces<Program>,
    signal: AbortSignal | null | undefined,
  ): Promise<Loaded> {
    if (this.#loaded?.key === key) return this.#loaded;
    this.#loaded?.owned.dispose();
    this.#loaded = undefined;
    this.#loaded = await owning(async (owned) => {
      const recorded = record();
      const program = recorded instanceof Program ? recorded : await breathing(recorded);
      const { tensors, executable } = await loadWithTensors(device, program, owned);
      signal?.throwIfAborted();
      return { key, tensors, executable, owned };
    });
    return this.#loaded;
  }
}

const caches = new WeakMap<Device, Map<string, Cache>>();

function cacheOf(device: Device, call: string): Cache {
  let ofDevice = caches.get(device);
  if (!ofDevice) caches.set(device, (ofDevice = new Map()));
  let cache = ofDevice.get(call);
  if (!cache) ofDevice.set(call, (cache = new Cache()));
  return cache;
}

/** The result of `work`, or `signal.reason` as soon as there is one: whether it waits for its turn, loads or runs. */
function unlessAborted<T>(signal: AbortSignal | null | undefined, work: () => Promise<T>): Promise<T> {
  if (!signal) return work();
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', leave));
  });
}

/** Checks the options, runs the program for their sizes on them, and reads every answer. */
export async function answersTo<O extends NetworkCallOptions, G extends CallGeometry>(
  call: Call<O, G>,
  device: Device,
  options: O,
): Promise<Readonly<Record<string, Floats>>> {
  const { name, known, inputs } = call;
  expectDevice(name, device);
  expectOptions(name, options, known);
  expectArgument(name, 'network', options.network, 'name', 'an object with name, inputShape and classes');
  const { signal } = options;
  signal?.throwIfAborted();
  const network = createNetwork(options.network);
  const given = new Given(name, options, network);
  const members = given.rows(inputs[0], network.count, `[P, count], parameters of ${network.name}`);
  const sizes = call.sizesOf(options, given);
  // Copied now: the caller may change its arrays before it is the turn of this call.
  const arrays = inputs.map((input) => [input, given.numbers(input)] as const);
  const key = JSON.stringify([options.network, members, sizes]);
  const cache = cacheOf(device, name);
  const record = () => call.record({ network, members, ...sizes } as G);
  const inTurn = async () => {
    signal?.throwIfAborted();
    const { tensors, executable } = await cache.load(device, key, record, signal);
    for (const [input, values] of arrays) await tensors[input].write(values);
    await executable.run({ signal: signal ?? undefined });
    const answers = Object.keys(tensors).filter((slot) => !inputs.includes(slot as keyof O & string));
    // Answers are numbers of 32 or 64 bits, never counters or bytes.
    return Object.fromEntries(
      await Promise.all(answers.map(async (slot) => [slot, (await tensors[slot].read()) as Floats] as const)),
    );
  };
  return unlessAborted(signal, () => cache.turns.take(inTurn));
}

/** The mean over the population. */
export function meanOf(losses: Floats): number {
  let mean = 0;
  for (const loss of losses) mean += loss / losses.length;
  return mean;
}

/** The options of a call, checked one by one: ERR_SHAPE for arrays, ERR_OPTION for everything else. */
export class Given<O extends object> {
  constructor(
    readonly call: string,
    readonly options: O,
    readonly network: Network,
  ) {}

  /** Numbers of one image. */
  get pixels(): number {
    const [C, H, W] = this.network.inputShape;
    return C * H * W;
  }

  /** Undefined for what has no length of an array; what is longer than any array claims to be one. */
  #length(name: keyof O): number | undefined {
    const value = this.options[name] as ArrayLike<number> | null | undefined;
    const length = typeof value === 'object' || typeof value === 'string' ? value?.length : undefined;
    return Number.isInteger(length) && length! >= 0 && length! < 2 ** 32 ? length : undefined;
  }

  #numbers(name: keyof O, expected: string, of: string): LimbeckError {
    const what = `${this.call}: ${String(name)}`;
    const length = this.#length(name);
    if (length !== undefined)
      return new LimbeckError('ERR_SHAPE', `${what} has ${length} numbers, expected ${expected}: ${of}`);
    const value: unknown = this.options[name];
    const form = typeof value === 'number' ? `; a single one is [${value}]` : '';
    return new LimbeckError(
      'ERR_SHAPE',
      `${what} is ${shown(value)}, expected an array of ${expected} numbers: ${of}${form}`,
    );
  }

  /** How many rows of so many numbers an array has. */
  rows(name: keyof O, per: number, of: string): number {
    const rows = (this.#length(name) ?? 0) / per;
    if (!Number.isInteger(rows) || rows < 1) throw this.#numbers(name, `a multiple of ${per}`, of);
    return rows;
  }

  /** An array of exactly so many numbers. */
  exactly(name: keyof O, length: number, of: string): void {
    if (this.#length(name) !== length) throw this.#numbers(name, String(length), of);
  }

  /** A copy of an array; ERR_OPTION for one of anything but numbers. */
  numbers(name: keyof O): Floats {
    const values = this.options[name] as ArrayLike<number>;
    if (values instanceof Float32Array) return values.slice();
    return Float64Array.from(values, (value, i) => {
      if (typeof value === 'number') return value;
      throw new LimbeckError(
        'ERR_OPTION',
        `${this.call}: ${String(name)}[${i}] is ${shown(value)}, expected a number`,
      );
    });
  }

  /** A whole number above 0, at most `most`, where that is a limit that `of` gives. */
  whole(name: keyof O, most = Number.POSITIVE_INFINITY, of = ''): number {
    const value = this.options[name] as number;
    if (!Number.isInteger(value) || value < 1 || value > most)
      throw new LimbeckError(
        'ERR_OPTION',
        `${this.call}: ${String(name)} is ${shown(value)}, expected a whole number above 0${of && ` and at most ${most} (${of})`}`,
      );
    return value;
  }

  /** A number of at least 0. */
  notNegative(name: keyof O): number {
    const value = this.options[name] as number;
    if (!Number.isFinite(value) || value < 0)
      throw new LimbeckError(
        'ERR_OPTION',
        `${this.call}: ${String(name)} is ${shown(value)}, expected a number of at least 0`,
      );
    return value;
  }

  /** True or false. */
  truth(name: keyof O): void {
    const value: unknown = this.options[name];
    if (typeof value !== 'boolean')
      throw new LimbeckError(
        'ERR_OPTION',
        `${this.call}: ${String(name)} is ${shown(value)}, expected true or false`,
      );
  }

  /** One of some words. */
  oneOf<T extends string>(name: keyof O, words: readonly T[]): T {
    const value = this.options[name] as T;
    if (!words.includes(value))
      throw new LimbeckError(
        'ERR_OPTION',
        `${this.call}: ${String(name)} is ${shown(value)}, expected one of ${words.join(', ')}`,
      );
    return value;
  }
}
