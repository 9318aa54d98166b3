import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateDigits } from '../src/data/digits.js';
import type { Device } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { decodeArtefact, encodeArtefact } from '../src/eval/artefact.js';
import { defaultBaselines } from '../src/eval/baselines/index.js';
import { evaluate } from '../src/eval/evaluate.js';
import type { DistillOptions } from '../src/methods/index.js';
import type { Process } from '../src/methods/method.js';
import { decodeCheckpoint, encodeCheckpoint } from '../src/runs/checkpoint.js';
import { distill } from '../src/runs/distill.js';
import type { Checkpoint } from '../src/runs/distillation.js';
import { engineRecord } from '../src/runs/engine-record.js';
import { findMethod, resolveOptions } from '../src/runs/options.js';
import { settingFor, uploadTraining } from '../src/runs/setting.js';
import { LimbeckError } from '../src/util/errors.js';
import { stepsOf } from './harness/distilled-set.js';
import { halfRight } from './harness/made-data.js';

const dataset = generateDigits({ train: 600, validation: 200, test: 300 });

/** The process of a run, on the reference engine. */
async function beginProcess(given: DistillOptions): Promise<Process> {
  const device = new ReferenceDevice();
  const options = resolveOptions(given);
  const train = await uploadTraining(device, dataset, options);
  return findMethod(options.method).begin(await settingFor(device, dataset, options, train));
}

/** Every way a run can differ in kind; small enough for seconds. */
const runs: Record<string, DistillOptions> = {
  'fixed initialisation, hard labels': {
    network: 'mlp',
    iterations: 40,
    batch: 64,
    validateEvery: 10,
  },
  'fixed initialisation, soft labels, average, clip': {
    network: 'lenet',
    iterations: 20,
    batch: 32,
    validateEvery: 10,
    labels: 'soft',
    average: 0.9,
    clip: 1,
    steps: 2,
    epochs: 2,
  },
  'Adam on squared error, soft labels, one rate for all steps': {
    network: 'mlp',
    iterations: 40,
    batch: 64,
    validateEvery: 10,
    labels: 'soft',
    optimizer: 'adamw',
    weightDecay: 0.01,
    loss: 'squared-error',
    rates: 'shared',
    innerLr: 0.01,
  },
  'random initialisation, population of three, momentum': {
    optimizer: 'momentum',
    momentum: 0.5,
    network: 'mlp',
    init: 'random',
    population: 3,
    iterations: 120,
    batch: 64,
    validateEvery: 20,
    lr: 0.05,
    innerLr: 0.2,
    networks: 12,
  },
};

