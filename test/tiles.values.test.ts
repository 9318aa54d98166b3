/**
 * What every kernel in tiles computes in every tile that ships, on whatever adapter there is: products that are more than one of
 * the largest tiles either way, of two pairs, two members, in pieces, added to what is there.
 */

import { afterAll, beforeAll, describe, test } from 'vitest';
import { create } from 'webgpu';
import { openWebgpuDevice, type WebgpuDevice } from '../src/engine/webgpu/device.js';
import { prepareEnvironment } from '../src/engine/webgpu/environment.js';
import { probeAdapters } from '../src/engine/webgpu/probe.js';
import { tiles } from '../src/engine/webgpu/tiles.js';
import { expectCaseAgrees } from './harness/cases.js';
import { inTile, products, tileName } from './harness/products.js';

/** Without them SwiftShader compiles what uses workgroup memory ten times faster; other tests run with them. */
const toggles = 'enable-dawn-features=disable_robustness,disable_workgroup_init';

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

describe.each(tiles.map((tile) => [tileName(tile), tile] as const))('%s', (_, tile) => {
  test.each(Object.entries(products))('%s', (name, record) =>
    expectCaseAgrees(inTile(device, tile), { name, record }),
  );
});
