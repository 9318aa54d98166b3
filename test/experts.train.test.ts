/** Training of experts: what their files hold, whatever happens on the way. */
import {
  appendFileSync,
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
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Dataset } from '../src/data/dataset.js';
import { generateDigits } from '../src/data/digits.js';
import { recordBytes } from '../src/data/experts/format.js';
import { whiten } from '../src/data/zca.js';
import {
  type BegunExperts,
  createNetwork,
  type Device,
  type ExpertControl,
  type ExpertOptions,
  hessianVectorProduct,
  openDevice,
  openExperts,
  trainExperts,
} from '../src/index.js';
import { ExpertFolder } from '../src/runs/experts/folder.js';
import { keyedPermutation } from '../src/util/random.js';
import { twoClasses } from './harness/made-data.js';

const root = mkdtempSync(join(tmpdir(), 'limbeck-trained-experts-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;
const fresh = () => join(root, String(made++));

const digits = generateDigits({ train: 90, validation: 10, test: 10, size: 16 });
const small: ExpertOptions = { network: 'mlp:width=6', count: 5, epochs: 4, batch: 20, learningRate: 0.1 };
const momentum: ExpertOptions = { optimizer: { kind: 'momentum' }, learningRate: 0.02 };
const file = (number: number) => `expert-000${number}.safetensors`;
const all = [0, 1, 2, 3, 4].map(file);

/** Every file of a folder. */
const contents = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [name, readFileSync(join(folder, name)).toString('base64')]),
  );

