/** Which stretches of which experts trajectory matching takes, and which experts it refuses. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import { datasetFromArrays } from '../src/data/arrays.js';
import type { Experts } from '../src/data/experts/experts.js';
import { openExperts } from '../src/data/experts/open.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { ExpertChoice, type ExpertStretches } from '../src/methods/expert-choice.js';
import type { DistillOptions } from '../src/methods/index.js';
import type { Setting } from '../src/methods/method.js';
import { distill } from '../src/runs/distill.js';
import { LimbeckError } from '../src/util/errors.js';
import { Owned } from '../src/util/owned.js';
import { madeParameter, writeExperts } from './harness/experts.js';
import { smallNetwork } from './harness/made-data.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-trajectories-'));
writeExperts(folder, 4);
const experts = await openExperts(folder);
afterAll(async () => {
  await experts.close();
  await rm(folder, { recursive: true });
});

const { count } = experts.network;
const stretches: ExpertStretches = {
  experts: folder,
  population: 2,
  innerSteps: 5,
  expertEpochs: 1,
  minStart: 1,
  maxStart: 3,
  trajectory: 'expert',
};

/** Images whose statistics are those that the experts know. */
function dataset(mean = 0.5) {
  const split = {
    images: Float32Array.from({ length: 24 }, (_, i) => mean + (i % 2 ? 0.25 : -0.25)),
    labels: Uint8Array.of(0, 1, 0, 1),
  };
  return datasetFromArrays({
    ...{ name: 'two classes', imageShape: [1, 2, 3], classes: 2 },
    ...{ train: split, validation: split, test: split },
  });
}

const device = new ReferenceDevice();
const setting = {
  device,
  dataset: dataset(),
  experts,
  networkOptions: { ...smallNetwork, inputShape: [1, 2, 3], classes: 2 },
  options: { seed: 3 },
} as unknown as Setting;

describe('the choice of experts', () => {
  /** What outer step `step` finds. */
  async function chosen(step: number, changes: Partial<ExpertStretches> = {}) {
    const options = { ...stretches, ...changes };
    const length = options.population * count;
    const [start, target] = await Promise.all([0, 1].map(() => device.tensor('f32', length)));
    const batches = await device.tensor('u32', 4);
    const on = { start, target, batches };
    const choice = await ExpertChoice.create(setting, options, on, new Owned());
    await choice.before(step);
    return { start: await start.read(), target: await target.read(), batches: await batches.read() };
  }

  /** The expert and epoch of a made snapshot. */
  const whichOf = (theta: ArrayLike<number>, p: number) => {
    for (let expert = 0; expert < 4; expert++)
      for (let epoch = 0; epoch <= 3; epoch++)
        if (madeParameter(expert, epoch, 0) === theta[p * count]) return { expert, epoch };
    return undefined;
  };

  it('meets every expert and every start, and looks as many epochs ahead as it is told', async () => {
    const seen = new Set<string>();
    for (let step = 0; step < 40; step++) {
      const { start, target } = await chosen(step);
      for (const p of [0, 1]) {
        const from = whichOf(start, p)!;
        expect(whichOf(target, p)).toEqual({ expert: from.expert, epoch: from.epoch + 1 });
        seen.add(`${from.expert} ${from.epoch}`);
      }
    }
    const all = [0, 1, 2, 3].flatMap((expert) => [1, 2].map((epoch) => `${expert} ${epoch}`));
    expect([...seen].sort()).toEqual(all);
  });

  it('is the same whenever a step is asked for, and its minibatches count on', async () => {
    const once = await chosen(7);
    expect(await chosen(7)).toEqual(once);
    expect(await chosen(8)).not.toEqual(once);
    expect(once.batches[2]).toBe(7 * 5);
    expect((await chosen(0)).batches.slice(0, 2)).toEqual(once.batches.slice(0, 2));
  });

  it('takes points on the straight line between first and last snapshot', async () => {
    const { start, target } = await chosen(2, { trajectory: 'line', population: 1 });
    const own = await chosen(2, { population: 1 });
    const { expert, epoch } = whichOf(own.start, 0)!;
    for (const [values, at] of [
      [start, epoch],
      [target, epoch + 1],
    ] as const)
      for (let i = 0; i < count; i++) {
        const [first, last] = [madeParameter(expert, 0, i), madeParameter(expert, 3, i)];
        expect(values[i]).toBeCloseTo(first + (at / 3) * (last - first), 6);
      }
  });
});

