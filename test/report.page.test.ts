/** The page of a run, read as a document: every number stands in its place, every name is text. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testError } from '../src/eval/statistics.js';
import { type DistilledSet, distillToFolder, openDevice, type RunRecord, reportHtml } from '../src/index.js';
import { shortRun, twoClasses } from './harness/made-data.js';
import { all, type Element, readPage, rowsOf, sectionOf, textOf } from './harness/page.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-page-'));
let record: RunRecord;
let set: DistilledSet;
beforeAll(async () => {
  await using device = await openDevice('reference');
  const options = { ...shortRun, init: 'random' } as const;
  ({ record, set } = await distillToFolder(device, twoClasses(), join(folder, 'run'), options));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The page of the run with some of its record changed. */
const pageOf = (changes: Partial<RunRecord> = {}) => readPage(reportHtml({ ...record, ...changes }, set));
const rowsIn = (page: Element, heading: string) =>
  all(sectionOf(page, heading), 'tr').filter((row) => !all(row, 'th').length);
const width = (row: Element) => {
  const [bar] = all(row, 'i');
  return Number(/^width:([\d.]+)%$/.exec(bar.attributes.style)![1]);
};
const cells = (row: Element) => row.children.map((cell) => textOf(cell as Element));

const percent = (value: number) => value.toFixed(1);
const spread = (mean: number, std: number) => `${percent(mean)} ± ${percent(std)} %`;

/** Accuracies of which no two numbers are the same. */
const testAccuracy = { mean: 87.25, std: 3.5, networks: 7 };
const baselines = {
  randomReal: { title: 'random <b>images</b>', mean: 41.5, std: 6.25, networks: 5, learningRate: 0.03 },
  classMeans: { title: 'means of "classes" & more', mean: 63.125, std: 1.75, networks: 4, learningRate: 0.1 },
  neighboursOfRandom: { title: 'neighbours', mean: 12.75, std: 2.125, networks: 9 },
};

describe('how well it works', () => {
  test('each row has its own name, number, bar, runs and rate', () => {
    const rows = rowsIn(pageOf({ testAccuracy, baselines }), 'How well it works');
    const expected = [
      { title: 'distilled images', learningRate: 'as learned', ...testAccuracy },
      ...Object.values(baselines),
    ];
    expect(rows).toHaveLength(expected.length);
    for (const [i, { title, mean, std, networks, ...rest }] of expected.entries()) {
      const [name, number, split, , runs, rate] = cells(rows[i]);
      expect(name).toBe(`2 ${title}`);
      expect(number).toBe(spread(mean, std));
      expect(split).toBe(`± ${testError(mean, record.dataset.splits.test).toFixed(1)}`);
      expect(width(rows[i])).toBeCloseTo(mean, 1);
      expect(runs).toBe(String(networks));
      expect(rate).toBe('learningRate' in rest ? String(rest.learningRate) : '–');
    }
  });

  test('the deviation is drawn around the mean, within the bar', () => {
    const edge = { ...testAccuracy, mean: 98, std: 5 };
    const rows = rowsIn(pageOf({ testAccuracy: edge, baselines }), 'How well it works');
    const spans = rows.map((row) => all(row, 'u')[0].attributes.style);
    expect(spans[0]).toBe('left:93.00%;width:7.00%');
    expect(spans[1]).toBe('left:35.25%;width:12.50%');
  });

  test('the headline says the test accuracy, of as many images as there are', () => {
    const page = pageOf({ testAccuracy, baselines });
    for (const tag of ['title', 'h1']) {
      const [text] = all(page, tag).map(textOf);
      expect(text).toContain(spread(testAccuracy.mean, testAccuracy.std));
      expect(text).toMatch(/^2 images/);
    }
  });

  test('a set that is not worth its making is said to be so, before everything else', () => {
    const note = (page: Element) => all(page, 'p').filter((p) => p.attributes.class === 'warning');
    const good = { ...testAccuracy, mean: 99 };
    const manyTested = { ...record.dataset, splits: { ...record.dataset.splits, test: 10_000 } };
    const weak = { ...testAccuracy, mean: 60.5 };
    expect(note(pageOf({ testAccuracy: good, baselines, dataset: manyTested }))).toHaveLength(0);
    const [said] = note(pageOf({ testAccuracy: weak, baselines, dataset: manyTested })).map(textOf);
    expect(said).toBe(
      'Means of "classes" & more, 2 of them, reach 63.1 %, these images 60.5 %: not worth distilling yet.',
    );
    const guessed = pageOf({ testAccuracy: { ...weak, mean: 50 }, baselines, dataset: manyTested });
    expect(textOf(all(guessed, 'h1')[0])).toContain('little that is sure: 50.0');
  });

  test('the page that a run wrote shows what its record says', () => {
    const page = readPage(readFileSync(join(folder, 'run/report.html'), 'utf8'));
    const shown = rowsIn(page, 'How well it works').map((row) => cells(row)[1]);
    const numbers = [record.testAccuracy!, ...Object.values(record.baselines)];
    expect(shown).toEqual(numbers.map(({ mean, std }) => spread(mean, std)));
    const classes = rowsIn(page, 'Class by class').map((row) => cells(row)[1]);
    const sorted = [...record.perClass!].sort((a, b) => b! - a!);
    expect(classes).toEqual(sorted.map((value) => `${percent(value!)} %`));
  });
});

