/** Choices, draws, settings and pages that no small run reaches, as they were recorded: see docs/testing.md. */
import { test } from 'vitest';
import { classMeans } from '../src/data/selection/class-means.js';
import { drawCrop } from '../src/data/selection/crops.js';
import { herding } from '../src/data/selection/herding.js';
import { kCentre } from '../src/data/selection/k-centre.js';
import { kMeans } from '../src/data/selection/k-means.js';
import { randomReal } from '../src/data/selection/random-real.js';
import { attackScores } from '../src/eval/attack.js';
import { baselines } from '../src/eval/baselines/index.js';
import { protocols } from '../src/eval/protocols.js';
import { type Tested, verdict } from '../src/eval/verdict.js';
import { generateDigits, openDevice } from '../src/index.js';
import { methods } from '../src/methods/index.js';
import { parametrisations } from '../src/parametrisations/index.js';
import { reportHtml } from '../src/report/html.js';
import type { RunRecord } from '../src/runs/record.js';
import { strategies } from '../src/train/augmentation.js';
import { scheduleKinds, scheduleRates } from '../src/train/schedule.js';
import { streams } from '../src/train/streams.js';
import { Stream } from '../src/util/random.js';
import { draw, rowsOf } from './harness/augment.js';
import { learnedSet } from './harness/distilled-set.js';
import { shapes } from './harness/made-shapes.js';
import { readPage } from './harness/page.js';
import { makeRecord } from './harness/record.js';
import { expectRecorded, pageText, recordText } from './harness/recorded.js';

const data = shapes();

test('real images that are chosen', async () => {
  const chosen: Record<string, unknown> = {};
  for (const [name, choose] of Object.entries({ classMeans, herding, kCentre, kMeans, randomReal }))
    for (const [perClass, seed, draw] of [
      [2, 3, 1],
      [4, 1, 0],
    ]) {
      const images = await choose(data, perClass, seed, draw);
      const size = images.length / (3 * perClass);
      const parts = Array.from({ length: 3 * perClass }, (_, i) => images.slice(i * size, (i + 1) * size));
      chosen[`${name} ${perClass} ${seed} ${draw}`] = parts;
    }
  const stream = new Stream(5, streams.crops);
  chosen.crops = Array.from({ length: 9 }, (_, k) => drawCrop(stream, k, [480, 270]));
  await expectRecorded('parts/chosen.txt', recordText(chosen));
});

test('what is drawn for augmentation', async () => {
  const device = await openDevice('reference');
  const drawn: Record<string, unknown> = {};
  for (const [name, strategy] of Object.entries(strategies)) {
    const where = { height: 12, width: 7, stream: streams.augmentation, step: 2 };
    drawn[name] = rowsOf(await draw(device, strategy, 3, 3, 1, where));
  }
  await device.dispose();
  await expectRecorded('parts/augmentation.txt', recordText({ strategies, drawn }));
});

test('settings: protocols, baselines, schedules, streams, methods', async () => {
  const schedules = scheduleKinds.map((kind) => [kind, scheduleRates(0.3, 11, { kind, warmup: 2 })]);
  const sources = [methods, parametrisations].map((all) =>
    Object.fromEntries(Object.entries(all).map(([name, { source }]) => [name, source])),
  );
  const told = baselines.map(({ images: _, ...rest }) => rest);
  const text = recordText({ protocols, baselines: told, schedules, streams: { ...streams }, sources });
  await expectRecorded('parts/settings.txt', text);
});

test('digits that are generated', async () => {
  const {
    train,
    validation,
    test: tested,
    mean,
    std,
  } = generateDigits({
    ...{ train: 6, validation: 3, test: 4, size: 15, seed: 2 },
  });
  await expectRecorded('parts/digits.txt', recordText({ train, validation, tested, mean, std }));
});

const accuracy = (mean: number) => ({ mean, std: mean / 16, networks: 4 });
const beside = (title: string, mean: number) => ({ title, ...accuracy(mean), learningRate: 0.03 });

test('what is said of a test accuracy', async () => {
  const tested = (mean: number, random: number, images: number): Tested => ({
    ...{ accuracy: accuracy(mean), baselineImages: 30, images, classes: 10 },
    baselines: { randomReal: beside('random real images', random), kMeans: beside('k-means centroids', 21) },
  });
  const poison = attackScores(
    [
      [
        [3, 4, 2],
        [1, 7, 2],
        [0, 1, 9],
      ],
    ],
    { from: 0, to: 2 },
  );
  const attacked = { ...tested(50, 40, 900), attack: poison };
  const strong = { ...beside('flipped images', 30), attack: { ...poison, taken: accuracy(35) } };
  const text = recordText({
    lines: [
      [8, 20, 900],
      [12, 5, 40],
      [50, 60, 900],
      [50, 49, 900],
      [50, 30, 900],
    ].map(([mean, random, images]) => verdict(tested(mean, random, images)) ?? 'nothing'),
    poison,
    attacked: verdict({ ...attacked, baselines: { flippedRandom: strong } }) ?? 'nothing',
    unharmed: verdict(attacked) ?? 'nothing',
    text: verdict({ ...tested(8, 20, 900), text: {} }) ?? 'nothing',
  });
  await expectRecorded('parts/verdicts.txt', text);
});

/** Pages of runs that went another way than most. */
const runs: Readonly<Record<string, Partial<RunRecord>>> = {
  attack: {
    attack: { taken: accuracy(73), others: accuracy(64) },
    baselines: {
      flippedRandom: {
        ...beside('random real images, flipped', 47),
        attack: { taken: accuracy(29), others: accuracy(37) },
      },
    },
  },
  stopped: { stopped: true, testAccuracy: null, baselines: {}, testOpened: 0, outerSteps: 77 },
  diverged: {
    ...{ stopped: true, diverged: 'the loss is NaN after 7 outer steps', testAccuracy: null },
    ...{ baselines: {}, testOpened: 3 },
    rollbacks: [{ iteration: 9, factor: 0.25 }],
  },
  pretrained: {
    pretrained: { dataset: 'fashion-mnist', checksum: 'abcdef', train: 11, validation: 3, test: 5 },
    perClass: [93, 81, null],
    confusion: [
      [31, 2, 5],
      [7, 23, 0],
      [0, 0, 0],
    ],
  },
};

test.each(Object.keys(runs))('the page of a run: %s', async (name) => {
  const size = 2 * 3 * 4;
  const set = learnedSet({
    network: { name: 'mlp', inputShape: [2, 4, 3], classes: 3 },
    images: Float32Array.from({ length: 6 * size }, (_, i) => Math.sin(i * (1 + (i % 5)))),
    labels: Float32Array.from({ length: 18 }, (_, i) => Number(i % 3 === Math.floor(i / 3) % 3)),
    learningRates: Float32Array.of(0.1, 0.2),
    ...{ steps: 2, epochs: 1 },
  });
  const changed = { ...set, ...(name === 'attack' && { attack: { from: 0, to: 2 } }) };
  const record = makeRecord({ steps: 2 }, { classes: 3, channels: 2, side: 4 }, runs[name]);
  const page = readPage(
    reportHtml({ ...record, dataset: { ...record.dataset, imageShape: [2, 4, 3] } }, changed),
  );
  await expectRecorded(`pages/${name}.txt`, pageText(page));
});
