/**
 * Random numbers addressed by counters: Threefry-4x32-20 (Salmon et al. 2011, Random123) in 32-bit additions,
 * rotations and exclusive ors. TypeScript, C++ and WGSL compute the same bits, so a draw can be replayed in a
 * backward sweep, on another engine, or for one member of a population alone. No state, nothing of Node.
 */

import { LimbeckError } from './errors.js';

/** Four unsigned 32-bit words. */
export type Words4 = readonly [number, number, number, number];

const PARITY = 0x1bd11bda;

/**
 * Rotation distances of the eight distinct rounds, two per round; round `r` uses pair `r % 8`.
 */
const ROTATIONS = new Uint8Array([10, 26, 11, 21, 13, 27, 23, 5, 6, 20, 17, 11, 25, 10, 18, 20]);

/** The key and its parity word; module-level so that a call allocates nothing (calls never nest). */
const keySchedule = new Int32Array(5);

/**
 * One block of Threefry-4x32 with 20 rounds.
 *
 * @param key four u32 words
 * @param counter four u32 words
 * @param out receives the four words of the block
 */
export function threefry4x32(key: Words4, counter: Words4, out: Uint32Array): void {
  const k = keySchedule;
  k[0] = key[0];
  k[1] = key[1];
  k[2] = key[2];
  k[3] = key[3];
  k[4] = PARITY ^ k[0] ^ k[1] ^ k[2] ^ k[3];
  let x0 = (counter[0] + k[0]) | 0;
  let x1 = (counter[1] + k[1]) | 0;
  let x2 = (counter[2] + k[2]) | 0;
  let x3 = (counter[3] + k[3]) | 0;
  for (let round = 0; round < 20; round += 2) {
    const at = (2 * round) & 15;
    // Even rounds mix (x0, x1) and (x2, x3); odd rounds mix (x0, x3) and (x2, x1).
    x0 = (x0 + x1) | 0;
    x1 = rotateLeft(x1, ROTATIONS[at]) ^ x0;
    x2 = (x2 + x3) | 0;
    x3 = rotateLeft(x3, ROTATIONS[at + 1]) ^ x2;
    x0 = (x0 + x3) | 0;
    x3 = rotateLeft(x3, ROTATIONS[at + 2]) ^ x0;
    x2 = (x2 + x1) | 0;
    x1 = rotateLeft(x1, ROTATIONS[at + 3]) ^ x2;
    if ((round & 3) === 2) {
      const injection = (round + 2) >> 2;
      x0 = (x0 + k[injection % 5]) | 0;
      x1 = (x1 + k[(injection + 1) % 5]) | 0;
      x2 = (x2 + k[(injection + 2) % 5]) | 0;
      x3 = (x3 + k[(injection + 3) % 5] + injection) | 0;
    }
  }
  out[0] = x0;
  out[1] = x1;
  out[2] = x2;
  out[3] = x3;
}

function rotateLeft(x: number, distance: number): number {
  return (x << distance) | (x >>> (32 - distance));
}

/**
 * The middle of one of 2^24 equal cells of (0, 1), from the upper 24 bits of `bits`: never 0, never 1.
 * The value has 25 significant bits: a float32 engine rounds those above one half to even, so it may see 1.
 */
export function uniform(bits: number): number {
  return (bits >>> 8) * 2 ** -24 + 2 ** -25;
}

/** Two independent standard normal values from two u32 words (Box-Muller in float64). */
export function normalPair(bitsA: number, bitsB: number): [number, number] {
  const radius = Math.sqrt(-2 * Math.log(uniform(bitsA)));
  const angle = 2 * Math.PI * uniform(bitsB);
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

/** The low and the high word of a seed, a non-negative safe integer; `ERR_OPTION` otherwise. */
export function seedWords(seed: number): [number, number] {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new LimbeckError(
      'ERR_OPTION',
      `seed is ${seed}, expected an integer from 0 to 2^53 - 1; give a whole number such as 0.`,
    );
  }
  return [seed >>> 0, Math.floor(seed / 2 ** 32)];
}

/**
 * Random access to one stream of draws: value `index` is a pure function of
 * (seed, stream, member, draw, index).
 *
 * Key `[seedLow, seedHigh, stream, member]`, counter `[index >>> 2, draw, 0, 0]`, lane `index & 3`.
 */
export class Stream {
  /** Names a fresh set of values of the same stream, such as the step; u32. */
  draw = 0;

  readonly #key: [number, number, number, number];
  readonly #counter: [number, number, number, number] = [0, 0, 0, 0];
  readonly #block = new Uint32Array(4);
  // Successive indices of one block cost one evaluation; #counter is the address of the block in #block.
  #filled = false;