describe('distillation on the cpu engine', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice('cpu');
  });
  afterAll(() => device.dispose());

  test.each(Object.entries(runs))(
    '%s: learns, repeats its bits, resumes to the same bits',
    async (_, options) => {
      const checkpoints: Checkpoint[] = [];
      const whole = await distill(device, dataset, options, {
        onCheckpoint: (c) => void checkpoints.push(c),
      });
      expect(whole.curve.length).toBe(options.iterations! / options.validateEvery!);
      expect(whole.curve.at(-1)!.loss).toBeLessThan(whole.curve[0].loss);

      const again = await distill(device, dataset, options);
      expect(again.set).toEqual(whole.set);
      expect(again.curve).toEqual(whole.curve);

      // A checkpoint goes through a file and comes back.
      const { checkpoint, extra } = decodeCheckpoint(encodeCheckpoint(checkpoints[0], { note: 'kept' }));
      expect(extra).toEqual({ note: 'kept' });
      const resumed = await distill(device, dataset, {}, { resume: checkpoint });
      expect(resumed.set).toEqual(whole.set);
      expect(resumed.curve).toEqual(whole.curve);

      const file = {
        set: whole.set,
        notes: {
          dataset: 'digits',
          classNames: dataset.classNames,
          mean: dataset.mean,
          std: dataset.std,
          engine: 'cpu',
          options: whole.options,
          validationAccuracy: whole.best.validationAccuracy,
        },
      };
      const back = decodeArtefact(encodeArtefact(file));
      expect(back.set).toEqual(whole.set);
      const evaluation = await evaluate(device, dataset, back.set, { networks: options.networks });
      expect(evaluation.accuracy.networks).toBe(options.init === 'random' ? 12 : 1);
      expect(Object.keys(evaluation.baselines)).toEqual(defaultBaselines(whole.options.ipc));
      // Three steps of AdamW on squared error leave class means at chance; random images are learned from by everyone.
      expect(evaluation.baselines.randomReal.mean).toBeGreaterThan(10);
      for (const { mean } of Object.values(evaluation.baselines)) expect(mean).toBeGreaterThan(0);
    },
  );

  test('leaves nothing on the device', async () => {
    const before = device.memory();
    await distill(device, dataset, { network: 'mlp', iterations: 2, batch: 16 });
    expect(device.memory()).toEqual(before);
  });

  test('stops at a signal with what there is, and goes on to the same bits', async () => {
    const options: DistillOptions = { network: 'mlp', iterations: 400, batch: 512, validateEvery: 100 };
    const whole = await distill(device, dataset, options);
    const controller = new AbortController();
    let last: Checkpoint | undefined;
    const part = await distill(device, dataset, options, {
      signal: controller.signal,
      onProgress: ({ iteration }) => iteration > 5 && controller.abort(),
      onCheckpoint: (checkpoint) => {
        last = checkpoint;
      },
    });
    expect(part.stopped).toBe(true);
    expect(part.outerSteps).toBeLessThan(400);
    expect(part.set.images.every(Number.isFinite)).toBe(true);
    const resumed = await distill(device, dataset, {}, { resume: last });
    expect(resumed.set).toEqual(whole.set);
  });

  test.each([
    ['in the middle of a run', 6],
    ['behind its last step', 4],
  ])('a signal stops a look at the validation split, which is made up for: %s', async (_, iterations) => {
    const options: DistillOptions = { network: 'mlp', iterations, batch: 16, validateEvery: 2 };
    const whole = await distill(device, dataset, options);
    // Outer steps are done whole: whoever asks is the look, and finds that it was stopped.
    const controller = new AbortController();
    const { signal } = controller;
    signal.throwIfAborted = () => {
      controller.abort();
      AbortSignal.prototype.throwIfAborted.call(signal);
    };
    const checkpoints: Checkpoint[] = [];
    const part = await distill(device, dataset, options, {
      signal,
      onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint),
    });
    expect(part).toMatchObject({ stopped: true, outerSteps: 4 });
    expect(part.curve.map(({ iteration }) => iteration)).toEqual([2]);
    const last = checkpoints.at(-1)!;
    expect(last).toMatchObject({ iteration: 4, curve: part.curve });
    const { checkpoint: resume } = decodeCheckpoint(encodeCheckpoint(last, {}));
    const resumed = await distill(device, dataset, {}, { resume });
    expect(resumed.curve).toEqual(whole.curve);
    expect(resumed.best).toEqual(whole.best);
    expect(resumed.set).toEqual(whole.set);
  });

  const exploding: DistillOptions = { network: 'mlp', iterations: 50, batch: 32, lr: 1e30 };

  test('a diverging run ends with the best there was, and every checkpoint holds finite numbers', async () => {
    const checkpoints: Checkpoint[] = [];
    const onCheckpoint = (checkpoint: Checkpoint) => void checkpoints.push(checkpoint);
    const slower = { ...exploding, lr: 5e5, validateEvery: 1 };
    const result = await distill(device, dataset, slower, { onCheckpoint });
    expect(result.diverged).toMatch(/is (NaN|Infinity|not a number).* after \d+ outer steps/);
    expect(result.stopped).toBe(true);
    expect(result.set.images.every(Number.isFinite)).toBe(true);
    expect(checkpoints.length).toBeGreaterThan(0);
    for (const { state } of checkpoints)
      for (const values of Object.values(state)) expect(values.every(Number.isFinite)).toBe(true);
  });

  test('a run that diverges before the first look throws, and writes nothing', async () => {
    const checkpoints: Checkpoint[] = [];
    const onCheckpoint = (checkpoint: Checkpoint) => void checkpoints.push(checkpoint);
    const error = await distill(device, dataset, exploding, { onCheckpoint }).catch((e) => e);
    expect(error).toBeInstanceOf(LimbeckError);
    expect(error.code).toBe('ERR_DIVERGED');
    expect(checkpoints).toEqual([]);
  });

  test('a stop after an update that is not finite goes back first', async () => {
    const controller = new AbortController();
    const checkpoints: Checkpoint[] = [];
    const run = distill(
      device,
      dataset,
      { ...exploding, lr: 1e300 },
      {
        signal: controller.signal,
        onProgress: () => controller.abort(),
        onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint),
      },
    );
    expect(await run).toMatchObject({
      stopped: true,
      outerSteps: 0,
      rollbacks: [{ iteration: 0, factor: 0.5 }],
    });
    expect(checkpoints).toHaveLength(1);
    for (const values of Object.values(checkpoints[0].state))
      expect(values.every(Number.isFinite)).toBe(true);
  });

  test('a saved state of another run is refused', async () => {
    const checkpoints: Checkpoint[] = [];
    const options: DistillOptions = { network: 'mlp', iterations: 4, batch: 16, validateEvery: 2 };
    await distill(device, dataset, options, {
      onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint),
    });
    const [first] = checkpoints;
    const resume = { ...first, options: { ...first.options, ipc: 2, steps: 2 } };
    await expect(distill(device, dataset, {}, { resume })).rejects.toThrowError(
      /pixels has 7840 values, expected 15680/,
    );
  });
});

