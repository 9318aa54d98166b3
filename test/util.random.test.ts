import { describe, expect, test } from 'vitest';
import {
  feistelPermutation,
  keyedPermutation,
  normalPair,
  permutation,
  Stream,
  threefry4x32,
  uniform,
  type Words4,
} from '../src/util/random.js';

function block(key: Words4, counter: Words4): string {
  const out = new Uint32Array(4);
  threefry4x32(key, counter, out);
  return Array.from(out, (word) => word.toString(16).padStart(8, '0')).join(' ');
}

describe('threefry4x32', () => {
  const ones = 0xffffffff;
  test.each<[string, Words4, Words4, string]>([
    ['zeros', [0, 0, 0, 0], [0, 0, 0, 0], '9c6ca96a e17eae66 fc10ecd4 5256a7d8'],
    ['ones', [ones, ones, ones, ones], [ones, ones, ones, ones], '2a881696 57012287 f6c7446e a16a6732'],
    [
      'pi',
      [0xa4093822, 0x299f31d0, 0x082efa98, 0xec4e6c89],
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      '59cd1dbb b8879579 86b5d00c ac8b6d84',
    ],
  ])('known answer: %s', (_name, key, counter, expected) => {
    expect(block(key, counter)).toBe(expected);
  });
});

describe('uniform and normal values', () => {
  test('uniform stays inside (0, 1) at both ends', () => {
    expect(uniform(0)).toBe(2 ** -25);
    expect(uniform(0xffffffff)).toBe(1 - 2 ** -25);
    expect(uniform(0x80000000)).toBe(0.5 + 2 ** -25);
  });

  test('a pair is radius times cosine and sine', () => {
    const [a, b] = normalPair(0x12345678, 0x9abcdef0);
    expect(a * a + b * b).toBeCloseTo(-2 * Math.log(uniform(0x12345678)), 12);
    expect(Math.atan2(b, a)).toBeCloseTo(2 * Math.PI * uniform(0x9abcdef0) - 2 * Math.PI, 12);
  });

  test('moments of 40,000 values', () => {
    const stream = new Stream(1, 2);
    const n = 40_000;
    const moments = [0, 0, 0, 0];
    let uniformSum = 0;
    for (let i = 0; i < n; i++) {
      const x = stream.normal(i);
      for (let power = 0; power < 4; power++) moments[power] += x ** (power + 1) / n;
      uniformSum += stream.uniform(i) / n;
    }
    expect(Math.abs(moments[0])).toBeLessThan(0.02);
    expect(Math.abs(moments[1] - 1)).toBeLessThan(0.03);
    expect(Math.abs(moments[2])).toBeLessThan(0.06);
    expect(Math.abs(moments[3] - 3)).toBeLessThan(0.2);
    expect(Math.abs(uniformSum - 0.5)).toBeLessThan(0.006);
  });
});

describe('Stream', () => {
  test('addresses blocks by seed words, stream, member, index and draw', () => {
    const stream = new Stream(5 * 2 ** 32 + 7, 11, 13);
    stream.draw = 17;
    const out = new Uint32Array(4);
    threefry4x32([7, 5, 11, 13], [3, 17, 0, 0], out);
    expect([12, 13, 14, 15].map((index) => stream.u32(index))).toEqual(Array.from(out));
    expect([stream.normal(12), stream.normal(13)]).toEqual(normalPair(out[0], out[1]));
    expect([stream.normal(14), stream.normal(15)]).toEqual(normalPair(out[2], out[3]));
  });

  test('is random access: any order, and back and forth between draws', () => {
    const forward = new Stream(3, 1);
    const values = Array.from({ length: 50 }, (_, i) => forward.u32(i));
    const backward = new Stream(3, 1);
    for (let i = 49; i >= 0; i--) expect(backward.u32(i)).toBe(values[i]);
    backward.draw = 1;
    expect(backward.u32(0)).not.toBe(values[0]);
    backward.draw = 0;
    expect(backward.u32(0)).toBe(values[0]);
  });

  test('refuses a seed that has no two words', () => {
    for (const seed of [-1, 0.5, 2 ** 53, Number.NaN]) expect(() => new Stream(seed, 0)).toThrow(/seed/);
  });
});

