/** Kernel inducing points: the kernel of infinitely wide networks, the objective, solved labels, and scores by regression. */
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { generateDigits } from '../src/data/digits.js';
import { normalisedImages } from '../src/data/on-device.js';
import { randomReal } from '../src/data/selection/random-real.js';
import { hasSoftLabels } from '../src/data/stored-numbers.js';
import type { Device, EngineName } from '../src/engine/device.js';
import { loadWithTensors } from '../src/engine/load.js';
import { openDevice } from '../src/engine/open.js';
import * as arccosine from '../src/engine/ops/arccosine.js';
import { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { evaluate } from '../src/eval/evaluate.js';
import { findProtocol } from '../src/eval/find-protocol.js';
import { KernelEvaluator } from '../src/eval/kernel-evaluator.js';
import { geometryUnder } from '../src/eval/under-protocol.js';
import type { DistillOptions } from '../src/methods/index.js';
import type { Process } from '../src/methods/method.js';
import { createNetwork } from '../src/networks/index.js';
import { findMethod, resolveFor, resolveOptions } from '../src/runs/options.js';
import { planFor, settingFor, uploadTraining } from '../src/runs/setting.js';
import { copyInto } from '../src/train/groups.js';
import { recordInducingPoints } from '../src/train/inducing-points.js';
import { infinitelyWide } from '../src/train/infinite-width.js';
import { owning } from '../src/util/owned.js';
import { labelRows, normals } from './harness/arrays.js';
import { poisoning } from './harness/cases.js';
import { dot, expectClose, relativeError } from './harness/close.js';
import { learnedSet } from './harness/distilled-set.js';
import { inducingOracle } from './harness/oracle-kernel.js';

const reference = new ReferenceDevice();
afterAll(() => reference.dispose());

type Arrays = Readonly<Record<string, ArrayLike<number>>>;

/** What a program leaves in its tensors. */
const run = (device: Device, r: Recorder, inputs: Arrays): Promise<Record<string, Float64Array>> =>
  owning(async (owned) => {
    const { tensors, executable } = await loadWithTensors(poisoning(device), r.program(), owned);
    for (const [name, values] of Object.entries(inputs)) await tensors[name].write(values);
    await executable.run();
    const all = Object.entries(tensors).map(async ([name, one]) => [
      name,
      Float64Array.from(await one.read()),
    ]);
    const results = Object.fromEntries(await Promise.all(all));
    owned.dispose();
    return results;
  });

describe('the kernel of infinitely wide networks', () => {
  /** Of vectors of length 1 at an angle, with weights of variance 2 and no biases. */
  async function ofAngle(angle: number, layers: number, tangent: 0 | 1) {
    const kernel = { layers, weight: 2, gain: 1, bias: 0, tangent };
    const r = new Recorder('an angle');
    const [g, a, b] = ['g', 'a', 'b'].map((name) => r.external(name, 1, name === 'g' ? [1, 1] : [1]));
    arccosine.cross(r, { g, a, b }, kernel, { into: r.external('k', 1, [1, 1]) });
    const { k } = await run(reference, r, { g: [Math.cos(angle)], a: [1], b: [1] });
    return k[0];
  }

  // (sin theta + (pi - theta) cos theta) / pi, and with (pi - theta) / pi times the cosine on top of it.
  test.each([
    ['0', 0, 1, 2],
    ['pi / 3', Math.PI / 3, Math.sqrt(3) / (2 * Math.PI) + 1 / 3, Math.sqrt(3) / (2 * Math.PI) + 2 / 3],
    ['pi / 2', Math.PI / 2, 1 / Math.PI, 1 / Math.PI],
    ['pi', Math.PI, 0, 0],
  ])('of one layer at the angle %s', async (_, angle, random, trained) => {
    expect(await ofAngle(angle, 1, 0)).toBeCloseTo(random, 14);
    expect(await ofAngle(angle, 1, 1)).toBeCloseTo(trained, 14);
  });

  it('of two layers takes the angle that the first one leaves', async () => {
    const between = Math.acos(1 / Math.PI);
    const random = (Math.sin(between) + (Math.PI - between) / Math.PI) / Math.PI;
    expect(await ofAngle(Math.PI / 2, 2, 0)).toBeCloseTo(random, 14);
    expect(await ofAngle(Math.PI / 2, 2, 1)).toBeCloseTo(random + (Math.PI - between) / Math.PI ** 2, 14);
  });

  it('of images among themselves is that of pairs, and on the diagonal linear in the squared norm', async () => {
    const [N, D, layers] = [4, 6, 3];
    const x = normals(N * D, 1);
    const at = (i: number) => x.slice(i * D, (i + 1) * D);
    const g = Array.from({ length: N * N }, (_, i) => dot(at(Math.floor(i / N)), at(i % N)));
    for (const tangent of [0, 1] as const) {
      const kernel = { layers, weight: 1.7, gain: 0.3, bias: 0.1, tangent };
      const r = new Recorder('both');
      const square = r.external('g', 1, [N, N]);
      const norms = r.external('norms', 1, [N]);
      arccosine.gram(r, { g: square }, kernel, { into: r.external('own', 1, [N, N]) });
      arccosine.cross(r, { g: square, a: norms, b: norms }, kernel, { into: r.external('pairs', 1, [N, N]) });
      const { own, pairs } = await run(reference, r, { g, norms: g.filter((_, i) => i % (N + 1) === 0) });
      expectClose('kernel', own, pairs, () => 1e-7);
      const slope = (own[5] - own[0]) / (g[5] - g[0]);
      expect(slope / arccosine.slopeOfSame(kernel)).toBeCloseTo(1, 12);
    }
  });

  it('has the layers of a fully connected network, and there is none of another', () => {
    const shape = { inputShape: [3, 4, 4], classes: 3 } as const;
    const kernel = infinitelyWide(createNetwork({ name: 'mlp', layers: 3, ...shape }), 'ntk');
    expect(kernel).toEqual({ layers: 3, weight: 2, gain: 2 / 48, bias: 0.01, tangent: 1 });
    expect(() =>
      infinitelyWide(createNetwork({ name: 'lenet', inputShape: [1, 28, 28], classes: 3 }), 'ntk'),
    ).toThrow(/network is lenet, .* expected mlp/);
  });
});

const limits: Record<EngineName, number> = { reference: 1e-9, cpu: 1e-4, webgpu: 1e-4 };
const nearlySingular: Record<EngineName, number> = { reference: 1e-9, cpu: 1e-3, webgpu: 1e-3 };

describe.each(['reference', 'cpu', 'webgpu'] as const)('the objective on %s', (engine) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(engine);
  });
  afterAll(() => device?.dispose());

  const [n, B, K, shape] = [7, 9, 3, [2, 4, 5]];
  const arrays = {
    images: normals(n * 40, 1),
    labels: normals(n * K, 2),
    realImages: normals(B * 40, 3),
    realLabels: labelRows(B, K, 4, false),
  };
  const begun = (kernel: arccosine.ArccosineKernel, ridge: number) => {
    const r = new Recorder('inducing points');
    const images = r.external('images', 1, [n, ...shape]);
    const labels = r.external('labels', 1, [n, K]);
    const real = {
      images: r.external('realImages', 1, [B, ...shape]),
      labels: r.external('realLabels', 1, [B, K]),
    };
    const into = { images: r.external('imagesBar', 1, [n, ...shape]), loss: r.external('loss', 1, [1]) };
    const passes = recordInducingPoints(r, { images, real, kernel, ridge });
    return { r, labels, into, passes };
  };

  test.each([
    [1, 1, 1, limits],
    [3, 1, 1e-3, nearlySingular],
    [2, 0, 1e-3, nearlySingular],
  ] as const)('%d layers, tangent %d, ridge %d: loss and gradients', async (layers, tangent, ridge, most) => {
    const kernel = { layers, tangent, weight: 2, gain: 2 / 40, bias: 0.01 };
    const { r, labels, into, passes } = begun(kernel, ridge);
    const { labels: labelsBar } = passes.regressed(labels, into);
    copyInto(r, labelsBar, r.external('out', 1, [n, K]));
    const { loss, imagesBar, out } = await run(device, r, arrays);
    const expected = inducingOracle({ n, B, K, kernel, ridge, ...arrays });
    const errors = [
      Math.abs(loss[0] / expected.loss - 1),
      relativeError(imagesBar, expected.images),
      relativeError(out, expected.labels),
    ];
    console.log(`kip on ${engine}, ridge ${ridge}: ${errors.map((one) => one.toExponential(1)).join(', ')}`);
    for (const error of errors) expect(error).toBeLessThan(most[engine]);
  });

  it('is least at the labels that are solved', async () => {
    const kernel = { layers: 1, tangent: 1, weight: 2, gain: 2 / 40, bias: 0.01 } as const;
    const { r, into, passes } = begun(kernel, 1e-3);
    const solved = passes.solved();
    const { labels } = passes.regressed(solved, into);
    copyInto(r, labels, r.external('labelsBar', 1, [n, K]));
    copyInto(r, solved, r.external('solved', 1, [n, K]));
    const { solved: y, labelsBar, loss } = await run(device, r, arrays);
    const oracle = (labels: ArrayLike<number>) =>
      inducingOracle({ n, B, K, kernel, ridge: 1e-3, ...arrays, labels });
    // A system of normal equations has the square of the condition, and labels are where their loss is flat.
    const least = oracle(y).loss;
    expect(Math.abs(loss[0] / least - 1)).toBeLessThan(nearlySingular[engine]);
    for (const stream of [5, 6]) {
      const away = normals(n * K, stream).map((value, i) => y[i] + 0.1 * value);
      expect(oracle(away).loss).toBeGreaterThan(least);
      expect(Math.hypot(...labelsBar)).toBeLessThan(1e-3 * Math.hypot(...oracle(away).labels));
    }
  });
});

