/** Protocols that augment minibatches or ask for whitened images, and the table of all protocols in the documentation. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateDigits } from '../src/data/digits.js';
import { loadDataset } from '../src/data/load.js';
import { randomReal } from '../src/data/selection/random-real.js';
import type { Device, Tensor } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import { add } from '../src/engine/ops/elementwise.js';
import * as gather from '../src/engine/ops/gather.js';
import { Recorder } from '../src/engine/program.js';
import { reshape } from '../src/engine/view.js';
import { evaluate } from '../src/eval/evaluate.js';
import { Evaluator } from '../src/eval/evaluator.js';
import { findProtocol } from '../src/eval/find-protocol.js';
import { checkPreprocessing } from '../src/eval/protocol.js';
import { protocolName } from '../src/eval/protocol-name.js';
import { protocols } from '../src/eval/protocols.js';
import type { Confusion } from '../src/eval/statistics.js';
import { Trial } from '../src/eval/trial.js';
import { createNetwork, type NetworkSpec } from '../src/networks/index.js';
import { augment, type Strategy, strategies } from '../src/train/augmentation.js';
import { batchesOf, type MinibatchTraining, rateTable, recordMinibatchStep } from '../src/train/minibatch.js';
import { randomState, streams } from '../src/train/streams.js';
import { trainingName } from '../src/train/training.js';
import { keyedPermutation } from '../src/util/random.js';
import { normals } from './harness/augment.js';
import { relativeError } from './harness/close.js';
import { learnedSet } from './harness/distilled-set.js';
import { text } from './harness/repository.js';

const sgd: MinibatchTraining = {
  optimizer: { kind: 'momentum', weightDecay: 0.05 },
  loss: 'cross-entropy',
  batch: 8,
  epochs: 6,
  schedule: { kind: 'halfway' },
};

const devices: Partial<Record<'reference' | 'cpu', Device>> = {};
beforeAll(async () => {
  for (const engine of ['reference', 'cpu'] as const) devices[engine] = await openDevice(engine);
});
afterAll(async () => {
  for (const device of Object.values(devices)) await device.dispose();
});

describe('a step of training', () => {
  const [rows, K, members] = [6, 3, 2];
  const shape: [number, number, number] = [2, 7, 6];
  const pixels = 2 * 7 * 6;
  const network = createNetwork({ name: 'convnet', inputShape: shape, classes: K, width: 4, depth: 1 });
  const images = normals(rows * pixels, 1);
  const labels = Float32Array.from({ length: rows * K }, (_, i) => (Math.floor(i / K) % K === i % K ? 1 : 0));
  const start = normals(members * network.count, 2).map((value) => value / 4);
  const steps = sgd.epochs;

  /**
   * Trains on `x` `[rows, ...]`, gathered and augmented; or one member on batches `x` `[steps, rows, ...]`, one after another as they
   * are.
   */
  async function train(device: Device, x: ArrayLike<number>, strategy?: Strategy, alone?: number) {
    const asTheyAre = alone !== undefined;
    const [first, P] = asTheyAre ? [alone, 1] : [0, members];
    const r = new Recorder('steps');
    const data = r.external('images', 1, [rows, ...shape]);
    const y = r.external('labels', 1, [rows, 1, 1, K]);
    const same = (channels: number) => ({
      gain: r.external(`gain${channels}`, 1, [channels]),
      shift: r.external(`shift${channels}`, 1, [channels]),
    });
    const [ofImages, ofLabels] = [same(shape[0]), same(1)];
    recordMinibatchStep(r, {
      network,
      training: sgd,
      rows,
      state: r.external('state', 1, [4], 'u32'),
      rates: r.external('rates', 1, [steps]),
      theta: r.external('theta', P, [network.count]),
      moments: r.external('moments', P, [network.count]),
      gather: (r, index) => ({
        x: asTheyAre ? data : gather.images(r, { data, index, ...ofImages }),
        y: reshape(gather.images(r, { data: y, index, ...ofLabels }), [rows, K]),
      }),
      augmentation: strategy,
    });
    const fill: Record<string, ArrayLike<number>> = {
      labels,
      gain1: [1],
      gain2: [1, 1],
      state: randomState(5, 0),
      rates: rateTable(sgd, rows, 0.1),
      theta: start.slice(first * network.count, (first + P) * network.count),
    };
    const program = r.program();
    const tensors: Record<string, Tensor> = {};
    for (const { external, name, dtype, length } of program.slots)
      if (external) tensors[name] = await device.tensor(dtype, length, fill[name]);
    const executable = await device.load(program, tensors);
    for (let t = 0; t < steps; t++) {
      await tensors.images.write(
        asTheyAre ? Array.from(x).slice(t * rows * pixels, (t + 1) * rows * pixels) : x,
      );
      await executable.run();
    }
    const theta = await tensors.theta.read();
    executable.dispose();
    for (const tensor of Object.values(tensors)) tensor.dispose();
    return theta;
  }

  /** The batches in their order, augmented one by one, as a member has them. */
  async function batches(device: Device, strategy: Strategy, member: number): Promise<number[]> {
    const r = new Recorder('batch');
    const x = r.external('x', 1, [rows, ...shape]);
    const state = r.external('state', 1, [4], 'u32');
    const { y } = augment(r, x, { strategy, state, stream: streams.augmentation });
    add(r, { a: y, b: y }, 1, 0, r.external('y', 1, y.shape));
    const tensors = {
      x: await device.tensor('f32', rows * pixels),
      state: await device.tensor('u32', 4),
      y: await device.tensor('f32', rows * pixels),
    };
    const executable = await device.load(r.program(), tensors);
    const all: number[] = [];
    for (let t = 0; t < steps; t++) {
      const order = [...Array(rows).keys()].map((b) =>
        keyedPermutation([5, 0, streams.minibatch, t], rows, b),
      );
      await tensors.x.write(order.flatMap((row) => [...images.subarray(row * pixels, (row + 1) * pixels)]));
      await tensors.state.write(randomState(5, t, member));
      await executable.run();
      all.push(...Array.from(await tensors.y.read()));
    }
    executable.dispose();
    for (const tensor of Object.values(tensors)) tensor.dispose();
    return all;
  }

  it.each(['dsa', 'dc-mnist'])(
    'under %s is one on images that were augmented for each network before',
    async (name) => {
      const device = devices.reference!;
      const strategy = strategies[name];
      const augmented = await train(device, images, strategy);
      const [one, other] = [await batches(device, strategy, 0), await batches(device, strategy, 1)];
      expect(relativeError(one, other)).toBeGreaterThan(1e-3);
      for (const [member, own] of [one, other].entries()) {
        const theta = augmented.slice(member * network.count, (member + 1) * network.count);
        expect(theta).toEqual(await train(device, own, undefined, member));
      }
      expect(relativeError(augmented, await train(device, images))).toBeGreaterThan(1e-3);
    },
  );

  it.each(['dsa', 'dc-mnist'])('under %s is the same in float32', async (name) => {
    const [exact, native] = [
      await train(devices.reference!, images, strategies[name]),
      await train(devices.cpu!, images, strategies[name]),
    ];
    expect(relativeError(native, exact)).toBeLessThan(1e-5);
  });
});

