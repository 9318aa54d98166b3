/**
 * Matrix products in tiles: which tile a step gets, what the steps of a program become, what the kernels compute (on
 * whatever adapter there is, in tilings of the test's choice), and that the null backend takes every tile there is.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device, Tensor } from '../src/engine/device.js';
import type { OpCase } from '../src/engine/op.js';
import * as conv2d from '../src/engine/ops/conv2d.js';
import * as linear from '../src/engine/ops/linear.js';
import { type Program, Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import type { Step } from '../src/engine/step.js';
import { openDawnDevice } from '../src/engine/webgpu/dawn.js';
import type { WebgpuDevice } from '../src/engine/webgpu/device.js';
import { tiledKernels } from '../src/engine/webgpu/ops/tiled.js';
import { tiled } from '../src/engine/webgpu/passes/tiled.js';
import * as plan from '../src/engine/webgpu/tiles.js';
import { expectCaseAgrees, loadingBy, prepareCase, runCase } from './harness/cases.js';
import { tileName } from './harness/products.js';

const { tiles } = plan;
const recorded = (opCase: OpCase): Program => {
  const recorder = new Recorder(opCase.name);
  opCase.record(recorder);
  return recorder.program();
};

/** Those that take software no time. */
const cases: readonly OpCase[] = [...conv2d.cases, ...linear.cases].filter(
  (opCase) => !opCase.bench && recorded(opCase).flops() < 1e6,
);

/** Tiles that software computes quickly: one block, four of them, several loads a lane, slices. */
const quick: readonly plan.Tile[] = [
  { ROWS: 1, COLUMNS: 1, LX: 2, LY: 2, SLICES: 1, DEPTH: 2 },
  { ROWS: 2, COLUMNS: 2, LX: 4, LY: 4, SLICES: 1, DEPTH: 2 },
  { ROWS: 1, COLUMNS: 2, LX: 4, LY: 2, SLICES: 1, DEPTH: 4 },
  { ROWS: 1, COLUMNS: 1, LX: 2, LY: 1, SLICES: 4, DEPTH: 8 },
];

test.each([...tiles, ...quick].map((tile) => [tileName(tile), tile] as const))(
  '%s is a possible tile',
  (_, tile) => {
    const { ROWS, COLUMNS, LX, LY, SLICES, DEPTH } = tile;
    const lanes = plan.lanesOf(tile);
    expect(lanes).toBeLessThanOrEqual(256);
    expect(plan.bytesOf(tile)).toBeLessThanOrEqual(16384);
    expect([1, 2]).toContain(ROWS);
    expect([1, 2]).toContain(COLUMNS);
    // Terms are dealt out evenly, and lanes along the terms of a factor and along its vectors.
    expect([DEPTH % SLICES, lanes % DEPTH, lanes % (COLUMNS * LX)]).toEqual([0, 0, 0]);
    // A lane loads one vector of the first factor and four of the second.
    expect(DEPTH * ROWS * LY).toBeLessThanOrEqual(lanes);
    expect(DEPTH * COLUMNS * LX).toBeLessThanOrEqual(4 * lanes);
    // Slices are of one block a lane, and meet in the memory of the tile.
    if (SLICES > 1) expect([ROWS, COLUMNS]).toEqual([1, 1]);
    if (SLICES > 1) expect(16 * 4 * LX * LY).toBeLessThanOrEqual(plan.bytesOf(tile));
  },
);

/** A device that computes products in one tiling, and only so. */
function inTiles(device: Device, tiling: plan.Tiling): Device {
  return loadingBy(device, (program, bindings) => {
    const own = tiled(program, () => tiling);
    own.validate();
    expect(own.steps.filter(({ kernel }) => kernel.name in tiledKernels)).toEqual([]);
    return device.load(own, bindings);
  });
}

test('the steps of a program in tiles are what they were, pieces included', async () => {
  const reference = new ReferenceDevice();
  for (const opCase of cases)
    await expectCaseAgrees(inTiles(reference, { tile: quick[0], split: 3 }), opCase);
});

