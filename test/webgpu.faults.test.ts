/**
 * A GPU that fails in the middle of a run, by a Vulkan layer between Dawn and the driver: every failure is an error with a
 * code, and the checkpoint goes on to the bits of a run that never failed.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dataset } from '../src/data/dataset.js';
import { loadDataset } from '../src/data/load.js';
import { openDawnDevice } from '../src/engine/webgpu/dawn.js';
import type { DistillOptions } from '../src/methods/index.js';
import { distill } from '../src/runs/distill.js';
import type { Checkpoint, Distillation } from '../src/runs/distillation.js';
import { Stream } from '../src/util/random.js';
import { decodeSafetensors } from '../src/util/safetensors.js';
import { buildWhereStale, program } from './harness/command-line.js';
import { root } from './harness/repository.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-faults-'));
const layer = {
  name: 'VK_LAYER_LIMBECK_fault',
  type: 'GLOBAL',
  library_path: './libfault.so',
  api_version: '1.3.0',
  implementation_version: '1',
  description: 'makes a driver fail',
};

// Layers are Vulkan's, and Vulkan is what Dawn uses on Linux alone.

beforeAll(async () => {
  if (process.platform !== 'linux') return;
  await buildWhereStale();
  const options = '-std=c++17 -O1 -fPIC -shared -fvisibility=hidden'.split(' ');
  const source = join(root, 'test/harness/fault-layer.cc');
  await promisify(execFile)(process.env.CXX ?? 'c++', [
    ...options,
    source,
    '-o',
    join(folder, 'libfault.so'),
  ]);
  writeFileSync(join(folder, 'fault.json'), JSON.stringify({ file_format_version: '1.2.0', layer }));
  Object.assign(process.env, { VK_LAYER_PATH: folder, VK_INSTANCE_LAYERS: layer.name });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let data: Dataset;
beforeAll(async () => {
  const pixels = new Stream(5, 0);
  const header = ['label', ...Array.from({ length: 16 }, (_, i) => `p${i}`)];
  const rows = Array.from({ length: 20 }, (_, row) => {
    const grey = (i: number) => Math.round(127 + 120 * Math.tanh(pixels.normal(16 * row + i)));
    return [row % 2, ...Array.from({ length: 16 }, (_, i) => grey(i))];
  });
  writeFileSync(join(folder, 'images.csv'), [header, ...rows].join('\n'));
  data = await loadDataset(join(folder, 'images.csv'), { imageSize: [4, 4] });
});
const options: DistillOptions = {
  network: { name: 'mlp', width: 3 },
  epochs: 1,
  batch: 4,
  iterations: 6,
  validateEvery: 1,
};

interface Attempt {
  readonly result?: Distillation;
  readonly error?: unknown;
  readonly checkpoints: Checkpoint[];
}

/** A run on a device of its own that fails at `fault`: from the start, or from its first checkpoint on. */
async function attempt(
  fault: string,
  { from = 'start', resume }: { from?: 'start' | 'checkpoint'; resume?: Checkpoint } = {},
): Promise<Attempt> {
  process.env.LIMBECK_FAULT = from === 'start' ? fault : '';
  const checkpoints: Checkpoint[] = [];
  const onCheckpoint = (checkpoint: Checkpoint) => {
    checkpoints.push(checkpoint);
    process.env.LIMBECK_FAULT = fault;
  };
  const device = await openDawnDevice();
  try {
    return { result: await distill(device, data, options, { onCheckpoint, resume }), checkpoints };
  } catch (error) {
    return { error, checkpoints };
  } finally {
    await device.dispose();
    expect(device.memory()).toEqual({ tensors: 0, executables: 0, bytes: 0 });
    process.env.LIMBECK_FAULT = '';
  }
}

describe.runIf(process.platform === 'linux')('a run', () => {
  let whole: Distillation;
  beforeAll(async () => {
    whole = (await attempt('')).result!;
    expect(whole.outerSteps).toBe(6);
  });
  const lost = { code: 'ERR_DEVICE', message: expect.stringMatching(/the device was lost/) };

  test('that loses its device goes on from its checkpoint to the same bits, and once under way needs no memory', async () => {
    const { error, checkpoints } = await attempt('submit:1', { from: 'checkpoint' });
    expect(error).toMatchObject(lost);
    expect(checkpoints).toMatchObject([{ iteration: 1 }]);
    const { result } = await attempt('memory:1', { from: 'checkpoint', resume: checkpoints[0] });
    expect(result!.set).toEqual(whole.set);
  });

  test.each([1, 2, 6])('whose device is lost at submit %d ends with a code', async (at) => {
    expect(await attempt(`submit:${at}`)).toEqual({ error: expect.objectContaining(lost), checkpoints: [] });
  });

  test.each([1, 2])('that finds no room from allocation %d on ends with a code', async (at) => {
    const { error } = await attempt(`memory:${at}`);
    expect(error).toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
      message: expect.stringMatching(/the device has no room for it/),
    });
  });

  test('of the command line says how to go on, and does', async () => {
    const limbeck = (fault: string, ...args: string[]) =>
      promisify(execFile)(process.execPath, [program, ...args, '--json'], {
        cwd: folder,
        env: { ...process.env, LIMBECK_FAULT: fault },
      });
    const given =
      '--device webgpu:0 --dataset images.csv --image-size 4 --network mlp:width=3 --epochs 1 --batch 4 ' +
      '--iterations 6 --validate-every 1 --out run';
    await expect(limbeck('submit:50', 'distill', ...given.split(' '))).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /^limbeck: webgpu: the device was lost .*the checkpoint is whole: go on with limbeck resume run, .*--device cpu \[ERR_DEVICE\]\n$/m,
      ),
    });
    await limbeck('', 'resume', 'run');
    const { tensors } = decodeSafetensors(readFileSync(join(folder, 'run/distilled.safetensors')));
    expect(tensors.images.data).toEqual(whole.set.images);
  });
});
