import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadIdxFolder, readIdx } from '../src/data/idx.js';
import { parseIdx } from '../src/data/idx-file.js';
import { readLooseImages } from '../src/data/loose-images.js';
import { LimbeckError } from '../src/util/errors.js';
import { Stream } from '../src/util/random.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'limbeck-idx-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

function idx(shape: readonly number[], data: ArrayLike<number>, type = 8): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length);
  bytes.set([0, 0, type, shape.length]);
  const view = new DataView(bytes.buffer);
  shape.forEach((size, axis) => {
    view.setUint32(4 + 4 * axis, size);
  });
  bytes.set(data, 4 + 4 * shape.length);
  return bytes;
}

let files = 0;
async function read(bytes: Uint8Array) {
  const path = join(folder, `file-${files++}`);
  await writeFile(path, bytes);
  return readIdx(path);
}

const small = () => idx([2, 3, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255]);

describe('readIdx', () => {
  test.each([[[3]], [[1, 3]], [[3, 1, 1]], [[1, 1, 1, 3]], [[0, 28]]])(
    'shape %j, plain and gzipped',
    async (shape) => {
      const data = shape.includes(0) ? [] : [5, 0, 255];
      for (const bytes of [idx(shape, data), gzipSync(idx(shape, data))]) {
        const array = await read(bytes);
        expect(array.shape).toEqual(shape);
        expect(Array.from(array.data)).toEqual(data);
      }
    },
  );

  test.each([
    ['an empty file', new Uint8Array(0), /ends after 0 bytes/],
    ['another magic', Uint8Array.of(0x89, 0x50, 0x4e, 0x47), /begins with bytes 137, 80/],
    ['floats', idx([1], [0, 0, 0, 0], 13), /element type is 13 \(32-bit float\)/],
    ['an unknown type', idx([1], [0], 7), /element type is 7 \(unknown\)/],
    ['no dimensions', idx([], []), /0 dimensions/],
    ['five dimensions', idx([1, 1, 1, 1, 1], [0]), /5 dimensions/],
    ['half a header', idx([2, 2], []).subarray(0, 9), /inside its header/],
    ['missing data', idx([2, 2], [1, 2, 3]), /truncated: \[2, 2\] promises 4 bytes of data, there are 3/],
    ['data left over', idx([2], [1, 2, 3]), /something else/],
    [
      'sizes beyond all memory',
      idx([2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1], []),
      /beyond 2 GiB/,
    ],
    ['absurd sizes times zero', idx([2 ** 32 - 1, 2 ** 32 - 1, 0], []), /beyond 2 GiB/],
  ])('refuses %s, plain and gzipped', async (_what, bytes, message) => {
    for (const content of [bytes, gzipSync(bytes)]) {
      await expect(read(content)).rejects.toThrow(message);
      await expect(read(content)).rejects.toMatchObject({ code: 'ERR_FILE_FORMAT' });
    }
  });

  test('decompresses no further than the header promises', async () => {
    const bomb = gzipSync(idx([2], new Uint8Array(64 << 20)));
    const before = process.memoryUsage().arrayBuffers;
    await expect(read(bomb)).rejects.toThrow(/promises 2 bytes/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 << 20);
  });

  test('refuses damaged and cut gzip files, and bytes behind them', async () => {
    const bytes = new Uint8Array(gzipSync(small()));
    for (let length = 2; length < bytes.length; length++) {
      await expect(read(bytes.slice(0, length)), `${length} bytes`).rejects.toThrow(LimbeckError);
    }
    const damaged = bytes.slice();
    damaged[damaged.length - 6] ^= 1; // the checksum
    await expect(read(damaged)).rejects.toThrow(/compression is damaged/);
    await expect(read(Uint8Array.of(...bytes, 1, 2, 3, 4))).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
    });
  });

  test('every truncation is refused', () => {
    const bytes = small();
    for (let length = 0; length < bytes.length; length++) {
      expect(() => parseIdx(bytes.subarray(0, length), 'x'), `${length} bytes`).toThrow(LimbeckError);
    }
  });

  test('4,000 random mutations parse or raise a LimbeckError', () => {
    const random = new Stream(2, 78);
    let parsed = 0;
    for (let mutation = 0; mutation < 4000; mutation++) {
      const bytes = small();
      for (let flip = 0; flip <= mutation % 3; flip++) {
        const draw = mutation * 8 + flip * 2;
        bytes[random.u32(draw) % bytes.length] ^= 1 << (random.u32(draw + 1) & 7);
      }
      try {
        parseIdx(bytes, 'x');
        parsed++;
      } catch (error) {
        expect(error).toBeInstanceOf(LimbeckError);
      }
    }
    expect(parsed).toBeGreaterThan(0);
  });

  test('names a file that is not there', async () => {
    await expect(readIdx(join(folder, 'no'))).rejects.toMatchObject({ code: 'ERR_FILE_MISSING' });
    await expect(readIdx(folder)).rejects.toMatchObject({ code: 'ERR_FILE_MISSING' });
  });
});