const digits = generateDigits({ train: 60, validation: 20, test: 40, size: 12 });
const small = { method: 'kip', network: 'mlp:layers=1:width=8', ipc: 2, seed: 3, first: 'real' } as const;

const begin = async (given: DistillOptions): Promise<Process> => {
  const { options } = resolveFor('test', { ...small, ...given }, digits);
  const train = await uploadTraining(reference, digits, options);
  return findMethod(options.method).begin(await settingFor(reference, digits, options, train));
};

describe('labels that are solved', () => {
  it('are of all batches there have been, where images stay what they are', async () => {
    const labelsAfter = async (steps: number) => {
      const process = await begin({ fixedImages: true, solveLabels: true, batch: 60 / steps });
      const before = await process.result();
      await process.advance(steps);
      const { images, labels } = await process.result();
      process.dispose();
      expect(images).toEqual(before.images);
      return labels;
    };
    // Three batches of 20 are the 60 images, once each.
    expectClose('labels', await labelsAfter(3), await labelsAfter(1), () => 1e-6);
    const given = { ...small, fixedImages: true, solveLabels: true } as const;
    const options = resolveOptions(given);
    expect([options.iterations, options.labels]).toEqual([10, 'soft']);
    // Labels that are learned by steps need as many as images do.
    expect(resolveOptions({ ...small, fixedImages: true, labels: 'soft' }).iterations).toBe(300);
  });

  it.each([0, 0.6])('are those of the images that are returned: running average %d', async (average) => {
    const given = { solveLabels: true, ridge: 0.01, batch: 30, average } as const;
    const process = await begin(given);
    await process.advance(3);
    const { images, labels } = await process.result();
    expect((await process.result()).labels).toEqual(labels);
    // The next batch is the one that they are solved by.
    const other = await begin({ ...given, average: 0, fixedImages: true });
    await other.tensors.pixels.write(images);
    await other.goTo(3);
    await other.advance(1);
    expectClose('labels', labels, (await other.result()).labels, () => 1e-6);
    // Looking changes nothing of what comes.
    const unseen = await begin(given);
    await unseen.advance(3);
    for (const one of [process, unseen]) await one.advance(2);
    expect(await process.result()).toEqual(await unseen.result());
    for (const one of [process, unseen, other]) one.dispose();
  });

  it('have the gradient of their loss with respect to the images', async () => {
    const process = await begin({ solveLabels: true, ridge: 0.01, batch: 30, beta1: 0.5 });
    const pixels = Float64Array.from(await process.tensors.pixels.read());
    const state = Object.entries(process.tensors).map(
      async ([name, one]) => [name, await one.read()] as const,
    );
    const first = Object.fromEntries(await Promise.all(state));
    const lossAt = async (values: Float64Array) => {
      for (const [name, one] of Object.entries({ ...first, pixels: values }))
        await process.tensors[name].write(one);
      await process.goTo(0);
      return (await process.advance(1)).loss;
    };
    await lossAt(pixels);
    // Adam's mean begins at 0 and takes half of it.
    const gradient = Float64Array.from(await process.tensors['pixels.m'].read(), (value) => 2 * value);
    const direction = pixels.map((_, i) => Math.sin(i * i));
    const moved = (by: number) => lossAt(pixels.map((value, i) => value + by * direction[i]));
    const slope = ((await moved(1e-5)) - (await moved(-1e-5))) / 2e-5;
    process.dispose();
    // But for the ridge of their own system, a millionth of its mean.
    expect(slope / dot(gradient, direction)).toBeCloseTo(1, 3);
  });

  it('or are hard, soft: without their mean, at their rate', async () => {
    for (const labels of ['hard', 'soft'] as const) {
      const rate = labels === 'soft' && { labelLr: 0.01 };
      const process = await begin({ labels, batch: 30, ...rate, ridge: 0.02 });
      const before = (await process.result()).labels;
      for (let i = 0; i < before.length; i++)
        expect(before[i]).toBeCloseTo(i % 10 === Math.floor(i / 10) % 10 ? 0.9 : -0.1, 6);
      await process.advance(1);
      const set = await process.result();
      expect(set.use).toMatchObject({ protocol: 'kip-regression', ridge: 0.02 });
      const { labels: after, images } = set;
      expect(hasSoftLabels(set)).toBe(labels === 'soft');
      const largest = Math.max(...after.map((value, i) => Math.abs(value - before[i])));
      expect(largest).toBeCloseTo(labels === 'soft' ? 0.01 : 0, 5);
      expect(images.every(Number.isFinite)).toBe(true);
      process.dispose();
    }
  });

  it('are asked for where images stay: hard ones would leave nothing to learn', () => {
    expect(() => resolveFor('test', { ...small, fixedImages: true }, digits)).toThrow(
      /fixedImages is given and labels is hard: .* expected solveLabels/,
    );
    expect(() => resolveFor('test', { ...small, solveLabels: true, labels: 'hard' }, digits)).toThrow(
      /solveLabels is given and labels is hard: .* expected labels: soft/,
    );
  });
});