test('every engine takes the same steps, to its precision, and repeats its own bits', async () => {
  const small = generateDigits({ train: 100, validation: 20, test: 20 });
  const options: DistillOptions = {
    network: 'mlp',
    iterations: 3,
    batch: 16,
    validateEvery: 3,
    labels: 'soft',
  };
  const sets = new Map<string, Float32Array>();
  for (const engine of ['reference', 'cpu', 'webgpu'] as const) {
    const device = await openDevice(engine);
    const { set } = await distill(device, small, options);
    expect((await distill(device, small, options)).set, engine).toEqual(set);
    sets.set(engine, set.images);
    await device.dispose();
  }
  // Adam turns rounding of tiny gradients into whole steps of 0.01 for a few pixels: compare most of them.
  const expected = sets.get('reference')!;
  for (const engine of ['cpu', 'webgpu']) {
    const close = sets.get(engine)!.filter((value, i) => Math.abs(value - expected[i]) < 1e-4).length;
    expect(close / expected.length, engine).toBeGreaterThan(0.98);
  }
});

test.each([
  [{ iterations: 0 }, /iterations is 0, expected a whole number of at least 1/],
  [{ lr: Number.NaN }, /lr is null|lr is NaN/],
  [
    { network: 'vgg' },
    /network is "vgg", expected one of alexcifarnet, alexnet, .*convnet, custom, lenet, lstm, mlp/,
  ],
  [{ method: 'magic' }, /method is "magic", expected one of [a-z0-9, ]*\bdm, dsa, [a-z0-9, ]*\bunrolled/],
  [{ first: '' }, /first is "", expected noise, real, means, k-means or a file/],
  [
    { parametrisation: 'fractal' },
    /parametrisation is "fractal", expected one of bases, dct, decoder, factor, gaussians, pixels/,
  ],
  [{ colour: 1 }, /option colour is unknown/],
  [{ average: 1 }, /average is 1, expected a number from 0/],
  [{ optimizer: 'lion' }, /optimizer is "lion", expected one of sgd, momentum, nesterov, adam, adamw/],
  [{ momentum: 1 }, /momentum is 1, expected a number from 0 up to, not including, 1/],
  [{ weightDecay: -1 }, /weightDecay is -1, expected a number of at least 0/],
  [{ innerEpsilon: 0 }, /innerEpsilon is 0, expected a number above 0/],
  [{ rates: 'some' }, /rates is "some", expected one of per-step, shared/],
  [{ loss: 'hinge' }, /loss is "hinge", expected one of cross-entropy, squared-error, binary-cross-entropy/],
])('option %j is refused', (options, message) => {
  expect(() => resolveOptions(options as DistillOptions)).toThrowError(message);
});

test('first learning rates: three for the default run, else one that suits the optimiser; a shared one is one', () => {
  const first = (options: DistillOptions) => resolveOptions(options).innerLr;
  expect(first({})).toEqual([1, 0.2, 0.1]);
  expect(first({ optimizer: 'momentum' })).toBe(0.02);
  expect(first({ rates: 'shared' })).toBe(0.02);
  expect(first({ optimizer: 'adamw' })).toBe(0.001);
  expect(first({ optimizer: 'adam', innerLr: 0.5 })).toBe(0.5);
  expect(() => resolveOptions({ rates: 'shared', innerLr: [1, 2, 3] })).toThrow(
    /innerLr has 3 values, expected one: the inner steps share/,
  );
  expect(() => resolveOptions({ steps: 2, innerLr: [1, 2, 3] })).toThrow(
    /innerLr has 3 values, expected one, or one for each of the 6 inner steps/,
  );
});