describe('names are text, whatever is in them', () => {
  const name = '</td><img src=x onerror="alert(1)">&amp;\'<script>';

  test('class by class: name, number and bar of each, the best first', () => {
    const perClass = [84.5, 31.25];
    const dataset = { ...record.dataset, classNames: [name, 'plain'] };
    const rows = rowsIn(pageOf({ perClass, dataset }), 'Class by class');
    expect(rows.map(cells).map(([label, number]) => [label, number])).toEqual([
      [name, `${percent(perClass[0])} %`],
      ['plain', `${percent(perClass[1])} %`],
    ]);
    expect(rows.map(width)).toEqual(perClass);
  });

  test('in every place of the page that shows one', () => {
    const accuracy = { mean: 50, std: 1, networks: 2 };
    const strange = { title: name, ...accuracy };
    const one = {
      network: name,
      accuracy,
      learningRate: 0.1,
      perClass: [1, 2],
      baselines: { [name]: strange },
    };
    const evaluation = { ...one, protocol: name, others: [one] };
    const plain = pageOf({ evaluations: [{ ...evaluation, protocol: 'plain' }] });
    const page = pageOf({
      ...{
        perClass: [1, 2],
        baselines: { [name]: { ...strange, perClass: [3, 4] } },
        evaluations: [evaluation],
      },
      ...{ platform: name, protocol: name, testAccuracy: accuracy },
      versions: { limbeck: name, node: name },
      engine: { ...record.engine, description: name, reason: name, processor: name },
      dataset: { ...record.dataset, name, classNames: [name, name], sha256: name },
    });
    // The pictures are those of the page itself, and nothing of the name became an element or an attribute.
    expect(all(page, 'img').length).toBe(all(plain, 'img').length);
    expect(all(page, 'script')).toEqual([]);
    for (const image of all(page, 'img')) expect(image.attributes.src).toMatch(/^data:image\/png;base64,/);
    expect(
      rowsOf(sectionOf(page, 'Class by class'))
        .slice(1)
        .map(([label]) => label),
    ).toEqual([name, name]);
    expect(textOf(sectionOf(page, 'What is taken for what'))).toContain(name);
    expect(textOf(sectionOf(page, 'Measured later'))).toContain(name);
    expect(all(page, 'title').map(textOf)[0]).toContain(name);
  });
});

test('the parts of a learned label stand on a line at zero: up where they are above it, down where below', () => {
  const labels = Float32Array.of(0.7, -0.9, -0.1, 0.2);
  const page = readPage(reportHtml(record, { ...set, labels }));
  const [chart] = all(page, 'svg').filter(({ attributes }) => attributes.class === 'soft');
  const zero = Number(all(chart, 'line')[0].attributes.y1);
  expect(zero).toBeCloseTo((24 * 0.7) / 1.6, 1);
  const bars = all(chart, 'rect').map(({ attributes: { y, height } }) => [Number(y), Number(height)]);
  expect(bars).toEqual([
    [0, zero],
    [zero, 24 - zero],
  ]);
});

test('a run that went back says how often, and where it stands since the last time', () => {
  const rollbacks = [
    { iteration: 10, factor: 0.5 },
    { iteration: 30, factor: 0.25 },
  ];
  const notes = all(pageOf({ rollbacks }), 'p').map(textOf);
  expect(notes).toContainEqual(
    expect.stringMatching(/went back 2 times, the last time to outer step 30: its outer rates are 0\.25 of/),
  );
});

