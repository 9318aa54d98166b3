/**
 * What every kernel in tiles computes in every tile that ships, on whatever adapter there is: products that are more than one of
 * the largest tiles either way, of two pairs, two members, in pieces, added to what is there.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { create } from 'webgpu';
import type { Device } from '../src/engine/device.js';
import type { OpCase } from '../src/engine/kernel.js';
import * as conv2d from '../src/engine/ops/conv2d.js';
import * as linear from '../src/engine/ops/linear.js';
import type { Recorder, View } from '../src/engine/program.js';
import { openWebgpuDevice, type WebgpuDevice } from '../src/engine/webgpu/device.js';
import { prepareEnvironment } from '../src/engine/webgpu/environment.js';
import { tiledKernels } from '../src/engine/webgpu/ops/tiled.js';
import { tiled } from '../src/engine/webgpu/passes/tiled.js';
import { probeAdapters } from '../src/engine/webgpu/probe.js';
import { columnsOf, lanesOf, rowsOf, type Tile, tiles } from '../src/engine/webgpu/tiles.js';
import { expectCaseAgrees } from './harness/cases.js';

/** Without them SwiftShader compiles what uses workgroup memory ten times faster; other tests run with them. */
const toggles = 'enable-dawn-features=disable_robustness,disable_workgroup_init';

/** Two pairs of factors, of which one each is shared by both members, and a result to add to. */
function pairs(
  r: Recorder,
  [first, firstShape]: readonly [string, readonly number[]],
  [second, secondShape]: readonly [string, readonly number[]],
  [result, shape]: readonly [string, readonly number[]],
) {
  const view = (name: string, members: number, of: readonly number[]): View =>
    r.external(name, members, [...of]);
  return {
    pair: { [first]: view(first, 1, firstShape), [second]: view(second, 2, secondShape) },
    second: { [first]: view(`${first}2`, 2, firstShape), [second]: view(`${second}2`, 1, secondShape) },
    to: { into: view(result, 2, shape), accumulate: true },
  };
}

const geometry = { stride: 1, padding: 1 };
type Factors = Record<'x' | 'w' | 'yBar', View>;

/** By what is put into tiles. Rows, columns and terms: some 130, 270 and 10 of each product. */
const products: Readonly<Record<keyof typeof tiledKernels, OpCase['record']>> = {
  'conv2d.forward': (r) => {
    const { pair, second, to } = pairs(
      r,
      ['x', [2, 1, 10, 13]],
      ['w', [130, 1, 3, 3]],
      ['y', [2, 130, 10, 13]],
    );
    conv2d.forward(r, { ...(pair as Factors), second: second as Factors }, geometry, to);
  },
  'conv2d.backwardInput': (r) => {
    const { pair, second, to } = pairs(
      r,
      ['yBar', [2, 1, 10, 13]],
      ['w', [1, 130, 3, 3]],
      ['xBar', [2, 130, 10, 13]],
    );
    conv2d.backwardInput(
      r,
      { ...(pair as Factors), second: second as Factors },
      geometry,
      [2, 130, 10, 13],
      to,
    );
  },
  'conv2d.backwardWeight': (r) => {
    const { pair, second, to } = pairs(
      r,
      ['x', [1, 30, 3, 5]],
      ['yBar', [1, 130, 3, 5]],
      ['wBar', [130, 30, 3, 3]],
    );
    conv2d.backwardWeight(
      r,
      { ...(pair as Factors), second: second as Factors },
      geometry,
      [130, 30, 3, 3],
      to,
    );
  },
  'linear.forward': (r) => {
    const { pair, second, to } = pairs(r, ['x', [131, 11]], ['w', [270, 11]], ['y', [131, 270]]);
    linear.forward(r, { ...(pair as Factors), second: second as Factors }, to);
  },
  'linear.backwardInput': (r) => {
    const { pair, second, to } = pairs(r, ['yBar', [131, 11]], ['w', [11, 270]], ['xBar', [131, 270]]);
    linear.backwardInput(r, { ...(pair as Factors), second: second as Factors }, to);
  },
  'linear.backwardWeight': (r) => {
    const { pair, second, to } = pairs(r, ['x', [21, 270]], ['yBar', [21, 131]], ['wBar', [131, 270]]);
    linear.backwardWeight(r, { ...(pair as Factors), second: second as Factors }, to);
  },
};

let device: WebgpuDevice;
beforeAll(async () => {
  prepareEnvironment();
  const { adapters, driver } = await probeAdapters();
  if (driver) process.env.VK_ICD_FILENAMES = driver;
  const [{ name, backend }] = adapters;
  const gpu = create([`backend=${backend}`, `adapter=${name}`, toggles]);
  // Dawn must outlive its promises.
  (globalThis as Record<string, unknown>).limbeckTilesDawn = gpu;
  device = await openWebgpuDevice(gpu, { name });
});
afterAll(() => device.dispose());

function inTile(tile: Tile, kernel: string): Device {
  const changed = Object.create(device) as Device;
  changed.tensor = (...values) => device.tensor(...values);
  changed.load = (program, bindings) => {
    const own = tiled(program, () => ({ tile, split: 2 }));
    expect(own.steps[0].kernel.name).toBe(kernel);
    return device.load(own, bindings);
  };
  return changed;
}

describe.each(
  tiles.map((tile) => [`${rowsOf(tile)} x ${columnsOf(tile)} of ${lanesOf(tile)} lanes`, tile] as const),
)('%s', (_, tile) => {
  test.each(Object.entries(products))('%s', (name, record) =>
    expectCaseAgrees(inTile(tile, tiledKernels[name as keyof typeof tiledKernels].name), { name, record }),
  );
});
