/** Networks that were trained before as a source: who sees which of them. */
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../src/data/dataset.js';
import type { DistilledSet } from '../src/data/distilled-set.js';
import { loadWithTensors } from '../src/engine/load.js';
import { openDevice } from '../src/engine/open.js';
import { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { decodeArtefact, encodeArtefact } from '../src/eval/artefact.js';
import { type EvaluateOptions, evaluate } from '../src/eval/evaluate.js';
import type { Model } from '../src/eval/model.js';
import { strongerBaseline } from '../src/eval/verdict.js';
import type { DistillOptions } from '../src/methods/index.js';
import type { Setting } from '../src/methods/method.js';
import { parseInit, recordNetworks } from '../src/methods/networks.js';
import { distill } from '../src/runs/distill.js';
import type { Checkpoint, DistillControl } from '../src/runs/distillation.js';
import { trainNetworks } from '../src/runs/train-networks.js';
import { trainOn } from '../src/runs/train-on.js';
import { randomState } from '../src/train/streams.js';
import { owning } from '../src/util/owned.js';
import {
  networksOn,
  opposite,
  parameterCount,
  shortRun,
  smallNetwork,
  twoClasses,
  watchDevice,
} from './harness/made-data.js';

const data = twoClasses();
const device = new ReferenceDevice();
/** Nine networks: four that distillation sees, two that choose, three that test. */
const { model } = await trainNetworks(device, data, {
  network: smallNetwork,
  networks: 9,
  epochs: 1,
  batch: 10,
});
const parts = { train: [0, 4], validation: [4, 6], test: [6, 9] } as const;

/** The same networks, those of a part others. */
const otherwise = (part: keyof typeof parts, by = 0.25): Model => ({
  ...model,
  parameters: model.parameters.map((one, i) => {
    const [begin, end] = parts[part];
    const network = Math.floor(i / parameterCount);
    return network >= begin && network < end ? one + by : one;
  }),
});
const textOf = (part: keyof typeof parts, { parameters } = model) => {
  const [begin, end] = parts[part];
  return Array.from({ length: end - begin }, (_, p) =>
    parameters.subarray((begin + p) * parameterCount, (begin + p + 1) * parameterCount).join(),
  );
};

const common = { ...shortRun, init: 'pretrained:nets', networks: 3, validationNetworks: 2 } as const;
const run = (
  given: DistillOptions = {},
  pretrained: Model | undefined = model,
  control: DistillControl = {},
) => distill(device, data, { ...common, ...given } as DistillOptions, { pretrained, ...control });

/** What makes each method small, beside what is common to them. */
const small = {
  ...({ network: smallNetwork, init: 'pretrained:nets' } as const),
  ...{ networks: 3, validationNetworks: 2, batch: 8 },
  ...{ iterations: 2, validateEvery: 2 },
} as const;
const methods: Readonly<Record<string, DistillOptions>> = {
  unrolled: { ...common, ...small },
  'unrolled of several': { ...common, ...small, population: 3 },
  dm: { ...small, method: 'dm', augmentation: 'none', protocol: 'frepo' },
  dc: { ...small, method: 'dc', protocol: 'frepo' },
  rat: { ...small, method: 'rat', total: 4, window: 2, augmentation: 'none' },
  frepo: { ...small, method: 'frepo', pool: 1 },
};

describe.each(Object.entries(methods))('%s', (_, given) => {
  const begin = async (pretrained: Model) => (await distill(device, data, given, { pretrained })).set.images;

  it('distils for the networks that are not held out, and only for those', async () => {
    const expected = await begin(model);
    expect(await begin(otherwise('train'))).not.toEqual(expected);
    expect(await begin(otherwise('validation'))).toEqual(expected);
    expect(await begin(otherwise('test'))).toEqual(expected);
  });
});

describe.each(['reference', 'cpu', 'webgpu'] as const)('on %s', (engine) => {
  it('draws whole networks, each once before any again', async () => {
    const own = await openDevice(engine);
    const count = 37;
    const parameters = Float32Array.from({ length: 4 * count }, (_, i) => Math.fround(Math.sin(i)));
    const r = new Recorder('draw');
    const theta = r.external('theta', 2, [count]);
    const setting = { network: { count }, pretrained: { parameters } } as Setting;
    recordNetworks(r, setting, r.external('state', 1, [4], 'u32'), theta);
    await owning(async (owned) => {
      const table = { pretrained: owned.own(await own.tensor('f32', parameters.length, parameters)) };
      const { tensors, executable } = await loadWithTensors(own, r.program(), owned, table);
      const drawn: string[] = [];
      for (const draw of [0, 1]) {
        await tensors.state.write(randomState(5, draw));
        await executable.run();
        const read = Float32Array.from(await tensors.theta.read());
        drawn.push(read.subarray(0, count).join(), read.subarray(count).join());
      }
      const rows = [0, 1, 2, 3].map((row) => parameters.subarray(row * count, (row + 1) * count).join());
      expect(drawn.sort()).toEqual(rows.sort());
      owned.dispose();
    });
    await own.dispose();
  });
});

describe('of a run', () => {
  it('the networks that choose and those that test are held out, and said', async () => {
    const own = new ReferenceDevice();
    const log = watchDevice(own, data);
    const { set } = await distill(own, data, common as DistillOptions, { pretrained: model });
    expect(networksOn(log.splice(0), 'validation')).toEqual(new Set(textOf('validation')));
    expect(set.pretrained).toMatchObject({ dataset: 'two classes', train: 4, validation: 2, test: 3 });
    await evaluate(own, data, set, { pretrained: model, baselines: ['randomReal', 'bestOfRandom'] });
    expect(networksOn(log, 'validation')).toEqual(new Set(textOf('validation')));
    expect(networksOn(log, 'test')).toEqual(new Set(textOf('test')));
  });

  it('goes on to the same bits', async () => {
    const checkpoints: Checkpoint[] = [];
    const { set } = await run({ validateEvery: 4 }, model, {
      onCheckpoint: (one) => void checkpoints.push(one),
    });
    const resumed = await run({}, model, { resume: checkpoints[0] });
    expect(checkpoints[0].iteration).toBe(4);
    expect(resumed.set).toEqual(set);
    const other = run({}, otherwise('test'), { resume: checkpoints[0] });
    await expect(other).rejects.toMatchObject({ code: 'ERR_DATA' });
  });

  it('known ones are in the set, and need not be given again', async () => {
    const { set } = await run({ init: 'fixed:nets', population: 2 });
    expect(set.pretrained).toBeUndefined();
    expect(set.use).toMatchObject({ init: 'fixed' });
    const { initialParameters } = set.use as { initialParameters: Float32Array };
    expect(initialParameters).toEqual(model.parameters.slice(0, 2 * parameterCount));
    expect((await evaluate(device, data, set, { withBaselines: false })).accuracy.networks).toBe(2);
  });

  it('a file keeps what they are', async () => {
    const { set, options } = await run();
    const { name: dataset, classNames, mean, std } = data;
    const notes = { dataset, classNames, mean, std, engine: 'reference', options, validationAccuracy: 1 };
    expect(decodeArtefact(encodeArtefact({ set, notes })).set).toEqual(set);
  });
});

describe('an evaluation', () => {
  const scored = (set: DistilledSet, more: EvaluateOptions = {}, on: Dataset = data) =>
    evaluate(device, on, set, { pretrained: model, ...more });

  it('stands beside the networks as they are, and all training images', async () => {
    const { set } = await run();
    const other = { ...set, pretrained: { ...set.pretrained!, dataset: 'other data' } };
    const { baselines, protocol, accuracy } = await scored(other);
    expect(Object.keys(baselines).sort()).toEqual(
      ['allTraining', 'bestOfRandom', 'classMeans', 'randomReal', 'untrained'].sort(),
    );
    expect(protocol).toContain('networks trained on other data');
    // Steps at next to no rate leave them as they are.
    const still = {
      ...set,
      use: { ...set.use, learningRates: new Float32Array(2).fill(1e-30) },
    } as DistilledSet;
    expect(baselines.untrained).toMatchObject({
      ...(await scored(still, { withBaselines: false })).accuracy,
      images: 0,
    });
    expect(baselines.allTraining).toMatchObject({ images: 30, networks: 3, learningRate: 0.05 });
    expect(baselines.allTraining.mean).toBeGreaterThan(baselines.untrained.mean);
    // It is what could be reached, not what has to be.
    const best = { allTraining: { ...baselines.allTraining, mean: 100 } };
    expect(strongerBaseline({ accuracy, baselines: best })).toBeUndefined();
    // On its own data there is nothing to adapt to.
    expect(Object.keys((await scored(set)).baselines)).toEqual(['randomReal', 'classMeans', 'untrained']);
  });

  it('chooses rates with the networks that chose the set', async () => {
    const { set } = await run();
    const { baselines } = await scored(set, { baselines: ['randomReal'] });
    const turned = await scored(set, { baselines: ['randomReal'] }, opposite(data, 'validation'));
    expect(turned.baselines.randomReal.learningRate).not.toBe(baselines.randomReal.learningRate);
  });

  it('takes others of their kind, all of them new to the set', async () => {
    const { set } = await run();
    const others = otherwise('train', 0.01);
    expect((await scored(set, { pretrained: others, withBaselines: false })).accuracy.networks).toBe(7);
    expect((await scored(set, { networks: 2, withBaselines: false })).accuracy.networks).toBe(2);
  });

  it.each([
    [{ pretrained: undefined }, /trained on two classes before: give some .*--init pretrained:DIR/],
    [{ networks: 4 }, /networks is 4, expected a whole number from 1 to 3/],
    [{ architectures: [smallNetwork] }, /another architecture would begin afresh/],
    [
      { pretrained: { ...model, network: { ...model.network, width: 4 } } },
      /another architecture: mlp:width=4/,
    ],
  ] as const)('refuses %o', async (more, message) => {
    const { set } = await run();
    await expect(scored(set, more as EvaluateOptions)).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringMatching(message),
    });
  });
});

