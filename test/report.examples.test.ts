/** Real images beside the distilled ones, in the page and on the sheet. */
import { describe, expect, test } from 'vitest';
import { classExamples, contactSheet, datasetFromArrays, reportHtml, whiten } from '../src/index.js';
import { sampleSheet } from '../src/report/sample-sheet.js';
import { learnedSet } from './harness/distilled-set.js';
import { all, readPage, sectionOf } from './harness/page.js';
import { makeRecord } from './harness/record.js';

/** Three classes of 1 x 2 x 2 bytes; class k first in row 2 - k, its pixels from 10 (2 - k). */
const labels = Uint8Array.of(2, 1, 0, 0, 1, 2);
const images = Uint8Array.from({ length: 24 }, (_, i) => 10 * Math.floor(i / 4) + (i % 4));
const split = { images, labels };
const data = datasetFromArrays({
  ...{ name: 'made', imageShape: [1, 2, 2] as const, classes: 3 },
  ...{ train: split, validation: split, test: split },
});

describe('examples', () => {
  const pixels = (of: typeof data) => classExamples(of).map((picture) => [...picture!.data]);
  const expected = [2, 1, 0].map((row) => [0, 1, 2, 3].map((i) => 10 * row + i));

  test('are the first training image of each class, bytes as they are', () => {
    expect(pixels(data)).toEqual(expected);
    expect(classExamples(data)[0]).toMatchObject({ width: 2, height: 2, channels: 1 });
  });

  test('are none of a class without training images', () => {
    const train = { ...data.train, labels: labels.map((label) => (label === 1 ? 2 : label)) };
    const [first, ...rest] = classExamples({ ...data, train });
    expect([...first!.data]).toEqual(expected[0]);
    expect(rest.map((picture) => picture && [...picture.data])).toEqual([undefined, expected[2]]);
  });

  test('are shown as they were before whitening', async () => {
    expect(pixels(await whiten(data))).toEqual(expected);
  });

  test('of floats have one range, that of what is shown', () => {
    const floats = { labels, images: Float32Array.from(images, (value) => value / 100 - 0.5) };
    const { train } = datasetFromArrays({
      ...{ name: 'floats', imageShape: [1, 2, 2] as const, classes: 3 },
      ...{ train: floats, validation: split, test: split },
    });
    const shown = classExamples({ ...data, train }).flatMap((picture) => [...picture!.data]);
    // From 0, shown as black, to 23 hundredths above it.
    expect(shown).toEqual(expected.flat().map((value) => Math.round((255 * value) / 23)));
  });
});

const set = learnedSet({
  network: { name: 'mlp', inputShape: [1, 2, 2], classes: 3 },
  ...{ steps: 2, epochs: 1, init: 'random' as const },
  images: Float32Array.from({ length: 24 }, (_, i) => i / 24),
  labels: Float32Array.from({ length: 18 }, (_, i) => Number(i % 3 === Math.floor(i / 3) % 3)),
  learningRates: Float32Array.of(0.1, 0.1),
});
const record = makeRecord({}, { classes: 3, side: 2 });

describe('beside distilled images', () => {
  const pictures = (examples?: ReturnType<typeof classExamples>) =>
    all(sectionOf(readPage(reportHtml(record, set, { examples })), 'The images'), 'img')
      .map(({ attributes }) => attributes.alt)
      .filter((alt) => alt.includes('class'));

  test('the page has a real one of each class, first where classes are columns', () => {
    const distilled = [0, 1, 2, 0, 1, 2].map((k) => `distilled image, class ${k}`);
    const real = [0, 1, 2].map((k) => `real image, class ${k}`);
    expect(pictures()).toEqual(distilled);
    expect(pictures(classExamples(data))).toEqual([...real, ...distilled]);
  });

  test('a class without a real one has an empty place', () => {
    const [first, , last] = classExamples(data);
    const page = readPage(reportHtml(record, set, { examples: [first, undefined, last] }));
    const real = all(sectionOf(page, 'The images'), 'img').filter(
      ({ attributes }) => attributes.class === 'real',
    );
    expect(real.map(({ attributes }) => attributes.alt)).toEqual([0, 2].map((k) => `real image, class ${k}`));
    // A row is its name and a place for each class.
    const [rows] = all(page, 'div').filter(({ attributes }) => attributes.class === 'images rows');
    expect(rows.children.filter((child) => typeof child !== 'string')).toHaveLength(4 * 4);
    expect(contactSheet(set, data, [first, undefined, last]).data).not.toEqual(
      contactSheet(set, data, classExamples(data)).data,
    );
  });

  test('the sheet has a row of them above, pixel by pixel, and the distilled rows as without', () => {
    const [plain, beside] = [contactSheet(set, data), contactSheet(set, data, classExamples(data))];
    const scale = 56;
    expect(beside.height).toBeGreaterThanOrEqual(plain.height + 2 * scale);
    // Each row of pictures has each grey of its pixels `scale` times; those of the letters come besides.
    const greys = new Set([20, 21, 22, 23, 10, 11, 12, 13]);
    for (const grey of greys) {
      const area = (sheet: typeof plain) => sheet.data.filter((value) => value === grey).length;
      expect(area(beside) - area(plain), `grey ${grey}`).toBeGreaterThanOrEqual(scale * scale);
    }
  });
});

test('the sheet of samples shows images of each class in turn, each its own', () => {
  const split = {
    images: Uint8Array.from({ length: 64 }, (_, i) => 50 * (1 + Math.floor(i / 16))),
    labels: [1, 0, 1, 0],
  };
  const data = datasetFromArrays({ imageShape: [1, 4, 4], train: split, validation: split });
  const { width, channels, data: pixels } = sampleSheet(data);
  expect(channels).toBe(1);
  // Pixels of 28 by 28, under a line of 14 for the name of the class.
  const levels = [0, 1, 2, 3].map((place) => pixels[(8 + 14 + 60) * width + 8 + 120 * place + 60]);
  expect(levels).toEqual([100, 50, 200, 150]);
});
