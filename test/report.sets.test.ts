/** The pages about several sets, read as documents: comparisons, agreement, influence; and the words of texts. */
import { describe, expect, test } from 'vitest';
import type { Agreement } from '../src/analysis/agreement.js';
import type { Compared, ComparedRun } from '../src/analysis/compare/record.js';
import { type Accuracy, testError } from '../src/eval/statistics.js';
import { setOfImages } from '../src/index.js';
import { analysisPage } from '../src/report/analysis-page.js';
import { comparePage } from '../src/report/compare-page.js';
import { influenceSection } from '../src/report/influence-section.js';
import { textsSection } from '../src/report/page/texts.js';
import type { RunRecord } from '../src/runs/record.js';
import { duration, flopText } from '../src/util/words.js';
import { learnedSet } from './harness/distilled-set.js';
import { smallNetwork, twoClasses } from './harness/made-data.js';
import { all, type Element, readPage, rowsOf, sectionOf, textOf } from './harness/page.js';

const data = { ...twoClasses(), classNames: ['cat', 'dog'] };
const accuracy = (mean: number): Accuracy => ({ mean, std: mean / 16, networks: 4 });

describe('a comparison', () => {
  const run = (title: string, ipc: number, mean: number): ComparedRun => {
    const score = { protocol: 'p', accuracy: accuracy(mean), random: accuracy(mean / 2) };
    return {
      ...{
        title,
        ipc,
        seed: 0,
        folder: `${title}${ipc}`,
        outerSteps: 1,
        iterations: 1,
        seconds: 2,
        flops: 5,
      },
      ...{ numbers: 500 * ipc, curve: [], own: score },
      common: { ...score, perClass: [], others: [] },
    };
  };
  const pageOf = (random: readonly number[], changes: Partial<Compared> = {}) => {
    const compared = {
      ...{ format: 'limbeck-compare-1', protocol: 'p', cut: [], missing: [] },
      engine: { name: 'reference', description: 'none' },
      dataset: { name: 'pets', classNames: data.classNames, splits: { train: 30, validation: 20, test: 24 } },
      baselines: [1, 4].map((ipc, i) => ({
        ...{ ipc, seed: 0 },
        results: { randomReal: { title: 'random images', ...accuracy(random[i]) } },
      })),
      runs: [run('a', 1, 50), run('b', 1, 56), run('a', 4, 70), run('b', 4, 64)],
      ...changes,
    };
    return readPage(comparePage(compared as unknown as Compared, new Map(), data));
  };
  const headline = (page: Element) => textOf(all(page, 'h1')[0]);

  test('says what is best, and what real images of the same number do', () => {
    expect(headline(pageOf([30, 40]))).toBe('b is best with 1 image per class: 56.0 %');
    expect(headline(pageOf([56, 40]))).toBe(
      'Random images do as well as every method with 1 image per class: 56.0 %',
    );
    // Four of each class are no fair comparison with one.
    expect(headline(pageOf([30, 90]))).toBe('b is best with 1 image per class: 56.0 %');
  });

  test('has every number under its heading', () => {
    const one = run('<i>b</i>', 1, 56);
    const soft = { randomTeacher: accuracy(40), noDistillation: accuracy(35) };
    const own = { protocol: 'own', accuracy: accuracy(60), random: accuracy(30), soft };
    const augmented = { protocol: 'p', accuracy: accuracy(62), random: accuracy(33) };
    const full = { protocol: 'f', accuracy: accuracy(90) };
    const page = pageOf([30, 40], { runs: [{ ...one, own, augmented, seconds: 90, flops: 4e9 }], full });
    const [results, scores] = all(sectionOf(page, '1 image per class'), 'table').map(rowsOf);
    const named = ([heads, row]: string[][]) => Object.fromEntries(heads.map((head, i) => [head, row[i]]));
    expect(named(results)).toMatchObject({
      ...{ 'trained on': '<i>b</i>', 'test accuracy': '56.0 % ± 3.5' },
      // 3.182 of three degrees of freedom, times 3.5 / 2; and Wilson's interval of 24 images.
      ...{ '95 % of the mean': '± 5.6', 'by test split': `± ${testError(56, 24).toFixed(1)}` },
    });
    const scale = (value: number) => ((Math.exp(value) - Math.exp(-1)) / (Math.E - Math.exp(-1))).toFixed(3);
    expect(named(scores)).toEqual({
      ...{ method: '<i>b</i>', 'in its own way': '60.0 %', 'random so': '30.0 %' },
      ...{ 'random + teacher': '40.0 %', 'no distillation': '35.0 %' },
      // 90 - 56, and 60 - 40: with the teacher's labels.
      ...{ HLR: '34.0', IOR: '20.0', LRS: scale((20 - 34) / 200) },
      // 62 - 33 and 56 - 28.
      // No column p: there is no second run to test against.
      ARS: scale((29 + 28) / 200),
      ...{ time: duration(90), operations: flopText(4e9), numbers: '500' },
    });
    expect(textOf(all(page, 'header')[0])).toContain('All 30 training images reach 90.0 %.');
  });

  test('draws accuracy over the bytes that a set stores, four for each number', () => {
    const [chart] = all(pageOf([30, 40]), 'svg').filter(
      ({ attributes }) => attributes['aria-label'] === 'Test accuracy over bytes',
    );
    // Where a text on the axis stands says what is there.
    const marks = all(chart, 'text')
      .filter(({ attributes }) => attributes['text-anchor'] === 'middle' && attributes.class === 'tick')
      .map((tick) => [Number(tick.attributes.x), Number(textOf(tick))] as const);
    const [[x0, from], [x1, to]] = [marks[0], marks[marks.length - 1]];
    const valueAt = (x: number) => from + ((x - x0) * (to - from)) / (x1 - x0);
    const [line] = all(chart, 'polyline');
    const shown = line.attributes.points.split(' ').map((point) => valueAt(Number(point.split(',')[0])));
    expect(shown).toHaveLength(2);
    expect(shown[0]).toBeCloseTo(2, 1);
    expect(shown[1]).toBeCloseTo(8, 1);
  });
});

