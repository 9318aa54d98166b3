/** Which adapter the WebGPU engine opens, and what happens where a program wants more than it offers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ops } from '../src/engine/ops/index.gen.js';
import { type Program, Recorder } from '../src/engine/program.js';
import { chooseAdapter, openDawnDevice } from '../src/engine/webgpu/dawn.js';
import type { WebgpuDevice } from '../src/engine/webgpu/device.js';
import { probeAdapters } from '../src/engine/webgpu/probe.js';

let device: WebgpuDevice;
beforeAll(async () => {
  device = await openDawnDevice();
}, 60_000);
afterAll(() => device?.dispose());

test('the probe names what was opened', async () => {
  const { adapters } = await probeAdapters();
  expect(adapters.length).toBeGreaterThan(0);
  expect(adapters[0]).toMatchObject({ name: expect.any(String), software: expect.any(Boolean) });
  expect(device.description).toMatch(/^webgpu \(.+\)$/);
});

test('an adapter that does not exist is an error that lists those that do', async () => {
  await expect(openDawnDevice({ adapter: 'no such adapter' })).rejects.toMatchObject({
    code: 'ERR_DEVICE',
    message: expect.stringMatching(/no such adapter; there are: 0: /),
  });
});

test('an adapter is chosen by number, also as text, and by part of its name', async () => {
  const { adapters } = await probeAdapters();
  for (const adapter of [0, '0', adapters[0].name]) {
    const chosen = await openDawnDevice({ adapter });
    expect(chosen.description).toBe(device.description);
    await chosen.dispose();
  }
  if (adapters[0].software)
    await expect(openDawnDevice({ adapter: 0, allowSoftware: false })).rejects.toMatchObject({
      code: 'ERR_DEVICE',
      message: expect.stringMatching(/computes on the processor; use the cpu engine/),
    });
});

describe('of several adapters', () => {
  const adapter = (name: string, order: number, backend = 'vulkan') => ({ name, order, backend });
  const adapters = [
    adapter('Adapter A', 1),
    adapter('Adapter A100', 2),
    adapter('Adapter', 5),
    adapter('Adapter A100', 3, 'd3d12'),
    adapter('Software', 0),
    adapter('Software', 4),
  ];
  const chosen = (wanted?: string | number) => adapters.indexOf(chooseAdapter(adapters, wanted));
  const refused = (message: RegExp) =>
    expect.objectContaining({ code: 'ERR_DEVICE', message: expect.stringMatching(message) });

  test.each([
    [undefined, 0],
    [0, 0],
    ['1', 1],
    [3, 3],
    ['a100', 1],
    ['ADAPTER A', 0],
    ['soft', 4],
  ])('%s is adapter %d', (wanted, number) => {
    expect(chosen(wanted)).toBe(number);
  });

  test.each([5, 2, 'Adapter'])(
    '%s, which Dawn would take another one for, is refused, not guessed',
    (wanted) => {
      expect(() => chosen(wanted)).toThrow(
        refused(
          new RegExp(
            `adapter ${wanted} cannot be told apart by name from adapter [04]; there are: 0: Adapter A \\(`,
          ),
        ),
      );
    },
  );

  test('what fits several or none is refused with a list', () => {
    expect(() => chosen('dapter')).toThrow(
      refused(/part of several adapters' names; there are: 0: Adapter A /),
    );
    for (const wanted of [6, 'GPU', '']) expect(() => chosen(wanted)).toThrow(refused(/there is no adapter/));
  });
});

test('limits are as high as the adapter offers', async () => {
  const [{ limits }] = (await probeAdapters()).adapters;
  const offered = Object.entries(limits).filter(([name]) => name !== 'maxComputeWorkgroupsPerDimension');
  expect(offered.length).toBe(8);
  for (const [name, limit] of offered)
    expect(device.raw.limits[name as 'maxBufferSize'], name).toBeGreaterThanOrEqual(limit);
});

describe('with less than a program wants', () => {
  /** Doubles the members of `theta`, all in one step or each in one of its own. */
  function doubling(whole: boolean): Program {
    const r = new Recorder('doubling');
    const theta = r.external('theta', 7, [300]);
    const out = r.external('out', 7, [300]);
    if (whole) ops.elementwise.add(r, { a: theta, b: theta }, 1, 1, out);
    else
      for (let p = 0; p < 7; p++) {
        const member = (view: typeof theta) => ({ ...view, members: 1, stride: 0, offset: 300 * p });
        ops.elementwise.add(r, { a: member(theta), b: member(theta) }, 1, 1, member(out));
      }
    return r.program();
  }

  test('a step binds its part of a tensor that is larger than the device binds at once', async () => {
    const other = await openDawnDevice();
    const values = Float32Array.from({ length: 2100 }, (_, i) => i);
    const tensors = { theta: await other.tensor('f32', 2100, values), out: await other.tensor('f32', 2100) };
    Object.defineProperty(other.raw, 'limits', {
      value: {
        maxComputeWorkgroupsPerDimension: 65535,
        maxBufferSize: 8400,
        maxStorageBufferBindingSize: 1500,
        minStorageBufferOffsetAlignment: 256,
      },
    });
    const executable = await other.load(doubling(false), tensors);
    await executable.run();
    expect(await tensors.out.read()).toEqual(values.map((value) => 2 * value));
    await expect(other.load(doubling(true), tensors)).rejects.toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
      message: expect.stringMatching(
        /elementwise.add: a is 8400 bytes of theta, this device binds at most 1500 .*use a smaller batch or population/,
      ),
    });
    await expect(other.tensor('f32', 2101)).rejects.toMatchObject({ code: 'ERR_OUT_OF_MEMORY' });
    await other.dispose();
  });
});
