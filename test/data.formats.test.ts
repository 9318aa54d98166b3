import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type LoadOptions, loadDataset } from '../src/data/load.js';
import { parseNpy } from '../src/data/npy.js';
import * as files from './harness/data-files.js';
import { madeFolders } from './harness/folders.js';

const folders = madeFolders('formats');

/** One file, or a folder of files. */
async function write(content: Uint8Array | Record<string, Uint8Array>, name = ''): Promise<string> {
  const folder = await folders.write(content instanceof Uint8Array ? { [name]: content } : content);
  return join(folder, name);
}
const load = async (content: Uint8Array | Record<string, Uint8Array>, name = '', options: LoadOptions = {}) =>
  loadDataset(await write(content, name), options);

const bytes = (text: string) => new TextEncoder().encode(text);
const [train, other] = [files.tiny(20), files.tiny(4)];

describe('loadDataset reads', () => {
  test.each<[string, string, Uint8Array | Record<string, Uint8Array>]>([
    ['npz, deflated', 'set.npz', files.tinyNpz()],
    ['npz, stored', 'set.npz', files.tinyNpz(false)],
    ['npz as NumPy writes it, with extra fields', 'set.npz', files.tinyNpz(false, 20)],
    ['safetensors', 'set.safetensors', files.tinySafetensors()],
    [
      'a folder of npy',
      '',
      {
        'train_images.npy': files.npy([20, 4], train.images, 'i2'),
        'train_labels.npy': files.npy([20], train.labels),
        'test_images.npy': files.npy([4, 4], other.images, 'i8', { big: true, version: 2 }),
        'test_labels.npy': files.npy([4], other.labels),
      },
    ],
    ['a folder of csv', '', { 'train.csv': files.tinyCsv(), 'mnist_test.csv': files.tinyCsv(4, false) }],
    [
      'a folder of csv, gzipped',
      '',
      { 'train.csv.gz': gzipSync(files.tinyCsv()), 'test.csv': files.tinyCsv(4) },
    ],
  ])('%s', async (_what, name, content) => {
    const data = await load(content, name, { validation: 0 });
    expect(data).toMatchObject({ imageShape: [1, 2, 2], classes: 2, classNames: ['0', '1'] });
    expect(data.train).toEqual({ ...train, count: 20 });
    expect(data.test).toEqual({ ...other, count: 4 });
    expect(data.notes).toBeUndefined();
  });

  test('one table without a test split: it is held out, and it is said', async () => {
    const data = await load(files.tinyCsv(), 'one.csv');
    expect([data.train.count, data.validation.count, data.test.count]).toEqual([14, 2, 4]);
    expect(data).toMatchObject({
      name: 'one',
      notes: [expect.stringMatching(/held out.*: 4 images for test, 2 images for validation/)],
    });
  });

  test.each([
    ['folder', '', ''],
    ['archive', 'cifar-10-binary.tar.gz', '0'],
    ['archive of an old tar', 'cifar-10-binary.tar.gz', '\0'],
  ])('CIFAR-10, %s', async (_what, name, kind) => {
    const content = name ? gzipSync(files.tar(files.cifar10Files(), kind)) : files.cifar10Files();
    const data = await load(content, name, { validation: 0 });
    expect(data).toMatchObject({ name: 'cifar10', imageShape: [3, 32, 32], classes: 10 });
    expect(data.classNames[9]).toBe('truck');
    expect([...data.train.labels]).toEqual(Array.from({ length: 20 }, (_, i) => (i + 4) % 10));
    expect([...data.train.images.subarray(3072, 3075)]).toEqual([5, 6, 7]);
    expect(data.test.count).toBe(2);
  });

  test('CIFAR-100 with its fine and its coarse labels', async () => {
    const content = { 'train.bin': files.cifar(200, 100, 2), 'test.bin': files.cifar(3, 100, 2) };
    const fine = await load(content, '', { validation: 0 });
    expect(fine).toMatchObject({ name: 'cifar100', classes: 100 });
    expect([...fine.test.labels]).toEqual([0, 1, 2]);
    const coarse = await load(content, '', { validation: 0, labelSet: 'coarse' });
    expect(coarse).toMatchObject({ classes: 20 });
    expect([...coarse.test.labels]).toEqual([19, 18, 17]);
  });

  test('SVHN: rows along the first axis, the digit 0 as class 0', async () => {
    for (const compressed of [true, false]) {
      const content = {
        'train_32x32.mat': files.svhn(40, compressed),
        'test_32x32.mat': files.svhn(2, compressed),
      };
      const data = await load(content, '', { validation: 0 });
      expect(data).toMatchObject({ name: 'svhn', imageShape: [3, 32, 32], classes: 10 });
      expect([...data.train.labels.subarray(8, 11)]).toEqual([9, 0, 1]);
      const at = (image: number, c: number, row: number, column: number) =>
        data.test.images[((image * 3 + c) * 32 + row) * 32 + column];
      expect([at(0, 0, 5, 0), at(0, 0, 0, 5), at(0, 2, 0, 0), at(1, 1, 31, 31)]).toEqual([5, 10, 6, 97]);
    }
  });

  test('USPS as it is published: blanks instead of commas', async () => {
    const row = (label: number) => `${label}.0000 ${'-1.000 0.500 '.repeat(128)}\n`;
    const train = Array.from({ length: 20 }, (_, i) => row(i % 10)).join('');
    const content = { 'zip.train.gz': gzipSync(train), 'zip.test.gz': gzipSync(row(6)) };
    const data = await load(content, '', { validation: 0 });
    expect(data).toMatchObject({ imageShape: [1, 16, 16], classes: 10, train: { count: 20 } });
    expect([data.test.labels[0], ...data.test.images.subarray(0, 2)]).toEqual([6, -1, 0.5]);
  });

  test('colour first and colour last give the same images; what could be both is asked for', async () => {
    const values = Uint8Array.from({ length: 2 * 3 * 4 }, (_, i) => i);
    const last = Uint8Array.from({ length: 24 }, (_, i) => {
      const [image, pixel, c] = [Math.floor(i / 12), Math.floor(i / 3) % 4, i % 3];
      return values[image * 12 + c * 4 + pixel];
    });
    const set = (shape: number[], data: Uint8Array, options: LoadOptions = {}) =>
      load(
        files.zip({ 'images.npy': files.npy(shape, data), 'labels.npy': files.npy([2], [0, 1]) }),
        'x.npz',
        { validation: 0, ...options },
      );
    const first = await set([2, 3, 2, 2], values);
    expect(first.imageShape).toEqual([3, 2, 2]);
    expect([...first.train.images, ...first.test.images]).toEqual([...values]);
    expect((await set([2, 2, 2, 3], last)).train.images).toEqual(first.train.images);
    const flat = await set([2, 12], last, { layout: 'nhwc' });
    expect(flat.train.images).toEqual(first.train.images);
    expect((await set([2, 12], values, { layout: 'nchw' })).train.images).toEqual(first.train.images);
    await expect(set([2, 12], last)).rejects.toMatchObject({ code: 'ERR_OPTION', message: /--layout/ });
    await expect(set([2, 3, 1, 4], values)).resolves.toMatchObject({ imageShape: [3, 1, 4] });
    const either = await set([2, 3, 4, 1], values).catch((error) => error);
    expect(either).toMatchObject({ code: 'ERR_OPTION', message: expect.stringMatching(/nhwc.*nchw/) });
    expect((await set([2, 3, 4, 1], values, { layout: 'nhwc' })).imageShape).toEqual([1, 3, 4]);
  });

  test('floats as they are, flat rows of a given size, labels by name', async () => {
    const text = 'p0,kind,p1\n0.5,dog,1\n-1,cat,2.5\n1e-3,dog,0\n0,cat,1\n';
    const options = { imageSize: [1, 2], labelColumn: 'kind', validation: 0 } as const;
    const data = await loadDataset(
      await write({ 'train.csv': bytes(text), 'test.csv': bytes('p0,kind,p1\r\n1,"cat",2\r\n') }),
      options,
    );
    expect(data).toMatchObject({ imageShape: [1, 1, 2], classNames: ['cat', 'dog'] });
    expect(data.train.images).toEqual(Float32Array.of(0.5, 1, -1, 2.5, 1e-3, 0, 0, 1));
    expect([...data.train.labels, ...data.test.labels]).toEqual([1, 0, 1, 0, 0]);
  });

  test.each(['u1', 'i2', 'i4', 'i8', 'f4', 'f8'] as const)('npy of %s, either byte order', async (dtype) => {
    for (const big of [false, true])
      for (const version of [1, 2]) {
        const array = await parseNpy(
          files.npy([2, 3], [0, 1, 2, 100, 101, 102], dtype, { big, version }),
          'x',
        );
        expect([array.shape, [...array.data]]).toEqual([
          [2, 3],
          [0, 1, 2, 100, 101, 102],
        ]);
      }
  });

  test('a table without a header whose classes have names: its first row is an image', async () => {
    const rows = Array.from({ length: 10 }, (_, i) => `${i % 2 ? 'cat' : 'dog'},${i},1,2,3\n`);
    const data = await load({ 'train.csv': bytes(rows.join('')), 'test.csv': bytes(rows[1]) }, '', {
      validation: 0,
    });
    expect(data).toMatchObject({ classNames: ['cat', 'dog'], train: { count: 10 }, test: { count: 1 } });
    expect([data.train.labels[0], ...data.train.images.subarray(0, 4)]).toEqual([1, 0, 1, 2, 3]);
  });

  const folder = process.env.LIMBECK_DATA ?? resolve('../shared/data');
  test('the real USPS digits', async (context) => {
    const path = join(folder, 'usps');
    if (!existsSync(path))
      context.skip(`no USPS in ${folder}: set LIMBECK_DATA to the folder that holds usps/`);
    const data = await loadDataset(path);
    expect(data).toMatchObject({ imageShape: [1, 16, 16], classes: 10, test: { count: 2007 } });
    expect(data.train.count + data.validation.count).toBe(7291);
  });
});