describe('on an adapter', () => {
  let device: WebgpuDevice;
  beforeAll(async () => {
    device = await openDawnDevice();
  });
  afterAll(async () => {
    expect(device.memory()).toEqual({ tensors: 0, executables: 0, bytes: 0 });
    await device.dispose();
  });

  /** Compiling takes long there: of every shape one pass or two, of every tile two. */
  const some = cases.filter((_, index) => (Math.floor(index / 3) + index) % 5 < 2);
  test.each(some.map((opCase, index) => [opCase.name, opCase, quick[index % 4]] as const))(
    '%s',
    async (_, opCase, tile) => {
      await expectCaseAgrees(inTiles(device, { tile, split: 3 }), opCase);
    },
  );

  test('give the same bits every time, slices and pieces included', async () => {
    const opCase = cases.find(
      ({ name }) => name === 'conv2d.backwardWeight P=3 N=3 2x7x8 -> 5 k3 s2 p1 second shared',
    )!;
    const runs = [];
    for (const _ of [1, 2, 3])
      runs.push(
        ...(await runCase(inTiles(device, { tile: quick[3], split: 5 }), prepareCase(opCase))).values(),
      );
    expect(runs[0].every(Number.isFinite)).toBe(true);
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[2]).toEqual(runs[0]);
  });

  test.each(tiles.map((tile, index) => [tileName(tile), tile, index] as const))(
    'in tiles that ship: %s',
    async (_, tile, index) => {
      const light = cases.filter(
        (opCase) => recorded(opCase).flops() > 100 && recorded(opCase).flops() < 5e4,
      );
      // One of a convolution, one of a linear layer, in turn; every pass of both is in some tile.
      await expectCaseAgrees(inTiles(device, { tile, split: 2 }), light.at(index % 2 ? -1 - index : index)!);
    },
  );
});

describe('on the null backend', () => {
  let device: WebgpuDevice;
  beforeAll(async () => {
    device = await openDawnDevice({ backend: 'null' });
  });
  afterAll(() => device?.dispose());

  const kinds = cases.filter(
    ({ name }) => / paired/.test(name) && /N=(3 2x7x8|10 6x14|3 3x6x5|10 400|67|7)/.test(name),
  );
  test.each(tiles.map((tile) => [tileName(tile), tile] as const))('%s', async (_, tile) => {
    const kernels = new Set<string>();
    for (const opCase of kinds) {
      const program = recorded(opCase);
      const bound: Record<string, Tensor> = {};
      for (const { name, dtype, length } of program.slots) bound[name] = await device.tensor(dtype, length);
      const executable = await inTiles(device, { tile, split: 4 }).load(program, bound);
      await executable.run();
      for (const { kernel } of tiled(program, () => ({ tile, split: 4 })).steps) kernels.add(kernel.name);
      executable.dispose();
      for (const tensor of Object.values(bound)) tensor.dispose();
    }
    const expected = Object.values(tiledKernels).map(({ name }) => name);
    expect([...kernels].sort()).toEqual([...expected, 'pieces.sum'].sort());
  });
});

describe('the tiling of a step', () => {
  const steps = (record: (r: Recorder) => void) => {
    const r = new Recorder('shapes');
    record(r);
    return r.program().steps;
  };
  const convolution = (
    N: number,
    C: number,
    H: number,
    OC: number,
    K: number,
    padding: number,
  ): readonly Step[] => {
    const geometry = { stride: 1, padding };
    const OH = H + 2 * padding - K + 1;
    return steps((r) => {
      const [x, w] = [r.external('x', 1, [N, C, H, H]), r.external('w', 1, [OC, C, K, K])];
      const yBar = r.external('yBar', 1, [N, OC, OH, OH]);
      conv2d.forward(r, { x, w }, geometry);
      conv2d.backwardInput(r, { yBar, w }, geometry, x.shape);
      conv2d.backwardWeight(r, { x, yBar }, geometry, w.shape);
    });
  };
  const chosen = (all: readonly Step[]) =>
    all.map((step) => {
      const tiling = plan.tilingOf(step);
      if (!tiling) return 'plain';
      const { tile, split } = tiling;
      return `${plan.rowsOf(tile)} x ${plan.columnsOf(tile)}${split > 1 ? ` in ${split}` : ''}`;
    });

  test('is that of docs/engine/tiles.md for the usual networks', () => {
    expect(chosen(convolution(1024, 1, 28, 6, 5, 2))).toEqual(['8 x 256', 'plain', '8 x 32 in 256']);
    expect(chosen(convolution(1024, 6, 14, 16, 5, 0))).toEqual(['16 x 256', '8 x 256', '16 x 16 in 64']);
    expect(chosen(convolution(10, 128, 16, 128, 3, 1))).toEqual(['32 x 32', '32 x 32', '32 x 32 in 8']);
    expect(chosen(convolution(256, 128, 16, 128, 3, 1))).toEqual([
      '128 x 128',
      '128 x 128',
      '64 x 128 in 16',
    ]);
  });

  test('leaves alone what is no product, what is tiny, and what would be added up in one long row', () => {
    expect(plan.tilingOf(recorded(cases[0]).steps[0])).toBeUndefined();
    const [, , weights] = convolution(4096, 64, 32, 64, 3, 1);
    const { tile, split } = plan.tilingOf(weights)!;
    expect((4096 * 32 * 32) / split / tile.SLICES).toBeLessThanOrEqual(8192);
    expect(split * 64 * 64 * 9).toBeLessThanOrEqual(2 ** 22);
    expect(
      plan.tilingOf({ ...weights, kernel: { ...weights.kernel, name: 'relu.forward' } }),
    ).toBeUndefined();
  });
});
