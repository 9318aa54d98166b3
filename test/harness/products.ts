/** Products that fill tiles, and a device that computes programs in a tile of the caller's choice. */
import type { Device } from '../../src/engine/device.js';
import type { OpCase } from '../../src/engine/op.js';
import * as conv2d from '../../src/engine/ops/conv2d.js';
import * as linear from '../../src/engine/ops/linear.js';
import type { Recorder } from '../../src/engine/program.js';
import type { View } from '../../src/engine/view.js';
import { halfKernels, tiledKernels } from '../../src/engine/webgpu/ops/tiled.js';
import { tiled } from '../../src/engine/webgpu/passes/tiled.js';
import { columnsOf, lanesOf, rowsOf, type Tile } from '../../src/engine/webgpu/tiles.js';
import { loadingBy } from './cases.js';

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
export const products: Readonly<Record<keyof typeof tiledKernels, OpCase['record']>> = {
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

export const tileName = (tile: Tile): string =>
  `${rowsOf(tile)} x ${columnsOf(tile)} of ${lanesOf(tile)} lanes`;

/** The same device, with every product in this tile, gradients of weights in two pieces. Fails where there is none. */
export function inTile(device: Device, tile: Tile, half = false): Device {
  const names = Object.values(half ? halfKernels : tiledKernels).map(({ name }) => name);
  return loadingBy(device, (program, bindings) => {
    const own = tiled(program, () => ({ tile, split: 2, half }));
    if (!own.steps.some(({ kernel }) => names.includes(kernel.name)))
      throw new Error(`${program.name}: nothing of it is in tiles`);
    return device.load(own, bindings);
  });
}