test('agreement: each number under its heading', () => {
  const agreed = (mean: number) => ({ same: accuracy(mean), gap: mean / 100 });
  const agreement: Agreement = {
    ...{ images: 24, early: [], few: [] },
    sets: [
      {
        ...{ name: '<b>set</b>', accuracy: accuracy(80) },
        ...{ early: agreed(70), few: agreed(60), itself: agreed(50) },
      },
    ],
  };
  const page = readPage(analysisPage(data, [], { agreement }));
  const [heads, row] = rowsOf(sectionOf(page, 'The same answers'));
  const said = ({ mean, std }: Accuracy) => `${mean.toFixed(1)} ± ${std.toFixed(1)} %`;
  expect(Object.fromEntries(heads.map((head, i) => [head, row[i]]))).toMatchObject({
    ...{ 'networks of': '<b>set</b>', 'test accuracy': said(accuracy(80)) },
    ...{ 'stopped early': said(accuracy(70)), 'few real images': said(accuracy(60)) },
    'one another': said(accuracy(50)),
  });
  expect(row.filter((_, i) => heads[i] === 'points apart')).toEqual(['0.7', '0.6', '0.5']);
});

test('influence: every test image is said to be of its own class', () => {
  const { images, labels } = data.train;
  const two = { images: images.subarray(0, 12), labels: labels.subarray(0, 2) };
  const set = setOfImages(data, two, { values: 'pixels', network: smallNetwork });
  const rows = [5, 2, 9, 0];
  const influence = [Float64Array.of(4, 3, 2, 1), Float64Array.of(-1, -2, -3, 9)];
  const found = { by: 'retraining', rows, losses: new Float64Array(4), accuracy: 50, influence } as const;
  const section = readPage(influenceSection(data, { name: 'a', set }, found));
  const alts = all(section, 'img').map(({ attributes }) => attributes.alt);
  const tests = (...order: number[]) =>
    order.map((row) => `test image ${row}, ${data.classNames[data.test.labels[row]]}`);
  expect(alts).toEqual([
    ...['image 0 of a, cat', ...tests(5, 2, 9, 0)],
    ...['image 1 of a, dog', ...tests(0, 5, 2, 9)],
  ]);
});

test('words of texts are text, whatever is in them', () => {
  const word = '</span><script>&amp;';
  const network = { ...smallNetwork, inputShape: [1, 1, 2] as const, classes: 1 };
  const set = learnedSet({
    ...{ network, images: new Float32Array(2), labels: Float32Array.of(1) },
    learningRates: Float32Array.of(1),
  });
  const record = { dataset: { ...data, classNames: ['pets'], text: {} } } as unknown as RunRecord;
  const shown = { nearest: [[{ word, similarity: 0.5 }, undefined]], examples: [[word, 'plain']] };
  const section = readPage(textsSection(record, set, shown));
  expect(all(section, 'script')).toEqual([]);
  const [real, learned] = all(section, 'div').filter(({ attributes }) => /^text /.test(attributes.class));
  expect(textOf(all(real, 'p')[0])).toBe(`${word} plain`);
  expect(textOf(all(learned, 'p')[0])).toBe(`${word}50 ·`);
});
