/** How many images are enough: the extrapolation on errors that are known, and the function and its command on few images. */
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorAt, learningCurve } from '../src/analysis/learning-curve.js';
import { curveTable } from '../src/cli/images-needed.js';
import { type Dataset, type Device, distill, evaluate, generateDigits, openDevice } from '../src/index.js';
import { sizeNeeded } from '../src/util/power-law.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';

describe('sizeNeeded', () => {
  const law = (size: number) => 2 + 40 * size ** -0.5;
  const exactly = (size: number, error = law(size)) => ({ size, error, standardError: 0 });
  const floor = exactly(Number.POSITIVE_INFINITY, 2);
  const points = [1, 2, 4, 8].map((size) => exactly(size));

  test('errors that follow a power exactly leave nothing open', () => {
    const { low, median, high } = sizeNeeded(points, floor, 6);
    for (const size of [low, median, high]) expect(size).toBeCloseTo(100, 8);
    expect(sizeNeeded(points.slice(0, 2), floor, law(37)).median).toBeCloseTo(37, 8);
  });

  test('what is not measured exactly leaves a range open, around what it would be', () => {
    const few = points.map((point) => ({ ...point, standardError: 1 }));
    const { low, median, high } = sizeNeeded(few, floor, 6);
    expect(low).toBeLessThan(95);
    expect(high).toBeGreaterThan(105);
    expect(median).toBeGreaterThan(80);
    expect(median).toBeLessThan(130);
    const fewer = points.map((point) => ({ ...point, standardError: 3 }));
    const wide = sizeNeeded(fewer, floor, 6);
    expect(wide.high / wide.low).toBeGreaterThan((2 * high) / low);
  });

  test('so do points beside the line', () => {
    const beside = points.map((point, i) => ({ ...point, error: point.error + (i % 2 ? 2 : -2) }));
    const { low, high } = sizeNeeded(beside, floor, 6);
    expect(high / low).toBeGreaterThan(1.5);
  });

  test('no size does for less than the floor, or where errors do not fall', () => {
    expect(sizeNeeded(points, floor, 2).median).toBe(Number.POSITIVE_INFINITY);
    const level = [1, 2, 4].map((size) => exactly(size, 30));
    expect(sizeNeeded(level, floor, 20).median).toBe(Number.POSITIVE_INFINITY);
  });

  test('an error at or below the floor counts as next to it', () => {
    const below = [exactly(1, 42), exactly(4, 1)];
    expect(sizeNeeded(below, floor, 6).median).toBeGreaterThan(1);
    expect(sizeNeeded(below, floor, 6).median).toBeLessThan(4);
  });
});

test('an error is open by the networks and by the images that it was measured with', () => {
  const { size, error, standardError } = errorAt(2, { mean: 80, std: 6, networks: 4 }, 400);
  expect([size, error]).toEqual([2, 20]);
  // 6 / √4, and √(80 · 20 / 400).
  expect(standardError).toBeCloseTo(Math.hypot(3, 2), 12);
});

const data = generateDigits({ train: 200, validation: 40, test: 40, seed: 2 });
const asked = { networks: 2, ipc: [1, 2], seconds: 60, distill: { network: 'mlp:width=8' } } as const;
const how = { ...asked.distill, method: 'dm', iterations: 2, batch: 8, protocol: 'full-batch' } as const;

