/** Training of experts: what their files hold, whatever happens on the way. */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Dataset } from '../src/data/dataset.js';
import { generateDigits } from '../src/data/digits.js';
import { recordBytes } from '../src/data/experts/format.js';
import { type Device, type ExpertOptions, openDevice, openExperts, trainExperts } from '../src/index.js';
import { twoClasses } from './harness/made-data.js';

const root = mkdtempSync(join(tmpdir(), 'limbeck-trained-experts-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;
const fresh = () => join(root, String(made++));

const digits = await generateDigits({ train: 90, validation: 10, test: 10, size: 16 });
const small: ExpertOptions = {
  network: 'mlp:width=6',
  count: 5,
  epochs: 3,
  batch: 20,
  learningRate: 0.1,
};

/** Every file of a folder. */
const contents = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [name, readFileSync(join(folder, name))]),
  );

for (const engine of ['reference', 'cpu'] as const)
  describe(`experts trained on ${engine}`, () => {
    let device: Device;
    beforeAll(async () => {
      device = await openDevice(engine);
    });
    afterAll(() => device.dispose());
    const train = async (options: ExpertOptions = {}, folder = fresh(), data: Dataset = digits) => {
      await trainExperts(device, data, folder, { ...small, ...options });
      return folder;
    };

    it('are the same bits twice, and however many are trained at once', async () => {
      const one = contents(await train({ population: 1 }));
      expect(Object.keys(one)).toEqual([0, 1, 2, 3, 4].map((number) => `expert-000${number}.safetensors`));
      expect(contents(await train({ population: 1 }))).toEqual(one);
      expect(contents(await train({ population: 3 }))).toEqual(one);
      expect(contents(await train())).toEqual(one);
      expect(device.memory()).toMatchObject({ tensors: 0, executables: 0 });
    });
  });
