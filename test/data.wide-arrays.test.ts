/** Arrays of whole numbers beyond bytes, and of colours with opacity. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readLabelledImages } from '../src/data/labelled-images.js';
import { readLooseImages } from '../src/data/loose-images.js';
import { loadDataset } from '../src/index.js';
import { encodeSafetensors } from '../src/util/safetensors.js';
import { npy, zip } from './harness/data-files.js';
import { madeFolders } from './harness/folders.js';

const made = madeFolders('wide');
const whole = { test: 0, validation: 0 };
const labels = (count: number) =>
  npy(
    [count],
    Array.from({ length: count }, (_, i) => i % 2),
  );
/** `count` images of 2x2, of which no two are alike, up to `most`. */
const upTo = (count: number, most: number) =>
  Array.from({ length: 4 * count }, (_, i) => (i === 3 ? most : (i * 37) % (most + 1)));

describe('whole numbers of more than 8 bits', () => {
  const set = async (arrays: Record<string, Uint8Array>) =>
    join(await made.write({ 'set.npz': zip(arrays) }), 'set.npz');

  test.each(['u2', 'i2', 'i4', 'i8'] as const)(
    'are divided by the range that they use: %s',
    async (dtype) => {
      const values = upTo(8, 3000);
      const path = await set({ 'x_train.npy': npy([8, 2, 2], values, dtype), 'y_train.npy': labels(8) });
      const { train, divisor, notes } = await loadDataset(path, whole);
      expect(train.images).toEqual(Float32Array.from(values, (value) => value / 4095));
      expect(divisor).toBe(4095);
      expect(notes).toContain(
        'pixels of more than 8 bits: their values reach to 3000 and were divided by 4095, to 0..1',
      );
    },
  );

  test('are on one scale in all splits, whichever reaches farthest', async () => {
    const path = await set({
      'x_train.npy': npy([8, 2, 2], upTo(8, 200), 'u2'),
      'y_train.npy': labels(8),
      'x_test.npy': npy([4, 2, 2], upTo(4, 1000), 'u2'),
      'y_test.npy': labels(4),
    });
    const { train, test: tested, divisor, notes } = await loadDataset(path, { validation: 0 });
    expect(divisor).toBe(1023);
    expect([train.images[3], tested.images[3]]).toEqual([200 / 1023, 1000 / 1023].map(Math.fround));
    expect(notes?.filter((note) => note.includes('8 bits'))).toHaveLength(1);
  });

  test('are bytes where they reach no farther', async () => {
    const values = upTo(8, 255);
    for (const dtype of ['u2', 'i8'] as const) {
      const path = await set({ 'x_train.npy': npy([8, 2, 2], values, dtype), 'y_train.npy': labels(8) });
      const { train, divisor } = await loadDataset(path, whole);
      expect(train.images).toEqual(Uint8Array.from(values));
      expect(divisor).toBeUndefined();
    }
  });

  test('of 33 bits are no pixels', async () => {
    const values = upTo(8, 200).with(5, 2 ** 32);
    const path = await set({ 'x_train.npy': npy([8, 2, 2], values, 'i8'), 'y_train.npy': labels(8) });
    await expect(loadDataset(path, whole)).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringMatching(/x_train: value 5 is 4294967296, expected a whole number from 0 to/),
    });
  });

  test('are on one scale in an array for each class', async () => {
    const folder = await made.write({
      'dark.npy': npy([8, 2, 2], upTo(8, 200), 'u2'),
      'light.npy': npy([8, 2, 2], upTo(8, 60_000), 'u2'),
    });
    const { train, divisor } = await loadDataset(folder, whole);
    expect(divisor).toBe(65_535);
    expect(train.images[3]).toBe(Math.fround(200 / 65_535));
  });

  test('are divided alike where a network or a set of images is asked about them', async () => {
    const folder = await made.write({
      'dark.npy': npy([2, 2, 2], upTo(2, 200), 'u2'),
      'light.npy': npy([2, 2, 2], upTo(2, 5000), 'u2'),
      'theirs.npz': zip({ 'images.npy': npy([2, 2, 2], upTo(2, 200), 'u2'), 'labels.npy': labels(2) }),
      'own.npz': zip({ 'images.npy': npy([8, 2, 2], upTo(8, 3000), 'u2'), 'labels.npy': labels(8) }),
    });
    const read = async (name: string, divisor?: number) => {
      const { found, notes } = await readLooseImages([join(folder, name)], [1, 2, 2], { divisor });
      return { most: found[0].images[3], notes: notes.join() };
    };
    expect((await read('dark.npy', 4095)).most).toBe(Math.fround(200 / 4095));
    const light = await read('light.npy', 4095);
    expect(light.most).toBe(Math.fround(5000 / 4095));
    expect(light.notes).toMatch(/divided by 4095, beyond which they reach, to 5000: their white is another/);
    expect((await read('light.npy')).most).toBe(Math.fround(5000 / 65_535));
    expect((await read('dark.npy')).most).toBe(200);
    // Floats of another range have no white.
    await expect(
      readLooseImages([join(folder, 'light.npy')], [1, 2, 2], { range: [0, 4095] }),
    ).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringMatching(/whole numbers up to 5000, expected floats from 0 to 4095/),
    });
    const dataset = await loadDataset(join(folder, 'own.npz'), whole);
    const { images } = await readLabelledImages(join(folder, 'theirs.npz'), dataset);
    expect(images[3]).toBe(Math.fround(200 / 4095));
  });
});

