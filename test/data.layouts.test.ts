/** Data sets as their publishers' own tools write them: pixels and labels are what these tools say. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateDigits } from '../src/data/digits.js';
import { readLabelledImages } from '../src/data/labelled-images.js';
import { loadDataset } from '../src/data/load.js';
import { parseNpy } from '../src/data/npy.js';
import { parsePickle } from '../src/data/pickle.js';
import { arrayVocabulary } from '../src/data/pickle-arrays.js';
import { halfToFloat } from '../src/util/half.js';
import { mat, npy, tiny, zip } from './harness/data-files.js';
import { root as repository } from './harness/repository.js';

interface Expected {
  shape: number[];
  train: number[];
  labels: number[];
  test: number[];
  testLabels: number[];
  names: string[] | null;
}

let root: string;
let expected: Record<string, Expected>;
const python = ['python3', '/usr/bin/python3'].find((command) => {
  try {
    execFileSync(command, ['-c', 'import numpy, PIL'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'limbeck-layouts-'));
  if (python === undefined) return;
  execFileSync(python, [join(repository, 'test/harness/layouts.py'), root]);
  expected = JSON.parse(await readFile(join(root, 'expected.json'), 'utf8'));
});
afterAll(async () => {
  await rm(root, { recursive: true });
});

describe('numpy and PIL', () => {
  test.for(
    'fortran float16/set.npz from-one/set.npz kmnist emnist qmnist cifar10-protocol-2 cifar10-protocol-4 cifar10-protocol-5 cifar100 stl10 table grey16 rgba la plain'.split(
      ' ',
    ),
  )('%s', async (name, context) => {
    if (python === undefined)
      return context.skip('no python3 here imports numpy and PIL (Debian: python3-numpy, python3-pil)');
    const want = expected[name];
    const data = await loadDataset(join(root, name), { validation: 0 });
    expect(data.imageShape).toEqual(want.shape);
    const close = (images: ArrayLike<number>, values: number[]) => {
      expect(images.length).toBe(values.length);
      // Rounding of transparency may go either way.
      const tolerance = /^(rgba|la)$/.test(name) ? 1 : 1e-7;
      const wrong = values.findIndex((value, i) => Math.abs(value - images[i]) > tolerance);
      expect(wrong === -1 ? undefined : [wrong, images[wrong], values[wrong]]).toBeUndefined();
    };
    close(data.train.images, want.train);
    close(data.test.images, want.test);
    expect([...data.train.labels]).toEqual(want.labels);
    expect([...data.test.labels]).toEqual(want.testLabels);
    if (want.names) expect(data.classNames).toEqual(want.names);
  });

  test('Quick, Draw!: an array for each class', async (context) => {
    if (python === undefined)
      return context.skip('no python3 here imports numpy and PIL (Debian: python3-numpy, python3-pil)');
    const want = expected.quickdraw;
    const data = await loadDataset(join(root, 'quickdraw'), { validation: 0, test: 0 });
    expect(data).toMatchObject({ imageShape: [1, 28, 28], classNames: want.names });
    expect([...data.train.images]).toEqual(want.train);
    expect([...data.train.labels]).toEqual(want.labels);
  });
});

test('two arrays of one class are refused', async () => {
  for (const [i, [one, other]] of [
    ['cat.npy', 'full_numpy_bitmap_cat.npy'],
    ['cat.npy', 'Cat.npy'],
  ].entries()) {
    const folder = join(root, `classes-${i}`);
    await mkdir(folder);
    const names = [one, other, 'dog.npy'];
    for (const name of names) await writeFile(join(folder, name), npy([5, 2, 2], tiny(5).images));
    await expect(loadDataset(folder)).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringMatching(/at\.npy and .*at\.npy are of one class/),
    });
  }
});

describe('a pickle', () => {
  const bytes = (...parts: (string | number[])[]) =>
    Buffer.concat(
      parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
    );

  test('of lists, numbers and texts is read', async () => {
    const pickled = bytes(
      [0x80, 2],
      '}q\x00(',
      'U\x01aK\x07',
      'X\x02\0\0\0\xc3\xa4',
      ']q\x01(M\x01\x01J\xff\xff\xff\xffNe',
      'u.',
    );
    expect(await parsePickle(pickled, 'x', arrayVocabulary)).toEqual(
      new Map<string, unknown>([
        ['a', 7],
        ['ä', [257, -1, null]],
      ]),
    );
  });

  test.each<[string, Uint8Array, RegExp]>([
    [
      'a command',
      bytes([0x80, 2], 'cposix\nsystem\n', 'U\x02ls', [0x85], 'R.'),
      /names posix\.system.*nothing of it is executed/,
    ],
    [
      'a command of protocol 4',
      bytes([0x80, 4, 0x8c, 5], 'posix', [0x8c, 6], 'system', [0x93], ')R.'),
      /names posix\.system/,
    ],
    [
      'an object of a class',
      bytes([0x80, 2], 'cnumpy\nndarray\n', ')', [0x81], '.'),
      /instruction 129 at byte/,
    ],
    ['a call of what is no function', bytes([0x80, 2], 'K\x01)R.'), /calls what is no function/],
    ['an instance', bytes('(ios\nsystem\n.'), /instruction 105/],
    ['nothing', bytes([0x80, 2]), /ends after 2 bytes/],
    ['a list without a beginning', bytes('t.'), /lists do not begin/],
    ['a text longer than the file', bytes('X\xff\xff\xff\x7fab.'), /ends after/],
  ])('with %s is refused', async (_what, pickled, message) => {
    await expect(parsePickle(pickled, 'x', arrayVocabulary)).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_FILE_FORMAT', message: expect.stringMatching(message) }),
    );
  });
});

describe('arrays', () => {
  test('of half precision', () => {
    const bits = [0, 0x8000, 0x3c00, 0xc000, 0x3555, 1, 0x7bff, 0x7c00, 0xfc00];
    const want = [
      0,
      -0,
      1,
      -2,
      0.333251953125,
      2 ** -24,
      65_504,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ];
    expect(bits.map(halfToFloat)).toEqual(want);
    expect(halfToFloat(0x7e00)).toBeNaN();
  });

  test('in Fortran order', async () => {
    const array = await parseNpy(
      npy([2, 3, 2], [0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11], 'i2', { fortran: true }),
      'x',
    );
    expect([...array.data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test("of MATLAB's files, whose first axis is the fastest and whose labels are a column or a row", async () => {
    // Image i of four pixels is 10 i + 0, 1, 2, 3; in the file all first pixels come first.
    const count = 8;
    const data = Uint8Array.from(
      { length: 4 * count },
      (_, at) => 10 * (at % count) + Math.floor(at / count),
    );
    const labels = Uint8Array.from({ length: count }, (_, i) => 1 + (i % 2));
    for (const shape of [
      [count, 1],
      [1, count],
    ]) {
      const path = join(root, 'flat.mat');
      await writeFile(path, mat({ X: { shape: [count, 4], data }, Y: { shape, data: labels } }));
      const read = await loadDataset(path, { validation: 0, test: 0 });
      expect(read).toMatchObject({ name: 'flat', imageShape: [1, 2, 2], classNames: ['1', '2'] });
      expect([...read.train.images.subarray(4, 8)]).toEqual([10, 11, 12, 13]);
      expect([...read.train.labels]).toEqual([0, 1, 0, 1, 0, 1, 0, 1]);
    }
  });

  test('of one-hot labels say how many classes there are', async () => {
    await mkdir(join(root, 'one-hot'));
    const path = join(root, 'one-hot/x.npz');
    const hot = (count: number, classes: number, used: readonly number[]) => {
      const labels = new Uint8Array(count * classes);
      for (let i = 0; i < count; i++) labels[i * classes + used[i % used.length]] = 1;
      return npy([count, classes], labels);
    };
    const load = async (labels: Uint8Array, testLabels = hot(8, 3, [0, 1, 2])) => {
      await writeFile(
        path,
        zip({
          ...{ 'x_train.npy': npy([40, 2, 2], tiny(40).images), 'y_train.npy': labels },
          ...{ 'x_test.npy': npy([8, 2, 2], tiny(8).images), 'y_test.npy': testLabels },
        }),
      );
      return loadDataset(path, { validation: 0 });
    };
    const some = await load(hot(40, 10, [0, 4, 7]), hot(8, 10, [9]));
    expect([some.classes, some.train.labels[1], some.test.labels[0]]).toEqual([10, 4, 9]);
    const later = await load(hot(40, 4, [1, 2, 3]), hot(8, 4, [1]));
    expect([later.classNames, later.train.labels[0]]).toEqual([['0', '1', '2', '3'], 1]);
    await expect(load(hot(40, 3, [0, 1, 2]), hot(8, 10, [0]))).rejects.toMatchObject({
      code: 'ERR_SHAPE',
      message: expect.stringMatching(/y_test is one-hot of 10 classes, expected 3/),
    });
    await load(hot(40, 3, [0, 1, 2]));
    const four = { ...some, classes: 4, imageShape: [1, 2, 2] as const };
    await expect(readLabelledImages(path, four)).rejects.toMatchObject({
      code: 'ERR_SHAPE',
      message: expect.stringMatching(/its labels are of 3 classes, expected the 4 of/),
    });
  });

  test('labels of images of others are the numbers that the classes are called by, else their places', async () => {
    await mkdir(join(root, 'theirs'));
    const path = join(root, 'theirs/x.npz');
    const labelled = async (first: number, classNames: string[]) => {
      const labels = Array.from({ length: 20 }, (_, i) => first + (i % 3));
      const images = npy([20, 2, 2], tiny(20).images);
      await writeFile(path, zip({ 'images.npy': images, 'labels.npy': npy([20], labels) }));
      const data = {
        ...generateDigits({ train: 40, validation: 10, test: 10 }),
        imageShape: [1, 2, 2] as const,
      };
      return [...(await readLabelledImages(path, { ...data, classes: 4, classNames })).labels].slice(0, 3);
    };
    expect(await labelled(1, ['1', '2', '3', '4'])).toEqual([0, 1, 2]);
    expect(await labelled(0, ['1', '2', '3', '4'])).toEqual([0, 1, 2]);
    expect(await labelled(1, ['0', '1', '2', '3'])).toEqual([1, 2, 3]);
    expect(await labelled(1, ['a', 'b', 'c', 'd'])).toEqual([1, 2, 3]);
  });

  test('of labels that are not one-hot are refused', async () => {
    await mkdir(join(root, 'hot'));
    const labels = [1, 0, 0, 1, 0, 1, 0.5, 0.5, ...Array(32).fill(0)];
    await writeFile(
      join(root, 'hot/x.npz'),
      zip({ 'images.npy': npy([20, 2, 2], tiny(20).images), 'labels.npy': npy([20, 2], labels, 'f4') }),
    );
    await expect(loadDataset(join(root, 'hot/x.npz'))).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringMatching(/row 3 is not one-hot/),
    });
  });

  test('of every type that safetensors has', async () => {
    await mkdir(join(root, 'types'));
    const types: [string, number[], number[]][] = [
      ['F16', [0x3800, 0x4000], [0.5, 2]],
      ['BF16', [0x3f80, 0xc000], [1, -2]],
      ['U16', [7, 200], [7, 200]],
      ['I16', [7, 200], [7, 200]],
      ['I8', [7, 100], [7, 100]],
      ['BOOL', [0, 1], [0, 255]],
    ];
    for (const [dtype, [a, b], want] of types) {
      const wide = !/8|BOOL/.test(dtype);
      const pixels = Array.from({ length: 80 }, (_, i) => (i % 2 ? b : a));
      const data = wide ? new Uint8Array(Uint16Array.from(pixels).buffer) : Uint8Array.from(pixels);
      const header = Buffer.from(
        JSON.stringify({
          images: { dtype, shape: [20, 2, 2], data_offsets: [0, data.length] },
          labels: { dtype: 'I8', shape: [20], data_offsets: [data.length, data.length + 20] },
        }),
      );
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(header.length));
      const path = join(root, 'types', `${dtype}.safetensors`);
      await writeFile(path, Buffer.concat([length, header, data, tiny(20).labels]));
      const { train } = await loadDataset(path, { test: 0, validation: 0 });
      expect([...train.images.subarray(0, 2)], dtype).toEqual(want);
      expect(train.images, dtype).toBeInstanceOf(dtype.includes('F') ? Float32Array : Uint8Array);
    }
  });
});
