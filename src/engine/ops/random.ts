import { LimbeckError } from '../../util/errors.js';
import { keyedPermutation, normalPair, threefry4x32, uniform } from '../../util/random.js';
import type { Kernel } from '../kernel.js';
import { destination, expectRank, expectShape, expectShared, type Into, type OpCase } from '../op.js';
import type { Recorder } from '../program.js';
import { elements, type View } from '../view.js';

/**
 * Counter-based random numbers: a draw is addressed, never consumed, so that it can be replayed anywhere.
 *
 * `state` is a u32 slot of four words: seed (low, high), draw, first member. With `first` that member and `firstMember` of the
 * step together, element i of member p of stream q is
 * word `i & 3` of Threefry-4x32-20 with
 *
 *     key = [seed low, seed high, stream, first + p]      counter = [i >> 2, draw, 0, 0]
 *
 * `normal` turns words 0, 1 and words 2, 3 of a block into a Box-Muller pair each; `uniform` is
 * `(word >> 8) 2^-24 + 2^-25`. `advance` adds one to draw. The bits are the same on every engine; normals differ by the
 * rounding of log, cos and sin.
 *
 * `batch` walks through a fresh permutation of `rows` in every epoch (`keyedPermutation`, see util/random.ts), `B` indices
 * per draw. `batchByClass` does so within classes, each with a sequence of its own: member p takes from class
 * `firstClass + p mod K`, and where there are several members per class, each takes the B rows that follow those of the one
 * before. `order` has the rows `[R]` class by class, `starts` `[K + 1]` says where in it each class begins.
 *
 * `dropout` keeps element i where the upper 24 bits of its word are at least `drop = rate 2^24`. `fork` makes states of
 * their own, for the steps of an unrolled training: row t of its result is
 *
 *     [word 0, word 1, 0, first member] of Threefry with   key = [seed low, seed high, stream, 0]   counter = [t, draw, 0, 0]
 *
 * so that a step is told from the next by the offset of its state, which is no part of a pipeline, not by a stream.
 */
const key = (state: ArrayLike<number>, stream: number, member: number): [number, number, number, number] => [
  state[0],
  state[1],
  stream,
  member,
];

/** That of a member whose numbers are its own. */
const memberKey = (state: ArrayLike<number>, stream: number, member: number) =>
  key(state, stream, (state[3] + member) >>> 0);

function fillKernel(name: string, value: (words: Uint32Array, lane: number) => number): Kernel {
  return {
    name,
    operands: { state: 'read', out: 'write' },
    sizes: ['P', 'M', 'stream', 'firstMember'],
    constants: ['gain', 'shift'],
    kind: 'nonlinear',
    reduction: () => 1,
    flops: (s) => 20 * s.P * s.M,
    reference({ state, out }, s, { gain, shift }) {
      const words = new Uint32Array(4);
      for (let p = 0; p < s.P; p++) {
        const op = out(p);
        for (let i = 0; i < s.M; i++) {
          if ((i & 3) === 0)
            threefry4x32(
              memberKey(state(0), s.stream, s.firstMember + p),
              [i >>> 2, state(0)[2], 0, 0],
              words,
            );
          op[i] = gain * value(words, i & 3) + shift;
        }
      }
    },
  };
}

export const normalKernel: Kernel = fillKernel(
  'random.normal',
  (words, lane) => normalPair(words[lane & 2], words[(lane & 2) + 1])[lane & 1],
);

export const uniformKernel: Kernel = fillKernel('random.uniform', (words, lane) => uniform(words[lane]));

