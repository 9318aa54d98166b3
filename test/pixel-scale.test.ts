/** What pixels are: bytes, 0 to 1, 16 bits or floats of another range, when they are read and wherever they are used later. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readLabelledImages } from '../src/data/labelled-images.js';
import { readLooseImages } from '../src/data/loose-images.js';
import { normalisationOf } from '../src/data/normalisation.js';
import { pixelsText } from '../src/data/pixel-scale.js';
import {
  type Dataset,
  type Device,
  datasetFromArrays,
  decodeArtefact,
  decodeModel,
  distillToFolder,
  encodeModel,
  exportOnnx,
  fineTune,
  inspectDataset,
  loadDataset,
  openDevice,
  predict,
  reportHtml,
  setOfImages,
  trainNetworks,
  trainOn,
} from '../src/index.js';
import { npy, zip } from './harness/data-files.js';
import { madeFolders } from './harness/folders.js';
import { shortRun } from './harness/made-data.js';
import { readPage, sectionOf, textOf } from './harness/page.js';

const made = madeFolders('scale');
let device: Device;
beforeAll(async () => {
  device = await openDevice('reference');
});
afterAll(() => device.dispose());

/** A picture of 4x4 whose largest value is `most`. */
const deep = (most: number, i = 0) =>
  sharp(
    Uint16Array.from({ length: 16 }, (_, at) =>
      at === 0 ? most : Math.floor((most * ((at + i) % 16)) / 17),
    ),
    { raw: { width: 4, height: 4, channels: 1 } },
  )
    .toColourspace('grey16')
    .png()
    .toBuffer();
const flat = (value: number) =>
  sharp(new Uint8Array(16).fill(value), { raw: { width: 4, height: 4, channels: 1 } })
    .png()
    .toBuffer();

describe('images of 16 bits', () => {
  let folder: string;
  let data: Dataset;
  beforeAll(async () => {
    const files: Record<string, Uint8Array> = { 'flat.png': await flat(51), 'white.png': await deep(60_000) };
    for (let i = 0; i < 12; i++) {
      files[`set/train/dark/${i}.png`] = await deep(500, i);
      files[`set/train/light/${i}.png`] = await deep(4000, i);
    }
    folder = await made.write(files);
    data = await loadDataset(`${folder}/set`);
  });

  test('are divided alike alone and beside others, by what the data set was', async () => {
    expect(data.divisor).toBe(4095);
    const { divisor } = normalisationOf(data);
    const read = (...names: string[]) =>
      readLooseImages(
        names.map((name) => `${folder}/${name}`),
        [1, 4, 4],
        { divisor },
      );
    const alone = await read('set/train/dark/0.png');
    const both = await read('set/train/dark/0.png', 'set/train/light/0.png');
    expect(alone.found[0].images[0]).toBeCloseTo(500 / 4095, 6);
    expect(both.found[0].images[0]).toBe(alone.found[0].images[0]);
    expect(alone.notes).toContain('16-bit images: their values were divided by 4095');
    // Bytes beside them stay parts of 255, and what reaches beyond is said.
    const mixed = await read('flat.png', 'white.png');
    const values = mixed.found.flatMap(({ images }) => [...images]);
    expect(values[0]).toBeCloseTo(0.2, 6);
    expect(values[16]).toBeCloseTo(60_000 / 4095, 4);
    expect(mixed.notes.join()).toMatch(/divided by 4095, beyond which they reach, to 60000/);
    // Where the data set had none, the format says what white is.
    const plain = await readLooseImages([`${folder}/set/train/dark/0.png`], [1, 4, 4]);
    expect(plain.found[0].images[0]).toBeCloseTo(500 / 65_535, 6);
  });

  test('keep it in a network, in a set and in the folder of somebody else', async () => {
    const { model } = await trainNetworks(device, data, { network: 'mlp:width=2', epochs: 1, batch: 8 });
    expect(decodeModel(encodeModel(model)).normalisation.divisor).toBe(4095);
    const run = join(folder, 'run');
    const { record } = await distillToFolder(device, data, run, { ...shortRun, network: 'mlp:width=2' });
    expect(record.dataset.divisor).toBe(4095);
    const artefact = decodeArtefact(readFileSync(join(run, 'distilled.safetensors')));
    expect((await trainOn(device, artefact)).model.normalisation.divisor).toBe(4095);
    const theirs: Record<string, Uint8Array> = {
      'dark/a.png': await deep(500),
      'light/a.png': await deep(900),
    };
    const { images } = await readLabelledImages(await made.write(theirs), data);
    expect(images[0]).toBeCloseTo(500 / 4095, 6);
  });
});

