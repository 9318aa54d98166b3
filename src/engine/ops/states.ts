import type { Kernel } from '../kernel.js';
import { destination, expectShape, type Into, type OpCase } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * The states of several draws in succession, for what is drawn again later: row t of `states` `[count, 4]` is the u32 `[4]` state of random
 * numbers (see `random.ts`) after t times `random.advance`.
 */
export const followingKernel: Kernel = {
  name: 'states.following',
  operands: { state: 'read', states: 'write' },
  sizes: ['P', 'count'],
  constants: [],
  kind: 'exact',
  reduction: () => 1,
  flops: () => 0,
  reference({ state, states }, s) {
    const [low, high, draw, member] = [0, 1, 2, 3].map((i) => state(0)[i]);
    for (let p = 0; p < s.P; p++)
      for (let t = 0; t < s.count; t++) states(p).set([low, high, draw + t, member], 4 * t);
  },
};

/** `count` states, of this draw and of those that follow it; take one with `slice(states, 4 * t, [4])`. */
export function following(r: Recorder, { state }: { state: View }, count: number, to: Into = {}): View {
  const op = followingKernel.name;
  expectShape(op, 'state', state, [4], '(seed low, seed high, draw, first member)');
  const states = destination(r, op, 'states', 1, [count, 4], to, 'u32');
  const sizes = { P: 1, count };
  r.push({ kernel: followingKernel, operands: { state, states }, sizes, constants: {}, accumulate: false });
  return states;
}

export const cases: readonly OpCase[] = [1, 133].map((count) => ({
  name: `states.following count=${count}`,
  fill: { state: { kind: 'values', values: () => [12345, 6, 7, 3] } as const },
  record(r: Recorder) {
    const state = r.external('state', 1, [4], 'u32');
    following(r, { state }, count, { into: r.external('states', 1, [count, 4], 'u32') });
  },
}));