describe.each(['reference', 'cpu'] as const)('experts trained on %s', (engine) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(engine);
  });
  afterAll(() => device.dispose());

  async function train(options: ExpertOptions = {}, folder = fresh(), control: ExpertControl = {}) {
    await trainExperts(device, digits, folder, { ...small, ...options }, control);
    expect(device.memory()).toMatchObject({ tensors: 0, executables: 0 });
    return folder;
  }

  /** Stops when the expert `first` is in its epoch `epoch + 1`, which is then finished. */
  async function trainTo(first: number, epoch: number, options: ExpertOptions, folder: string) {
    const stop = new AbortController();
    const result = await trainExperts(...([device, digits, folder, { ...small, ...options }] as const), {
      signal: stop.signal,
      onProgress: (event) => event.expert === first && event.epoch === epoch && stop.abort(),
    });
    expect(result.stopped).toBe(true);
    return folder;
  }

  it('are the same bits twice, and however many are trained at once', async () => {
    const one = contents(await train({ population: 1 }));
    expect(Object.keys(one)).toEqual(all);
    expect(contents(await train({ population: 1 }))).toEqual(one);
    expect(contents(await train({ population: 3 }))).toEqual(one);
    expect(contents(await train())).toEqual(one);
    // More of them later.
    const folder = await train({ count: 2 });
    expect(readdirSync(folder)).toHaveLength(2);
    expect(contents(await train({}, folder))).toEqual(one);
  });

  it('are so with convolutions and norms as well', async () => {
    const options = { network: 'convnet:width=4:depth=2', count: 3, epochs: 1 };
    expect(contents(await train({ ...options, population: 3 }))).toEqual(
      contents(await train({ ...options, population: 1 })),
    );
  });

  it.each([
    ['SGD', {}],
    ['momentum', momentum],
    ['Adam', { optimizer: { kind: 'adam' }, learningRate: 0.01 }],
    [
      'a rate that falls in stages, and an optimiser that begins anew',
      {
        ...momentum,
        schedule: { kind: 'step', stages: 3 },
        restart: true,
      },
    ],
  ] as [string, ExpertOptions][])(
    'go on to the same bytes wherever they were stopped: %s',
    async (_, options) => {
      const whole = contents(await train(options));
      const folder = await trainTo(0, 1, { ...options, population: 3 }, fresh());
      expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toHaveLength(3);
      expect(existsSync(join(folder, '.limbeck-lock'))).toBe(false);
      await trainTo(2, 2, { ...options, population: 2 }, folder);
      expect(contents(await train(options, folder))).toEqual(whole);
    },
  );

  it('go on to the same bytes after a process that was killed between any two writes', async () => {
    const options = { ...momentum, count: 3, population: 3 };
    const whole = contents(await train(options));
    const [one, two] = [await trainTo(0, 0, options, fresh()), await trainTo(0, 1, options, fresh())];
    const state = (number: number, epoch: number) => `expert-000${number}.state-${epoch}.safetensors`;
    const killed = async (...changes: ((folder: string) => void)[]) => {
      const folder = fresh();
      cpSync(two, folder, { recursive: true });
      for (const change of changes) change(folder);
      const begun: BegunExperts[] = [];
      await train(options, folder, { onBegin: (event) => begun.push(event) });
      expect(contents(folder)).toEqual(whole);
      return begun[0].begun.map(({ epoch }) => epoch);
    };
    const take = (name: string) => (folder: string) => cpSync(join(one, name), join(folder, name));
    const remove = (name: string) => (folder: string) => rmSync(join(folder, name), { force: true });
    expect(await killed()).toEqual([2, 2, 2]);
    // The states of epoch 2, and not yet all of its snapshots; those of epoch 1 are still there.
    const before = [take(state(0, 1)), take(state(1, 1)), take(state(2, 1))];
    expect(await killed(...before, take(`${file(2)}.part`))).toEqual([1, 1, 1]);
    // All snapshots, and one of the old states has gone.
    expect(await killed(take(state(1, 1)), take(state(2, 1)))).toEqual([2, 2, 2]);
    // Not all states of epoch 2 yet.
    const parts = [0, 1, 2].map((number) => take(`${file(number)}.part`));
    expect(await killed(...before, ...parts, remove(state(2, 2)))).toEqual([1, 1, 1]);
    // In the middle of a snapshot, or before what was in the computer's memory lay on the disk.
    const size = recordBytes(
      createNetwork({ name: 'mlp', width: 6, inputShape: [1, 16, 16], classes: 10 }).count,
    );
    const part = (folder: string) => join(folder, `${file(1)}.part`);
    const cut = (bytes: number) => (folder: string) =>
      truncateSync(part(folder), statSync(part(folder)).size - bytes);
    expect(await killed(...before, cut(1))).toEqual([1, 1, 1]);
    expect(
      await killed(...before, cut(size), (folder) => appendFileSync(part(folder), Buffer.alloc(size))),
    ).toEqual([1, 1, 1]);
    // States of no use, and a temporary file.
    expect(
      await killed((folder) => writeFileSync(join(folder, `.${file(0)}.999999999.tmp`), 'half')),
    ).toEqual([2, 2, 2]);
  });

  it('are finished where only the name was missing', async () => {
    const folder = await train({ ...momentum, count: 2 });
    const whole = contents(folder);
    renameSync(join(folder, file(1)), join(folder, `${file(1)}.part`));
    writeFileSync(join(folder, 'expert-0001.state-3.safetensors'), 'left behind');
    const run = vi.spyOn(device, 'load');
    await train({ ...momentum, count: 2 }, folder);
    expect(run).not.toHaveBeenCalled();
    run.mockRestore();
    expect(contents(folder)).toEqual(whole);
  });

  it('are what a loop over batches gives that is written here', async () => {
    const whitened = await whiten(digits);
    for (const data of [digits, whitened]) {
      const folder = fresh();
      const options = { ...small, count: 2, epochs: 2, augmentation: 'none', seed: 2 ** 33 + 5 };
      await trainExperts(device, data, folder, options);
      await using experts = await openExperts(folder);
      expect(experts.dataset.zca).toEqual(data === whitened ? { epsilon: expect.any(Number) } : undefined);
      for (const expert of [0, 1])
        for (const epoch of [0, 1]) {
          const before = await experts.parametersOf(expert, epoch);
          const after = await experts.parametersOf(expert, epoch + 1);
          const expected = await epochOf(data, experts.networkOptions, expert, epoch, before, options.seed);
          for (let i = 0; i < after.length; i++) expect(Math.abs(after[i] - expected[i])).toBeLessThan(2e-6);
          expect(Math.max(...after.map((value, i) => Math.abs(value - before[i])))).toBeGreaterThan(1e-3);
        }
    }
  });

  it('change each image by a draw of its own, as asked for', async () => {
    const thetaOf = async (options: ExpertOptions, data = digits) => {
      const folder = fresh();
      await trainExperts(device, data, folder, { ...small, count: 2, epochs: 1, ...options });
      await using experts = await openExperts(folder);
      const snapshots = await Promise.all(
        [0, 1].flatMap((expert) => [0, 1].map((epoch) => experts.parametersOf(expert, epoch))),
      );
      return { ...experts.training, snapshots: snapshots.map(String) };
    };
    const [usual, none, crop] = [
      await thetaOf({}),
      await thetaOf({ augmentation: 'none' }),
      await thetaOf({ augmentation: 'crop' }),
    ];
    const other = await thetaOf({}, { ...digits, name: 'letters' });
    const names = [usual, none, crop, other].map(({ augmentation }) => augmentation);
    expect(names).toEqual(['dsa-digits', 'none', 'crop', 'dsa']);
    // The same first weights, of each expert its own, and other ones after the epoch.
    const firsts = [usual, none, crop, other].map(({ snapshots }) => snapshots[0]);
    expect(new Set(firsts).size).toBe(1);
    expect(usual.snapshots[2]).not.toBe(usual.snapshots[0]);
    expect(new Set([usual, none, crop, other].map(({ snapshots }) => snapshots[1])).size).toBe(4);
    expect((await thetaOf({ seed: 1 })).snapshots[0]).not.toBe(usual.snapshots[0]);
  });
});