describe.each(['reference', 'cpu'] as const)('augmented minibatches on %s', (engine) => {
  const digits = generateDigits({ train: 40, validation: 10, test: 200, size: 12 });
  const network = createNetwork({ name: 'mlp', inputShape: digits.imageShape, classes: 10, width: 8 });
  const labels = Float32Array.from({ length: 200 }, (_, i) => (Math.floor(i / 10) % 10 === i % 10 ? 1 : 0));

  it('follow the seed, replay, and train network i alike in every population', async () => {
    const device = devices[engine]!;
    const images = await randomReal(digits, 2, 0, 0);
    const theta = normals(3 * network.count, 4).map((value) => value / 5);
    const run = async (
      seed: number,
      strategy: Strategy | undefined,
      members = 3,
      times = 1,
      firstMember = 0,
    ) => {
      const geometry = {
        ...{ network, members, steps: 2, epochs: 1, n: 10, seed },
        ...{
          minibatches: { ...sgd, optimizer: { kind: 'momentum' }, epochs: 20 } as const,
          augmentation: strategy,
        },
      };
      const evaluator = await Evaluator.create(device, digits, digits.test, geometry);
      const set = { images, labels, learningRates: [0.05], firstMember };
      const parameters = theta.subarray(firstMember * network.count, (firstMember + members) * network.count);
      let answers: Confusion[] = [];
      for (let i = 0; i < times; i++) answers = await evaluator.answers(set, parameters);
      evaluator.dispose();
      return answers;
    };
    const { dsa, 'dsa-digits': unflipped } = strategies;
    const one = await run(1, dsa);
    expect(await run(1, dsa, 3, 2)).toEqual(one);
    expect(await run(1, dsa, 1)).toEqual(one.slice(0, 1));
    expect(await run(1, dsa, 2, 1, 1)).toEqual(one.slice(1));
    for (const other of [await run(2, dsa), await run(1, unflipped), await run(1, undefined)])
      expect(other).not.toEqual(one);
    expect(device.memory()).toMatchObject({ tensors: 0, executables: 0 });
  });
});

