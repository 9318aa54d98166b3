/** A run whose images are decoded by given weights: from their file, unchanged, and when it goes on. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { generateDigits } from '../src/data/digits.js';
import type { Device } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import { decodeArtefact } from '../src/eval/artefact.js';
import type { DistillOptions } from '../src/methods/index.js';
import { distillToFolder } from '../src/report/run-folder.js';
import { distill } from '../src/runs/distill.js';
import type { Checkpoint } from '../src/runs/distillation.js';
import { encodeSafetensors } from '../src/util/safetensors.js';
import { normals } from './harness/decoding.js';

let device: Device;
let folder: string;
beforeAll(async () => {
  device = await openDevice('cpu');
  folder = await mkdtemp(join(tmpdir(), 'limbeck-weights-'));
});
afterAll(async () => {
  await device.dispose();
  await rm(folder, { recursive: true });
});

const dataset = generateDigits({ train: 40, validation: 10, test: 10, size: 8 });
const weights = normals(16 + 10, 1);
const options = (file: string): DistillOptions => ({
  ...{ method: 'dm', network: 'mlp:width=8', batch: 4, iterations: 4, validateEvery: 2, networks: 1 },
  parametrisation: {
    ...{ name: 'decoder', images: 1, latent: [1, 4, 4], weights: file },
    layers: [
      { convTranspose: 1, kernel: 4, stride: 2, padding: 1 },
      { conv: 1, kernel: 3, padding: 1 },
    ],
  },
});

it('decodes by the weights of the file, which the set holds and no step changes', async () => {
  const file = join(folder, 'generator.safetensors');
  // As Python writes a file: by name, so that a bias comes first and layer 10 before layer 2.
  const [up, conv, bias] = [weights.slice(0, 16), weights.slice(16, 25), weights.slice(25)];
  await writeFile(
    file,
    encodeSafetensors(
      {
        'main.10.bias': { shape: [1], data: bias },
        'main.10.weight': { shape: [1, 1, 3, 3], data: conv },
        'main.2.weight': { shape: [1, 1, 4, 4], data: up },
      },
      {},
    ),
  );
  const { set } = await distillToFolder(device, dataset, join(folder, 'run'), options(file));
  const { latents, weights: stored } = set.stored.variables;
  expect(stored.data).toEqual(weights);
  expect(latents.shape).toEqual([10, 1, 4, 4]);
  const back = decodeArtefact(await readFile(join(folder, 'run/distilled.safetensors')));
  expect(back.set).toEqual(set);
});

it('goes on with the same weights, to the same set', async () => {
  const checkpoints: Checkpoint[] = [];
  const given = options('elsewhere.safetensors');
  const onCheckpoint = (checkpoint: Checkpoint) => void checkpoints.push(checkpoint);
  const whole = await distill(device, dataset, given, { weights, onCheckpoint });
  const resumed = await distill(device, dataset, {}, { resume: checkpoints[0] });
  expect(resumed.set).toEqual(whole.set);
  await expect(distill(device, dataset, given)).rejects.toThrow(
    /names a file of weights \(elsewhere.safetensors\), expected what it holds, given with it/,
  );
});