describe('images of four channels', () => {
  const count = 6;
  /** `[count, 2, 2, 4]`, every kind of opacity among them. */
  const values = Array.from({ length: 16 * count }, (_, i) =>
    i % 4 === 3 ? [255, 0, 51, 204][Math.floor(i / 4) % 4] : (i * 29) % 256,
  );
  /** `[count, channels, 2, 2]` of them by `of`, a pixel's red, green, blue and opacity. */
  const planes = (channels: number, of: (pixel: readonly number[], c: number) => number) =>
    Array.from({ length: count * channels * 4 }, (_, at) => {
      const image = Math.floor(at / (4 * channels));
      const first = 4 * (4 * image + (at % 4));
      return of(values.slice(first, first + 4), Math.floor(at / 4) % channels);
    });
  const laidOn = (colour: readonly number[]) =>
    planes(3, (pixel, c) => (pixel[c] * pixel[3] + colour[c] * (255 - pixel[3])) / 255);
  const rounded = (exact: readonly number[]) => Uint8Array.from(exact, Math.round);
  const first = planes(4, (pixel, c) => pixel[c]);
  const npz = async (shape: number[], all: readonly number[], dtype?: 'u2' | 'f4') =>
    join(
      await made.write({ 'x.npz': zip({ 'x.npy': npy(shape, all, dtype), 'y.npy': labels(count) }) }),
      'x.npz',
    );
  const last = () => npz([count, 2, 2, 4], values);

  test('are laid on white, wherever the colours are, and that is said once', async () => {
    for (const path of [await last(), await npz([count, 4, 2, 2], first)]) {
      const { imageShape, train, notes, background } = await loadDataset(path, whole);
      expect(imageShape).toEqual([3, 2, 2]);
      expect(train.images).toEqual(rounded(laidOn([255, 255, 255])));
      expect(background).toBeUndefined();
      expect(notes?.filter((note) => note.includes('opacity'))).toEqual([
        'its four channels were taken as red, green, blue and opacity, and laid on white; --background says otherwise, --channels 4 keeps them',
      ]);
    }
  });

  test('are laid on what is asked for, as floats and as 16 bits too', async () => {
    const background = '#80ff00';
    const exact = laidOn([128, 255, 0]);
    const { train, ...data } = await loadDataset(await last(), { ...whole, background });
    expect(train.images).toEqual(rounded(exact));
    expect(data.background).toBe(background);
    const parts = values.map((value) => value / 255);
    const wide = values.map((value) => 257 * value);
    for (const path of [await npz([count, 2, 2, 4], parts, 'f4'), await npz([count, 2, 2, 4], wide, 'u2')]) {
      const { images } = (await loadDataset(path, { ...whole, background })).train;
      expect(images).toHaveLength(exact.length);
      for (const [i, value] of exact.entries()) expect(images[i]).toBeCloseTo(value / 255, 6);
    }
    // Bytes that were stored as floats.
    const asFloats = await npz([count, 2, 2, 4], values, 'f4');
    expect((await loadDataset(asFloats, { ...whole, background })).train.images).toEqual(rounded(exact));
  });

  test('stay as they are where that is asked for', async () => {
    const { imageShape, train, notes } = await loadDataset(await last(), { ...whole, channels: 4 });
    expect(imageShape).toEqual([4, 2, 2]);
    expect(train.images).toEqual(Uint8Array.from(first));
    expect(notes?.join() ?? '').not.toMatch(/opacity/);
    // Four rows are no four channels.
    const rows = await npz(
      [count, 4, 4, 3],
      Array.from({ length: 48 * count }, (_, i) => i % 256),
    );
    await expect(loadDataset(rows, { ...whole, channels: 4 })).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringMatching(/^channels is given, but .* says it by its shape/),
    });
  });

  test('that can be no colours are refused, with what keeps them', async () => {
    const path = await npz(
      [count, 2, 2, 4],
      values.map((value) => value - 7.5),
      'f4',
    );
    await expect(loadDataset(path, whole)).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringMatching(/four channels of floats from -7\.5 to .*--channels 4/),
    });
    expect((await loadDataset(path, { ...whole, channels: 4 })).imageShape).toEqual([4, 2, 2]);
  });

  test('are found beside colours four pixels wide, and in safetensors', async () => {
    const pixels = Array.from({ length: 48 * count }, (_, i) => (i * 29) % 256);
    const { imageShape } = await loadDataset(await npz([count, 4, 4, 3], pixels), whole);
    expect(imageShape).toEqual([3, 4, 4]);
    const tensors = {
      images: { shape: [count, 4, 2, 2], data: Uint8Array.from(first) },
      labels: { shape: [count], data: Uint8Array.from({ length: count }, (_, i) => i % 2) },
    };
    const folder = await made.write({ 'x.safetensors': encodeSafetensors(tensors, {}) });
    expect((await loadDataset(join(folder, 'x.safetensors'), whole)).imageShape).toEqual([3, 2, 2]);
  });

  test('are laid on what those were that a network learned from', async () => {
    const folder = await made.write({
      'one.npy': npy([2, 2, 4], values.slice(0, 16)),
      'many.npy': npy([count, 2, 2, 4], values),
    });
    const read = (name: string, shape: [number, number, number]) =>
      readLooseImages([join(folder, name)], shape, { background: 'black' });
    const exact = rounded(laidOn([0, 0, 0]));
    expect((await read('many.npy', [3, 2, 2])).found[0].images).toEqual(exact);
    expect((await read('one.npy', [3, 2, 2])).found[0].images).toEqual(exact.subarray(0, 12));
    expect((await read('many.npy', [4, 2, 2])).found[0].images).toEqual(Uint8Array.from(first));
    const colours = join(await made.write({ 'x.npy': npy([2, 2, 2, 3], values.slice(0, 24)) }), 'x.npy');
    await expect(readLooseImages([colours], [4, 2, 2])).rejects.toMatchObject({ code: 'ERR_SHAPE' });
    const faint = npy([1, 2, 2, 4], Array(16).fill(0.5), 'f4');
    const path = join(await made.write({ 'x.npy': faint }), 'x.npy');
    const { found } = await readLooseImages([path], [3, 2, 2], { background: 'WHITE' });
    expect(found[0].images).toEqual(new Float32Array(12).fill(0.75));
  });
});
