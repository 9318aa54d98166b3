/** Products in half precision by matrix units, on an adapter that has them: values against the float64 definition. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Device } from '../../src/engine/device.js';
import type { OpCase } from '../../src/engine/kernel.js';
import * as conv2d from '../../src/engine/ops/conv2d.js';
import * as linear from '../../src/engine/ops/linear.js';
import { Recorder } from '../../src/engine/program.js';
import { openDawnDevice } from '../../src/engine/webgpu/dawn.js';
import type { WebgpuDevice } from '../../src/engine/webgpu/device.js';
import { tiled } from '../../src/engine/webgpu/passes/tiled.js';
import { fitsMatrices, halfTiles, type Tile } from '../../src/engine/webgpu/tiles.js';
import { expectCaseAgrees, prepareCase, runCase } from '../harness/cases.js';

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

function inHalf(tile: Tile): Device {
  const changed = Object.create(device) as Device;
  changed.tensor = (...values) => device.tensor(...values);
  changed.load = (program, bindings) => {
    const own = tiled(program, () => ({ tile, split: 2, half: true }));
    expect(own.steps[0].kernel.name).toMatch(/^half/);
    return device.load(own, bindings);
  };
  return changed;
}

/** One block after the other, two slices, and a patch of 2 x 4 blocks in each of two subgroups. */
const small: readonly Tile[] = [
  { ROWS: 1, COLUMNS: 1, LX: 4, LY: 2, SLICES: 1, DEPTH: 8 },
  { ROWS: 1, COLUMNS: 1, LX: 4, LY: 2, SLICES: 2, DEPTH: 16 },
  { ROWS: 2, COLUMNS: 2, LX: 4, LY: 4, SLICES: 1, DEPTH: 8 },
];

/** Sizes beside and across the edges of blocks, P of 1, 3 and 20, strides, groups, pairs, accumulation: every third of all. */
const cases = [...conv2d.cases, ...linear.cases]
  .filter((opCase) => !opCase.bench && recorded(opCase).flops() > 100 && recorded(opCase).flops() < 1e6)
  .filter((_, index) => index % 3 === 0);

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

test('is half precision: the values are not those of float32, and the same every time', async () => {
  const opCase = cases.find(({ name }) => name.startsWith('linear.forward'))!;
  await expect(expectCaseAgrees(inHalf(small[0]), opCase)).rejects.toThrow(/elements differ/);
  const prepared = prepareCase(opCase);
  const first = await runCase(inHalf(small[0]), prepared);
  expect(await runCase(inHalf(small[0]), prepared)).toEqual(first);
});
