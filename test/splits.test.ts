/** Which split says what: images are learned from one, everything is chosen on another, the number is measured on the third. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { baselines } from '../src/eval/baselines/index.js';
import {
  baselineNames,
  type Dataset,
  type Device,
  type Distillation,
  type DistilledSet,
  type DistillOptions,
  decodeArtefact,
  distill,
  distillToFolder,
  type Evaluation,
  evaluate,
  openDevice,
  trainNetworks,
} from '../src/index.js';
import {
  halfRight,
  learnedOf,
  networksOn,
  opposite,
  parametersOf,
  plainSgd,
  type SplitName,
  shortRun,
  smallNetwork,
  twoClasses,
  watchDevice,
  watched,
} from './harness/made-data.js';

const data = twoClasses();
const folder = mkdtempSync(join(tmpdir(), 'limbeck-splits-'));
let device: Device;
beforeEach(async () => {
  // A new one each time: tests change it.
  device = await openDevice('reference');
  return () => device.dispose();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Everything of a run but how long it took. */
const outcome = ({ set, curve, best, outerSteps, stopped }: Distillation) => ({
  ...{ learned: learnedOf(set), parameters: parametersOf(set) },
  ...{ curve, best, outerSteps, stopped },
});
const accuracies = ({ curve }: Pick<Distillation, 'curve'>) =>
  curve.map(({ validationAccuracy }) => validationAccuracy);
const turned = (percent: number) => 100 - percent;
const disjoint = (a: ReadonlySet<string>, b: ReadonlySet<string>) => ![...a].some((one) => b.has(one));

describe.each<[string, DistillOptions]>([
  ['fixed', { ...shortRun, init: 'fixed', population: 3 }],
  ['random', { ...shortRun, init: 'random', population: 2 }],
])('distillation for a %s initialisation', (_, options) => {
  test('does not open the test split', async () => {
    const opened = new Set<SplitName>();
    const set = watched(data, (name) => {
      if (name === 'test') throw new Error('the test split was opened');
      opened.add(name);
    });
    await distill(device, set, options);
    expect([...opened].sort()).toEqual(['train', 'validation']);
  });

  test('chooses on the validation split: its labels the other way round turn every look round', async () => {
    const one = await distill(device, data, options);
    const other = await distill(device, opposite(data, 'validation'), options);
    expect(accuracies(other)).toEqual(accuracies(one).map(turned));
    expect(new Set(accuracies(one)).size).toBeGreaterThan(2);
    expect(other.best.iteration).not.toBe(one.best.iteration);
  });

  test('test labels the other way round change no bit of curve, choice or set', async () => {
    const one = await distill(device, data, options);
    const other = await distill(device, opposite(data, 'test'), options);
    expect(outcome(other)).toEqual(outcome(one));
  });

  test('of equally good looks takes the first', async () => {
    const { best, curve, set } = await distill(device, halfRight(), { ...options, iterations: 3 });
    expect(accuracies({ curve })).toEqual([50, 50, 50]);
    expect(best).toEqual({ iteration: 1, validationAccuracy: 50 });
    const short = await distill(device, halfRight(), { ...options, iterations: 1 });
    expect(learnedOf(set)).toEqual(learnedOf(short.set));
  });

  test('gives the images of the best look, not of the last', async () => {
    // Where the validation split says the opposite of the training split, more learning is worse.
    const contrary = opposite(data, 'validation');
    const result = await distill(device, contrary, options);
    const seen = accuracies(result);
    const best = Math.max(...seen);
    const { iteration } = result.curve[seen.indexOf(best)];
    expect(result.best).toEqual({ iteration, validationAccuracy: best });
    expect(best).toBeGreaterThan(seen.at(-1)!);
    const upToThere = await distill(device, contrary, { ...options, iterations: iteration });
    expect(learnedOf(result.set)).toEqual(learnedOf(upToThere.set));
    const whole = await distill(device, data, options);
    expect(learnedOf(result.set)).not.toEqual(learnedOf(whole.set));
  });
});

