/**
 * Workgroup memory and barriers, by the text of the shaders as devices get them. Software drivers run the lanes of a workgroup in
 * an order in which no missing barrier shows, so a rule has to hold: between a write to a workgroup variable and a read that
 * follows, or a read and a write that follows, stands a barrier; also from the end of a loop to its beginning, and from one call
 * of a function to the next.
 */
import { expect, test } from 'vitest';
import { moduleText } from '../src/engine/webgpu/modules.js';
import { halfKernels } from '../src/engine/webgpu/ops/tiled.js';
import { shaders } from '../src/engine/webgpu/shaders.gen.js';
import { barriersOf, races } from './harness/barriers.js';

const matrices = { ROWS: 16, COLUMNS: 16, TERMS: 16 };
const half = new Set(Object.values(halfKernels).map(({ name }) => name.split('.')[0]));
const modules = [
  ...Object.keys(shaders).map((op) => [op, 'without subgroups', moduleText(op, { subgroup: 0 })]),
  ...Object.keys(shaders).map((op) => [op, 'with subgroups', moduleText(op, { subgroup: 32 })]),
  ...[...half].map((op) => [op, 'with matrix units', moduleText(op, { subgroup: 32, matrices })]),
].filter(([, , code]) => code.includes('var<workgroup>'));

test.each(modules)('%s %s: every two accesses that meet are ordered by a barrier', (_, __, code) => {
  expect(races(code)).toEqual([]);
});

test('a barrier that is missing anywhere is noticed', () => {
  // What one module needs another may not, of a helper that both hold.
  const needed = new Map<string, boolean>();
  for (const [, , code] of modules)
    for (const { at, name } of barriersOf(code)) {
      const without = code.slice(0, at) + code.slice(at).replace('workgroupBarrier();', '');
      needed.set(name, needed.get(name) || races(without).length > 0);
    }
  expect([...needed].flatMap(([name, is]) => (is ? [] : [name]))).toEqual([]);
  expect(needed.size).toBeGreaterThan(20);
});
