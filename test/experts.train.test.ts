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
  type Numbers,
  openDevice,
  openExperts,
  predict,
  trainExperts,
} from '../src/index.js';
import { keyedPermutation } from '../src/util/random.js';

const root = mkdtempSync(join(tmpdir(), 'limbeck-trained-experts-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;
const fresh = () => join(root, String(made++));

const digits = generateDigits({ train: 90, validation: 10, test: 10, size: 16 });
const small: ExpertOptions = { network: 'mlp:width=6', count: 5, epochs: 4, batch: 20, learningRate: 0.1 };
const momentum: ExpertOptions = { optimizer: { kind: 'momentum' }, learningRate: 0.02 };
const trainings = [
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
  ['means of each epoch, of gradients uphill', { mean: true, flat: 0.1, gap: 0.5 }],
  ['means of each epoch, with momentum', { ...momentum, mean: true }],
] as [string, ExpertOptions][];
const file = (number: number) => `expert-000${number}.safetensors`;
const all = [0, 1, 2, 3, 4].map(file);

/** Every file of a folder. */
const contents = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [name, readFileSync(join(folder, name)).toString('base64')]),
  );

describe.each(['reference', 'cpu', 'webgpu'] as const)('experts trained on %s', (engine) => {
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

  it('are the same bits twice', async () => {
    const one = contents(await train({ population: 2 }));
    expect(Object.keys(one)).toEqual(all);
    expect(contents(await train({ population: 2 }))).toEqual(one);
    // More of them later.
    const folder = await train({ count: 2, population: 2 });
    expect(readdirSync(folder)).toHaveLength(2);
    expect(contents(await train({ population: 2 }, folder))).toEqual(one);
  });

  it.each(engine === 'webgpu' ? trainings.slice(1, 2) : trainings)(
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
          const path = await epochOf(data, experts.networkOptions, expert, epoch, before, options.seed);
          expectNear(after, path[path.length - 1]);
          expect(Math.max(...after.map((value, i) => Math.abs(value - before[i])))).toBeGreaterThan(1e-3);
        }
    }
  });

  it('take gradients uphill, and write means of an epoch, as asked for', async () => {
    const folders = [fresh(), fresh()];
    const options = { ...small, count: 1, epochs: 2, augmentation: 'none', flat: 0.3 };
    await trainExperts(device, digits, folders[0], options);
    await trainExperts(device, digits, folders[1], { ...options, mean: true });
    await using flat = await openExperts(folders[0]);
    await using mean = await openExperts(folders[1]);
    for (const experts of [flat, mean])
      expect(experts.training).toMatchObject({ flat: 0.3, mean: experts === mean });
    expect(flat.protocol).toMatch(/no augmentation, gradients taken 0.3 uphill, pytorch weights$/);
    expect(await mean.parametersOf(0, 0)).toEqual(await flat.parametersOf(0, 0));
    for (const epoch of [0, 1]) {
      const path = await epochOf(
        digits,
        flat.networkOptions,
        0,
        epoch,
        await flat.parametersOf(0, epoch),
        0,
        { flat: 0.3 },
      );
      const [last, average] = [flat, mean].map((experts) => experts.parametersOf(0, epoch + 1));
      const means = path[0].map((_, i) => path.reduce((sum, theta) => sum + theta[i], 0) / path.length);
      expectNear(await last, path[path.length - 1]);
      expectNear(await average, means);
    }
  });

  it('take away what is across the gradient uphill, as asked for', async () => {
    const folder = fresh();
    const options = { ...small, count: 1, epochs: 1, augmentation: 'none', flat: 0.3, gap: 2 };
    await trainExperts(device, digits, folder, options);
    await using experts = await openExperts(folder);
    expect(experts.training).toMatchObject({ flat: 0.3, gap: 2 });
    const first = await experts.parametersOf(0, 0);
    const ends = await Promise.all(
      [2, 0].map(async (gap) =>
        (await epochOf(digits, experts.networkOptions, 0, 0, first, 0, { flat: 0.3, gap })).at(-1),
      ),
    );
    expectNear(await experts.parametersOf(0, 1), ends[0]!);
    // Without it they end elsewhere.
    expect(Math.max(...ends[0]!.map((value, i) => Math.abs(value - ends[1]![i])))).toBeGreaterThan(1e-4);
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

describe.each(['reference', 'cpu'] as const)('experts trained on %s', (engine) => {
  it.each([false, true])('are told with the accuracy of what is written, means or not: %s', async (mean) => {
    await using device = await openDevice(engine);
    const data = { ...digits, validation: digits.train };
    const told: (number | undefined)[] = [];
    const folder = fresh();
    const options = { ...small, count: 2, epochs: 1, learningRate: 0.5, mean };
    const onTrained = ({ validationAccuracy }: { validationAccuracy?: number }) =>
      told.push(validationAccuracy);
    await trainExperts(device, data, folder, options, { onTrained });
    await using experts = await openExperts(folder);
    const { networkOptions: network, dataset } = experts;
    const normalisation = { mean: dataset.mean, std: dataset.std };
    const { images, labels, count } = data.train;
    for (const expert of [0, 1]) {
      const parameters = await experts.parametersOf(expert, 1);
      const notes = { dataset: '', trainedOn: '', protocol: '' };
      const of = { network, parameters, loss: 'cross-entropy', classNames: digits.classNames } as const;
      const { classes } = await predict(device, { ...of, normalisation, notes }, images);
      const right = classes.filter((label, i) => label === labels[i]).length;
      expect(told[expert]).toBeCloseTo((100 * right) / count, 6);
    }
  });

  it('say how many steps and bytes are left, of all and of those that were begun', async () => {
    await using device = await openDevice(engine);
    const folder = fresh();
    const options = { ...small, count: 3, population: 2, epochs: 3 };
    const { count } = createNetwork({ name: 'mlp', width: 6, inputShape: [1, 16, 16], classes: 10 });
    const run = async (stop?: AbortController) => {
      let begun: BegunExperts | undefined;
      const steps: number[] = [];
      await trainExperts(device, digits, folder, options, {
        signal: stop?.signal,
        onBegin: (event) => (begun = event),
        onProgress(event) {
          steps.push(event.steps, event.allSteps);
          if (event.epoch === 1) stop?.abort();
        },
      });
      return { bytes: begun!.bytesOnDisk / recordBytes(count), left: steps.at(-1), done: steps.at(-2) };
    };
    // Five batches an epoch; an expert has a snapshot before its first epoch and one after each.
    expect(await run(new AbortController())).toMatchObject({ bytes: 3 * 4, left: 3 * 3 * 5 });
    // Two experts had two epochs.
    expect(await run()).toEqual({ bytes: 2 * 1 + 4, left: 2 * 5 + 3 * 5, done: 2 * 5 + 3 * 5 });
  });

  it('are the same bits however many are trained at once', async () => {
    await using device = await openDevice(engine);
    const train = async (options: ExpertOptions) => {
      const folder = fresh();
      await trainExperts(device, digits, folder, { ...small, ...options });
      return contents(folder);
    };
    const one = await train({ population: 1 });
    expect(await train({ population: 3 })).toEqual(one);
    expect(await train({})).toEqual(one);
    const convolutions = { network: 'convnet:width=4:depth=2', count: 3, epochs: 1 };
    expect(await train({ ...convolutions, population: 3 })).toEqual(
      await train({ ...convolutions, population: 1 }),
    );
  });
});

const expectNear = (given: Float32Array, expected: Float64Array) => {
  expect(given.length).toBe(expected.length);
  for (let i = 0; i < given.length; i++) expect(Math.abs(given[i] - expected[i])).toBeLessThan(2e-6);
};

/** Parameters after each step of one more epoch of SGD in float64, by a gradient and the definition of the order alone. */
async function epochOf(
  data: Dataset,
  networkOptions: Parameters<typeof createNetwork>[0],
  expert: number,
  epoch: number,
  from: Float32Array,
  seed: number,
  { flat = 0, gap = 0 } = {},
): Promise<Float64Array[]> {
  await using reference = await openDevice('reference');
  const { images, labels, count } = data.train;
  const pixels = images.length / count;
  const scale = images instanceof Uint8Array ? 255 : 1;
  const theta = Float64Array.from(from);
  const path: Float64Array[] = [];
  // 90 images in batches of at most 20: five batches of 18.
  for (let step = 5 * epoch; step < 5 * epoch + 5; step++) {
    const rows = Array.from({ length: 18 }, (_, b) => {
      const position = 18 * step + b;
      const key = [seed % 2 ** 32, Math.floor(seed / 2 ** 32), 23, Math.floor(position / count)] as const;
      return keyedPermutation([...key], count, position % count, expert + 1);
    });
    expect(new Set(rows).size).toBe(18);
    const batch = {
      network: networkOptions,
      images: rows.flatMap((row) =>
        Array.from(
          images.subarray(row * pixels, (row + 1) * pixels),
          (pixel) => (pixel / scale - data.mean[0]) / data.std[0],
        ),
      ),
      labels: rows.flatMap((row) => Array.from({ length: 10 }, (_, k) => Number(k === labels[row]))),
      vector: new Float64Array(theta.length),
    };
    let { gradient }: { gradient: Numbers } = await hessianVectorProduct(reference, {
      ...batch,
      parameters: theta,
    });
    if (flat) {
      const norm = Math.hypot(...gradient);
      const parameters = theta.map((value, i) => value + (flat * gradient[i]) / norm);
      const { gradient: up } = await hessianVectorProduct(reference, { ...batch, parameters });
      const here = gradient;
      const dot = (a: Numbers, b: Numbers) => Array.from(a).reduce((sum, value, i) => sum + value * b[i], 0);
      const along = dot(here, up) / dot(up, up);
      gradient = Float64Array.from(up, (value, i) => value - gap * (here[i] - along * value));
    }
    for (let i = 0; i < theta.length; i++) theta[i] -= 0.1 * gradient[i];
    path.push(Float64Array.from(theta));
  }
  return path;
}