describe('scores by kernel regression', () => {
  const network = { name: 'mlp', layers: 1, width: 8, inputShape: digits.imageShape, classes: 10 };
  const protocol = findProtocol('kip-regression');
  const labels = labelRows(20, 10, 1, true);
  const setOf = async () =>
    learnedSet({
      network,
      labels,
      images: await randomReal(digits, 2, 3, 0),
      learningRates: Float32Array.of(1),
    });

  it('are those of the prediction, worked out otherwise', async () => {
    const means: number[] = [];
    for (const [name, tangent, own] of [
      ['kip-regression', 1, undefined],
      ['kip-regression-nngp', 0, undefined],
      // That which a set was made with, in the place of the protocol's.
      ['kip-regression', 1, 0.5],
    ] as const) {
      const set = {
        ...(await setOf()),
        ...(own && { use: { kind: 'minibatches', protocol: name, ridge: own } as const }),
      };
      const ridge = own ?? 1e-6;
      const kernel = { layers: 1, tangent, weight: 2, gain: 2 / 144, bias: 0.01 };
      const rows = Uint32Array.from({ length: 40 }, (_, i) => i);
      const { predictions } = inducingOracle({
        ...{ n: 20, B: 40, K: 10, kernel, ridge, images: set.images, labels },
        realImages: normalisedImages(digits, digits.test, rows),
        realLabels: new Float32Array(400),
      });
      const right = [...digits.test.labels].filter((label, i) => {
        const own = predictions.subarray(i * 10, (i + 1) * 10);
        return own.indexOf(Math.max(...own)) === label;
      });
      const { accuracy, learningRate, baselines, protocol } = await evaluate(reference, digits, set, {
        protocol: name,
        baselines: ['randomReal', 'herding'],
      });
      expect(accuracy).toEqual({ mean: (100 * right.length) / 40, std: 0, networks: 1 });
      means.push(accuracy.mean);
      expect(learningRate).toBe('none');
      expect([baselines.randomReal.networks, baselines.herding.networks]).toEqual([5, 1]);
      expect(baselines.randomReal.std).toBeGreaterThan(0);
      expect(baselines.herding.learningRate).toBeUndefined();
      expect(protocol).toMatch(
        /^mlp:layers=1:width=8, protocol kip-regression(-nngp)?: kernel regression with the .* ridge 0\./,
      );
      expect(protocol).toContain(`ridge ${own ?? '0.000001'},`);
    }
    // Else it could not be told which ridge it was.
    expect(means[2]).not.toBe(means[0]);
  });

  it('are of all images, which are predicted some thousands at once', async () => {
    const many = generateDigits({ train: 10, validation: 10, test: 2070, size: 8 });
    const images = await randomReal(many, 1, 3, 0);
    const one = { ...network, inputShape: many.imageShape };
    const set = learnedSet({
      network: one,
      labels: labelRows(10, 10, 1, true),
      images,
      learningRates: Float32Array.of(1),
    });
    const { confusion } = await evaluate(reference, many, set, { protocol: protocol.name, baselines: [] });
    const counts = confusion.map((row) => row.reduce((sum, count) => sum + count, 0));
    expect(counts).toEqual(Array(10).fill(207));
  });

  it('are refused where there is no such kernel, no solution, or something to be trained', async () => {
    const set = await setOf();
    const convnet = { architectures: [{ name: 'convnet', width: 4 }], protocol: protocol.name };
    await expect(evaluate(reference, digits, set, convnet)).rejects.toThrow(
      /network is convnet, .* expected mlp/,
    );
    const given = resolveFor('test', { ...small, network: 'convnet' }, digits).options;
    expect(() => planFor(given, digits)).toThrow(/network is convnet, .* expected mlp/);
    expect(() => findProtocol(protocol.name, { epochs: 3 })).toThrow(/epochs is 3, but .* trains nothing/);

    const geometry = { ...geometryUnder(protocol, set, createNetwork(network), 20), members: 1 };
    const evaluator = await KernelEvaluator.create(reference, digits, digits.test, geometry);
    const images = set.images.map(() => Number.NaN);
    await expect(evaluator.answers({ images, labels, learningRates: [] }, [])).rejects.toMatchObject({
      code: 'ERR_DIVERGED',
      message: expect.stringMatching(/of 20 images has no solution in float32 at a ridge of 0.000001/),
    });
    evaluator.dispose();
  });
});