test('of very many images some are shown, and the others counted', () => {
  const classes = Uint16Array.from({ length: 700 }, (_, i) => Number(i >= 600));
  const many = {
    ...{ ...set, classes, images: new Float32Array(700 * 6), labels: new Float32Array(1400) },
    ...{ use: { kind: 'minibatches', protocol: 'dc' } as const, stored: { ...set.stored, pictures: 700 } },
  };
  const page = readPage(reportHtml(record, many));
  // Five hundred of the first class, all of the second.
  const distilled = all(page, 'img').filter(({ attributes }) => attributes.class === 'distilled');
  expect(distilled.filter(({ attributes }) => !attributes.alt.startsWith('scale'))).toHaveLength(600);
  expect(textOf(sectionOf(page, 'The images'))).toContain('100 more are in distilled.png');
});

test('measured later: each network beside real images under that network', () => {
  const accuracy = (mean: number) => ({ mean, std: mean / 16, networks: mean });
  const one = (network: string, mean: number) => ({
    ...{ network, accuracy: accuracy(mean), perClass: [1, 2], learningRate: mean / 1000 },
    baselines: {
      randomReal: { title: 'random', ...accuracy(mean + 1) },
      kMeans: { title: 'centroids', ...accuracy(mean + 2) },
    },
  });
  const evaluation = { ...one('', 20), protocol: 'dc', others: [one('lenet', 40), one('convnet', 60)] };
  const section = sectionOf(pageOf({ evaluations: [evaluation] }), 'Measured later');
  const shown = all(section, 'tbody').map((body) =>
    all(body, 'tr').map((row) => [
      cells(row)[0],
      cells(row)[1],
      ...(all(row, 'i').length ? [width(row)] : []),
    ]),
  );
  const group = (network: string, mean: number) => [
    [network],
    ...['distilled images', 'random', 'centroids'].map((name, i) => [
      name,
      spread(mean + i, (mean + i) / 16),
      mean + i,
    ]),
  ];
  expect(shown.map(([head, ...rows]) => [[head[0]], ...rows])).toEqual([
    group('mlp:width=3', 20),
    group('lenet', 40),
    group('convnet', 60),
  ]);
});

describe('how it was learned', () => {
  test('the best look is pointed out where it is', () => {
    const curve = [10, 20, 30, 40].map((iteration, i) => ({
      ...{ iteration, loss: 4 - i, learningRates: [0.1, 0.2] },
      validationAccuracy: [40, 90, 60, 50][i],
    }));
    const best = { iteration: 20, validationAccuracy: 90 };
    const page = pageOf({ curve, best });
    const chart = all(page, 'svg').find(({ attributes }) =>
      attributes['aria-label']?.startsWith('Validation accuracy'),
    )!;
    expect(textOf(chart)).toContain('best 90.0 %');
    const points = all(chart, 'polyline')[0].attributes.points.split(' ');
    const mark = all(chart, 'circle').find(({ attributes }) => attributes.class === 'best')!.attributes;
    expect(`${mark.cx},${mark.cy}`).toBe(points[1]);
    // Higher stands further up.
    const heights = points.map((point) => Number(point.split(',')[1]));
    expect(heights.indexOf(Math.min(...heights))).toBe(1);
    expect(heights.indexOf(Math.max(...heights))).toBe(0);
  });

  test('every inner step has the curve of its own rate', () => {
    const curve = [10, 20].map((iteration, i) => ({
      ...{ iteration, loss: 4 - i, validationAccuracy: 50 },
      learningRates: [0.5, 0.1],
    }));
    const chart = all(pageOf({ curve }), 'svg').find(
      ({ attributes }) => attributes['aria-label'] === 'Inner learning rates over outer steps',
    )!;
    const heights = all(chart, 'polyline').map(({ attributes }) =>
      Number(attributes.points.split(' ')[0].split(',')[1]),
    );
    expect(heights).toHaveLength(2);
    // The larger rate stands further up.
    expect(heights[0]).toBeLessThan(heights[1]);
  });

  test('inner steps are counted from 1', () => {
    const chart = all(pageOf(), 'svg').find(
      ({ attributes }) => attributes['aria-label'] === 'Inner learning rate of each inner step',
    )!;
    const points = all(chart, 'polyline')[0].attributes.points.split(' ');
    const ticks = all(chart, 'text').filter(
      ({ attributes }) => attributes.class === 'tick' && attributes['text-anchor'] === 'middle',
    );
    expect(ticks.map((tick) => [textOf(tick), tick.attributes.x])).toEqual(
      points.map((point, t) => [String(t + 1), point.split(',')[0]]),
    );
  });
});
