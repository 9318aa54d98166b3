/** `compareMethods`: what it does, keeps, goes on with and refuses, and what its table and page make of that. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Compared, ComparedRun } from '../src/analysis/compare/record.js';
import { estimateOf, pairedP, rowsOf } from '../src/analysis/compare/rows.js';
import { type CompareOptions, compareMethods, type Device, decodeModel, openDevice } from '../src/index.js';
import { smallNetwork, twoClasses } from './harness/made-data.js';
import { all, readPage, sectionOf, textOf } from './harness/page.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-compare-'));
const data = twoClasses();
const options = {
  methods: [
    { method: 'unrolled', iterations: 4, init: 'random', batch: 8, validateEvery: 2 },
    {
      method: 'dm',
      iterations: 3,
      batch: 4,
      augmentation: 'none',
      validateEvery: 1,
      protocol: 'dc',
      networks: 3,
    },
  ],
  network: smallNetwork,
  ipc: [1, 2],
  seeds: 2,
  networks: 3,
  baselines: ['classMeans'],
  fullEpochs: 2,
} satisfies CompareOptions;
let device: Device;
let compared: Compared;
const out = join(folder, 'first');
const stages: string[] = [];

beforeAll(async () => {
  device = await openDevice('reference');
  compared = await compareMethods(device, data, out, options, {
    onProgress: ({ stage }) => stages.push(stage),
  });
});
afterAll(async () => {
  await device.dispose();
  rmSync(folder, { recursive: true, force: true });
});

describe('a comparison', () => {
  test('does every method at every number of images from every seed, and every method once before any again', () => {
    expect(compared.missing).toEqual([]);
    const cells = [0, 1].flatMap((seed) =>
      [1, 2].flatMap((ipc) => ['unrolled', 'dm'].map((method) => [seed, ipc, method])),
    );
    expect(compared.runs.map(({ seed, ipc, title }) => [seed, ipc, title.split(':')[0]])).toEqual(cells);
    for (const run of compared.runs) {
      expect(run.outerSteps).toBe(run.iterations);
      expect(run.common.accuracy.networks).toBe(3);
      expect(run.common.random.networks).toBe(3);
      expect(run.common.protocol).toContain('protocol dc');
      expect(run.numbers).toBe(run.ipc * 2 * 6);
      expect(run.flops).toBeGreaterThan(0);
      expect(run.curve.at(-1)![0]).toBeCloseTo(run.seconds, 9);
    }
    // A set with steps of its own has another protocol besides; a set that is meant for that of all has not.
    expect(compared.runs[0].own.protocol).not.toBe(compared.runs[0].common.protocol);
    expect(compared.runs[1].own).toMatchObject({ accuracy: compared.runs[1].common.accuracy });
  });

  test('measures what stands beside once for each number of images and seed', () => {
    expect(compared.baselines.map(({ ipc, seed }) => [seed, ipc])).toEqual([
      [0, 1],
      [0, 2],
      [1, 1],
      [1, 2],
    ]);
    for (const { results } of compared.baselines)
      expect(Object.keys(results)).toEqual(['randomReal', 'classMeans']);
    const [{ results }] = compared.baselines;
    expect(results.randomReal).toMatchObject(compared.runs[0].common.random);
    // Other methods stand beside the same random images.
    expect(compared.runs[1].common.random).toEqual(compared.runs[0].common.random);
  });

  test('keeps the networks of the whole training split, and says what it cut', () => {
    const [file] = readdirSync(join(out, 'full'));
    const { notes } = decodeModel(readFileSync(join(out, 'full', file)));
    expect(compared.full).toEqual({ protocol: notes.protocol, accuracy: notes.testAccuracy });
    expect(compared.full!.protocol).toContain('2 epochs');
    expect(compared.cut).toEqual(['3 networks for each set, not 20 as protocol dc says']);
  });

  test('has what it found already, and opens no test split for it again', async () => {
    const opened = () =>
      compared.runs.map(
        ({ folder }) => JSON.parse(readFileSync(join(out, folder, 'run.json'), 'utf8')).testOpened,
      );
    const before = opened();
    // Once at the end of its run, once for the score that all share.
    expect(new Set(before)).toEqual(new Set([2]));
    const again = await compareMethods(device, data, out, options);
    expect(again.runs).toEqual(compared.runs);
    expect(again.baselines).toEqual(compared.baselines);
    expect(opened()).toEqual(before);
    expect(JSON.parse(readFileSync(join(out, 'compare.json'), 'utf8')).runs).toEqual(compared.runs);
  });

  test('scores anew what is asked of another number of networks', async () => {
    const asked = { ...options, networks: 2, ipc: 1, seeds: 1 };
    const { runs } = await compareMethods(device, data, out, asked);
    expect(runs.map(({ common }) => common.accuracy.networks)).toEqual([2, 2]);
    const records = runs.map(({ folder }) => JSON.parse(readFileSync(join(out, folder, 'run.json'), 'utf8')));
    expect(records.map(({ testOpened }) => testOpened)).toEqual([3, 3]);
    // Both are on record now.
    await compareMethods(device, data, out, options);
  });

  test('is the same from elsewhere: a run by hand has the same scores', async () => {
    const other = await compareMethods(device, data, join(folder, 'other'), { ...options, ipc: 1, seeds: 1 });
    const times = ({ seconds: _, curve: __, ...rest }: ComparedRun) => rest;
    expect(other.runs.map(times)).toEqual(compared.runs.slice(0, 2).map(times));
  });
});

test('what the time cuts off is scored as it is, and goes on with the next call', async () => {
  const cut = join(folder, 'cut');
  const long = {
    ...options,
    methods: [{ ...options.methods[0], iterations: 50_000 }],
    ipc: 1,
    seeds: 1,
    fullEpochs: 0,
  };
  const first = await compareMethods(device, data, cut, { ...long, seconds: 0.2 });
  const [run] = first.runs;
  expect(run.outerSteps).toBeLessThan(50_000);
  expect(first.full).toBeUndefined();
  expect(first.cut.join()).toContain('of 50,000 outer steps');
  expect(run.own.accuracy.networks).toBe(3);
  // A busy machine may give it no step in so short a time.
  let later = run;
  for (let call = 0; call < 50 && later.outerSteps === run.outerSteps; call++)
    [later] = (await compareMethods(device, data, cut, { ...long, seconds: 0.2 })).runs;
  expect(later.outerSteps).toBeGreaterThan(run.outerSteps);
  // It is another set now, and scored anew.
  const record = JSON.parse(readFileSync(join(cut, run.folder, 'run.json'), 'utf8'));
  expect(record.evaluations.map((one: { accuracy: unknown }) => one.accuracy)).toContainEqual(
    later.common.accuracy,
  );
});

test('stopped, it rejects with the reason, and what is finished stays', async () => {
  const stopped = join(folder, 'stopped');
  const controller = new AbortController();
  const onProgress = ({ done }: { done: number }) => done === 3 && controller.abort(new Error('enough'));
  const asked = { ...options, ipc: 1, seeds: 1, fullEpochs: 0 };
  const going = compareMethods(device, data, stopped, asked, { signal: controller.signal, onProgress });
  await expect(going).rejects.toThrow('enough');
  const so = JSON.parse(readFileSync(join(stopped, 'compare.json'), 'utf8')) as Compared;
  expect(so.runs).toHaveLength(1);
  expect(so.missing).toHaveLength(1);
  expect((await compareMethods(device, data, stopped, asked)).runs).toHaveLength(2);
});

test.each<[string, Partial<CompareOptions>, RegExp]>([
  ['no methods', { methods: [] }, /methods is .*expected one or several/],
  ['a method twice', { methods: ['dm', 'dm'] }, /methods is .*each once/],
  ['an unknown method', { methods: ['dn'] }, /expected one of .*dm/],
  ['an option that is unknown', { methods: [{ method: 'dm', stepz: 3 } as never] }, /stepz/],
  [
    'a network of its own',
    { methods: [{ method: 'dm', network: 'mlp' }] },
    /a network of its own, expected one for all/,
  ],
  ['a seed of its own', { methods: [{ method: 'dm', seed: 2 }] }, /a seed of its own/],
  ['no images', { ipc: 0 }, /ipc is 0/],
  ['learned steps', { protocol: 'learned-steps' }, /not every set has steps/],
  ['whitening that is not there', { protocol: 'mtt' }, /ZCA/],
  ['an augmentation twice', { protocol: 'dsa', augmentation: 'dsa' }, /has already/],
  ['an unknown baseline', { baselines: ['best'] }, /best/],
  ['no time', { seconds: 0 }, /seconds is 0, expected a number above 0/],
  ['no seeds', { seeds: 0 }, /seeds is 0/],
  ['what is not an option', { method: 'dm' } as never, /method/],
])('refuses %s before anything is done', async (_, wrong, message) => {
  const nowhere = join(folder, 'nowhere');
  await expect(compareMethods(device, data, nowhere, { ...options, ...wrong })).rejects.toThrow(message);
  expect(() => readdirSync(nowhere)).toThrow(/ENOENT/);
});

test('refuses a folder whose runs have other data', async () => {
  const other = { ...data, train: { ...data.train, labels: data.train.labels.map((label) => 1 - label) } };
  await expect(compareMethods(device, other, out, options)).rejects.toThrow(/holds a run on other data/);
});

describe('the table', () => {
  /** A run that reached so much. */
  const run = (title: string, seed: number, common: number, own: number, random: number): ComparedRun => {
    const accuracy = (mean: number) => ({ mean, std: 9, networks: 4 });
    const score = (of: number, beside: number) => ({
      protocol: 'p',
      accuracy: accuracy(of),
      random: accuracy(beside),
    });
    return {
      ...{
        title,
        ipc: 1,
        seed,
        folder: `${title}${seed}`,
        outerSteps: 1,
        iterations: 1,
        seconds: 2,
        flops: 5,
      },
      ...{ numbers: 7, curve: [] },
      common: { ...score(common, random - 1), perClass: [], others: [] },
      own: score(own, random),
      augmented: score(common + 10, random + 2),
    };
  };
  const made: Compared = {
    ...({ format: 'limbeck-compare-1', protocol: 'p', cut: [], missing: [] } as unknown as Compared),
    full: { protocol: 'f', accuracy: { mean: 90, std: 1, networks: 3 } },
    baselines: [0, 1].map((seed) => ({
      ...{ ipc: 1, seed },
      results: { randomReal: { title: 'random', mean: 30 + 4 * seed, std: 2, networks: 4 } },
    })),
    runs: [
      run('a', 0, 50, 62, 30),
      run('b', 0, 55, 60, 31),
      run('a', 1, 54, 64, 34),
      run('b', 1, 61, 66, 35),
    ],
  };

  test('has the best first, and seeds together', () => {
    const rows = rowsOf(made);
    expect(rows.map(({ title }) => title)).toEqual(['b', 'a', 'random']);
    const [b, a, random] = rows;
    expect([b.accuracy.mean, a.accuracy.mean, random.accuracy.mean]).toEqual([58, 52, 32]);
    expect(a.accuracy.std).toBeCloseTo(Math.sqrt(8), 12);
    // 12.706 of one degree of freedom
    expect(a.accuracy.half).toBeCloseTo((12.7062 * Math.sqrt(8)) / Math.sqrt(2), 3);
    expect([a.own!.mean, a.random!.mean]).toEqual([63, 32]);
    expect([a.seconds, a.flops, a.numbers]).toEqual([4, 10, 7]);
  });

  test('has the scores of DD-Ranking: hard labels beside all data, its own way beside random images', () => {
    const a = rowsOf(made)[1];
    expect([a.hlr, a.ior]).toEqual([38, 31]);
    const scale = (value: number) => (Math.exp(value) - Math.exp(-1)) / (Math.E - Math.exp(-1));
    expect(a.lrs).toBeCloseTo(scale(0.155 - 0.19), 12);
    expect(a.ars).toBeCloseTo(scale(0.5 * (0.62 - 0.34) + 0.5 * (0.52 - 0.31)), 12);
    const [without] = rowsOf({ ...made, full: undefined });
    expect([without.hlr, without.lrs]).toEqual([undefined, undefined]);
    expect(without.ior).toBeDefined();
  });

  test('has a paired test over shared seeds', () => {
    const [b, a] = rowsOf(made);
    expect(b.p).toBeUndefined();
    // Differences -5 and -7: t = -6 / (sqrt(2) / sqrt(2)) = -6 with one degree, p = 1 - 2/pi atan(6)
    expect(a.p).toBeCloseTo(1 - (2 / Math.PI) * Math.atan(6), 12);
    expect(pairedP(a.runs.slice(0, 1), b.runs)).toBeUndefined();
    expect(pairedP(a.runs, a.runs)).toBe(1);
  });

  test('one seed counts by its networks', () => {
    const one = estimateOf([{ mean: 50, std: 6, networks: 4 }]);
    expect([one.mean, one.std]).toEqual([50, 6]);
    expect(one.half).toBeCloseTo((3.18245 * 6) / 2, 4);
    expect(estimateOf([{ mean: 50, std: 0, networks: 1 }]).half).toBeUndefined();
  });
});

describe('the page', () => {
  const page = () => readPage(readFileSync(join(out, 'compare.html'), 'utf8'));

  test('has a table for each number of images, with every row of the comparison in its order', () => {
    for (const ipc of [1, 2]) {
      const section = sectionOf(page(), ipc === 1 ? '1 image per class' : '2 images per class');
      const [accuracies] = all(section, 'table').map((table) =>
        all(table, 'tr').filter((row) => !all(row, 'th').length),
      );
      const rows = accuracies;
      const expected = rowsOf(compared).filter((row) => row.ipc === ipc);
      expect(rows.map((row) => textOf(all(row, 'td')[0]))).toEqual(expected.map(({ title }) => title));
      for (const [i, row] of rows.entries())
        expect(textOf(all(row, 'td')[1])).toBe(
          `${expected[i].accuracy.mean.toFixed(1)} % ± ${expected[i].accuracy.std.toFixed(1)}`,
        );
    }
  });

  test('has a picture of each class of each set of the first seed', () => {
    const images = all(sectionOf(page(), 'What they look like'), 'img');
    expect(images).toHaveLength(2 * 2 * data.classes);
  });
});
