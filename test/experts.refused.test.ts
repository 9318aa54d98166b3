/** What training experts says, and what it refuses. */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { recordBytes } from '../src/data/experts/format.js';
import {
  type BegunExperts,
  type Dataset,
  type Device,
  type ExpertControl,
  type ExpertOptions,
  openDevice,
  openExperts,
  type TrainedExpert,
  trainExperts,
} from '../src/index.js';
import { ExpertFolder } from '../src/runs/experts/folder.js';
import { encodeSafetensors } from '../src/util/safetensors.js';
import { opposite, twoClasses } from './harness/made-data.js';

const root = mkdtempSync(join(tmpdir(), 'limbeck-refused-experts-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;
const fresh = () => join(root, String(made++));
const file = (number: number) => `expert-000${number}.safetensors`;

let device: Device;
beforeAll(async () => {
  device = await openDevice('reference');
});
afterAll(() => device.dispose());
const tiny: ExpertOptions = {
  network: 'mlp:width=3',
  count: 2,
  epochs: 2,
  batch: 15,
  augmentation: 'none',
};

it('says before it begins what it takes, and tells how far it is', async () => {
  const [begun, steps]: [BegunExperts[], number[]] = [[], []];
  const control: ExpertControl = {
    onBegin: (event) => {
      expect(steps).toEqual([]);
      begun.push(event);
    },
    onProgress: ({ steps: done, allSteps, members, count, epochs }) => {
      expect({ allSteps, members, count, epochs }).toEqual({
        allSteps: 8,
        members: 2,
        count: 2,
        epochs: 2,
      });
      steps.push(done);
    },
  };
  const folder = fresh();
  const result = await trainExperts(device, twoClasses(), folder, tiny, control);
  expect(result).toMatchObject({ finished: 2, stopped: false, folder });
  expect(begun).toHaveLength(1);
  expect(begun[0]).toMatchObject({
    count: 2,
    finished: 0,
    begun: [],
    population: 2,
    earlierProcessors: [],
  });
  expect(begun[0].protocol).toBe(
    'mlp:width=3 on all 30 training images: plain SGD at rate 0.01, 2 epochs in batches of 15, no augmentation, pytorch weights',
  );
  // Two experts, three snapshots, 41 parameters and a checksum.
  expect(begun[0].bytesOnDisk).toBe(2 * 3 * 42 * 4);
  for (const value of [begun[0].bytesFree, begun[0].bytesOnDevice, begun[0].flops, begun[0].seconds])
    expect(value).toBeGreaterThan(0);
  expect(steps.at(-1)).toBe(8);
  await trainExperts(device, twoClasses(), folder, tiny, { onBegin: (event) => begun.push(event) });
  expect(begun[1]).toMatchObject({ finished: 2, bytesOnDisk: 0, flops: 0, seconds: 0 });
});

it('tells what part of the validation images each of them gets right, where there are any', async () => {
  const data = twoClasses();
  const none = { images: new Float32Array(), labels: new Uint8Array(), count: 0 };
  const trained = async (dataset: Dataset, options: ExpertOptions = {}) => {
    const events: TrainedExpert[] = [];
    const onTrained = (event: TrainedExpert) => events.push(event);
    await trainExperts(device, dataset, fresh(), { ...tiny, count: 3, ...options }, { onTrained });
    expect(device.memory()).toMatchObject({ tensors: 0, executables: 0 });
    return events;
  };
  const right = await trained(data, { population: 2 });
  expect(right.map(({ expert }) => expert)).toEqual([0, 1, 2]);
  expect(await trained(data)).toEqual(right);
  const wrong = await trained(opposite(data, 'validation'));
  for (const [i, { validationAccuracy }] of right.entries())
    expect(validationAccuracy! + wrong[i].validationAccuracy!).toBeCloseTo(100, 9);
  // Twelve epochs at a higher rate are enough for most of them.
  const [more] = await trained(data, { epochs: 12, learningRate: 0.5 });
  expect(more.validationAccuracy).toBeGreaterThan(70);
  expect(await trained({ ...data, validation: none })).toEqual([0, 1, 2].map((expert) => ({ expert })));
  const layers = [{ linear: 3 }, 'batchNorm', 'relu', { linear: 2 }];
  expect(await trained(data, { network: { name: 'custom', layers } })).toHaveLength(3);
});

it('refuses a disk that is too full, and leaves no folder there', async () => {
  const free = vi.spyOn(ExpertFolder.prototype, 'free').mockResolvedValue(1007);
  const folder = fresh();
  await expect(trainExperts(device, twoClasses(), folder, tiny)).rejects.toMatchObject({
    code: 'ERR_FILE_WRITE',
    message: expect.stringMatching(
      /^6 snapshots of 41 parameters take 1.0 kB, but .* has 1.0 kB left: make room/,
    ),
  });
  free.mockRestore();
  expect(existsSync(folder)).toBe(false);
});

it('refuses a folder that another process works in', async () => {
  const folder = fresh();
  const other = new ExpertFolder(folder);
  await other.open();
  writeFileSync(join(folder, '.limbeck-lock'), `${process.ppid}\n`);
  await expect(trainExperts(device, twoClasses(), folder, tiny)).rejects.toThrow(/is at work in/);
  await other.close();
});

const different: [string, ExpertOptions, RegExp][] = [
  ['network', { network: 'mlp:width=4' }, /has another network: .*"width":3.*, expected .*"width":4/],
  [
    'rate',
    { learningRate: 0.02 },
    /has another training: .*0.01.*, expected .*0.02.*: go on with the options/,
  ],
  ['seed', { seed: 1 }, /has another seed: 0, expected 1/],
];
it.each(different)('refuses to go on with another %s, finished or not', async (_, options, message) => {
  const finished = fresh();
  await trainExperts(device, twoClasses(), finished, tiny);
  const underWay = fresh();
  cpSync(finished, underWay, { recursive: true });
  renameSync(join(underWay, file(0)), join(underWay, `${file(0)}.part`));
  for (const folder of [finished, underWay])
    await expect(trainExperts(device, twoClasses(), folder, { ...tiny, ...options })).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringMatching(message),
    });
});

