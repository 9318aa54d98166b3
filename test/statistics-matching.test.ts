/** The objective of sre2l: cross-entropy and distances of statistics in front of batch norm, held to differentiation in float64. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Device, EngineName } from '../src/engine/device.js';
import { loadWithTensors } from '../src/engine/load.js';
import { openDevice } from '../src/engine/open.js';
import { Recorder } from '../src/engine/program.js';
import { elements } from '../src/engine/view.js';
import { createNetwork, type Network } from '../src/networks/index.js';
import { copyInto } from '../src/train/groups.js';
import { recordStatisticsMatching } from '../src/train/statistics-matching.js';
import { owning } from '../src/util/owned.js';
import { freshParameters, labelRows, normals } from './harness/arrays.js';
import { add, constant, gradients, multiply, rowSums, scale, sqrt } from './harness/autograd.js';
import { relativeError } from './harness/close.js';
import { losses } from './harness/oracle.js';
import { type OracleNetwork, observed } from './harness/oracle-networks.js';

const networks: readonly OracleNetwork[] = [
  { name: 'convnet', inputShape: [2, 8, 8], classes: 3, width: 5, depth: 2, norm: 'batch' },
  { name: 'resnet18', inputShape: [3, 8, 8], classes: 3, width: 2, norm: 'batch' },
];
const [groups, n, weight] = [2, 4, 0.3];

const engines: readonly EngineName[] = ['reference', 'cpu', 'webgpu'];
const devices = {} as Record<EngineName, Device>;
beforeAll(async () => {
  for (const engine of engines) devices[engine] = await openDevice(engine);
});
afterAll(async () => {
  for (const device of Object.values(devices)) await device.dispose();
});

/** Means around 0, so that ReLUs let half of everything through, and variances around a half. */
function madeStatistics({ statisticsCount, statistics }: Network): Float32Array {
  const values = normals(statisticsCount, 3, 0.1);
  for (const { offset, shape } of statistics) {
    const size = elements(shape);
    for (let i = size / 2; i < size; i++) values[offset + i] = 0.5 + 0.5 * values[offset + i];
  }
  return values;
}

const made = (options: OracleNetwork) => {
  const network = createNetwork(options as Parameters<typeof createNetwork>[0]);
  const pixels = options.inputShape.reduce((a, b) => a * b, 1);
  return {
    network,
    theta: freshParameters(options, 1),
    images: normals(groups * n * pixels, 1),
    labels: labelRows(groups * n, options.classes, 2, false),
    statistics: madeStatistics(network),
  };
};

/** Losses of the groups and the gradient of their sum, by the harness. */
function expectedOf(options: OracleNetwork) {
  const { theta, images, labels, statistics, network } = made(options);
  const K = options.classes;
  const size = images.length / groups;
  const results = Array.from({ length: groups }, (_, g) => {
    const x = constant(images.subarray(g * size, (g + 1) * size));
    const y = constant(labels.subarray(g * n * K, (g + 1) * n * K));
    const { z, observed: seen } = observed(options, constant(theta), x, n, [...statistics]);
    let loss = losses['cross-entropy'](z, y, n, K);
    // It has a say beside the distances.
    expect(Math.hypot(...gradients(loss, [x])[0].value)).toBeGreaterThan(0.01);
    let at = 0;
    for (const one of seen) {
      const length = one.value.length;
      const d = add(one, constant(statistics.subarray(at, (at += length)).map((value) => -value)));
      loss = add(loss, scale(sqrt(rowSums(multiply(d, d), 1, length)), weight));
    }
    expect(at).toBe(network.statisticsCount);
    return { loss: loss.value[0], bar: [...gradients(loss, [x])[0].value] };
  });
  return { losses: results.map(({ loss }) => loss), images: results.flatMap(({ bar }) => bar) };
}

// A residual network is many pipelines for a software driver; what it adds is the same on every engine.
const pairs = networks.flatMap((network) =>
  engines
    .filter((engine) => engine !== 'webgpu' || network.name === 'convnet')
    .map((engine) => [network.name, engine, network] as const),
);

test.each(pairs)('%s on %s', async (_, engine, options) => {
  const { network, theta, images, labels, statistics } = made(options);
  const r = new Recorder('statistics');
  const views = {
    theta: r.external('theta', 1, [network.count]),
    images: r.external('images', groups, [n, ...network.inputShape]),
    labels: r.external('labels', groups, [n, network.classes]),
    statistics: r.external('statistics', 1, [network.statisticsCount]),
  };
  const matched = recordStatisticsMatching(r, { network, ...views, weight });
  copyInto(r, matched.losses, r.external('losses', groups, [1]));
  copyInto(r, matched.images, r.external('imagesBar', groups, matched.images.shape));
  await owning(async (owned) => {
    const { executable, tensors } = await loadWithTensors(devices[engine], r.program(), owned);
    for (const [name, values] of Object.entries({ theta, images, labels, statistics }))
      await tensors[name].write(values);
    await executable.run();
    const expected = expectedOf(options);
    const demanded = engine === 'reference' ? 1e-9 : 1e-4;
    expect(relativeError(await tensors.losses.read(), expected.losses)).toBeLessThan(demanded);
    expect(relativeError(await tensors.imagesBar.read(), expected.images)).toBeLessThan(demanded);
    owned.dispose();
  });
});