it('learned steps drop out by the seed, the same again for the same', async () => {
  const digits = generateDigits({ train: 40, validation: 10, test: 200, size: 12 });
  const layers = [{ linear: 12 }, 'relu', { dropout: 0.5 }, { linear: 10 }] as const;
  const network = createNetwork({ name: 'custom', inputShape: digits.imageShape, classes: 10, layers });
  const labels = Float32Array.from({ length: 100 }, (_, i) => (Math.floor(i / 10) === i % 10 ? 1 : 0));
  const images = await randomReal(digits, 1, 0, 0);
  const theta = normals(network.count, 4).map((value) => value / 5);
  const run = async (seed: number) => {
    const geometry = { network, members: 1, steps: 1, epochs: 10, n: 10, seed };
    const evaluator = await Evaluator.create(devices.cpu!, digits, digits.test, geometry);
    const right = await evaluator.answers({ images, labels, learningRates: [0.1] }, theta);
    evaluator.dispose();
    return right;
  };
  const one = await run(1);
  expect(await run(1)).toEqual(one);
  expect(await run(2)).not.toEqual(one);
});

it('runs of a trial that come one after the other are augmented differently', async () => {
  const digits = generateDigits({ train: 40, validation: 10, test: 200, size: 12 });
  const network = createNetwork({ name: 'mlp', inputShape: digits.imageShape, classes: 10, width: 8 });
  const labels = Float32Array.from({ length: 100 }, (_, i) => (Math.floor(i / 10) === i % 10 ? 1 : 0));
  const minibatches = { ...sgd, optimizer: { kind: 'momentum' }, epochs: 20 } as const;
  const known = normals(network.count, 4).map((value) => value / 5);
  const trial = new Trial(devices.cpu!, digits, {
    geometry: { network, steps: 1, epochs: 1, n: 10, seed: 1, minibatches, augmentation: strategies.dsa },
    ...{ networks: 1, seed: 1, known },
  });
  const run = { network: 0, images: await randomReal(digits, 1, 0, 0), labels, rates: [0.05] };
  const answers = await trial.test([run, run, run]);
  trial.dispose();
  expect(new Set(answers.map((counts) => counts.join())).size).toBe(3);
});