test('a run goes on with the experts it began with, and with no others', async () => {
  const [start, target] = await Promise.all([0, 1].map(() => device.tensor('f32', 2 * count)));
  const on = { start, target, batches: await device.tensor('u32', 4) };
  const choice = await ExpertChoice.create(setting, stretches, on, new Owned());
  const began = await choice.tensors.experts.read();
  expect(began[0]).toBe(4);
  await choice.goTo();
  // Two then: the two that came later are not drawn.
  await choice.tensors.experts.write([2, began[1], began[2]]);
  await choice.goTo();
  for (let step = 0; step < 20; step++) {
    await choice.before(step);
    const first = (await start.read())[0];
    expect([0, 1].some((expert) => [1, 2].some((epoch) => madeParameter(expert, epoch, 0) === first))).toBe(
      true,
    );
  }
  await choice.tensors.experts.write([5, began[1], began[2]]);
  await expect(choice.goTo()).rejects.toThrow(/holds 4 experts, expected the 5 that the run began with/);
  await choice.tensors.experts.write([4, began[1], began[2] + 1]);
  await expect(choice.goTo()).rejects.toMatchObject({
    code: 'ERR_DATA',
    message: expect.stringMatching(/of another training than those that the run began with/),
  });
});

describe('a run', () => {
  const run = (given: Partial<DistillOptions>, opened: Experts | undefined, data = dataset()) => {
    const options = {
      ...{ method: 'mtt', network: smallNetwork, experts: folder, protocol: 'mtt-no-zca', iterations: 2 },
      ...{ innerSteps: 2, expertEpochs: 1, maxStart: 3, augmentation: 'none', validationNetworks: 1 },
      ...given,
    } as DistillOptions;
    return distill(new ReferenceDevice(), data, options, { experts: opened });
  };

  test('learns images and a rate that stays above 0', async () => {
    const { set } = await run({ rateLr: 1000 }, experts);
    expect(set.use).toMatchObject({ kind: 'minibatches', protocol: 'mtt-no-zca' });
    const { learningRate } = set.use as { learningRate: number };
    expect(learningRate).toBeGreaterThan(0);
    expect(learningRate).not.toBeCloseTo(0.01, 8);
  });

  test('moves the inner rate as plain SGD does at its first value', async () => {
    const lossAt = async (networkLr: number) =>
      (await run({ iterations: 1, networkLr, rateLr: 0 }, experts)).curve[0].loss;
    const slope = ((await lossAt(0.0101)) - (await lossAt(0.0099))) / 0.0002;
    // So little that the slope of the raw number, whose softplus the rate is, stays what it is.
    const rateLr = 1e-5 / Math.abs(slope);
    const { set } = await run({ iterations: 1, rateLr }, experts);
    const { learningRate } = set.use as { learningRate: number };
    expect((learningRate - 0.01) / (-rateLr * slope)).toBeCloseTo(1, 2);
  });

  test.each<[string, Partial<DistillOptions>, RegExp]>([
    ['no folder', { experts: '' }, /^experts is missing, expected the folder of experts/],
    ['another network', { network: 'mlp:width=4' }, /network is mlp:width=4 for 1 x 2 x 3 .*are mlp:width=3/],
    ['too many epochs', { expertEpochs: 2 }, /have 3 epochs: the last target is epoch 4, expected at most 3/],
    ['no start', { minStart: 3 }, /minStart is 3 and maxStart is 3, expected a start below the end/],
    ['a protocol for whitened images', { protocol: 'mtt' }, /protocol mtt is for images .* mtt-no-zca/],
  ])('with %s is refused', async (_, given, message) => {
    const error = await run(given, experts).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LimbeckError);
    expect(error).toMatchObject({ code: 'ERR_OPTION', message: expect.stringMatching(message) });
  });

  test('without the experts, or with those of other data, is refused', async () => {
    await expect(run({}, undefined)).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringMatching(/expected those experts to be given with it: .*openExperts/),
    });
    await expect(run({}, experts, dataset(0.4))).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringMatching(
        /two classes gives images of mean 0.4 .*trained on two classes, images of mean 0.5/,
      ),
    });
  });

  test('masked parameters are trained and not matched', async () => {
    const [all, part] = [await run({}, experts), await run({ masked: 0.5 }, experts)];
    expect(part.set.images).not.toEqual(all.set.images);
  });
});