export const dropoutKernel: Kernel = {
  name: 'random.dropout',
  operands: { state: 'read', x: 'read', y: 'write' },
  sizes: ['P', 'M', 'stream', 'masks', 'drop'],
  constants: ['scale'],
  kind: 'multilinear',
  reduction: () => 1,
  flops: (s) => 20 * s.P * s.M,
  reference({ state, x, y }, s, { scale }) {
    const words = new Uint32Array(4);
    for (let p = 0; p < s.P; p++) {
      const [xp, yp] = [x(p), y(p)];
      for (let i = 0; i < s.M; i++) {
        if ((i & 3) === 0)
          threefry4x32(memberKey(state(0), s.stream, p % s.masks), [i >>> 2, state(0)[2], 0, 0], words);
        yp[i] = words[i & 3] >>> 8 >= s.drop ? scale * xp[i] : 0;
      }
    }
  },
};

/** What whole numbers are made by. */
const exact = { constants: [], kind: 'exact', reduction: () => 1, flops: () => 0 } as const;

export const forkKernel: Kernel = {
  name: 'random.fork',
  operands: { state: 'read', states: 'write' },
  sizes: ['P', 'count', 'stream'],
  ...exact,
  reference({ state, states }, s) {
    const words = new Uint32Array(4);
    for (let p = 0; p < s.P; p++)
      for (let t = 0; t < s.count; t++) {
        threefry4x32(key(state(0), s.stream, 0), [t, state(0)[2], 0, 0], words);
        states(p).set([words[0], words[1], 0, state(0)[3]], 4 * t);
      }
  },
};

/** Row `position` of a sequence of permutations of n rows. */
function rowAt(state: ArrayLike<number>, stream: number, n: number, position: number, part = 0): number {
  return keyedPermutation(key(state, stream, Math.floor(position / n)), n, position % n, part);
}

export const batchKernel: Kernel = {
  name: 'random.batch',
  operands: { state: 'read', index: 'write' },
  sizes: ['P', 'B', 'rows', 'stream'],
  ...exact,
  reference({ state, index }, s) {
    for (let p = 0; p < s.P; p++)
      for (let b = 0; b < s.B; b++) index(p)[b] = rowAt(state(0), s.stream, s.rows, state(0)[2] * s.B + b);
  },
};

export const batchByClassKernel: Kernel = {
  name: 'random.batchByClass',
  operands: { state: 'read', order: 'read', starts: 'read', index: 'write' },
  sizes: ['P', 'B', 'K', 'R', 'stream', 'firstClass'],
  ...exact,
  parts: (s) => ({ order: s.P * s.B }),
  reference({ state, order, starts, index }, s) {
    for (let p = 0; p < s.P; p++) {
      const k = p % s.K;
      const draw = state(0)[2] * (s.P / s.K) + Math.floor(p / s.K);
      const [from, to] = [starts(0)[k], starts(0)[k + 1]];
      if (!(from < to && to <= s.R))
        throw new LimbeckError(
          'ERR_PROGRAM',
          `random.batchByClass: class ${s.firstClass + k} is rows ${from} to ${to} of ${s.R}, expected at least one row`,
        );
      for (let b = 0; b < s.B; b++) {
        const place = rowAt(state(0), s.stream, to - from, draw * s.B + b, s.firstClass + k + 1);
        index(p)[b] = order(0)[from + place];
      }
    }
  },
};

export const advanceKernel: Kernel = {
  name: 'random.advance',
  operands: { state: 'update' },
  sizes: ['P'],
  ...exact,
  reference({ state }) {
    state(0)[2] += 1;
  },
};

/** How numbers are drawn: which stream, and the global number of the first member (0 unless a population is split). */
export interface Draw {
  readonly stream: number;
  readonly firstMember?: number;
  readonly gain?: number;
  readonly shift?: number;
}

function expectState(op: string, state: View): void {
  expectShape(op, 'state', state, [4], '(seed low, seed high, draw, first member)');
  expectShared(op, 'state', state);
}

function fill(r: Recorder, kernel: Kernel, state: View, draw: Draw, out: View): View {
  expectState(kernel.name, state);
  const { stream, firstMember = 0, gain = 1, shift = 0 } = draw;
  const sizes = { P: out.members, M: elements(out.shape), stream, firstMember };
  r.push({ kernel, operands: { state, out }, sizes, constants: { gain, shift }, accumulate: false });
  return out;
}