describe('arrays', () => {
  const labels = (count: number) =>
    npy(
      [count],
      Array.from({ length: count }, (_, i) => i % 2),
    );
  const npz = async (train: number[], test: number[], dtype: 'f4' | 'f8' = 'f4') => {
    const [m, n] = [train.length / 4, test.length / 4];
    const folder = await made.write({
      'set.npz': zip({
        'x_train.npy': npy([m, 2, 2], train, dtype),
        'y_train.npy': labels(m),
        'x_test.npy': npy([n, 2, 2], test, dtype),
        'y_test.npy': labels(n),
      }),
    });
    return loadDataset(`${folder}/set.npz`);
  };
  const whole = (count: number, most = 210) =>
    Array.from({ length: 4 * count }, (_, i) => (i * 37) % (most + 1));

  test('of floats that are whole up to 255 are bytes, in all splits or in none', async () => {
    for (const dtype of ['f4', 'f8'] as const) {
      const { train, test: tested, notes } = await npz(whole(20), [0, 0, 1, 1], dtype);
      expect(train.images).toBeInstanceOf(Uint8Array);
      expect(tested.images).toEqual(Uint8Array.of(0, 0, 1, 1));
      expect(notes).toContain('its floats are whole numbers from 0 to 255 and were taken as bytes');
    }
    for (const [train, tested] of [
      [whole(20), [0.5, 1, 2, 3]],
      [whole(20, 1), [0, 1, 1, 0]],
      [whole(20), [0, 1, 2, 256]],
    ])
      expect((await npz(train, tested)).train.images).toBeInstanceOf(Float32Array);
  });

  test('of two scales in two splits are refused', async () => {
    const parts = [0, 0.25, 0.5, 1];
    await expect(npz(whole(20), parts)).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringMatching(
        /pixels of its train split reach 210 and those of its test split 1, expected one scale/,
      ),
    });
    const small = Array.from({ length: 80 }, (_, i) => ((i * 37) % 211) / 210);
    await expect(npz(small, [0, 37, 74, 111])).rejects.toThrow(
      /its test split reach 111 and those of its train split 1/,
    );
    expect((await npz(small, parts)).test.images).toHaveLength(4);
  });

  test('of true and false are white and black', async () => {
    const truths = Array.from({ length: 80 }, (_, i) => Number(i % 3 === 0));
    const asBool = Buffer.from(npy([20, 2, 2], truths));
    asBool.write('|b1', asBool.indexOf('|u1'));
    const header = JSON.stringify({
      x_train: { dtype: 'BOOL', shape: [20, 2, 2], data_offsets: [0, 80] },
      y_train: { dtype: 'U8', shape: [20], data_offsets: [80, 100] },
    });
    const length = Buffer.alloc(8);
    length.writeUInt32LE(header.length);
    const classes = Uint8Array.from({ length: 20 }, (_, i) => i % 2);
    const folder = await made.write({
      'set.npz': zip({ 'x_train.npy': asBool, 'y_train.npy': labels(20) }),
      'set.safetensors': Buffer.concat([length, Buffer.from(header), Uint8Array.from(truths), classes]),
    });
    for (const name of ['set.npz', 'set.safetensors']) {
      const { train, notes } = await loadDataset(`${folder}/${name}`, { test: 0, validation: 0 });
      expect(train.images).toEqual(Uint8Array.from(truths, (one) => 255 * one));
      expect(notes?.join()).toMatch(/x_train: true and false were taken as the bytes 255 and 0/);
    }
  });

  test('asked about are bytes where they are, and where they leave 0 to 1 that is said', async () => {
    const folder = await made.write({
      'whole.npy': npy([1, 2, 2], [0, 7, 210, 9], 'f4'),
      'odd.npy': npy([1, 2, 2], [0, 7.5, 210, 9], 'f4'),
      'part.npy': npy([1, 2, 2], [0, 0.5, 1, 1], 'f4'),
    });
    const read = (name: string, range?: [number, number]) =>
      readLooseImages([`${folder}/${name}`], [1, 2, 2], { range });
    expect((await read('whole.npy')).found[0].images).toEqual(Uint8Array.of(0, 7, 210, 9));
    expect((await read('whole.npy')).notes.join()).toMatch(/whole\.npy: its floats are whole/);
    expect((await read('odd.npy')).notes.join()).toMatch(
      /floats from 0 to 210, where training images had pixels in 0\.\.1/,
    );
    expect((await read('part.npy')).notes).toEqual([]);
    const own = await read('whole.npy', [0, 210.5]);
    expect(own.found[0].images).toBeInstanceOf(Float32Array);
    expect(own.notes).toEqual([]);
  });

  test('and files are answered in the order in which they are named', async () => {
    const folder = await made.write({
      'a.npy': npy([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]),
      'b.png': await flat(9),
      'c/d.png': await flat(11),
      'c/e.png': Uint8Array.of(1, 2, 3),
      'f.png': await flat(13),
    });
    const names = ['b.png', 'a.npy', 'c', 'f.png', 'a.npy'].map((name) => `${folder}/${name}`);
    const { found } = await readLooseImages(names, [1, 2, 2], { badImages: 'skip' });
    const short = found.map((one) => one.names.map((name) => name.slice(folder.length + 1)));
    const array = ['a.npy[0]', 'a.npy[1]'];
    expect(short).toEqual([['b.png'], array, ['c/d.png'], ['f.png'], array]);
    expect(found.map(({ images }) => images[0])).toEqual([9, 1, 11, 13, 1]);
  });
});

