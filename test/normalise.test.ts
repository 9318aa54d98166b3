/** Norm layers against the test's own automatic differentiation, and the statistics that batch norm is scored with. */
import { describe, expect, test } from 'vitest';
import { generateDigits } from '../src/data/digits.js';
import { normalisedImages } from '../src/data/on-device.js';
import { openDevice } from '../src/engine/open.js';
import { add } from '../src/engine/ops/elementwise.js';
import type { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { elements, slice, type View } from '../src/engine/view.js';
import { Evaluator } from '../src/eval/evaluator.js';
import { heldOutNetworks } from '../src/eval/first-networks.js';
import { percentRight } from '../src/eval/statistics.js';
import { batchNorm } from '../src/layers/batch-norm.js';
import { conv } from '../src/layers/conv.js';
import { groupNorm } from '../src/layers/group-norm.js';
import type { Layer, Mode, Passes } from '../src/layers/layer.js';
import { layerNorm } from '../src/layers/layer-norm.js';
import { linear } from '../src/layers/linear.js';
import { localResponseNorm } from '../src/layers/local-response-norm.js';
import { relu } from '../src/layers/relu.js';
import { Network } from '../src/networks/network.js';
import { recordBatchStatistics } from '../src/train/batch-statistics.js';
import * as ad from './harness/autograd.js';
import { prepareCase, runCase } from './harness/cases.js';
import { relativeError } from './harness/close.js';

const reference = new ReferenceDevice();

/** Runs a recording in float64 on normal numbers and returns all external slots by name. */
async function run(record: (r: Recorder) => void, positive: readonly string[] = []) {
  const fill = Object.fromEntries(positive.map((name) => [name, { kind: 'positive' } as const]));
  const prepared = prepareCase({ name: 'oracle', record, fill });
  const results = [...prepared.inputs, ...(await runCase(reference, prepared))];
  return Object.fromEntries(results.map(([slot, values]) => [slot.name, values]));
}

/** Brings a temporary out. */
const bringOut = (r: Recorder, view: View, name: string) =>
  add(r, { a: view, b: view }, 1, 0, r.external(name, 1, view.shape));

const indices = (length: number, index: (i: number) => number) =>
  Int32Array.from({ length }, (_, i) => index(i));
const inner = (a: ad.Node, b: ad.Node) => ad.scatter(ad.multiply(a, b), new Int32Array(a.value.length), 1);

/** y of a norm whose groups are told by sample and channel. */
function norm([N, C, ...map]: number[], groupOf: (n: number, c: number) => number) {
  const S = elements(map);
  const channel = indices(N * C * S, (i) => Math.floor(i / S) % C);
  const group = channel.map((c, i) => groupOf(Math.floor(i / (C * S)), c));
  const groups = Math.max(...group) + 1;
  const average = (a: ad.Node) => ad.scale(ad.scatter(a, group, groups), groups / (N * C * S));
  return (x: ad.Node, [gamma, beta]: ad.Node[], statistics?: ArrayLike<number>) => {
    const given = (start: number) =>
      ad.constant(Array.from({ length: groups }, (_, g) => statistics![start + g]));
    const mean = statistics ? given(0) : average(x);
    const centred = ad.add(x, ad.scale(ad.gather(mean, group), -1));
    const variance = statistics ? given(groups) : average(ad.multiply(centred, centred));
    const shifted = ad.add(variance, ad.constant(new Array(groups).fill(1e-5)));
    const inv = ad.exp(ad.scale(ad.log(shifted), -0.5));
    const n = ad.multiply(centred, ad.gather(inv, group));
    return ad.add(ad.multiply(ad.gather(gamma, channel), n), ad.gather(beta, channel));
  };
}

/** PyTorch: squares padded by floor(n / 2) channels in front and floor((n - 1) / 2) behind, then an average pool. */
function lrn([N, C, ...map]: number[], size: number, alpha: number, beta: number, k: number) {
  const S = elements(map);
  return (x: ad.Node) => {
    const squares = ad.multiply(x, x);
    let d = ad.constant(new Array(N * C * S).fill(k));
    for (let offset = 0; offset < size; offset++) {
      const shifted = indices(N * C * S, (i) => {
        const by = offset - Math.floor(size / 2);
        const c = (Math.floor(i / S) % C) + by;
        return c < 0 || c >= C ? -1 : i + by * S;
      });
      d = ad.add(d, ad.scale(ad.gather(squares, shifted), alpha / size));
    }
    return ad.multiply(x, ad.exp(ad.scale(ad.log(d), -beta)));
  };
}

interface Example {
  readonly layer: Layer;
  readonly xShape: number[];
  readonly y: (x: ad.Node, theta: ad.Node[], statistics?: ArrayLike<number>) => ad.Node;
  readonly frozen?: boolean;
}
const maps = [3, 4, 3, 2];
const examples: Record<string, Example> = {
  'instance norm': { layer: groupNorm('instance'), xShape: maps, y: norm(maps, (n, c) => n * 4 + c) },
  'layer norm': { layer: layerNorm(), xShape: maps, y: norm([3, 24], (n) => n) },
  'layer norm of features': { layer: layerNorm(), xShape: [2, 7], y: norm([2, 7], (n) => n) },
  'group norm of one group': { layer: groupNorm(1), xShape: maps, y: norm(maps, (n) => n) },
  'group norm': {
    layer: groupNorm(2),
    xShape: maps,
    y: norm(maps, (n, c) => n * 2 + Math.floor(c / 2)),
  },
  'batch norm': { layer: batchNorm(), xShape: maps, y: norm(maps, (_, c) => c) },
  'batch norm of features': { layer: batchNorm(), xShape: [5, 3], y: norm([5, 3], (_, c) => c) },
  'frozen batch norm': { layer: batchNorm(), xShape: maps, y: norm(maps, (_, c) => c), frozen: true },
  'lrn, even': {
    layer: localResponseNorm({ size: 4, alpha: 2, beta: 0.75, k: 1 }),
    xShape: [2, 6, 2, 2],
    y: lrn([2, 6, 2, 2], 4, 2, 0.75, 1),
  },
  'lrn, odd': {
    layer: localResponseNorm({ size: 3, alpha: 1, beta: 1.5, k: 2 }),
    xShape: [2, 4, 3, 2],
    y: lrn([2, 4, 3, 2], 3, 1, 1.5, 2),
  },
};

describe('four passes are those of reverse over reverse', () => {
  test.each(Object.entries(examples))('%s', async (_, { layer, xShape, y: definition, frozen }) => {
    const shapes = layer.parameters(xShape.slice(1)).map(({ shape }) => shape);
    const out = await run(
      (r) => {
        const tensor = (name: string) => r.external(name, 1, xShape);
        const theta = (suffix: string) =>
          shapes.map((shape, i) => r.external(`theta${i}${suffix}`, 1, shape));
        const statistics = layer.statistics?.(xShape.slice(1)) ?? [];
        const mode: Mode = frozen
          ? { frozen: statistics.map((shape) => r.external('statistics', 1, shape)) }
          : {};
        const passes = layer.forward(r, tensor('x'), theta(''), mode);
        bringOut(r, passes.y, 'y');
        const yBar = tensor('yBar');
        bringOut(r, passes.backward({ yBar, thetaBar: theta('Bar'), wantX: true })!, 'xBar');
        const tangents = { xDot: tensor('xDot'), thetaDot: theta('Dot') };
        bringOut(r, passes.tangentForward(tangents)!, 'yDot');
        const bars = { yBar, yBarDot: tensor('yBarDot'), thetaBarDot: theta('BarDot'), wantX: true };
        bringOut(r, passes.tangentBackward({ ...bars, ...tangents })!, 'xBarDot');
      },
      ['statistics'],
    );
    const node = (name: string) => ad.constant(out[name]);
    const x = node('x');
    const theta = shapes.map((_shape, i) => node(`theta${i}`));
    const yBar = node('yBar');
    const y = definition(x, theta, out.statistics);
    const bars = ad.gradients(inner(yBar, y), [x, ...theta]);
    const dots = [node('xDot'), ...theta.map((_node, i) => node(`theta${i}Dot`))];
    const change = bars.map((bar, i) => inner(bar, dots[i])).reduce(ad.add);
    const barDots = ad.gradients(ad.add(change, inner(node('yBarDot'), y)), [x, ...theta]);
    const expected: Record<string, ad.Node> = { y, yDot: ad.gradients(change, [yBar])[0] };
    ['x', ...theta.map((_node, i) => `theta${i}`)].forEach((name, i) => {
      expected[`${name}Bar`] = bars[i];
      expected[`${name}BarDot`] = barDots[i];
    });
    for (const [name, { value }] of Object.entries(expected))
      expect(relativeError(out[name], value), name).toBeLessThan(1e-11);
  });
});

describe('the statistics batch norm is scored with', () => {
  test('are those of the training batches, averaged', async () => {
    const [steps, n, C, S] = [3, 4, 2, 6];
    const network = new Network({ name: 'norm', inputShape: [C, 2, 3], classes: 5 }, [
      batchNorm(),
      linear(5),
    ]);
    const out = await run((r) => {
      const theta = r.external('theta', 1, [network.count]);
      const images = r.external('images', 1, [steps, n, C, 2, 3]);
      const batches = [0, 1, 2].map((t) => slice(images, t * n * C * S, [n, C, 2, 3]));
      const into = r.external('statistics', 1, [network.statisticsCount]);
      recordBatchStatistics(r, 1, network, batches, theta, into);
    });
    const expected = new Float64Array(2 * C);
    for (let t = 0; t < steps; t++)
      for (let c = 0; c < C; c++) {
        const channel = Array.from(out.images.subarray(t * n * C * S, (t + 1) * n * C * S)).filter(
          (_, i) => Math.floor(i / S) % C === c,
        );
        const mean = channel.reduce((sum, value) => sum + value, 0) / channel.length;
        expected[c] += mean / steps;
        expected[C + c] += channel.reduce((sum, v) => sum + (v - mean) ** 2, 0) / channel.length / steps;
      }
    expect(relativeError(out.statistics, expected)).toBeLessThan(1e-12);
  });

  test('make the score independent of how the test images are cut', async () => {
    const digits = generateDigits();
    const network = new Network(
      { name: 'norm', inputShape: digits.imageShape as [number, number, number], classes: 10 },
      [conv(4, 5, { stride: 3, padding: 0 }), batchNorm(), relu(), linear(10)],
    );
    const device = await openDevice('cpu');
    const one = await heldOutNetworks(device, network, 1, 0, 0);
    const rows = Array.from({ length: 100 }, (_, i) => i);
    const labels = Float32Array.from({ length: 1000 }, (_, i) =>
      digits.train.labels[Math.floor(i / 10)] === i % 10 ? 1 : 0,
    );
    const set = {
      images: normalisedImages(digits, digits.train, rows),
      labels,
      learningRates: new Float32Array(20).fill(0.1),
    };
    const score = async (members: number) => {
      const geometry = { network, members, steps: 2, epochs: 10, n: 50 };
      const evaluator = await Evaluator.create(device, digits, digits.test, geometry);
      const parameters = Float32Array.from({ length: members * one.length }, (_, i) => one[i % one.length]);
      const scores = (await evaluator.answers(set, parameters)).map(percentRight);
      evaluator.dispose();
      return scores;
    };
    // The images in flight are bounded: 64 networks see them in pieces of 32.
    const [[alone], together] = [await score(1), await score(64)];
    expect(together).toEqual(new Array(64).fill(alone));
    expect(alone).toBeGreaterThan(30);
    await device.dispose();
  });

  test('have no gradient where they are not asked for, nor any tangent of it', async () => {
    const pass = (modeOf: (views: readonly View[]) => Mode, use: (passes: Passes) => void = () => {}) =>
      run((r) => {
        const thetaDot = ['gamma', 'beta'].map((name) => r.external(name, 1, [3]));
        const views = [r.external('statistics', 1, [2, 3])];
        use(batchNorm().forward(r, r.external('x', 1, [2, 3]), thetaDot, modeOf(views)));
      });
    const refused = { code: 'ERR_PROGRAM' };
    await expect(pass((collectBar) => ({ collectBar }))).rejects.toMatchObject(refused);
    const both = (views: readonly View[]) => ({ collect: views, collectBar: views });
    await expect(pass(both, (passes) => void passes.tangentForward({ thetaDot: [] }))).rejects.toMatchObject(
      refused,
    );
  });
});
