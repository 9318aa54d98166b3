/** More classes than a byte has values: labels of 16 bits from every reader that can have them, and through a whole run. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { datasetFromArrays } from '../src/data/arrays.js';
import { loadDataset } from '../src/data/load.js';
import { openCpuDevice } from '../src/engine/cpu/device.js';
import { distill, evaluate } from '../src/index.js';
import { describeData } from '../src/runs/describe-data.js';
import { npy, zip } from './harness/data-files.js';

const classes = 300;
const size = 4;
const images = Array.from({ length: classes }, (_, k) => k);
const folder = mkdtempSync(join(tmpdir(), 'limbeck-many-classes-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Class k in the bits of a row and a column: two images of each, a little apart. */
const pixels = (k: number, copy: number) =>
  Array.from({ length: size * size }, (_, i) => ((k >> (i % 9)) & 1 ? 200 : 20) + copy);
const rows = [0, 1, 2].flatMap((copy) => images.map((k) => ({ k, values: pixels(k, copy) })));
const labels = rows.map(({ k }) => k);
const values = Uint8Array.from(rows.flatMap((row) => row.values));

const split = { images: values, labels };
const fromArrays = () =>
  datasetFromArrays({ imageShape: [1, size, size], train: split, validation: split, test: split });

test.each<[string, string, () => Uint8Array | string]>([
  [
    'arrays of class numbers',
    'numbers.npz',
    () =>
      zip({
        'x_train.npy': npy([rows.length, size, size], values),
        'y_train.npy': npy([rows.length], labels, 'i4'),
      }),
  ],
  [
    'one-hot labels',
    'one-hot.npz',
    () =>
      zip({
        'x_train.npy': npy([rows.length, size, size], values),
        'y_train.npy': npy(
          [rows.length, classes],
          labels.flatMap((label) => images.map((k) => (k === label ? 1 : 0))),
          'u1',
        ),
      }),
  ],
  ['a table', 'table.csv', () => rows.map((row) => [row.k, ...row.values].join(',')).join('\n')],
  [
    'a table of names',
    'names.csv',
    () => rows.map((row) => [`class ${String(row.k).padStart(3, '0')}`, ...row.values].join(',')).join('\n'),
  ],
])('%s', async (_, name, make) => {
  const path = join(folder, name);
  writeFileSync(path, make());
  const read = await loadDataset(path, { validation: classes, test: classes });
  expect([read.classes, read.classNames.length, read.train.count]).toEqual([classes, classes, classes]);
  for (const part of [read.train, read.validation, read.test]) {
    expect([...part.labels].sort((a, b) => a - b)).toEqual(images);
    for (const [row, label] of part.labels.entries())
      expect(
        [...part.images.subarray(row * size * size, (row + 1) * size * size)].map((v) => v > 100),
      ).toEqual(pixels(label, 0).map((v) => v > 100));
  }
});

test('bytes hold labels where they can, and the checksum is of labels, not of their arrays', () => {
  const few = { images: [1, 2, 3, 4], labels: [0, 1, 1, 0] };
  const dataset = datasetFromArrays({ imageShape: [1, 1, 1], train: few, validation: few });
  expect(dataset.train.labels).toEqual(Uint8Array.of(0, 1, 1, 0));
  const wide = { ...dataset, train: { ...dataset.train, labels: Uint16Array.of(0, 1, 1, 0) } };
  expect(describeData(wide).sha256).toBe(describeData(dataset).sha256);
  expect(fromArrays().train.labels).toEqual(Uint16Array.from(labels));
});

test('a run: distilled and evaluated', async () => {
  await using device = await openCpuDevice({ threads: 1 });
  const data = fromArrays();
  const { set } = await distill(device, data, {
    ...{ method: 'dm', network: 'mlp:width=32', ipc: 1, batch: 3, first: 'real' },
    ...{ iterations: 2, validateEvery: 2, validationNetworks: 1 },
  });
  expect([...set.classes].sort((a, b) => a - b)).toEqual(images);
  const { accuracy, perClass } = await evaluate(device, data, set, {
    ...{ protocol: 'dc', epochs: 60, learningRate: 0.1, networks: 1, withBaselines: false },
  });
  expect(perClass).toHaveLength(classes);
  // Guessing is right once in three hundred times.
  expect(accuracy.mean).toBeGreaterThan(5);
});