const scoredOf = (set: DistilledSet) =>
  evaluate(device, data, set, { pretrained: model, withBaselines: false });

describe('training on a set', () => {
  const notes = {
    ...{ dataset: data.name, classNames: data.classNames, mean: data.mean, std: data.std },
    ...{ engine: 'reference', options: {}, validationAccuracy: 1 },
  };
  it('trains further the networks that evaluate tests', async () => {
    const { set } = await run();
    const trained = await trainOn(device, { set, notes }, { networks: 3, dataset: data, pretrained: model });
    expect(trained.accuracy).toEqual((await scoredOf(set)).accuracy);
  });

  it('refuses fresh ones', async () => {
    const { set } = await run();
    const on = (options: object) => trainOn(device, { set, notes }, options);
    await expect(on({})).rejects.toThrow(/trained on two classes before: give some/);
    await expect(on({ pretrained: model, networks: 4 })).rejects.toThrow(/networks is 4, expected .* 1 to 3/);
    await expect(on({ pretrained: model, network: 'mlp:width=4' })).rejects.toThrow(/would begin afresh/);
  });
});

describe('a run is refused', () => {
  it.each([
    [{ networks: 7 }, /nets holds 9 networks: of them 2 choose .* and 7 test it .*expected at least 10/],
    [
      { network: 'mlp:width=4' },
      /nets holds networks of another architecture: mlp:width=3 .* expected mlp:width=4/,
    ],
    [{ init: 'fixed:nets', population: 10 }, /nets holds 9 networks, expected at least 10/],
  ] as const)('with %o', async (given, message) => {
    await expect(run(given)).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringMatching(message),
    });
  });

  it('without the networks, or with a word that says none', async () => {
    const given = { ...common } as DistillOptions;
    await expect(distill(device, data, given)).rejects.toThrow(
      /option init is pretrained:nets, expected .*`pretrained`/,
    );
    await expect(distill(device, data, { ...common, init: 'pretrained:' } as DistillOptions)).rejects.toThrow(
      /option init is .*expected fixed, random, pretrained:DIR or fixed:DIR/,
    );
    await expect(distill(device, data, { method: 'dm', init: 'fixed' })).rejects.toThrow(
      /random or pretrained:DIR/,
    );
    expect(parseInit('pretrained:C:/nets')).toEqual({ kind: 'random', folder: 'C:/nets' });
  });
});