describe('an evaluation', () => {
  const digits = { train: 60, validation: 20, test: 100, size: 12 };
  const labels = Float32Array.from({ length: 200 }, (_, i) =>
    Math.floor(i / 10) % 10 === i % 10 ? 0.9 : 0.01,
  );
  const setOf = async (
    dataset: Awaited<ReturnType<typeof loadDataset>>,
    spec: NetworkSpec = { name: 'mlp', width: 8 },
    steps = { epochs: 1, learningRates: Float32Array.of(0.03, 0.01) },
  ) =>
    learnedSet({
      network: { ...spec, inputShape: dataset.imageShape, classes: 10 },
      images: await randomReal(dataset, 2, 9, 0),
      ...{ labels, seed: 3, steps: 2, ...steps },
    });

  it('trains with the augmentation of the protocol, or with another, and says which', async () => {
    const dataset = generateDigits(digits);
    const set = await setOf(dataset);
    const run = (augmentation?: string) =>
      evaluate(devices.cpu!, dataset, set, {
        ...{ protocol: 'dsa', networks: 2, baselines: ['randomReal'], augmentation },
      });
    const [dsa, again, unflipped, plain] = [
      await run(),
      await run('dsa'),
      await run('dsa-digits'),
      await run('none'),
    ];
    expect(dsa.protocol).toMatch(
      /augmentation dsa \(one of color, crop, cutout, flip, scale, rotate per batch\), acc/,
    );
    expect(again).toEqual(dsa);
    expect(unflipped.protocol).toMatch(
      /augmentation dsa-digits \(.* per batch\), .*augmentation dsa-digits in place of dsa$/,
    );
    expect(plain.protocol).toMatch(/augmentation none in place of dsa/);
    expect(dsa.accuracy.mean).toBeGreaterThan(25);
    expect(new Set([dsa, unflipped, plain].map(({ perClass }) => String(perClass))).size).toBe(3);
  });

  it('takes other epochs, batches and rates, and says so', async () => {
    const dataset = generateDigits(digits);
    const set = await setOf(dataset);
    const run = (changes: object = {}) =>
      evaluate(devices.cpu!, dataset, set, { protocol: 'dc', networks: 1, withBaselines: false, ...changes });
    const changes = { epochs: 3, batch: 7, learningRate: 0.3 };
    const [usual, short, same] = [await run(), await run(changes), await run({ epochs: 301, batch: 256 })];
    expect(same).toEqual(usual);
    expect(usual.protocol).not.toMatch('in place of');
    expect(short.protocol).toMatch(
      /at rate 0.3, .* 3 epochs in batches of 7, .* last step, epochs 3 in place of 301, batch 7 in place of 256, rate 0.3 in place of 0.01$/,
    );
    expect(short.learningRate).toBe(0.3);
    // Twenty images in three batches of seven, three times.
    const training = findProtocol('dc', changes).training as MinibatchTraining;
    expect(batchesOf(training, 20)).toEqual({ perEpoch: 3, size: 7, steps: 9 });
    const learned = await run({ protocol: 'tesla', learningRate: 0.02, epochs: 1 }).catch(String);
    expect(learned).toMatch(/distil with --zca/);
    expect(findProtocol('tesla', { learningRate: 0.02 }).learningRate).toBe(0.02);
  });

  it('under a protocol of whitened images takes those alone; whitened ones go under all', async () => {
    const [plain, white] = [
      await loadDataset('digits', { digits }),
      await loadDataset('digits', { digits, zca: true }),
    ];
    const options = { protocol: 'mtt', networks: 1, withBaselines: false };
    await expect(evaluate(devices.cpu!, plain, await setOf(plain), options)).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringMatching(/protocol mtt .*distil with --zca .*or use protocol mtt-no-zca/),
    });
    const set = await setOf(white);
    for (const [protocol, said] of [
      [
        'mtt',
        /^mlp:width=8 on ZCA-whitened images, protocol mtt: SGD with momentum 0.9, weight decay 0.0005 at the learned rate/,
      ],
      ['dc', /^mlp:width=8 on ZCA-whitened images, protocol dc: /],
      ['learned-steps', /^mlp:width=8 on ZCA-whitened images, random initialisation, 2 steps/],
    ] as const) {
      const result = await evaluate(devices.cpu!, white, set, { ...options, protocol });
      expect(result.protocol).toMatch(said);
      expect(result.accuracy.mean).toBeGreaterThan(10);
    }
  });

  it.each(['dc', 'learned-steps'])('of a network with batch norm under %s', async (protocol) => {
    const dataset = generateDigits(digits);
    const epochs = 40;
    const learningRates = new Float32Array(2 * epochs).fill(0.05);
    const network = { name: 'convnet', width: 8, depth: 2, norm: 'batch' };
    const set = await setOf(dataset, network, { epochs, learningRates });
    // Tested on some of the images it is trained on: with statistics of its own batches it knows them, with theirs it does not.
    const rows = [0, 1, 2, 10, 11, 12];
    const [pixels, labels] = [144, Uint8Array.from(rows, (row) => row % 10)];
    const images = Float32Array.from(
      rows.flatMap((row) => [...set.images.subarray(row * pixels, (row + 1) * pixels)]),
    );
    const known = { ...dataset, mean: [0], std: [1], test: { images, labels, count: rows.length } };
    const options = { protocol, networks: 2, withBaselines: false };
    const result = await evaluate(devices.cpu!, known, set, options);
    expect(result.accuracy.mean).toBe(100);
    expect(await evaluate(devices.cpu!, known, set, options)).toEqual(result);
  });

  it('refuses what it does not know or cannot follow', async () => {
    expect(() => findProtocol('none')).toThrow(/there are: learned-steps, dc, dc-mnist/);
    expect(new Set(protocols.map(({ name }) => name)).size).toBe(protocols.length);
    expect(() => findProtocol('dsa', { augmentation: 'mirror' })).toThrow(
      /augmentation is "mirror", expected dsa/,
    );
    expect(() => findProtocol('learned-steps', { augmentation: 'dsa' })).toThrow(
      /augmentation is "dsa", .*as they were learned: leave it out/,
    );
    expect(() => findProtocol('learned-steps', { learningRate: 0.1 })).toThrow(/learningRate is 0.1, but/);
    expect(() => findProtocol('dc', { epochs: 1.5 })).toThrow(
      /epochs is 1.5, expected a whole number above 0/,
    );
    expect(() => findProtocol('dc', { batch: 0 })).toThrow(/batch is 0, expected a whole number above 0/);
    expect(() => findProtocol('dc', { learningRate: Number.NaN })).toThrow(
      /learningRate is NaN, expected a num/,
    );
    const whitened = protocols.filter(({ preprocessing }) => preprocessing === 'zca');
    expect(whitened.map(({ name }) => name)).toEqual(['mtt', 'tesla', 'datm']);
    for (const protocol of protocols) {
      const check = expect(() => checkPreprocessing(protocol, false));
      if (whitened.includes(protocol)) check.toThrow(/distil with --zca/);
      else check.not.toThrow();
      checkPreprocessing(protocol, true);
    }
    const set = await setOf(generateDigits(digits));
    expect(protocolName(set, findProtocol('dc'), false)).toMatch(
      /^mlp:width=8, protocol dc: SGD with momentum 0.9, weight decay 0.0005 at rate 0.01, a tenth of it after half the epochs, with a new optimiser from there, 301 epochs in batches of 256, hard labels/,
    );
  });
});

it('docs/protocols.md has a row for every protocol, and it is true', () => {
  const courses: Record<string, string> = { halfway: 'a tenth after half' };
  const expected = protocols.map((protocol) => {
    const { name, source, training, learningRate, labels, augmentation, preprocessing, networks } = protocol;
    const cells =
      training === 'learned-steps'
        ? ['the learned steps in their order', 'learned', '–']
        : training === 'none'
          ? [`none, kernel regression with ridge ${protocol.ridge}`, 'none', '–']
          : [
              trainingName(training),
              `${learningRate}, ${courses[training.schedule.kind] ?? training.schedule.kind}${training.restart ? ', new optimiser' : ''}`,
              `${training.epochs} in batches of ${training.batch}`,
            ];
    return `| ${[`\`${name}\``, source, ...cells, labels, augmentation, preprocessing, networks].join(' | ')} |`;
  });
  expect(
    text('docs/protocols.md')
      .split('\n')
      .filter((line) => /^\| `/.test(line)),
  ).toEqual(expected);
});