describe('loadIdxFolder', () => {
  interface Parts {
    images?: Uint8Array;
    labels?: Uint8Array;
    testImages?: Uint8Array;
    testLabels?: Uint8Array;
  }
  const count = 40;
  // Image i is filled with i in channel 0 and 2 i in channel 1, so each tells which it is.
  const pixels = (n: number) =>
    Uint8Array.from({ length: n * 8 }, (_, i) => Math.floor(i / 8) * (1 + (Math.floor(i / 4) % 2)));
  const labelsOf = (n: number) => Uint8Array.from({ length: n }, (_, i) => i % 4);
  let folders = 0;
  async function write(parts: Parts = {}): Promise<string> {
    const path = join(folder, `set-${folders++}`);
    await mkdir(path);
    await writeFile(
      join(path, 'train-images-idx4-ubyte'),
      parts.images ?? idx([count, 2, 2, 2], pixels(count)),
    );
    await writeFile(join(path, 'train-labels.idx1-ubyte'), parts.labels ?? idx([count], labelsOf(count)));
    await writeFile(
      join(path, 't10k-images-idx4-ubyte.gz'),
      parts.testImages ?? gzipSync(idx([5, 2, 2, 2], pixels(5))),
    );
    await writeFile(join(path, 't10k-labels.idx1-ubyte.gz'), parts.testLabels ?? idx([5], labelsOf(5)));
    return path;
  }

  test('builds the splits: disjoint, complete, in order, the same every time', async () => {
    const path = await write();
    const set = await loadIdxFolder(path);
    expect(set).toMatchObject({
      name: 'set-0',
      imageShape: [2, 2, 2],
      classes: 4,
      classNames: ['0', '1', '2', '3'],
    });
    expect([set.train.count, set.validation.count, set.test.count]).toEqual([36, 4, 5]);
    const which = (split: typeof set.train) =>
      Array.from({ length: split.count }, (_, i) => split.images[i * 8]);
    const train = which(set.train);
    const validation = which(set.validation);
    expect(train).toEqual([...train].sort((a, b) => a - b));
    expect([...train, ...validation].sort((a, b) => a - b)).toEqual(
      Array.from({ length: count }, (_, i) => i),
    );
    train.forEach((image, i) => {
      expect(set.train.labels[i]).toBe(image % 4);
    });
    expect(which((await loadIdxFolder(path)).validation)).toEqual(validation);

    const mean = train.reduce((sum, x) => sum + x, 0) / 36 / 255;
    const variance = train.reduce((sum, x) => sum + (x / 255 - mean) ** 2, 0) / 36;
    expect(set.mean[0]).toBeCloseTo(mean, 7);
    expect(set.mean[1]).toBeCloseTo(2 * mean, 7);
    expect(set.std[0]).toBeCloseTo(Math.sqrt(variance), 7);
    expect(set.std.every((x) => Math.fround(x) === x)).toBe(true);
  });

  test('options', async () => {
    const path = await write();
    const set = await loadIdxFolder(path, { classes: 10, validation: 0, name: 'mine' });
    expect([set.name, set.classes, set.train.count, set.validation.count]).toEqual(['mine', 10, 40, 0]);
    for (const options of [{ classes: 1 }, { classes: 4_097 }, { validation: 40 }, { validation: 1.5 }]) {
      await expect(loadIdxFolder(path, options)).rejects.toMatchObject({ code: 'ERR_OPTION' });
    }
    await expect(loadIdxFolder(path, { classes: 3 })).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringContaining('label 3 is 3, expected 0 to 2'),
    });
  });

  test.each<[string, Parts, string, RegExp]>([
    ['fewer labels than images', { labels: idx([39], labelsOf(39)) }, 'ERR_SHAPE', /expected \[40\]/],
    ['labels in two dimensions', { labels: idx([40, 1], labelsOf(40)) }, 'ERR_SHAPE', /\[40, 1\]/],
    ['images that are labels', { images: idx([count], labelsOf(count)) }, 'ERR_SHAPE', /labels\?/],
    ['test images of another size', { testImages: idx([5, 8], pixels(5)) }, 'ERR_SHAPE', /\[5, 8\]/],
    ['test images of another shape', { testImages: idx([5, 2, 4], pixels(5)) }, 'ERR_SHAPE', /\[1, 2, 4\]/],
    ['no training images', { images: idx([0, 2, 2, 2], []), labels: idx([0], []) }, 'ERR_DATA', /empty/],
  ])('refuses %s', async (_what, parts, code, message) => {
    const path = await write(parts);
    await expect(loadIdxFolder(path)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  test('names the missing files', async () => {
    const path = await write();
    await rm(join(path, 't10k-labels.idx1-ubyte.gz'));
    await expect(loadIdxFolder(path)).rejects.toMatchObject({
      code: 'ERR_FILE_MISSING',
      message: expect.stringContaining('has no t10k-labels-idx1-ubyte'),
    });
    await expect(loadIdxFolder(join(folder, 'no'))).rejects.toMatchObject({ code: 'ERR_FILE_MISSING' });
  });

  test("EMNIST's images are turned, also where they are read by themselves", async () => {
    const path = join(folder, 'emnist');
    await mkdir(path);
    const images = Uint8Array.from({ length: 12 * 9 }, (_, i) => i % 9);
    for (const [part, n] of Object.entries({ train: 12, test: 6 })) {
      await writeFile(
        join(path, `emnist-digits-${part}-images-idx3-ubyte`),
        idx([n, 3, 3], images.subarray(0, 9 * n)),
      );
      await writeFile(join(path, `emnist-digits-${part}-labels-idx1-ubyte`), idx([n], labelsOf(n)));
    }
    const { test } = await loadIdxFolder(path, { validation: 0 });
    expect([...test.images.subarray(0, 9)]).toEqual([0, 3, 6, 1, 4, 7, 2, 5, 8]);
    const file = join(path, 'emnist-digits-test-images-idx3-ubyte');
    expect((await readLooseImages([file], [1, 3, 3])).found[0].images).toEqual(test.images);
  });

  test('real MNIST', async (context) => {
    const mnist = join(resolve(process.env.LIMBECK_DATA ?? '../shared/data'), 'mnist');
    if (!existsSync(mnist))
      return context.skip(`there is no ${mnist}: set LIMBECK_DATA to the folder that holds mnist/`);
    const set = await loadIdxFolder(mnist);
    expect(set).toMatchObject({
      name: 'mnist',
      imageShape: [1, 28, 28],
      classes: 10,
      mean: [0.1307],
      std: [0.3081],
    });
    expect([set.train.count, set.validation.count, set.test.count]).toEqual([55_000, 5000, 10_000]);
    expect(Array.from(set.test.labels.subarray(0, 10))).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    const perClass = new Array(10).fill(0);
    for (const part of [set.train, set.validation]) for (const label of part.labels) perClass[label]++;
    expect(perClass).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    let sum = 0;
    for (const part of [set.train, set.validation]) for (const value of part.images) sum += value;
    expect(sum / (60_000 * 784 * 255)).toBeCloseTo(0.1307, 4);
  });
});