it('refuses other data, another number in the name and what was damaged', async () => {
  const folder = fresh();
  await trainExperts(device, twoClasses(), folder, tiny);
  const data = twoClasses();
  const changed = { ...data, test: { ...data.test, labels: data.test.labels.map((label) => 1 - label) } };
  await expect(trainExperts(device, changed, folder, tiny)).rejects.toThrow(/has another data set: .*sha256/);
  const again = () => trainExperts(device, twoClasses(), folder, tiny);
  const bytes = readFileSync(join(folder, file(1)));
  writeFileSync(join(folder, file(1)), readFileSync(join(folder, file(0))));
  await expect(again()).rejects.toThrow(/expert-0001.safetensors has another number: 0, expected 1/);
  writeFileSync(join(folder, file(1)), bytes.subarray(0, bytes.length - 1));
  await expect(again()).rejects.toThrow(
    /expert-0001.safetensors: it has .*; remove .* to train this expert again/,
  );
  // Of a file under way, what cannot have come from a killed process.
  rmSync(join(folder, file(1)));
  const spoilt = Buffer.from(bytes);
  spoilt[spoilt.length - 3 * recordBytes(41)] ^= 1;
  writeFileSync(join(folder, `${file(1)}.part`), spoilt);
  await expect(again()).rejects.toThrow(
    /expert-0001.safetensors.part: its first snapshot is not what.*; remove/,
  );
  writeFileSync(join(folder, `${file(1)}.part`), '');
  await expect(again()).rejects.toMatchObject({ code: 'ERR_FILE_FORMAT' });
  // One that is damaged later is trained again from there.
  const later = Buffer.from(bytes);
  later[later.length - recordBytes(41)] ^= 1;
  writeFileSync(join(folder, `${file(1)}.part`), later);
  await again();
  expect(readFileSync(join(folder, file(1))).equals(bytes)).toBe(true);
});