/** out = gain * standard normal + shift. */
export function normal(r: Recorder, { state }: { state: View }, draw: Draw, out: View): View {
  return fill(r, normalKernel, state, draw, out);
}

/** out = gain * uniform(0, 1) + shift. */
export function uniformFill(r: Recorder, { state }: { state: View }, draw: Draw, out: View): View {
  return fill(r, uniformKernel, state, draw, out);
}

/** What is dropped: with which probability, and from which stream; `masks` members (1 or all) have a mask of their own. */
export interface Dropout {
  readonly rate: number;
  readonly stream: number;
  readonly masks: number;
}

/**
 * y = x / (1 - rate) where the mask keeps it, else 0. The mask is drawn anew from its address every time, so applying it
 * again to a tangent or a cotangent needs no memory of it.
 */
export function dropout(
  r: Recorder,
  { state, x }: { state: View; x: View },
  { rate, stream, masks }: Dropout,
  to: Into = {},
): View {
  const op = dropoutKernel.name;
  expectState(op, state);
  if (!(rate >= 0 && rate < 1))
    throw new LimbeckError('ERR_OPTION', `${op}: rate is ${rate}, expected a number from 0 to below 1`);
  const P = Math.max(x.members, masks);
  const y = destination(r, op, 'y', P, x.shape, to);
  r.push({
    kernel: dropoutKernel,
    operands: { state, x, y },
    sizes: { P, M: elements(x.shape), stream, masks, drop: Math.round(rate * 2 ** 24) },
    constants: { scale: 1 / (1 - rate) },
    accumulate: false,
  });
  return y;
}

/** `count` states in one slot `[count, 4]`, each for random numbers of its own; take one with `slice(states, 4 * t, [4])`. */
export function fork(
  r: Recorder,
  { state }: { state: View },
  { count, stream }: { count: number; stream: number },
  to: Into = {},
): View {
  expectState(forkKernel.name, state);
  const states = destination(r, forkKernel.name, 'states', 1, [count, 4], to, 'u32');
  r.push({
    kernel: forkKernel,
    operands: { state, states },
    sizes: { P: 1, count, stream },
    constants: {},
    accumulate: false,
  });
  return states;
}

/**
 * The next B indices out of `rows`, every row once per epoch. Draw times B must stay below 2^32: the
 * position in the sequence is counted in 32 bits.
 */
export function batch(
  r: Recorder,
  { state }: { state: View },
  { B, rows, stream }: { B: number; rows: number; stream: number },
  to: Into = {},
): View {
  const op = batchKernel.name;
  expectState(op, state);
  const index = destination(r, op, 'index', 1, [B], to, 'u32');
  r.push({
    kernel: batchKernel,
    operands: { state, index },
    sizes: { P: 1, B, rows, stream },
    constants: {},
    accumulate: false,
  });
  return index;
}

/** Which rows are drawn for each class. */
export interface ClassDraw {
  /** Rows per member. */
  readonly B: number;
  readonly stream: number;
  /** Members per class: member `d K + c` is the d-th of class c. Default 1. */
  readonly draws?: number;
  /** The number of the first class, where `starts` are those of some of the classes. Default 0. */
  readonly firstClass?: number;
}

/**
 * The next B indices `[B]` of each class, one class per member. Draw times B times draws must stay below 2^32. A class
 * without rows is an error on the reference engine; the others take a row of another class.
 */
export function batchByClass(
  r: Recorder,
  { state, order, starts }: { state: View; order: View; starts: View },
  { B, stream, draws = 1, firstClass = 0 }: ClassDraw,
  to: Into = {},
): View {
  const op = batchByClassKernel.name;
  expectState(op, state);
  expectRank(op, 'order', order, 'R');
  expectRank(op, 'starts', starts, 'K+1');
  expectShared(op, 'order', order);
  expectShared(op, 'starts', starts);
  const [R, K] = [order.shape[0], starts.shape[0] - 1];
  const index = destination(r, op, 'index', draws * K, [B], to, 'u32');
  r.push({
    kernel: batchByClassKernel,
    operands: { state, order, starts, index },
    sizes: { P: draws * K, B, K, R, stream, firstClass },
    constants: {},
    accumulate: false,
  });
  return index;
}

