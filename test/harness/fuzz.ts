/** Damaged and made-up files, each known by a seed and a number, and what a reader does with them. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { LimbeckError } from '../../src/util/errors.js';
import { Stream } from '../../src/util/random.js';

/** Contents by name. */
export type Files = Readonly<Record<string, Uint8Array>>;

/** Random numbers of one input. */
export class Draws {
  readonly #stream: Stream;
  #at = 0;

  constructor(seed: number, input: number) {
    this.#stream = new Stream(seed, input);
  }

  /** 0 .. n - 1. */
  below(n: number): number {
    return this.#stream.u32(this.#at++) % n;
  }

  /** True once in n times. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  bytes(n: number): Uint8Array {
    return Uint8Array.from({ length: n }, () => this.below(256));
  }
}

/** What lengths and counts are set to. */
export const extremes = [
  0,
  1,
  2,
  127,
  128,
  255,
  256,
  32_767,
  32_768,
  65_535,
  65_536,
  2 ** 24,
  2 ** 25,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
] as const;

/** The bytes after one to three changes, which lie at the ends more often than in the middle: headers and directories are there. */
export function mutated(original: Uint8Array, draws: Draws): Uint8Array {
  let bytes = Buffer.from(original);
  for (let change = 0; change <= draws.below(3) && bytes.length > 0; change++) {
    const { length } = bytes;
    const near = draws.below(Math.min(length, draws.pick([16, 64, 512, length])));
    const at = draws.once(3) ? length - 1 - near : near;
    const span = 1 + draws.below(Math.min(length - at, draws.pick([1, 4, 16, 256])));
    const kind = draws.below(8);
    if (kind === 0) bytes[at] ^= 1 << draws.below(8);
    else if (kind === 1) bytes[at] = draws.below(256);
    else if (kind === 2) bytes = bytes.subarray(0, at);
    else if (kind === 3)
      bytes = Buffer.concat([bytes.subarray(0, at), draws.bytes(span), bytes.subarray(at)]);
    else if (kind === 4) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + span)]);
    else if (kind === 5) {
      const other = draws.below(length - span + 1);
      const part = Buffer.from(bytes.subarray(at, at + span));
      bytes.copyWithin(at, other, other + span);
      bytes.set(part, other);
    } else if (kind === 6) {
      // In either byte order; in digits where there are some.
      const value = draws.pick(extremes);
      if (bytes[at] >= 48 && bytes[at] <= 57) bytes.write(String(value), at, 'latin1');
      else if (at + 4 <= length) bytes[draws.once(2) ? 'writeUInt32LE' : 'writeUInt32BE'](value, at);
    } else bytes.fill(draws.pick([0, 0xff, 0x30, 0x5b, 0x7b, bytes[at]]), at, at + span);
  }
  return bytes;
}

/** A reader, valid files for it, and files that look like such. */
export interface FuzzedReader {
  readonly seeds: () => Promise<readonly Files[]>;
  /** May be of any size up to a few megabytes, and claim to be of any. */
  readonly make: (draws: Draws) => Files;
  /** Reads the files, which lie in a folder. */
  readonly read: (folder: string, files: Files) => Promise<unknown>;
}

/** The files of input `number`: half of them damaged ones, half made up, of which some are damaged besides. */
export function inputOf(reader: FuzzedReader, seeds: readonly Files[], seed: number, number: number): Files {
  const draws = new Draws(seed, number);
  // The seeds themselves come first: what reads nothing at all must not pass.
  if (number < seeds.length) return seeds[number];
  const made = number % 2 === 1;
  const files = made ? reader.make(draws) : draws.pick(seeds);
  if (made && !draws.once(4)) return files;
  const name = draws.pick(Object.keys(files));
  return { ...files, [name]: mutated(files[name], draws) };
}

/** Reads an input: undefined where it is read, the error where it is refused. Anything but a LimbeckError of few words is thrown. */
export async function tryInput(
  { read }: FuzzedReader,
  folder: string,
  files: Files,
): Promise<LimbeckError | undefined> {
  for (const [name, content] of Object.entries(files)) {
    if (name.includes('/')) mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  try {
    await read(folder, files);
    return undefined;
  } catch (error) {
    if (!(error instanceof LimbeckError) || !/^ERR_[A-Z_]+$/.test(error.code)) throw error;
    if (error.message.length > MOST_WORDS)
      throw new Error(`a message of ${error.message.length} characters: ${error.message.slice(0, 200)}`);
    return error;
  } finally {
    for (const name of Object.keys(files)) rmSync(join(folder, name), { force: true });
  }
}
const MOST_WORDS = 2000;

/** Ends the process, and says at which input, when one takes more than so many seconds: nothing else gets out of an endless loop. */
export class Watchdog {
  readonly #state = new Int32Array(new SharedArrayBuffer(8));
  readonly #worker: Worker;

  constructor(what: string, seconds: number) {
    const code = `const { state, what, seconds, pid } = require('node:worker_threads').workerData;
      let [beat, since] = [-1, Date.now()];
      setInterval(() => {
        const now = Atomics.load(state, 0);
        if (now !== beat) [beat, since] = [now, Date.now()];
        if (Date.now() - since < 1000 * seconds) return;
        require('node:fs').writeSync(2, what + ': input ' + Atomics.load(state, 1) + ' takes more than ' + seconds + ' s\\n');
        process.kill(pid, 'SIGKILL');
      }, 500);`;
    const workerData = { state: this.#state, what, seconds, pid: process.pid };
    this.#worker = new Worker(code, { eval: true, workerData });
    this.#worker.unref();
  }

  /** Input `number` begins. */
  beat(number: number): void {
    Atomics.store(this.#state, 1, number);
    Atomics.add(this.#state, 0, 1);
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}
