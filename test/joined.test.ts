/**
 * Steps that do more than their op says, on whatever adapter there is: a rectifier's part at the end of every kernel that can,
 * plain and in tiles, and the gradient of a bias with that of its weights. Values against the reference, which runs them apart.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device } from '../src/engine/device.js';
import { ops } from '../src/engine/ops/index.gen.js';
import { type Program, Recorder } from '../src/engine/program.js';
import { slice, type View } from '../src/engine/view.js';
import { openDawnDevice } from '../src/engine/webgpu/dawn.js';
import type { WebgpuDevice } from '../src/engine/webgpu/device.js';
import { biased } from '../src/engine/webgpu/passes/biased.js';
import { rectified } from '../src/engine/webgpu/passes/rectified.js';
import { tiled } from '../src/engine/webgpu/passes/tiled.js';
import type { Tile } from '../src/engine/webgpu/tiles.js';
import { expectCaseAgrees, loadingBy } from './harness/cases.js';
import {
  biasedCases,
  followedCases,
  recorded,
  rectifiableCases,
  severalBiases,
  stepOf,
} from './harness/joined.js';

let device: WebgpuDevice;
beforeAll(async () => {
  device = await openDawnDevice();
}, 60_000);
afterAll(() => device?.dispose());

/** The device, with programs changed before it loads them; `expected` is what the last kernels are then. */
function changing(change: (program: Program) => Program, expected: RegExp): Device {
  return loadingBy(device, async (program, bindings) => {
    const executable = await device.load(change(program), bindings);
    expect(executable.program.steps.map(({ kernel }) => kernel.name).join()).toMatch(expected);
    return executable;
  });
}

test('there is a case for every kernel that rectifies', () => {
  const kernels = new Set(rectifiableCases.map((opCase) => stepOf(opCase).kernel.name));
  expect(kernels.size).toBe(11);
});

test.each(followedCases.map((opCase) => [opCase.name, opCase] as const))(
  '%s',
  (_, opCase) =>
    expectCaseAgrees(
      changing((program) => program, /,(rectified|masked)\w+\.\w+$/),
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
      changing((program) => tiled(program, () => ({ tile, split: 1 })), /,(rectified|masked)tiled\w+\.\w+$/),
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
    return [program.steps.length, rectified(biased(program)).steps.length];
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

  test('where the rectifier takes a part of the result', () => {
    const part = lengths((r) => {
      const y = ops.linear.forward(r, factors(r));
      ops.relu.forward(r, { x: slice(y, 5, [2, 5]) });
    });
    expect(part).toEqual([2, 2]);
  });

  test('where two tensors that the caller binds are one', async () => {
    const r = new Recorder('one tensor bound twice');
    const [a, b] = ['a', 'b'].map((name) => r.external(name, 1, [8]));
    ops.relu.forward(r, { x: ops.elementwise.add(r, { a, b }, 1, -1) }, { into: r.external('out', 1, [8]) });
    const [both, other] = [
      await device.tensor('f32', 8, [1, 2, 3, 4, 5, 6, 7, 8]),
      await device.tensor('f32', 8),
    ];
    await other.write(new Float32Array(8).fill(4.5));
    const executable = await device.load(r.program(), { a: both, b: other, out: both });
    await executable.run();
    expect(Array.from(await both.read())).toEqual([0, 0, 0, 0, 0.5, 1.5, 2.5, 3.5]);
    executable.dispose();
    both.dispose();
    other.dispose();
  });

  test('where the mask is of more networks than what is masked, what the step reads, or what is masked', () => {
    const members = lengths((r) => {
      const u = ops.linear.forward(r, factors(r));
      ops.relu.mask(r, { y: r.external('mask', 3, u.shape), u });
    });
    const own = lengths((r) => {
      const y = r.external('y', 1, [3, 5]);
      const u = ops.elementwise.add(r, { a: y, b: y }, 1, 1);
      ops.relu.mask(r, { y, u }, { into: { ...y } });
    });
    const itself = lengths((r) => {
      const u = ops.linear.forward(r, factors(r));
      ops.relu.mask(r, { y: u, u });
    });
    expect([members, own, itself]).toEqual([
      [2, 2],
      [2, 2],
      [2, 2],
    ]);
  });

  test('where a bias is that of maps, is added while the weights are not, or is the second one', () => {
    const gradients = (rest: (r: Recorder, yBar: View, g: View) => void) =>
      lengths((r) => {
        const yBar = r.external('yBar', 1, [2, 6]);
        const g = r.external('g', 1, [60]);
        ops.linear.backwardWeight(
          r,
          { x: r.external('x', 1, [2, 4]), yBar },
          { into: { ...g, shape: [6, 4] } },
        );
        rest(r, yBar, { ...g, offset: 24, shape: [6] });
      });
    const ofMaps = gradients((r, yBar, bBar) =>
      ops.bias.backward(r, { yBar: { ...yBar, shape: [2, 2, 3] } }, { into: { ...bBar, shape: [2] } }),
    );
    const ofOtherImages = gradients((r, yBar, bBar) =>
      ops.bias.backward(r, { yBar: { ...yBar, shape: [1, 6, 2] } }, { into: bBar }),
    );
    const added = gradients((r, yBar, bBar) =>
      ops.bias.backward(r, { yBar }, { into: bBar, accumulate: true }),
    );
    const twice = gradients((r, yBar, bBar) => {
      ops.bias.backward(r, { yBar }, { into: bBar });
      ops.bias.backward(r, { yBar }, { into: { ...bBar, offset: 30 } });
    });
    expect([ofMaps, ofOtherImages, added, twice]).toEqual([
      [2, 2],
      [2, 2],
      [2, 2],
      [3, 2],
    ]);
  });

  test('where one of two biases is added and the other is not', () => {
    const biases = (first: boolean, second: boolean) =>
      lengths((r) => {
        const [g, sums] = [r.external('g', 1, [14]), r.external('sums', 1, [2, 5, 7])];
        for (const [i, accumulate] of [first, second].entries()) {
          const yBar = { ...sums, offset: 35 * i, shape: [5, 7] };
          ops.bias.backward(r, { yBar }, { into: { ...g, offset: 7 * i, shape: [7] }, accumulate });
        }
      });
    expect([biases(true, true), biases(true, false), biases(false, true)]).toEqual([
      [2, 1],
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