describe('floats that leave 0 to 1', () => {
  const images = Float32Array.from({ length: 4 * 200 }, (_, i) => ((i * 7) % 11) / 5 - 1);
  const labels = Array.from({ length: 200 }, (_, i) => i % 2);
  const split = { images, labels };
  const data = datasetFromArrays({ imageShape: [1, 2, 2], train: split, validation: split, test: split });
  const bytes = new Uint8Array(8);

  test('are warned of, and so are bytes that are none', () => {
    const { warnings } = inspectDataset(data);
    expect(warnings[0]).toMatch(/its pixels are floats from -1 to 1, not in 0\.\.1: .* no image files/);
    const faint = { images: Uint8Array.from(images, (value) => Number(value > 0)), labels };
    const other = datasetFromArrays({ imageShape: [1, 2, 2], train: faint });
    expect(inspectDataset(other).warnings[0]).toMatch(/none of its bytes is above 1, where white is 255/);
  });

  test('make networks that refuse bytes, and say what they take', async () => {
    const { model } = await trainNetworks(device, data, { network: 'mlp:width=2', epochs: 1, batch: 8 });
    const { normalisation } = decodeModel(encodeModel(model));
    expect(normalisation.range).toEqual([-1, 1]);
    const message = /images are bytes, expected floats from -1 to 1 as the training images are/;
    await expect(predict(device, model, bytes)).rejects.toThrow(message);
    await expect(fineTune(device, model, { images: bytes, labels: [0, 1] })).rejects.toThrow(message);
    expect(() => setOfImages(data, { images: bytes, labels: [0, 1] })).toThrow(message);
    await predict(device, model, images.subarray(0, 8));
    expect(pixelsText(normalisation)).toBe('floats from -1 to 1');
    expect(Buffer.from(exportOnnx(model)).includes('floats from -1 to 1')).toBe(true);
    // Pixels of that range are normalised, as bytes and 0 to 1 are elsewhere.
    const mean = (set: { images: Float32Array }) => set.images.reduce((sum, one) => sum + one, 0);
    const set = setOfImages(data, { images: images.slice(0, 8), labels: [0, 1] });
    const pixels = setOfImages(data, { images: images.slice(0, 8), labels: [0, 1] }, { values: 'pixels' });
    expect(mean(set)).toBe(mean(pixels));
  });

  test('have a page that says their range', async () => {
    const folder = await made.write({});
    const { record, set } = await distillToFolder(device, data, join(folder, 'run'), shortRun);
    const page = readPage(reportHtml(record, set));
    expect(textOf(sectionOf(page, 'Use it'))).toMatch(/of floats from -1 to 1; labels/);
    const shown = textOf(sectionOf(page, 'The images'));
    expect(shown).toContain(
      'Pixels of real images go from -1 to 1; those of distilled images have a range of their own',
    );
    expect(shown).not.toContain('in grey instead');
  });
});
