/**
 * Steps that do more than their op says, on whatever adapter there is: a rectifier's part at the end of every kernel that can,
 * plain and in tiles, and the gradient of a bias with that of its weights. Values against the reference, which runs them apart.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device } from '../src/engine/device.js';
import { ops } from '../src/engine/ops/index.gen.js';
import type { Program, Recorder } from '../src/engine/program.js';
import { openDawnDevice } from '../src/engine/webgpu/dawn.js';
import type { WebgpuDevice } from '../src/engine/webgpu/device.js';
import { biased } from '../src/engine/webgpu/passes/biased.js';
import { finished } from '../src/engine/webgpu/passes/finished.js';
import { tiled } from '../src/engine/webgpu/passes/tiled.js';
import type { Tile } from '../src/engine/webgpu/tiles.js';
import { expectCaseAgrees } from './harness/cases.js';
import { biasedCases, finishable, followedCases, recorded, severalBiases, stepOf } from './harness/joined.js';

let device: WebgpuDevice;
beforeAll(async () => {
  device = await openDawnDevice();
}, 60_000);
afterAll(() => device?.dispose());

/** The device, with programs changed before it loads them; `expected` is what the last kernels are then. */
function changing(change: (program: Program) => Program, expected: RegExp): Device {
  const changed = Object.create(device) as Device;
  changed.tensor = (...values) => device.tensor(...values);
  changed.load = async (program, bindings) => {
    const executable = await device.load(change(program), bindings);
    expect(executable.program.steps.map(({ kernel }) => kernel.name).join()).toMatch(expected);
    return executable;
  };
  return changed;
}

test('there is a case for every kernel that finishes', () => {
  const kernels = new Set(finishable.map((opCase) => stepOf(opCase).kernel.name));
  expect(kernels.size).toBe(11);
});

test.each(followedCases.map((opCase) => [opCase.name, opCase] as const))(
  '%s',
  (_, opCase) =>
    expectCaseAgrees(
      changing((program) => program, /(^|,)(rectified|masked)\w+\.\w+$/),
      opCase,
    ),
  30_000,
);

/** One block a lane, and slices. */
const tile: Tile = { ROWS: 1, COLUMNS: 1, LX: 2, LY: 1, SLICES: 4, DEPTH: 8 };
const products = followedCases.filter((opCase) => /^(conv2d|linear)/.test(opCase.name));

test.each(products.map((opCase) => [opCase.name, opCase] as const))(
  'in tiles: %s',
  (_, opCase) =>
    expectCaseAgrees(
      changing((program) => tiled(program, () => ({ tile, split: 1 })), /^(rectified|masked)tiled\w+\.\w+$/),
      opCase,
    ),
  30_000,
);

describe('the gradient of a bias with that of its weights', () => {
  test('there are pairs, groups, members and sums to add to among the cases', () => {
    const steps = biasedCases.map((opCase) => recorded(opCase).steps[0]);
    expect(steps.length).toBeGreaterThan(12);
    expect(steps.some(({ operands }) => operands.x2)).toBe(true);
    expect(steps.some(({ sizes }) => sizes.G > 1)).toBe(true);
    expect(steps.some(({ sizes }) => sizes.P > 2)).toBe(true);
    expect(steps.some(({ accumulate }) => accumulate)).toBe(true);
  });

  test.each(biasedCases.map((opCase) => [opCase.name, opCase] as const))(
    '%s',
    (_, opCase) =>
      expectCaseAgrees(
        changing((program) => program, /^\w+\.backwardWeight$/),
        opCase,
      ),
    30_000,
  );

  test.each(biasedCases.flatMap((opCase) => [1, 2].map((split) => [opCase.name, split, opCase] as const)))(
    'in tiles: %s in %i',
    (_, split, opCase) =>
      expectCaseAgrees(
        changing(
          (program) => tiled(biased(program), () => ({ tile, split })),
          split > 1 ? /^tiled\w+\.backwardWeight,pieces\.sum$/ : /^tiled\w+\.backwardWeight$/,
        ),
        opCase,
      ),
    30_000,
  );
});

test('gradients of several biases in one step', () =>
  expectCaseAgrees(
    changing((program) => program, /^bias\.backward$/),
    severalBiases,
  ));

describe('steps stay apart', () => {
  const lengths = (record: (r: Recorder) => void) => {
    const program = recorded({ name: 'apart', record });
    return [program.steps.length, finished(biased(program)).steps.length];
  };
  const factors = (r: Recorder) => ({ x: r.external('x', 1, [3, 4]), w: r.external('w', 1, [5, 4]) });

  test('where what the rectifier reads is read again, is the caller’s, or is added to', () => {
    const again = lengths((r) => {
      const y = ops.linear.forward(r, factors(r));
      ops.relu.forward(r, { x: y });
      ops.elementwise.add(r, { a: y, b: y }, 1, 1, r.external('out', 1, y.shape));
    });
    const external = lengths((r) => {
      const y = ops.linear.forward(r, factors(r), { into: r.external('y', 1, [3, 5]) });
      ops.relu.forward(r, { x: y });
    });
    const added = lengths((r) => {
      const y = ops.linear.forward(r, factors(r));
      ops.linear.forward(
        r,
        { x: r.external('x2', 1, [3, 4]), w: r.external('w2', 1, [5, 4]) },
        { into: y, accumulate: true },
      );
      ops.relu.forward(r, { x: y });
    });
    expect([again, external, added]).toEqual([
      [3, 3],
      [2, 2],
      [3, 3],
    ]);
  });

  test('where the mask is of more networks than what is masked, and where the mask is what the step reads', () => {
    const members = lengths((r) => {
      const u = ops.linear.forward(r, factors(r));
      ops.relu.mask(r, { y: r.external('mask', 3, u.shape), u });
    });
    const own = lengths((r) => {
      const y = r.external('y', 1, [3, 5]);
      const u = ops.elementwise.add(r, { a: y, b: y }, 1, 1);
      ops.relu.mask(r, { y, u }, { into: { ...y } });
    });
    expect([members, own]).toEqual([
      [2, 2],
      [2, 2],
    ]);
  });

  test('where a bias lies elsewhere, is of something else, or would take tiles of its own', () => {
    const gradient = (I: number, gap: number, other = false, n = 3) =>
      lengths((r) => {
        const yBar = r.external('yBar', 1, [n, 5]);
        const g = r.external('g', 1, [5 * I + 10]);
        const x = r.external('x', 1, [n, I]);
        ops.linear.backwardWeight(r, { x, yBar }, { into: { ...g, shape: [5, I] } });
        const of = other ? r.external('other', 1, [n, 5]) : yBar;
        ops.bias.backward(r, { yBar: of }, { into: { ...g, offset: 5 * I + gap, shape: [5] } });
      });
    const long = 2 ** 22;
    expect([
      gradient(4, 0),
      gradient(64, 0),
      gradient(4, 1),
      gradient(4, 0, true),
      gradient(64, 0, false, long),
      gradient(63, 0, false, long),
    ]).toEqual([
      [2, 1],
      [2, 1],
      [2, 2],
      [2, 2],
      [2, 2],
      [2, 1],
    ]);
  });
});