it('refuses a state of an optimiser that was damaged, or that is of another length', async () => {
  const folder = fresh();
  const options: ExpertOptions = { ...tiny, optimizer: { kind: 'momentum' }, count: 1 };
  const stop = new AbortController();
  const onProgress = () => stop.abort();
  const control = { signal: stop.signal, onProgress };
  expect(await trainExperts(device, twoClasses(), folder, options, control)).toMatchObject({ stopped: true });
  expect(readdirSync(folder)).toEqual([`${file(0)}.part`, 'expert-0000.state-1.safetensors'].sort());
  const path = join(folder, 'expert-0000.state-1.safetensors');
  const bytes = readFileSync(path);
  const spoil = async (content: Uint8Array, message: RegExp) => {
    writeFileSync(path, content);
    await expect(trainExperts(device, twoClasses(), folder, options)).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
      message: expect.stringMatching(message),
    });
  };
  const changed = Buffer.from(bytes);
  changed[changed.length - 1] ^= 1;
  await spoil(changed, /expert-0000.state-1.safetensors: This safetensors file was changed or damaged/);
  const tensor = (length: number) => ({ moments: { shape: [length], data: new Float32Array(length) } });
  const format = 'limbeck-expert-state-1';
  await spoil(encodeSafetensors(tensor(3), { format }), /tensor moments is not there, expected F32 of 41/);
  await spoil(
    encodeSafetensors(tensor(41), { format: 'other' }),
    /format is "other", expected limbeck-expert-state-1/,
  );
  writeFileSync(path, bytes);
  expect(await trainExperts(device, twoClasses(), folder, options)).toMatchObject({
    finished: 1,
    stopped: false,
  });
});

it('says where experts were begun on another processor', async () => {
  const folder = fresh();
  await trainExperts(device, twoClasses(), folder, tiny);
  await using cpu = await openDevice('cpu');
  renameSync(join(folder, file(0)), join(folder, `${file(0)}.part`));
  truncateSync(join(folder, `${file(0)}.part`), statSync(join(folder, file(1))).size - 1);
  const begun: BegunExperts[] = [];
  await trainExperts(cpu, twoClasses(), folder, tiny, { onBegin: (event) => begun.push(event) });
  expect(begun[0]).toMatchObject({
    begun: [{ expert: 0, epoch: 1 }],
    earlierProcessors: [device.description],
  });
});

it('stops where parameters are not finite, and writes none of them', async () => {
  const folder = fresh();
  await expect(
    trainExperts(device, twoClasses(), folder, {
      ...tiny,
      loss: 'squared-error',
      learningRate: 1e30,
      epochs: 40,
    }),
  ).rejects.toMatchObject({
    code: 'ERR_DIVERGED',
    message: expect.stringMatching(/diverged in epoch \d+/),
  });
  expect(readdirSync(folder)).toEqual([`${file(0)}.part`, `${file(1)}.part`]);
  await expect(openExperts(folder)).rejects.toThrow(/holds no finished expert/);
});

it.each([
  [{ count: 0 }, /count is 0, expected a whole number above 0/],
  [{ population: 1.5 }, /population is 1.5/],
  [{ seed: -1 }, /seed is -1/],
  [{ flat: -1 }, /flat is -1, expected a number of at least 0/],
  [{ gap: -1 }, /gap is -1, expected a number of at least 0/],
  [{ gap: 0.3 }, /gap is 0.3 and flat is 0: .*expected how far uphill/],
  [{ mean: 1 }, /mean is 1, expected true or false/],
  [{ epochs: 0 }, /epochs is 0/],
  [{ learningRate: 0 }, /learningRate is 0/],
  [{ augmentation: 'mirror' }, /augmentation is "mirror", expected/],
  [{ optimizer: { kind: 'momentum', momentum: 1 } }, /momentum is 1/],
  [{ networks: 3 }, /trainExperts: option networks is unknown/],
  [{ network: 'convnet' }, /cannot take the \[1, 2, 3\] images of two classes/],
  [{ network: 'none' }, /network "none" is unknown/],
] as [object, RegExp][])('refuses %j', async (options, message) => {
  const folder = fresh();
  await expect(trainExperts(device, twoClasses(), folder, { ...tiny, ...options })).rejects.toThrow(message);
  expect(existsSync(folder)).toBe(false);
});