/** Parameters after one more epoch of plain SGD in float64, by a gradient and the definition of the order alone. */
async function epochOf(
  data: Dataset,
  networkOptions: Parameters<typeof createNetwork>[0],
  expert: number,
  epoch: number,
  from: Float32Array,
  seed: number,
): Promise<Float64Array> {
  await using reference = await openDevice('reference');
  const { images, labels, count } = data.train;
  const pixels = images.length / count;
  const scale = images instanceof Uint8Array ? 255 : 1;
  const theta = Float64Array.from(from);
  // 90 images in batches of at most 20: five batches of 18.
  for (let step = 5 * epoch; step < 5 * epoch + 5; step++) {
    const rows = Array.from({ length: 18 }, (_, b) => {
      const position = 18 * step + b;
      const key = [seed % 2 ** 32, Math.floor(seed / 2 ** 32), 23, Math.floor(position / count)] as const;
      return keyedPermutation([...key], count, position % count, expert + 1);
    });
    expect(new Set(rows).size).toBe(18);
    const { gradient } = await hessianVectorProduct(reference, {
      network: networkOptions,
      parameters: theta,
      images: rows.flatMap((row) =>
        Array.from(
          images.subarray(row * pixels, (row + 1) * pixels),
          (pixel) => (pixel / scale - data.mean[0]) / data.std[0],
        ),
      ),
      labels: rows.flatMap((row) => Array.from({ length: 10 }, (_, k) => Number(k === labels[row]))),
      vector: new Float64Array(theta.length),
    });
    for (let i = 0; i < theta.length; i++) theta[i] -= 0.1 * gradient[i];
  }
  return theta;
}

describe('training experts', () => {
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
      await expect(trainExperts(device, twoClasses(), folder, { ...tiny, ...options })).rejects.toMatchObject(
        {
          code: 'ERR_OPTION',
          message: expect.stringMatching(message),
        },
      );
  });

  it('refuses other data, another number in the name and what was damaged', async () => {
    const folder = fresh();
    await trainExperts(device, twoClasses(), folder, tiny);
    const data = twoClasses();
    const changed = { ...data, test: { ...data.test, labels: data.test.labels.map((label) => 1 - label) } };
    await expect(trainExperts(device, changed, folder, tiny)).rejects.toThrow(
      /has another data set: .*sha256/,
    );
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
    [{ epochs: 0 }, /epochs is 0/],
    [{ learningRate: 0 }, /learningRate is 0/],
    [{ augmentation: 'mirror' }, /augmentation is "mirror", expected/],
    [{ optimizer: { kind: 'momentum', momentum: 1 } }, /momentum is 1/],
    [{ networks: 3 }, /trainExperts: option networks is unknown/],
    [{ network: 'convnet' }, /cannot take the \[1, 2, 3\] images of two classes/],
    [{ network: 'none' }, /network "none" is unknown/],
  ] as [object, RegExp][])('refuses %j', async (options, message) => {
    const folder = fresh();
    await expect(trainExperts(device, twoClasses(), folder, { ...tiny, ...options })).rejects.toThrow(
      message,
    );
    expect(existsSync(folder)).toBe(false);
  });
});
