import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { byName } from '../src/data/class-names.js';
import { decodeImages, imageFile } from '../src/data/image-files.js';
import { loadImageFolder } from '../src/data/image-folder.js';
import { loadDataset } from '../src/data/load.js';
import { LimbeckError } from '../src/util/errors.js';
import { Stream } from '../src/util/random.js';
import { madeFolders } from './harness/folders.js';

const { write } = madeFolders('images');

/** Interleaved pixels of one image. */
const picture = (width: number, height: number, channels: 1 | 3 | 4, value: (i: number) => number) =>
  sharp(
    Uint8Array.from({ length: width * height * channels }, (_, i) => value(i)),
    { raw: { width, height, channels } },
  );
const grey = (level: number, width = 3, height = 2) => picture(width, height, 1, (i) => level + i);
const colour = (level: number, width = 3, height = 2) => picture(width, height, 3, (i) => level + i);

/** `count` grey images of classes a and b, `level` telling which is which. */
async function set(count: number, prefix = ''): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for (let i = 0; i < count; i++)
    files[`${prefix}${i % 2 ? 'b' : 'a'}/${i}.png`] = await grey(i).png().toBuffer();
  return files;
}

describe('a folder of images', () => {
  test('train and test: classes and files in the order of their names, numbers as numbers', async () => {
    const folder = await write({
      'train/class 10/1.png': await colour(40).png().toBuffer(),
      'train/class 2/10.png': await colour(30).png().toBuffer(),
      'train/class 2/9.WEBP': await colour(20).webp({ lossless: true }).toBuffer(),
      'test/class 10/x.png': await colour(50).png().toBuffer(),
      'val/class 2/y.png': await colour(60).png().toBuffer(),
      'train/.hidden': 'ignored',
      'train/class 2/Thumbs.db': 'ignored',
    });
    const data = await loadDataset(folder);
    expect(data).toMatchObject({ imageShape: [3, 2, 3], classes: 2, classNames: ['class 2', 'class 10'] });
    const planes = (level: number) =>
      [0, 1, 2].flatMap((channel) => [0, 1, 2, 3, 4, 5].map((pixel) => level + 3 * pixel + channel));
    expect([...data.train.images]).toEqual([20, 30, 40].flatMap(planes));
    expect([...data.train.labels]).toEqual([0, 0, 1]);
    expect([...data.validation.images]).toEqual(planes(60));
    expect([...data.test.images]).toEqual(planes(50));
    expect([...data.test.labels]).toEqual([1]);
    expect(data.notes).toEqual([
      'classes that are not in every split: class 2 (no test), class 10 (no validation)',
    ]);
  });

  test('without train and test: both splits are held out, the same every time, and it is said', async () => {
    const folder = await write(await set(40));
    const data = await loadDataset(folder, { name: 'mine' });
    expect([data.train.count, data.validation.count, data.test.count]).toEqual([29, 3, 8]);
    expect(data.notes).toEqual([
      expect.stringMatching(/held out.*8 images for test, 3 images for validation/),
    ]);
    expect(data).toMatchObject({ name: 'mine', imageShape: [1, 2, 3], classNames: ['a', 'b'] });
    const which = ['train', 'validation', 'test'] as const;
    const levels = which.flatMap((part) =>
      Array.from({ length: data[part].count }, (_, i) => data[part].images[6 * i]),
    );
    expect([...levels].sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
    which.forEach((part) => {
      data[part].labels.forEach((label, i) => {
        expect(label).toBe(data[part].images[6 * i] % 2);
      });
    });
    expect((await loadImageFolder(folder)).test.images).toEqual(data.test.images);
  });

  test('grey and colour: the content decides, or the option', async () => {
    const files = { 'a/1.png': await grey(10).png().toBuffer(), 'b/1.png': await grey(99).png().toBuffer() };
    const other = {
      ...files,
      'b/2.png': await picture(3, 2, 3, () => 0)
        .composite([
          { input: { create: { width: 1, height: 1, channels: 3, background: '#ff0000' } }, top: 0, left: 0 },
        ])
        .png()
        .toBuffer(),
    };
    const shape = async (content: Record<string, Uint8Array>, channels?: number) =>
      (await loadImageFolder(await write(content), { channels })).imageShape[0];
    expect(await shape(files)).toBe(1);
    expect(await shape(files, 3)).toBe(3);
    expect(await shape(other)).toBe(3);
    expect(await shape(other, 1)).toBe(1);
    const path = join(await write(other), 'b/2.png');
    expect([...(await decodeImages([imageFile(path)], { channels: 1 })).data]).toEqual([76, 0, 0, 0, 0, 0]);
  });

  test('sixteen bits, palettes, transparency and EXIF orientation', async () => {
    const folder = await write({
      'sixteen.png': await grey(10).toColourspace('grey16').png().toBuffer(),
      'palette.png': await grey(10).png({ palette: true }).toBuffer(),
      'alpha.png': await picture(3, 2, 4, (i) => (i % 4 === 3 ? 128 : 10 + Math.floor(i / 4)))
        .png()
        .toBuffer(),
    });
    for (const name of ['sixteen.png', 'palette.png'])
      expect([...(await decodeImages([imageFile(join(folder, name))])).data], name).toEqual([
        10, 11, 12, 13, 14, 15,
      ]);
    const on = async (background?: string) =>
      (await decodeImages([imageFile(join(folder, 'alpha.png'))], { background })).data;
    const laid = (behind: number) =>
      [10, 11, 12, 13, 14, 15].map((value) => Math.round((value * 128 + behind * 127) / 255));
    expect([...(await on())]).toEqual(laid(255));
    expect([...(await on('black'))]).toEqual(laid(0));
    expect([...(await on('#ff0000'))]).toEqual([...laid(255), ...laid(0), ...laid(0)]);
    const turned = await write({
      'x.png': await grey(10).withMetadata({ orientation: 6 }).png().toBuffer(),
    });
    const image = await decodeImages([imageFile(join(turned, 'x.png'))]);
    expect([image.imageShape, [...image.data]]).toEqual([
      [1, 3, 2],
      [13, 10, 14, 11, 15, 12],
    ]);
  });

  test('black drawings on transparent ground are seen, on white, and it is said once', async () => {
    const files: Record<string, Uint8Array> = {};
    for (let i = 0; i < 12; i++)
      files[`${i % 2 ? 'l' : 'o'}/${i}.png`] = await picture(4, 4, 4, (at) =>
        at % 4 === 3 && (at >> 2) % 4 === i % 3 ? 255 : 0,
      )
        .png()
        .toBuffer();
    const folder = await write(files);
    const data = await loadDataset(folder);
    expect([data.imageShape[0], new Set(data.train.images)]).toEqual([1, new Set([0, 255])]);
    expect(data.notes).toContainEqual(
      '12 images with transparent pixels, laid on white; --background says otherwise',
    );
    await expect(loadDataset(folder, { background: 'black' })).rejects.toThrow(
      /every training image is the same in every pixel \(0\)/,
    );
    await expect(loadDataset(folder, { background: 'pink' })).rejects.toThrow(
      /background is "pink", expected white, black or a colour such as #80ff00/,
    );
  });

  test('sixteen bits are read in full depth, their range said, bytes beside them brought to it', async () => {
    const deep = (values: number[]) =>
      sharp(Uint16Array.from(values), { raw: { width: 3, height: 2, channels: 1, depth: 'ushort' } } as never)
        .toColourspace('grey16')
        .png({ compressionLevel: 0 })
        .toBuffer();
    const values = [0, 1, 2, 1000, 4000, 4095];
    const folder = await write({
      'a/1.png': await deep(values),
      'b/1.png': await deep([...values].reverse()),
    });
    const data = await loadDataset(folder);
    expect(data.imageShape).toEqual([1, 2, 3]);
    expect(data.train.images).toEqual(
      Float32Array.from([...values, ...[...values].reverse()], (value) => value / 4095),
    );
    expect(data.notes).toContainEqual(
      '16-bit images: their values reach from 0 to 4095 and were divided by 4095, to 0..1',
    );
    const mixed = await write({ 'a/1.png': await deep(values), 'b/1.png': await grey(100).png().toBuffer() });
    const both = [...values, ...[100, 101, 102, 103, 104, 105].map((value) => 257 * value)];
    expect((await loadDataset(mixed)).train.images).toEqual(
      Float32Array.from(both, (value) => value / 32_767),
    );
  });

  test('of several sizes are brought to one, and it is said; or to the size that is given', async () => {
    const files = {
      'a/1.png': await grey(10).png().toBuffer(),
      'b/1.png': await grey(10, 8, 6).png().toBuffer(),
    };
    const usual = await loadDataset(await write(files));
    expect(usual.imageShape).toEqual([1, 32, 32]);
    expect(usual.notes).toContainEqual(
      expect.stringMatching(
        /differ in size and are brought to 32x32, where wider and taller ones are cut at both ends; --image-size/,
      ),
    );
    const data = await loadDataset(await write(files), { imageSize: [4, 5] });
    expect(data.imageShape).toEqual([1, 4, 5]);
    expect(data.notes).not.toContainEqual(expect.stringMatching(/differ in size/));
  });

  test('one broken among many is left out, counted and named; more only when told', async () => {
    const files = await set(60);
    const one = await loadDataset(await write({ ...files, 'a/broken.png': 'no image' }));
    expect(one.train.count + one.validation.count + one.test.count).toBe(60);
    expect(one.notes).toContainEqual(
      expect.stringMatching(/^1 image of 61 cannot be decoded and was left out: .*broken\.png: /),
    );
    await expect(
      loadDataset(await write({ ...files, 'a/broken.png': 'no image' }), { badImages: 'refuse' }),
    ).rejects.toThrow(/broken\.png.*--bad-images skip/);
    const bad = Object.fromEntries([...'1234567'].map((i) => [`b/bad${i}.jpg`, '']));
    const folder = await write({ ...files, ...bad });
    await expect(loadDataset(folder)).rejects.toMatchObject({ code: 'ERR_DATA' });
    const left = await loadDataset(folder, { badImages: 'skip' });
    expect(left.train.count + left.validation.count + left.test.count).toBe(60);
    expect(left.notes).toContainEqual(expect.stringMatching(/^7 images of 67 .*bad5\.jpg.*; and 2 more$/));
    const levels = [left.train, left.validation, left.test].flatMap(({ images, labels }) =>
      Array.from(labels, (label, i) => [images[6 * i] % 2, label]),
    );
    for (const [level, label] of levels) expect(level).toBe(label);
  });

  test('what archives, file managers and people leave beside images is no image', async () => {
    const data = await loadDataset(
      await write({
        ...(await set(12)),
        '__MACOSX/a/._1.png': 'x',
        'a/._1.png': 'x',
        'a/Thumbs.db': 'x',
        'b/notes.txt': 'hello',
        '.DS_Store': 'x',
      }),
    );
    expect(data).toMatchObject({ classNames: ['a', 'b'] });
    expect(data.train.count + data.validation.count + data.test.count).toBe(12);
    expect(data.notes).toContainEqual(
      expect.stringMatching(/^a file that is no image left out: .*notes\.txt$/),
    );
  });

  test('folders of one class in two spellings', async () => {
    const files: Record<string, Uint8Array> = {};
    for (const [i, name] of [
      'train/caf\u00e9',
      'train/cafe\u0301',
      'train/dog',
      'test/Dog',
      'test/dog',
    ].entries())
      files[`${name}/${i}.png`] = await grey(i).png().toBuffer();
    const data = await loadDataset(await write(files), { validation: 0 });
    expect(data.classNames).toEqual(['caf\u00e9', 'dog']);
    expect([[...data.train.labels].sort(), [...data.test.labels]]).toEqual([
      [0, 0, 1],
      [1, 1],
    ]);
    expect(data.notes).toContainEqual(
      expect.stringMatching(/spelt in several ways.*63 61 66 c3 a9.*Dog and dog/),
    );
  });

  test('val beside validation: one is taken, and it is said', async () => {
    const files = {
      ...(await set(4, 'train/')),
      ...(await set(4, 'val/')),
      ...(await set(6, 'validation/')),
    };
    const data = await loadDataset(await write(files), { test: 0 });
    expect(data.validation.count).toBe(6);
    expect(data.notes).toContainEqual('validation was taken for validation; left out: val');
  });

  test('train, test and a folder called meta are no CIFAR-100', async () => {
    const files = { ...(await set(4, 'train/')), ...(await set(4, 'test/')), 'meta/about.txt': 'x' };
    const data = await loadDataset(await write(files), { validation: 0 });
    expect([data.classNames, data.test.count]).toEqual([['a', 'b'], 4]);
  });

  test('tells how far it is', async () => {
    const seen: number[] = [];
    await loadImageFolder(await write(await set(12)), { onProgress: ({ done }) => seen.push(done) });
    expect(seen.at(-1)).toBe(12);
  });

  test.each<[string, () => Promise<Record<string, Uint8Array | string>>, string, RegExp]>([
    [
      'broken images, naming five',
      async () => ({
        ...(await set(4)),
        ...Object.fromEntries([1, 2, 3, 4, 5, 6].map((i) => [`a/bad${i}.jpg`, 'no image'])),
      }),
      'ERR_DATA',
      /bad1.jpg.*bad2.jpg.*bad3.jpg.*bad4.jpg.*bad5.jpg.*there may be more/,
    ],
    [
      'a format that is not decoded here',
      async () => ({ ...(await set(4)), 'a/old.ppm': 'P6' }),
      'ERR_DATA',
      /old\.ppm: not JPEG, PNG, WebP, GIF, TIFF, AVIF or BMP: convert it\. .*--bad-images skip/,
    ],
    [
      'a class without images',
      async () => ({ ...(await set(4)), 'c/.keep': '' }),
      'ERR_DATA',
      /c holds no images/,
    ],
    ['an empty file', async () => ({ ...(await set(4)), 'b/empty.png': '' }), 'ERR_DATA', /empty\.png/],
    [
      'a folder in the folder of a class',
      async () => ({ ...(await set(4)), 'b/more/x.png': 'x' }),
      'ERR_DATA',
      /more is a folder, expected only images/,
    ],
    [
      'images beside the classes',
      async () => ({ ...(await set(4, 'train/')), 'train/x.png': 'x' }),
      'ERR_DATA',
      /x\.png lies beside/,
    ],
    [
      'one class only',
      async () => ({ 'a/1.png': await grey(1).png().toBuffer() }),
      'ERR_DATA',
      /1 class folders/,
    ],
    [
      'a class only the test has',
      async () => ({
        ...(await set(4, 'train/')),
        'test/c/1.png': await grey(1).png().toBuffer(),
      }),
      'ERR_DATA',
      /class c has no training image; there are a, b, c: add some .*(?<!--classes\)\.)$/,
    ],
  ])('refuses %s', async (_what, files, code, message) => {
    await expect(loadDataset(await write(await files()))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  test('refuses impossible options', async () => {
    const folder = await write(await set(4));
    for (const options of [{ channels: 2 }, { imageSize: [0, 3] as const }, { classes: 2 }])
      await expect(loadDataset(folder, options)).rejects.toMatchObject({ code: 'ERR_OPTION' });
  });

  test('cut or damaged files decode or are refused by name', async () => {
    const random = new Stream(3, 17);
    const noise = () => picture(16, 16, 3, (i) => random.u32(i) & 255);
    const originals = [
      await noise().png().toBuffer(),
      await noise().jpeg().toBuffer(),
      await noise().webp().toBuffer(),
    ];
    const path = join(await write({ x: '' }), 'x');
    let refused = 0;
    for (let draw = 0; draw < 300; draw++) {
      const bytes = new Uint8Array(originals[draw % 3]);
      for (let flip = 0; flip < 3; flip++)
        bytes[random.u32(9000 + 8 * draw + flip) % bytes.length] ^= 1 << (draw & 7);
      const length =
        draw % 5 === 0 ? random.u32(20_000 + draw) % bytes.length : bytes.length + (draw % 7 ? 0 : 9);
      await writeFile(
        path,
        length > bytes.length ? Buffer.concat([bytes, bytes.slice(0, 9)]) : bytes.subarray(0, length),
      );
      try {
        const { imageShape, data } = await decodeImages([imageFile(path)], { imageSize: [16, 16] });
        expect(data.length).toBe(imageShape[0] * 256);
      } catch (error) {
        expect(error).toBeInstanceOf(LimbeckError);
        expect((error as Error).message).toContain(path);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(60);
  });
});

test('byName orders numbers by value, and everything else the same on every machine', () => {
  const names = [
    'b',
    '10',
    '2',
    'a10',
    'a9',
    'B',
    '02',
    'a',
    'é',
    '99999999999999999999',
    '100000000000000000000',
  ];
  expect([...names].sort(byName)).toEqual([
    '02',
    '2',
    '10',
    '99999999999999999999',
    '100000000000000000000',
    'B',
    'a',
    'a9',
    'a10',
    'b',
    'é',
  ]);
});
