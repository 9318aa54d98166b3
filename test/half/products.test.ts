/** Products in half precision by matrix units, on an adapter that has them: values against the float64 definition. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device } from '../../src/engine/device.js';
import type { OpCase } from '../../src/engine/op.js';
import * as conv2d from '../../src/engine/ops/conv2d.js';
import * as linear from '../../src/engine/ops/linear.js';
import { Recorder } from '../../src/engine/program.js';
import { openDawnDevice } from '../../src/engine/webgpu/dawn.js';
import type { WebgpuDevice } from '../../src/engine/webgpu/device.js';
import { fitsMatrices, halfTiles, type Tile } from '../../src/engine/webgpu/tiles.js';
import { expectCaseAgrees, loadingBy, prepareCase, runCase } from '../harness/cases.js';
import { followedCases } from '../harness/joined.js';
import { inTile } from '../harness/products.js';

/** How far rounding to f16 moves a number, of itself: half a unit in the last of 11 places. */
const rounding = 2 ** -11;

let device: WebgpuDevice;
beforeAll(async () => {
  device = await openDawnDevice({ precision: 'half' });
});
afterAll(() => device.dispose());

const recorded = (opCase: OpCase) => {
  const recorder = new Recorder(opCase.name);
  opCase.record(recorder);
  return recorder.program();
};

const inHalf = (tile: Tile): Device => inTile(device, tile, true);

/** One block after the other, two slices, and a patch of 2 x 4 blocks in each of two subgroups. */
const small: readonly Tile[] = [
  { ROWS: 1, COLUMNS: 1, LX: 4, LY: 2, SLICES: 1, DEPTH: 8 },
  { ROWS: 1, COLUMNS: 1, LX: 4, LY: 2, SLICES: 2, DEPTH: 16 },
  { ROWS: 2, COLUMNS: 2, LX: 4, LY: 4, SLICES: 1, DEPTH: 8 },
];

/** A few of each kernel with a rectifier, or its mask, behind it. */
const halfFollowed = followedCases
  .filter(({ name }) => /^(conv2d|linear)/.test(name))
  .filter((_, index) => index % 5 === 0);

const all = [...conv2d.cases, ...linear.cases].filter(
  (opCase) => !opCase.bench && recorded(opCase).flops() > 100 && recorded(opCase).flops() < 1e6,
);

/**
 * Sizes beside and across the edges of blocks, P of 1, 3 and 20, strides, groups, pairs, accumulation: every third of all, which
 * come in threes of the three passes.
 */
const cases = all.filter((_, index) => (index + Math.floor(index / 3)) % 3 === 0);

test.each(cases.map((opCase, index) => [opCase.name, opCase, small[index % 2]] as const))(
  '%s',
  async (_, opCase, tile) => {
    expect(fitsMatrices(tile, device.pipelines.abilities)).toBe(true);
    await expectCaseAgrees(inHalf(tile), opCase, { rounding });
  },
);

test.each(
  [small[2], ...halfTiles].map((tile, index) => [tile.LX, tile.LY, tile.SLICES, tile, index] as const),
)('a tile of %d x %d lanes, %d slices', async (_x, _y, _s, tile, index) => {
  expect(fitsMatrices(tile, device.pipelines.abilities)).toBe(true);
  await expectCaseAgrees(inHalf(tile), cases.at(index % 2 ? -1 - index : index)!, { rounding });
});

test.each(halfFollowed.map((opCase) => [opCase.name, opCase] as const))(
  'in half precision, with what follows: %s',
  (_, opCase) => {
    const tile = inHalf(small[1]);
    const watched = loadingBy(tile, async (...given) => {
      const executable = await tile.load(...given);
      expect(executable.program.steps.at(-1)!.kernel.name).toMatch(/^(rectified|masked)half/);
      return executable;
    });
    return expectCaseAgrees(watched, opCase, { rounding });
  },
);

test('these are all passes of both', () => {
  const kernels = (of: readonly OpCase[]) =>
    new Set(of.map((opCase) => recorded(opCase).steps[0].kernel.name));
  expect([kernels(cases).size, kernels(paired).size]).toEqual([6, 6]);
});

test('is half precision: the values are not those of float32, and the same every time', async () => {
  const opCase = cases.find(({ name }) => name.startsWith('linear.forward'))!;
  await expect(expectCaseAgrees(inHalf(small[0]), opCase)).rejects.toThrow(/elements differ/);
  const prepared = prepareCase(opCase);
  const first = await runCase(inHalf(small[0]), prepared);
  expect(await runCase(inHalf(small[0]), prepared)).toEqual(first);
});

/** Two to which power the factors of a pair are multiplied by: `pair` 0 or 1, `factor` 0 or 1 of it. */
type PowerOf = (pair: number, factor: number, index: number) => number;

/** The case with factors of another size; what comes behind two pairs of them stays as it is. */
function scaled(opCase: OpCase, powerOf: PowerOf): OpCase {
  const filled = [...prepareCase(opCase).inputs.entries()]
    .filter(([, values]) => values.every(Number.isFinite))
    .map(([{ name }, values], place) => {
      const changed = Array.from(
        values,
        (value, index) => value * 2 ** (place < 4 ? powerOf(Math.floor(place / 2), place % 2, index) : 0),
      );
      return [name, { kind: 'values', values: () => changed }] as const;
    });
  expect(filled.length).toBeGreaterThanOrEqual(4);
  return { ...opCase, fill: Object.fromEntries(filled) };
}

const ranges: Readonly<Record<string, PowerOf>> = {
  'far below what f16 has': (_, factor) => [-50, -60][factor],
  'far above it': (_, factor) => [50, 60][factor],
  'one far above, one far below': (_, factor) => [-90, 80][factor],
  'of 17 powers of two, neighbours all different': (_pair, _factor, index) => ((index * 7) % 17) - 8,
  'a second pair that is much larger': (pair) => [-20, 20][pair],
  'a second pair that is much smaller': (pair) => [20, -20][pair],
  'a first pair with a factor of zeros': (pair, factor) =>
    [
      [Number.NEGATIVE_INFINITY, 90],
      [-50, -50],
    ][pair][factor],
};

const paired = all.filter(({ name }) => /(N=3 2x7x8|N=7 19) .* first shared paired$/.test(name));

describe.each(Object.entries(ranges))('factors %s', (_, powerOf) => {
  test.each(paired.map((opCase, index) => [opCase.name, opCase, index] as const))('%s', (_, opCase, index) =>
    expectCaseAgrees(inHalf(small[index % 3]), scaled(opCase, powerOf), { rounding }),
  );
});

test.each(small.map((tile) => [tile.LX, tile.SLICES, tile] as const))(
  'infinity and NaN reach what they are part of and nothing else: tile of %d lanes, %d slices',
  async (_x, _s, tile) => {
    const opCase = all.find(({ name }) => name.startsWith('linear.forward'))!;
    const [[x, values]] = prepareCase(opCase).inputs;
    const changed = Array.from(values);
    changed[0] = Number.POSITIVE_INFINITY;
    changed[x.length - 1] = Number.NaN;
    const strange = {
      ...opCase,
      fill: { ...opCase.fill, [x.name]: { kind: 'values', values: () => changed } },
    } as const;
    await expectCaseAgrees(inHalf(tile), strange, { rounding });
  },
);