describe('permutations', () => {
  test('Fisher-Yates gives each number once, and every order of three equally often', () => {
    expect(Array.from(permutation(new Stream(9, 4), 1000)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 1000 }, (_, i) => i),
    );
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 6000; seed++) {
      const order = permutation(new Stream(seed, 4), 3).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  const order = (n: number, epoch: number, part = 0) =>
    Array.from({ length: n }, (_, i) => keyedPermutation([1, 0, 6, epoch], n, i, part));

  test('keyed ones are bijections for every size, and epochs and parts differ', () => {
    for (const n of [1, 2, 3, 4, 5, 16, 17, 98, 99, 100, 101, 255, 256, 257, 1000, 4097]) {
      const seen = new Set(order(n, n));
      expect(seen.size).toBe(n);
      expect(Math.max(...seen)).toBe(n - 1);
    }
    for (const n of [99, 100]) {
      expect(order(n, 0)).not.toEqual(order(n, 1));
      expect(order(n, 0)).not.toEqual(order(n, 0, 1));
    }
  });

  test('of up to 99 numbers are Fisher-Yates, of more the Feistel network', () => {
    for (const n of [2, 5, 10, 99]) {
      // The exchanges one after another, on the whole list.
      const words = (i: number) => {
        const out = new Uint32Array(4);
        threefry4x32([1, 0, 6, 3], [i >> 2, 0, 0x66796b73, 7], out);
        return out[i & 3];
      };
      const list = Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = Number((BigInt(words(i)) * BigInt(i + 1)) >> 32n);
        [list[i], list[j]] = [list[j], list[i]];
      }
      expect(order(n, 3, 7)).toEqual(list);
    }
    const feistel = Array.from({ length: 100 }, (_, i) => feistelPermutation([1, 0, 6, 3], 100, i));
    expect(order(100, 3)).toEqual(feistel);
  });

  /** By how many standard deviations (Wilson and Hilferty) a value of chi-square is above what is expected. */
  const deviation = (chiSquare: number, degrees: number) =>
    (Math.cbrt(chiSquare / degrees) - (1 - 2 / (9 * degrees))) / Math.sqrt(2 / (9 * degrees));

  // A four-round Feistel network is seven (n = 3) to twenty-eight (n = 10) standard deviations away.
  test.each([2, 3, 5, 10, 17, 32])('of %i numbers bring each to every place equally often', (n) => {
    const epochs = 40_000;
    const counts = new Float64Array(n * n);
    for (let epoch = 0; epoch < epochs; epoch++)
      for (const [i, place] of order(n, epoch).entries()) counts[i * n + place]++;
    const expected = epochs / n;
    const sum = counts.reduce((total, count) => total + (count - expected) ** 2 / expected, 0);
    // Rows and columns of the table add up to the number of epochs.
    expect(deviation((sum * (n - 1)) / n, (n - 1) ** 2)).toBeLessThan(4);
  });

  test('of four numbers have every order equally often, and so have two of ten', () => {
    const epochs = 24_000;
    const orders = new Map<string, number>();
    const pairs = new Map<string, number>();
    for (let epoch = 0; epoch < epochs; epoch++) {
      const all = order(4, epoch).join();
      orders.set(all, (orders.get(all) ?? 0) + 1);
      const two = order(10, epoch).slice(3, 5).join();
      pairs.set(two, (pairs.get(two) ?? 0) + 1);
    }
    for (const [counts, size] of [
      [orders, 24],
      [pairs, 90],
    ] as const) {
      expect(counts.size).toBe(size);
      let sum = 0;
      for (const count of counts.values()) sum += (count - epochs / size) ** 2 / (epochs / size);
      expect(deviation(sum, size - 1)).toBeLessThan(4);
    }
  });

  test('a Feistel network follows its definition for n up to 2^31', () => {
    const n = 2 ** 31;
    const key: Words4 = [1, 2, 3, 4];
    const index = 0x7fffffff;
    // Written out again with exact integers: 32 bits, half = 16.
    let value = BigInt(index);
    const out = new Uint32Array(4);
    do {
      let left = value >> 16n;
      let right = value & 0xffffn;
      for (let r = 0; r < 4; r++) {
        threefry4x32(key, [Number(right), r, 0x70657256, 0], out);
        [left, right] = [right, left ^ (BigInt(out[0]) & 0xffffn)];
      }
      value = (left << 16n) | right;
    } while (value >= BigInt(n));
    expect(feistelPermutation(key, n, index)).toBe(Number(value));
  });
});