describe('learningCurve', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice('cpu');
  });
  afterAll(() => device.dispose());

  test('scores sets of every size beside random images, and opens no test image', async () => {
    const shut: Dataset = {
      ...data,
      test: {
        count: 40,
        get images(): Uint8Array {
          throw new Error('the test split was opened');
        },
        get labels(): Uint8Array {
          throw new Error('the test split was opened');
        },
      },
    };
    const stages: string[] = [];
    const curve = await learningCurve(device, shut, {
      ...{ ...asked, accuracy: 60, distill: how },
      onProgress: ({ stage, done, total }) => stages.push(`${done}/${total} ${stage}`),
    });
    expect(curve.points.map(({ ipc, outerSteps }) => [ipc, outerSteps])).toEqual([
      [1, 2],
      [2, 2],
    ]);
    for (const { distilled, random } of curve.points) {
      expect(distilled.networks).toBe(2);
      expect(distilled.mean).toBeGreaterThan(15);
      expect(random.mean).toBeGreaterThan(15);
    }
    expect(curve.all.mean).toBeGreaterThan(curve.points[0].random.mean);
    const { set } = await distill(device, data, { ...how, ipc: 2 });
    const looked = { ...data, test: data.validation };
    const { accuracy, baselines } = await evaluate(device, looked, set, {
      networks: 2,
      baselines: ['randomReal'],
    });
    expect(curve.points[1]).toMatchObject({
      distilled: accuracy,
      random: { mean: baselines.randomReal.mean },
    });
    expect(stages).toEqual([
      '0/5 Training on all training images',
      '1/5 Distilling 1 a class',
      '2/5 Scoring 1 a class',
      '3/5 Distilling 2 a class',
      '4/5 Scoring 2 a class',
      '5/5 done',
    ]);
  });

  test('stops, and refuses what makes no curve', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(
      learningCurve(device, data, { ...asked, accuracy: 60, distill: how, signal }),
    ).rejects.toThrow('enough');
    for (const [wrong, said] of [
      [{ accuracy: 100 }, 'accuracy is 100, expected a number above 0 and below 100'],
      [{ accuracy: Number.NaN }, 'accuracy is NaN'],
      [{ seconds: 0 }, 'seconds is 0, expected a number above 0'],
      [{ ipc: [4] }, 'ipc is [4], expected two different numbers of images a class or more'],
      [{ ipc: [1, 500] }, 'the smallest class has no more'],
      [{ ipc: [1, 1.5] }, 'ipc is 1.5'],
      [{ networks: 1 }, 'networks is 1'],
      [{ sizes: [1, 2] }, 'sizes'],
    ] as const)
      await expect(
        learningCurve(device, data, { ...asked, accuracy: 60, ...wrong } as never),
      ).rejects.toThrow(said);
  });
});

describe('limbeck plan --accuracy', () => {
  const { limbeck } = commandLine(tmpdir());
  beforeAll(buildWhereStale);
  const flags = `--device cpu --threads 1 --digits-size 200 --network mlp:width=8 --protocol full-batch --method dm --iterations 2`;

  test('says how many images it takes, in 80 columns', async () => {
    const { status, stdout, stderr } = await limbeck(
      'plan',
      '--accuracy',
      '50',
      '--sizes',
      '1,2',
      ...flags.split(' '),
    );
    expect({ status, stderr: stderr.match(/\[ERR/) }).toEqual({ status: 0, stderr: null });
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
    expect(stdout).toMatch(/images a class +distilled +random real +outer steps\n/);
    expect(stdout).toMatch(/50 %/);
  });

  test('options of the other kind of plan are refused', async () => {
    for (const [args, said] of [
      [
        ['--accuracy', '90', '--ipc', '2'],
        '--ipc does not go with --accuracy, which tries several sizes: name them by --sizes',
      ],
      [['--budget', '2m'], '--budget goes with --accuracy'],
    ] as const) {
      const { status, stderr } = await limbeck('plan', ...args);
      expect(status).toBe(2);
      expect(stderr).toContain(said);
    }
  });

  const measured = (mean: number) => ({ mean, std: 1, networks: 5 });
  const points = [{ ipc: 1, outerSteps: 10, distilled: measured(80), random: measured(60) }];
  const curve = { accuracy: 90, points, all: measured(97) };

  test.each([
    [
      { distilled: { low: 3.2, median: 4.1, high: 7 }, random: { low: 15, median: 20 }, worthwhile: true },
      'For 90 % it takes about 5 (4 to 7) distilled images a class; of random real ones about 20 (15 or more).',
    ],
    [{ distilled: { low: 3, median: 4 }, worthwhile: true }, 'of random real ones more than there are'],
    [
      { distilled: { low: 3, median: 4 }, random: { low: 3, median: 4 }, worthwhile: false },
      'Random real images do as well here',
    ],
    [{ worthwhile: false }, 'No number of images that there is reaches 90 %'],
  ])('in words: %j', (found, said) => {
    expect(curveTable({ ...curve, ...found }).replace(/\n */g, ' ')).toContain(said);
  });

  test('who asks for more than all training images teach is told', () => {
    expect(curveTable({ ...curve, accuracy: 98, worthwhile: false })).toContain('ask for less');
  });
});