describe('an evaluation', () => {
  const options = {
    networks: 3,
    architectures: [{ name: 'mlp', width: 2 }],
    baselines: baselineNames,
  };
  const setOf = async (changes: DistillOptions = {}) =>
    (await distill(device, data, { ...shortRun, init: 'random', ...changes })).set;

  /** Every number of an evaluation on the test split, as percent of the images. */
  const numbers = ({ accuracy, baselines: all, others }: Evaluation) =>
    [{ accuracy, baselines: all }, ...others].flatMap((one) =>
      [one.accuracy, ...Object.values(one.baselines)].map(({ mean, std }) => ({ mean, std })),
    );
  const rates = ({ learningRate, baselines: all, others }: Evaluation) =>
    [{ learningRate, baselines: all }, ...others].map((one) => [
      one.learningRate,
      ...Object.values(one.baselines).map((baseline) => baseline.learningRate),
    ]);

  test('chooses rates and draws on the validation split alone', async () => {
    const set = await setOf();
    const on = (dataset: Dataset) => evaluate(device, dataset, set, options);
    const one = await on(data);
    const turnedTest = await on(opposite(data, 'test'));
    expect(rates(turnedTest)).toEqual(rates(one));
    // What is the same everywhere and is wrong where it was right has 100 % less what it had.
    for (const [i, { mean, std }] of numbers(turnedTest).entries()) {
      expect(mean).toBeCloseTo(turned(numbers(one)[i].mean), 9);
      expect(std).toBeCloseTo(numbers(one)[i].std, 9);
    }
    const turnedValidation = await on(opposite(data, 'validation'));
    const [[, random], [other]] = rates(one);
    const [[, randomThen], [otherThen]] = rates(turnedValidation);
    expect([randomThen, otherThen]).not.toContain(random);
    expect(otherThen).not.toBe(other);
    expect(turnedValidation.baselines.bestOfRandom.mean).toBeLessThan(one.baselines.bestOfRandom.mean);
  });

  test('trains every baseline on training images', async () => {
    const { baselines: all } = await evaluate(device, opposite(data, 'test'), await setOf(), options);
    expect(Object.keys(all).sort()).toEqual([...baselineNames].sort());
    // What is trained on nothing knows nothing.
    const { untrained: _, ...trained } = all;
    for (const [name, { mean }] of Object.entries(trained)) expect(mean, name).toBeLessThan(50);
  });

  test.each(baselines)('$name opens no other split', async (baseline) => {
    const set = watched(data, (name) => {
      if (name !== 'train') throw new Error(`the ${name} split was opened`);
    });
    expect(await baseline.images(set, 2, 0, 0)).toHaveLength(2 * 2 * 6);
  });

  test('tests networks that nothing was learned or chosen with, others for every seed', async () => {
    const log = watchDevice(device, data);
    const set = await setOf();
    const looked = networksOn(log.splice(0), 'validation');
    const tried = async (one: DistilledSet, more = {}) => {
      await evaluate(device, data, one, { ...options, architectures: [], ...more });
      const all = log.splice(0);
      return { chosen: networksOn(all, 'validation'), tested: networksOn(all, 'test') };
    };
    const { chosen, tested } = await tried(set);
    expect([looked.size, chosen.size, tested.size]).toEqual([4, 4, 3]);
    expect(disjoint(looked, tested)).toBe(true);
    expect(disjoint(chosen, tested)).toBe(true);

    const again = await tried(await setOf({ seed: 0 }));
    expect(again.tested).toEqual(tested);
    const other = await tried(await setOf({ seed: 1 }));
    expect(other.tested.size).toBe(3);
    for (const networks of [tested, chosen]) expect(disjoint(other.tested, networks)).toBe(true);

    // The networks that a fixed set was made for are known; under another protocol others are tested.
    const fixed = await setOf({ init: 'fixed', population: 3 });
    log.splice(0);
    const known = await tried(fixed, { withBaselines: false });
    const fresh = await tried(fixed, { withBaselines: false, protocol: 'dc' });
    expect([known.tested.size, fresh.tested.size]).toEqual([3, 3]);
    expect(disjoint(known.tested, fresh.tested)).toBe(true);
  });
});