  constructor(seed: number, stream: number, member = 0) {
    const [low, high] = seedWords(seed);
    this.#key = [low, high, stream >>> 0, member >>> 0];
  }

  /** 32 random bits; `index` is a u32. */
  u32(index: number): number {
    return this.#blockOf(index)[index & 3];
  }

  /** In (0, 1); see `uniform`. */
  uniform(index: number): number {
    return uniform(this.u32(index));
  }

  /** Standard normal: lanes 0 and 1 of a block make one pair, lanes 2 and 3 another. */
  normal(index: number): number {
    const block = this.#blockOf(index);
    const lane = index & 2;
    const radius = Math.sqrt(-2 * Math.log(uniform(block[lane])));
    const angle = 2 * Math.PI * uniform(block[lane + 1]);
    return radius * (index & 1 ? Math.sin(angle) : Math.cos(angle));
  }

  #blockOf(index: number): Uint32Array {
    const blockIndex = index >>> 2;
    if (!this.#filled || this.#counter[0] !== blockIndex || this.#counter[1] !== this.draw) {
      this.#counter[0] = blockIndex;
      this.#counter[1] = this.draw;
      threefry4x32(this.#key, this.#counter, this.#block);
      this.#filled = true;
    }
    return this.#block;
  }
}

/**
 * The numbers `0 .. n - 1` in random order: Fisher-Yates from the end, step `i` reading word `n - 1 - i` of the
 * stream. A word is scaled to `0 .. i` by multiplication, which favours some values by at most `n / 2^32`.
 */
export function permutation(stream: Stream, n: number): Uint32Array {
  const order = new Uint32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor((stream.u32(n - 1 - i) * (i + 1)) / 2 ** 32);
    const swapped = order[i];
    order[i] = order[j];
    order[j] = swapped;
  }
  return order;
}

/** Up to so many numbers are shuffled; more go through a Feistel network. */
const MOST_SHUFFLED = 99;
/** 'perv' and 'fyks' in ASCII: keep the counters of permutations apart from every other use of the same key. */
const FEISTEL_TAG = 0x70657256;
const SHUFFLE_TAG = 0x66796b73;
const FEISTEL_ROUNDS = 4;
const permutationBlock = new Uint32Array(4);

/**
 * Where a keyed bijection of `0 .. n - 1` sends `index`: a random order read one element at a time, without storing it.
 * Fewer than a hundred numbers are shuffled, every order as likely as any other (but for the rounding of 32 bits);
 * more go through a Feistel network, which sends a number to some places more often than to others, by less than a
 * hundredth.
 *
 * @param key `[seedLow, seedHigh, stream, epoch]`
 * @param n 1 .. 2^31
 * @param index `0 .. n - 1`
 * @param part tells permutations of the same key apart: the last word of their counters
 */
export function keyedPermutation(key: Words4, n: number, index: number, part = 0): number {
  return n <= MOST_SHUFFLED ? shuffled(key, n, index, part) : feistelPermutation(key, n, index, part);
}

/**
 * Fisher-Yates: the exchanges of i and `floor(word i (i + 1) / 2^32)` for i from n - 1 down to 1, followed from the last
 * one back to where the number at `index` came from. Those of i below `index` do not touch it.
 */
function shuffled(key: Words4, n: number, index: number, part: number): number {
  let place = index;
  let block = -1;
  for (let i = Math.max(1, index); i < n; i++) {
    if (i >>> 2 !== block) {
      block = i >>> 2;
      threefry4x32(key, [block, 0, SHUFFLE_TAG, part], permutationBlock);
    }
    const other = Math.floor((permutationBlock[i & 3] * (i + 1)) / 2 ** 32);
    if (place === i) place = other;
    else if (place === other) place = i;
  }
  return place;
}

/**
 * A balanced four-round Feistel network on the smallest even number of bits (at least two) that holds `n`, repeated
 * until the value falls below `n` (fewer than four passes on average); operands as in `keyedPermutation`.
 */
export function feistelPermutation(key: Words4, n: number, index: number, part = 0): number {
  const half = feistelHalfBits(n);
  const mask = 2 ** half - 1;
  let value = index;
  do {
    let left = value >>> half;
    let right = value & mask;
    for (let round = 0; round < FEISTEL_ROUNDS; round++) {
      threefry4x32(key, [right, round, FEISTEL_TAG, part], permutationBlock);
      const next = (left ^ (permutationBlock[0] & mask)) >>> 0;
      left = right;
      right = next;
    }
    value = ((left << half) | right) >>> 0;
  } while (value >= n);
  return value;
}

/** `max(1, ceil(ceil(log2 n) / 2))`, in integers. */
function feistelHalfBits(n: number): number {
  const bits = n <= 1 ? 0 : 32 - Math.clz32(n - 1);
  return Math.max(1, (bits + 1) >> 1);
}
