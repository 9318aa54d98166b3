/** What is said of runs and data is true of what was asked for: other data, classes without images, names alone, what a file says. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { fullTraining } from '../src/analysis/compare/full.js';
import { withoutData } from '../src/cli/config.js';
import { placeOf } from '../src/cli/sources.js';
import { perClassTable } from '../src/cli/table.js';
import { broughtTo } from '../src/data/shape.js';
import { percentByClass } from '../src/eval/statistics.js';
import {
  type Dataset,
  type Device,
  datasetFromArrays,
  distillToFolder,
  evaluate,
  generateDigits,
  inspectDataset,
  loadDataset,
  openDevice,
  reportHtml,
  resumeFolder,
  whiten,
} from '../src/index.js';
import { samples } from '../src/report/sample-sheet.js';
import { describeData } from '../src/runs/describe-data.js';
import { resolveFor } from '../src/runs/options.js';
import { parseRecord } from '../src/runs/record-file.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';
import { madeFolders } from './harness/folders.js';
import { opposite, shortRun, smallNetwork, twoClasses } from './harness/made-data.js';
import { readPage, rowsOf, sectionOf, textOf } from './harness/page.js';
import { makeRecord } from './harness/record.js';

const made = madeFolders('true');
let device: Device;
beforeAll(async () => {
  device = await openDevice('reference');
});
afterAll(() => device.dispose());

test('a finished run is not given back as that of other data, nor of the same read otherwise', async () => {
  const folder = join(await made.write({}), 'run');
  const data = twoClasses();
  const { record } = await distillToFolder(device, data, folder, shortRun);
  expect((await resumeFolder(device, data, folder)).record).toEqual(record);
  for (const [other, why] of [
    [opposite(data, 'test'), /checksum \w{12}…, expected \w{12}…/],
    [await whiten(data), /read in another way/],
  ] as const)
    await expect(resumeFolder(device, other, folder)).rejects.toMatchObject({
      ...{ code: 'ERR_DATA', message: expect.stringMatching(why) },
    });
});

test('training on everything, for a comparison, is that of these data', async () => {
  const folder = await made.write({});
  const options = { network: smallNetwork, fullEpochs: 20, seed: 0 };
  const one = twoClasses();
  const other = opposite(one, 'test');
  const reached = async (data: Dataset) =>
    (
      await fullTraining(folder, device, data, {
        comparing: options as never,
        sha256: describeData(data).sha256,
      })
    ).accuracy.mean;
  expect(await reached(other)).toBeCloseTo(100 - (await reached(one)), 6);
});

describe('a class without test images', () => {
  test('has no accuracy', async () => {
    const all = twoClasses();
    const data = {
      ...all,
      test: { images: all.test.images.slice(0, 6), labels: Uint8Array.of(0), count: 1 },
    };
    const folder = join(await made.write({}), 'run');
    const { record, set } = await distillToFolder(device, data, folder, shortRun);
    expect(record.perClass![1]).toBeNull();
    expect((await evaluate(device, data, set, { withBaselines: false })).perClass[1]).toBeNull();
    // A record that was read again has it, too.
    const stored = parseRecord('run.json', readFileSync(join(folder, 'run.json'), 'utf8'));
    const page = readPage(
      reportHtml({ ...stored, dataset: { ...stored.dataset, classNames: ['cat', 'dog'] } }, set),
    );
    const section = sectionOf(page, 'Class by class');
    expect(rowsOf(section).map(([name]) => name)).not.toContain('dog');
    expect(textOf(section)).toContain('Without test images, and so left out: dog.');
  });

  test('is a dash in a table', () => {
    const perClass = percentByClass([
      [3, 1],
      [0, 0],
    ]);
    expect(perClass).toEqual([75, null]);
    expect(perClassTable(['cat', 'dog'], 'images', perClass)).toMatch(/cat +75\.0 %\n +dog +–$/);
  });
});

test('images that are in the validation and the test split are found', () => {
  const split = (count: number, from: number) => ({
    images: Uint8Array.from({ length: 2 * count }, (_, i) => from + (i >> 1) + (i % 2)),
    labels: Array.from({ length: count }, (_, i) => i % 2),
  });
  const data = datasetFromArrays({
    imageShape: [1, 1, 2],
    train: split(20, 0),
    validation: split(5, 100),
    test: split(7, 102),
  });
  expect(inspectDataset(data).warnings).toContain(
    '3 of 7 test images are validation images, too: remove one of each',
  );
});

test('samples of whitened data are the images before', async () => {
  const digits = generateDigits({ train: 20, validation: 10, test: 10, size: 8 });
  expect(samples(await whiten(digits))).toEqual(samples(digits));
});

describe('a name alone', () => {
  const digits = generateDigits({ train: 60, validation: 20, test: 20, size: 8 });
  const named = (name: string, data: Dataset = digits) =>
    resolveFor('', { method: 'dm', network: 'mlp' }, { ...data, name }).taken;

  test('gives no published settings, unless shape and classes agree', async () => {
    expect(named('digits')).toHaveProperty('augmentation');
    expect(named('mnist')).toEqual({});
    const mnist = { ...digits, name: 'mnist', imageShape: [1, 28, 28] } as const;
    expect(named('mnist', mnist)).toHaveProperty('augmentation');
    expect(named('mnist', { ...mnist, classes: 9 })).toEqual({});
    // Images that were brought to another shape are still those that they were.
    const usps = { ...generateDigits({ train: 20, validation: 10, test: 10, size: 16 }), name: 'usps' };
    const brought = await broughtTo(usps, [1, 8, 8]);
    expect(named('usps', brought)).toHaveProperty('augmentation');
    expect(describeData(brought).originalShape).toEqual([1, 16, 16]);
  });

  test('gives no title', async () => {
    const folder = join(await made.write({}), 'run');
    const data = { ...twoClasses(), name: 'cifar10' };
    const { record, set } = await distillToFolder(device, data, folder, shortRun);
    const heading = ({ dataset }: typeof record) => textOf(readPage(reportHtml({ ...record, dataset }, set)));
    expect(heading(record)).toContain('of “cifar10”');
    expect(heading(record)).not.toContain('CIFAR-10');
  });
});

describe('the name of a published data set', () => {
  beforeAll(buildWhereStale);
  test('is where it was downloaded to, below the working folder', async () => {
    const digits = generateDigits({ train: 40, validation: 10, test: 20, size: 28 });
    const idx = (shape: number[], values: Uint8Array) => {
      const bytes = Buffer.alloc(4 + 4 * shape.length);
      bytes.set([0, 0, 8, shape.length]);
      for (const [i, size] of shape.entries()) bytes.writeUInt32BE(size, 4 + 4 * i);
      return Buffer.concat([bytes, values]);
    };
    const files: Record<string, Uint8Array> = {};
    for (const [part, { images, labels, count }] of Object.entries({
      train: digits.train,
      t10k: digits.test,
    })) {
      files[`data/fashion-mnist/${part}-images-idx3-ubyte`] = idx([count, 28, 28], images as Uint8Array);
      files[`data/fashion-mnist/${part}-labels-idx1-ubyte`] = idx([count], Uint8Array.from(labels));
    }
    const folder = await made.write(files);
    await expect(loadDataset('usps')).rejects.toThrow(
      /limbeck download usps fetches it to data\/usps, and by that name it is then found, or give the path/,
    );
    const { limbeck } = commandLine(folder);
    const { status, stdout, stderr } = await limbeck('data', 'fashion-mnist', '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const found = JSON.parse(stdout);
    expect(found.name).toBe('fashion-mnist');
    expect(found.notes[0]).toBe('read from data/fashion-mnist, where limbeck download puts it');
    const tiny = '--device reference --network mlp:width=8 --batch 16 --iterations 1 --json'.split(' ');
    const run = await limbeck('distill', ...tiny, '--dataset', 'fashion-mnist', '--out', 'run');
    expect(run.status, run.stderr).toBe(0);
    const record = JSON.parse(readFileSync(join(folder, 'run/run.json'), 'utf8'));
    expect(record.config.dataset).toMatch(/data\/fashion-mnist$/);
    // Something of the name itself comes first.
    mkdirSync(join(folder, 'fashion-mnist'));
    writeFileSync(join(folder, 'fashion-mnist/notes.txt'), '');
    const own = await limbeck('data', 'fashion-mnist');
    expect(own.stderr).toMatch(/fashion-mnist holds notes\.txt, which is no data set/);
  });
});

describe('a configuration file', () => {
  const run = { dataset: '/a/b', labelColumn: 'kind', zca: true, iterations: 3 };
  const left = (values: Record<string, unknown>, dataset: string) => {
    let said = '';
    const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => (said += text) !== '');
    try {
      return { values: withoutData('run.json', values, dataset), said };
    } finally {
      spy.mockRestore();
    }
  };

  test('says nothing of data that the command line names', () => {
    expect(left(run, 'c.npz').values).toEqual({ iterations: 3 });
    expect(left(run, 'c.npz').said).toBe(
      'Note: --dataset is c.npz, which is not what run.json is for: its --label-column, --zca are left out\n',
    );
    expect(left({ dataset: 'digits', digitsSize: 50 }, 'c.npz').values).toEqual({});
    expect(left(run, '/a/../a/b')).toEqual({ values: run, said: '' });
    expect(placeOf({ dataset: 'digits' })).toBe('digits');
    // A file that names none is for any.
    expect(left({ zca: true, digitsSize: 50 }, 'c.npz').values).toEqual({ zca: true });
    expect(left({ zca: true, digitsSize: 50 }, 'digits').said).toBe('');
  });
});

test('the record on a page says how the data were read', async () => {
  const { set } = await distillToFolder(device, twoClasses(), join(await made.write({}), 'run'), shortRun);
  const reading = { labelColumn: 'kind', splitSeed: 7, test: 0.3, imageSize: [2, 3], zca: true } as const;
  const record = makeRecord(shortRun, { classes: 2 });
  const page = readPage(
    reportHtml(
      {
        ...record,
        config: { ...record.config, reading: { ...reading, embeddings: '/home/me/glove.txt' } },
        dataset: { ...record.dataset, imageShape: [1, 2, 3], zca: { epsilon: 0.1 } },
      },
      set,
    ),
  );
  const text = textOf(sectionOf(page, 'The record'));
  expect(text).toContain(
    'Read with--label-column kind --split-seed 7 --test 0.3 --image-size 2x3 --zca --embeddings glove.txt',
  );
  expect(text).toContain('WhiteningZCA with ε = 0.1');
});