/** draw += 1. */
export function advance(r: Recorder, { state }: { state: View }): void {
  expectState(advanceKernel.name, state);
  r.push({ kernel: advanceKernel, operands: { state }, sizes: { P: 1 }, constants: {}, accumulate: false });
}

const state = (r: Recorder) => r.external('state', 1, [4], 'u32');
const stateFill = { state: { kind: 'values', values: () => [12345, 6, 7, 3] } as const };

export const cases: readonly OpCase[] = [
  ...[1, 3].flatMap((P): OpCase[] => [
    {
      name: `random.normal P=${P}`,
      fill: stateFill,
      record(r: Recorder) {
        normal(r, { state: state(r) }, { stream: 2, gain: 0.5, shift: 1 }, r.external('out', P, [203]));
      },
    },
    {
      name: `random.uniform P=${P}`,
      fill: stateFill,
      record(r: Recorder) {
        uniformFill(r, { state: state(r) }, { stream: 3, firstMember: 5 }, r.external('out', P, [203]));
      },
    },
  ]),
  ...[
    { P: 1, masks: 1, members: 1 },
    { P: 3, masks: 3, members: 1 },
    { P: 3, masks: 1, members: 3 },
  ].map(({ P, masks, members }) => ({
    name: `random.dropout P=${P}, ${masks} masks, ${members} members`,
    fill: stateFill,
    record(r: Recorder) {
      const operands = { state: state(r), x: r.external('x', members, [7, 29]) };
      dropout(r, operands, { rate: 0.3, stream: 4, masks }, { into: r.external('y', P, [7, 29]) });
    },
  })),
  {
    name: 'random.fork',
    fill: stateFill,
    record(r: Recorder) {
      const into = r.external('states', 1, [9, 4], 'u32');
      fork(r, { state: state(r) }, { count: 9, stream: 5 }, { into });
    },
  },
  ...[1, 2, 17, 99, 100, 1000].map((rows) => ({
    name: `random.batch rows=${rows}`,
    fill: stateFill,
    record(r: Recorder) {
      batch(
        r,
        { state: state(r) },
        { B: 60, rows, stream: 9 },
        { into: r.external('index', 1, [60], 'u32') },
      );
    },
  })),
  ...[
    { draws: 1, B: 7, firstClass: 0 },
    { draws: 3, B: 150, firstClass: 4 },
  ].map(({ draws, B, firstClass }): OpCase => {
    // One row, tens, and more than are shuffled; drawn far into the sequence.
    const counts = [1, 5, 99, 100, 131];
    const starts = [0, ...counts.map((_, k) => counts.slice(0, k + 1).reduce((a, b) => a + b))];
    const R = starts[counts.length];
    return {
      name: `random.batchByClass B=${B}, ${draws} a class`,
      fill: {
        state: { kind: 'values', values: () => [12345, 6, 700, 3] },
        starts: { kind: 'values', values: () => starts },
        order: { kind: 'values', values: () => Array.from({ length: R }, (_, i) => (i * 5) % R) },
      },
      record(r) {
        const tables = {
          order: r.external('order', 1, [R], 'u32'),
          starts: r.external('starts', 1, [starts.length], 'u32'),
        };
        const into = r.external('index', draws * counts.length, [B], 'u32');
        batchByClass(r, { state: state(r), ...tables }, { B, stream: 9, draws, firstClass }, { into });
      },
    };
  }),
  { name: 'random.advance', fill: stateFill, record: (r: Recorder) => advance(r, { state: state(r) }) },
];