test('the validation split is looked at every so often, and after the last step', async () => {
  const options = { network: 'mlp:width=4', batch: 8, iterations: 5, validateEvery: 2 };
  const device = await openDevice('cpu');
  const { curve } = await distill(device, dataset, options);
  await device.dispose();
  expect(curve.map(({ iteration }) => iteration)).toEqual([2, 4, 5]);
});

test('a run that is stopped gives its best look, and goes on counting its seconds', async () => {
  const device = await openDevice('cpu');
  const options = { network: 'mlp:width=3', iterations: 5, validateEvery: 1, innerLr: 0.02 };
  const checkpoints: Checkpoint[] = [];
  const controller = new AbortController();
  // Half of the validation images are right whatever is learned, so that no look is better than the first.
  const one = await distill(device, halfRight(), options, {
    signal: controller.signal,
    onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint),
    onProgress: ({ iteration }) => iteration === 3 && controller.abort(),
  });
  expect(one).toMatchObject({ stopped: true, outerSteps: 3, best: { iteration: 1 } });
  expect(one.set).toEqual(checkpoints[0].best.set);
  const resume = { ...checkpoints[2], seconds: 1000 };
  expect((await distill(device, halfRight(), {}, { resume })).seconds).toBeGreaterThan(1000);
  await device.dispose();
});

test('before the first step a run stands at its first rates and shared-out images', async () => {
  const shared = { rates: 'shared', steps: 2, epochs: 2, innerLr: 0.3 } as const;
  for (const [given, rates] of [
    [shared, [0.3]],
    [{ ...shared, rates: 'per-step' }, [0.3, 0.3, 0.3, 0.3]],
    [{ innerLr: [1, 0.2, 0.1] }, [1, 0.2, 0.1]],
  ] as const) {
    const process = await beginProcess({ network: 'mlp', ...given });
    const set = await process.result();
    const { learningRates, steps } = stepsOf(set);
    expect(learningRates.length).toBe(rates.length);
    for (const [t, rate] of rates.entries()) expect(learningRates[t]).toBeCloseTo(rate, 6);
    // As many images per class in every step, one class after the other.
    expect(set.classes).toEqual(Uint16Array.from({ length: 10 * steps }, (_, i) => i % 10));
    process.dispose();
  }
});

test('images per class are those of the whole set: one in every step unless said, shared among the steps', () => {
  expect(resolveOptions({ steps: 5 }).ipc).toBe(5);
  expect(resolveOptions({ steps: 5, ipc: 10 }).ipc).toBe(10);
  expect(() => resolveOptions({ steps: 5, ipc: 12 })).toThrow(
    expect.objectContaining({
      code: 'ERR_OPTION',
      message: expect.stringMatching(/ipc is 12 and steps is 5: .* expected a multiple of 5/),
    }),
  );
});

test('the loss of an outer step is the mean over the population', async () => {
  // Without training to speak of every network is near the loss of a guess, the logarithm of ten.
  const lossOf = async (population: number) => {
    const common = { network: 'mlp:width=4', init: 'random', batch: 64, innerLr: 1e-6 } as const;
    const process = await beginProcess({ ...common, population });
    const { loss } = await process.advance(1);
    process.dispose();
    return loss;
  };
  for (const population of [1, 3]) expect(await lossOf(population)).toBeCloseTo(Math.log(10), 0);
});

test('a run remembers every processor that a piece of it was made on', () => {
  const on = (description: string) => ({ engine: 'webgpu', description }) as Device;
  const first = engineRecord(on('one'), 'it is there');
  const second = engineRecord(on('two'), undefined, first);
  const third = engineRecord(on('three'), undefined, second);
  expect(first.earlierProcessors).toBeUndefined();
  expect([second, third].map(({ earlierProcessors }) => earlierProcessors)).toEqual([
    ['one'],
    ['one', 'two'],
  ]);
  expect(engineRecord(on('three'), undefined, third)).toEqual(third);
});

test('which inner steps are kept reaches the program', async () => {
  const steps = async (keep: 'none' | 'small' | 'all') => {
    const process = await beginProcess({ network: 'mlp', keep });
    process.dispose();
    return process.programs[0].steps.length;
  };
  const none = await steps('none');
  expect(none).toBeGreaterThan(await steps('small'));
  expect(none).toBeGreaterThan(await steps('all'));
});