describe('ordinary training', () => {
  const options = { network: smallNetwork, networks: 2, epochs: 2, batch: 10, learningRate: 0.1 };

  test('learns nothing from validation or test', async () => {
    const on = async (dataset: Dataset) => {
      const { parameters, accuracy, validation } = await trainNetworks(device, dataset, options);
      return { parameters, accuracy: accuracy.mean, validation: validation.mean };
    };
    const one = await on(data);
    const accuracy = expect.closeTo(turned(one.accuracy), 9);
    const validation = expect.closeTo(turned(one.validation), 9);
    expect(await on(opposite(data, 'test'))).toEqual({ ...one, accuracy });
    expect(await on(opposite(data, 'validation'))).toEqual({ ...one, validation });
    expect((await on(opposite(data, 'train'))).parameters).not.toEqual(one.parameters);
  });

  test('opens the test split after its last step', async () => {
    const log = watchDevice(device, data);
    await trainNetworks(device, data, options);
    const last = log.findLastIndex(({ what, split }) => what === 'run' && split === 'train');
    const uploads = log.flatMap(({ what, split }, i) => (what === 'upload' && split === 'test' ? [i] : []));
    expect(uploads).toHaveLength(1);
    expect(uploads[0]).toBeGreaterThan(last);
  });

  test('starts from other networks for every seed', async () => {
    const start = async (seed: number) => {
      const still = { ...options, learningRate: 1e-30, optimizer: plainSgd, seed };
      return (await trainNetworks(device, data, still)).parameters;
    };
    const [zero, one] = [await start(0), await start(1)];
    expect(zero.filter((value, i) => value !== 0 && value === one[i])).toHaveLength(0);
  });
});

describe('a run in a folder', () => {
  const run = (name: string, dataset: Dataset, control = {}) =>
    distillToFolder(device, dataset, join(folder, name), { ...shortRun, init: 'random' }, control);

  test('opens the test split once, after the set is chosen', async () => {
    const log = watchDevice(device, data);
    let stage = 'checksum';
    const opened: string[] = [];
    const set = watched(data, (name) => void (name === 'test' && opened.push(stage)));
    const { record } = await run('watched', set, {
      onBegin: () => (stage = 'distillation'),
      onProgress: ({ iteration }: { iteration: number }) => iteration === 8 && (stage = 'test'),
    });
    expect(opened).toContain('test');
    expect(opened).not.toContain('distillation');
    expect(record.testOpened).toBe(1);
    const uploads = log.flatMap(({ what, split }, i) => (what === 'upload' && split === 'test' ? [i] : []));
    expect(uploads).toHaveLength(1);
    const chosen = log.findLastIndex(({ what, split }) => what === 'run' && split === 'train');
    expect(uploads[0]).toBeGreaterThan(chosen);
  });

  test('test labels the other way round change the accuracies and nothing else', async () => {
    const one = await run('true', data);
    const other = await run('opposite', opposite(data, 'test'));
    const { testAccuracy, baselines: all, perClass, curve, best } = one.record;
    expect(other.record).toMatchObject({ curve, best });
    expect(learnedOf(other.set)).toEqual(learnedOf(one.set));
    expect(other.record.testAccuracy!.mean).toBeCloseTo(turned(testAccuracy!.mean), 9);
    for (const [name, { mean, learningRate }] of Object.entries(all)) {
      expect(other.record.baselines[name].mean, name).toBeCloseTo(turned(mean), 9);
      expect(other.record.baselines[name].learningRate).toBe(learningRate);
    }
    expect(other.record.perClass!.map((one) => turned(one!))).toEqual([...perClass!].reverse());
  });

  test('writes the images of the best look', async () => {
    const { record, set } = await run('contrary', opposite(data, 'validation'));
    const { iteration } = record.best;
    expect(iteration).toBeLessThan(record.outerSteps);
    const short = { ...shortRun, init: 'random', iterations: iteration } as const;
    const there = await distill(device, opposite(data, 'validation'), short);
    const written = decodeArtefact(readFileSync(join(folder, 'contrary/distilled.safetensors'))).set;
    expect(learnedOf(written)).toEqual(learnedOf(there.set));
    expect(learnedOf(set)).toEqual(learnedOf(written));
  });
});