describe('loadDataset refuses', () => {
  const npz = (arrays: Record<string, Uint8Array>) => files.zip(arrays);
  const labels = files.npy([20], train.labels);
  const images = files.npy([20, 2, 2], train.images);
  test.each<[string, string, Uint8Array | Record<string, Uint8Array>, LoadOptions, string, RegExp]>([
    ['an empty folder', '', {}, {}, 'ERR_FILE_MISSING', /holds nothing, which is no data set; known are/],
    ['other files', 'x.xlsx', bytes('x'), {}, 'ERR_OPTION', /no format known by its name/],
    [
      'a name that only the directory has',
      'x.npz',
      Buffer.from(
        Buffer.from(npz({ 'images.npy': images, 'labels.npy': labels }))
          .toString('latin1')
          .replace(/(.*)labels/s, '$1lab3ls'),
        'latin1',
      ),
      {},
      'ERR_FILE_FORMAT',
      /lab3ls.npy is not .*the file there has another name/,
    ],
    [
      'labels missing',
      'x.npz',
      npz({ 'images.npy': images }),
      {},
      'ERR_DATA',
      /has images, but none of y_train/,
    ],
    [
      'other arrays',
      'x.npz',
      npz({ 'a.npy': images }),
      {},
      'ERR_DATA',
      /holds a, expected x_train and y_train/,
    ],
    [
      'too few labels',
      'x.npz',
      npz({ 'images.npy': images, 'labels.npy': files.npy([19], train.labels.subarray(1)) }),
      {},
      'ERR_SHAPE',
      /labels has shape \[19\], expected \[20\]/,
    ],
    [
      'pixels beyond bytes',
      'x.npz',
      npz({
        'images.npy': files
          .npy(
            [20, 2, 2],
            train.images
              .map((x) => x)
              .fill(0)
              .with(7, 1),
            'i2',
          )
          .fill(255, 148, 150),
        'labels.npy': labels,
      }),
      {},
      'ERR_DATA',
      /is -1, expected a whole number from 0 to 4294967295; give other values as floats/,
    ],
    [
      'NaN',
      'x.npz',
      npz({
        'images.npy': files.npy([20, 2, 2], new Array(80).fill(Number.NaN), 'f4'),
        'labels.npy': labels,
      }),
      {},
      'ERR_DATA',
      /value 0 is NaN/,
    ],
    [
      'a missing batch',
      '',
      { 'data_batch_1.bin': files.cifar(1, 10) },
      {},
      'ERR_FILE_MISSING',
      /data_batch_2/,
    ],
    [
      'half an image of CIFAR',
      '',
      { 'train.bin': files.cifar(1, 100, 2).subarray(1), 'test.bin': files.cifar(1, 100, 2) },
      {},
      'ERR_FILE_FORMAT',
      /multiple of 3074/,
    ],
    [
      'labels of CIFAR-10 in two sets',
      '',
      files.cifar10Files(),
      { labelSet: 'fine' },
      'ERR_OPTION',
      /one set/,
    ],
    [
      'a word in a table',
      'x.csv',
      bytes('1,2,3,4,5\n1,2,x,4,5\n'),
      {},
      'ERR_FILE_FORMAT',
      /line 2, column 3 is "x"/,
    ],
    ['a short row', 'x.csv', bytes('1,2,3,4,5\n1,2,3,4\n'), {}, 'ERR_FILE_FORMAT', /line 2 has 4 columns/],
    [
      'rows that are no square',
      'x.csv',
      bytes('1,2,3\n0,2,3\n'),
      {},
      'ERR_SHAPE',
      /2 pixels per image.*--image-size/,
    ],
    [
      'a pixel that is no byte',
      'x.csv',
      bytes('0,2,3,4,5\n1,2,300,4,5\n'),
      {},
      'ERR_DATA',
      /line 2, column 3 is 300/,
    ],
    [
      'a row without its label',
      'x.csv',
      bytes('1,2,3,4,5\n,2,3,4,5\n'),
      {},
      'ERR_DATA',
      /line 2 has no label/,
    ],
    ['an unknown column', 'x.csv', files.tinyCsv(), { labelColumn: 'z' }, 'ERR_OPTION', /columns label, p0/],
    [
      'an option of others',
      'x.csv',
      files.tinyCsv(),
      { labelSet: 'fine' },
      'ERR_OPTION',
      /labelSet does not apply/,
    ],
  ])('%s', async (_what, name, content, options, code, message) => {
    await expect(load(content, name, options)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});
