/** What analyses and uses find on tiny sets, with their tables and pages, as it was recorded: see docs/testing.md. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { rowsOf } from '../src/analysis/compare/rows.js';
import { analysisTable } from '../src/cli/analysis-table.js';
import {
  type Artefact,
  agreement,
  compareMethods,
  curvature,
  type Device,
  type DistillOptions,
  fairness,
  federated,
  influence,
  learningCurve,
  mix,
  openDevice,
  privacy,
  recognise,
  robustness,
  setOfImages,
  theory,
  trainSubjects,
} from '../src/index.js';
import { analysisPage } from '../src/report/analysis-page.js';
import { theoryPage } from '../src/report/theory-page.js';
import { learnedSet } from './harness/distilled-set.js';
import { imageShape, shapes } from './harness/made-shapes.js';
import { readPage } from './harness/page.js';
import { expectRecorded, masked, pageText, recordText } from './harness/recorded.js';

const data = shapes();
const size = 3 * 6 * 4;
const folder = mkdtempSync(join(tmpdir(), 'limbeck-recorded-'));
const network = { name: 'mlp', width: 5 };

/** Training images as a set: two of the first class, one of the second, three of the third. */
const rows = [0, 3, 1, 2, 5, 8];
const real = setOfImages(
  data,
  {
    images: Float32Array.from(
      rows.flatMap((row) => [...data.train.images.slice(row * size, (row + 1) * size)]),
    ),
    labels: rows.map((row) => data.train.labels[row]),
  },
  { values: 'pixels', network, protocol: 'full-batch' },
);

/** Images that nobody learned, with soft labels and steps of their own. */
const made = learnedSet({
  network: { ...network, inputShape: imageShape, classes: 3 },
  images: Float32Array.from({ length: 6 * size }, (_, i) => Math.sin(1 + i * (1 + (i % 7)))),
  labels: Float32Array.from({ length: 6 * 3 }, (_, i) => 0.1 + 0.7 * Number(i % 3 === ((i / 3) >> 0) % 3)),
  learningRates: Float32Array.of(0.3, 0.2, 0.15, 0.1),
  ...{ steps: 2, epochs: 2, seed: 6 },
});
const sets = [
  { name: 'real', set: real },
  { name: 'made', set: made },
];
const { mean, std, classNames } = data;
/** How clients distil their own images in the same way. */
const options = {
  ...{ method: 'dm', network, iterations: 2, batch: 3, protocol: 'full-batch' },
  ...{ ipc: 1, validationNetworks: 1 },
};
const artefactOf = (set: Artefact['set']): Artefact => ({
  set,
  notes: { dataset: data.name, classNames, mean, std, engine: 'none', options, validationAccuracy: 0 },
});
let device: Device;
beforeAll(async () => {
  device = await openDevice('reference');
});
afterAll(async () => {
  await device.dispose();
  rmSync(folder, { recursive: true });
});

const along = { steps: 50, every: 20, seed: 3, networks: 2 };

describe('an analysis:', () => {
  const found = {
    recognise: () => recognise(device, data, sets, along),
    curvature: () => curvature(device, data, sets, { steps: 20, every: 15, seed: 3, vectors: 3, real: 14 }),
    mix: () => mix(device, data, sets, { added: [0, 1, 3], networks: 2, seed: 3 }),
    agreement: () => agreement(device, data, sets, { ...along, images: 33 }),
    influence: async () => [
      await influence(device, data, real, { steps: 12, rate: 0.03, images: 23, seed: 3 }),
      await influence(device, data, made, { by: 'products', steps: 12, rate: 0.03, images: 23, seed: 3 }),
    ],
  };
  test.each(Object.entries(found))('%s', async (name, find) => {
    const result = { [name]: await find() };
    const table = analysisTable(result, data, sets);
    const page = pageText(readPage(analysisPage(data, sets, result)));
    await expectRecorded(`analyses/${name}.txt`, `${recordText(result)}\n${table}\n\n${page}`);
  });

  test('learning curve', async () => {
    const distilled: DistillOptions = {
      ...{ method: 'dm', network, iterations: 3, batch: 4, validateEvery: 2, augmentation: 'none' },
      ...{ protocol: 'full-batch', seed: 3 },
    };
    const curve = await learningCurve(device, data, {
      ...{ accuracy: 60, distill: distilled, ipc: [1, 2], seconds: 1e6, networks: 2 },
    });
    await expectRecorded('analyses/learning-curve.txt', recordText(curve, ['seconds']));
  });

  test('theory', async () => {
    const found = await theory({ d: [6, 9], r: [2], width: [8], seeds: 2, seed: 5, error: 40 });
    const other = await theory({ d: [6], r: [2], width: [8], seeds: 1, activation: 'relu', link: 'sphere' });
    const { curves, random, needed } = other;
    const page = pageText(readPage(theoryPage(found)));
    // Its numbers stand in the charts and tables.
    await expectRecorded('analyses/theory.txt', `${recordText({ curves, random, needed })}\n${page}`);
  });
});

describe('a use:', () => {
  const options = { networks: 2, seed: 4 };
  const artefact = artefactOf(real);

  test('of networks that are shared', async () => {
    const subjects = await trainSubjects(device, data, artefact, options);
    const shared = { subjects, seed: 4 };
    const found = {
      robustness: await robustness(device, data, artefact, {
        ...{ ...shared, images: 23, epsilon: [0.03, 0.2], steps: 2 },
      }),
      fairness: await fairness(device, data, artefact, shared),
      privacy: await privacy(device, data, artefact, { ...shared, images: 23 }),
      parameters: subjects.map(({ name, model }) => [name, model.parameters]),
    };
    await expectRecorded('uses/shared.txt', recordText(found));
  });

  test('of clients, and of learned steps', async () => {
    const found = {
      federated: await federated(device, data, artefact, {
        ...{ ...options, clients: 3, classesEach: 2, rounds: 2 },
      }),
      learnedSteps: await fairness(device, data, artefactOf(made), options),
    };
    await expectRecorded('uses/clients.txt', recordText(found));
  });
});

test('a comparison', async () => {
  const shared = { batch: 4, validateEvery: 2, augmentation: 'none', networks: 2 } as const;
  const compared = await compareMethods(device, data, folder, {
    ...{ network, ipc: 2, seeds: 2, seed: 3, networks: 2, protocol: 'rat-digits', fullEpochs: 2 },
    methods: [
      { method: 'dm', iterations: 3, lr: 0.7, protocol: 'rat-digits', ...shared, validationNetworks: 1 },
      {
        method: 'unrolled',
        iterations: 4,
        init: 'random',
        batch: 8,
        validateEvery: 2,
        networks: 3,
        labels: 'soft',
      },
    ],
    baselines: ['classMeans'],
  });
  const times = ['seconds', 'curve', 'engine'];
  const text = recordText({ compared, rows: rowsOf(compared).map(({ runs: _, ...row }) => row) }, times);
  const page = pageText(readPage(readFileSync(join(folder, 'compare.html'), 'utf8')));
  await expectRecorded('analyses/compare.txt', masked(`${text}\n${page}`));
});
