/** Parquet as the Hugging Face hub stores image sets. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import type { Split } from '../src/data/dataset.js';
import { type LoadOptions, loadDataset } from '../src/data/load.js';
import { LimbeckError } from '../src/util/errors.js';
import { madeFolders } from './harness/folders.js';

const { write } = madeFolders('parquet');

async function load(files: Record<string, Uint8Array>, options: LoadOptions = {}, below = '') {
  return loadDataset(join(await write(files), below), { validation: 0, test: 0, ...options });
}

const info = (names: readonly string[], label = 'label') =>
  JSON.stringify({
    info: { features: { image: { _type: 'Image' }, [label]: { names, _type: 'ClassLabel' } } },
  });

/** Images `from`, `from` + 1, …, full of their number; even ones of class 0. */
async function shard(
  from: number,
  count: number,
  {
    names = ['cat', 'dog'] as readonly string[] | null,
    label = (i: number): unknown => BigInt(i % 2),
    labelType = 'INT64',
    codec = 'SNAPPY',
    content = (i: number): Promise<Uint8Array | null> =>
      sharp(new Uint8Array(6).fill(i), { raw: { width: 3, height: 2, channels: 1 } })
        .png()
        .toBuffer(),
  } = {},
): Promise<Uint8Array> {
  const numbers = Array.from({ length: count }, (_, i) => from + i);
  const pictures = await Promise.all(
    numbers.map(async (i) => ({ bytes: (await content(i)) as Uint8Array, path: `${i}.png` })),
  );
  const buffer = parquetWriteBuffer({
    columnData: [
      { name: 'image', data: pictures },
      { name: 'label', data: numbers.map(label) },
    ],
    schema: [
      { name: 'root', num_children: 2 },
      { name: 'image', num_children: 2, repetition_type: 'OPTIONAL' },
      { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
      { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
      {
        name: 'label',
        type: labelType === 'INT64' ? 'INT64' : 'BYTE_ARRAY',
        ...(labelType === 'INT64' ? {} : { converted_type: 'UTF8' as const }),
        repetition_type: 'OPTIONAL',
      },
    ],
    codec: codec as 'SNAPPY',
    compressors: { GZIP: (bytes: Uint8Array) => gzipSync(bytes) },
    rowGroupSize: 4,
    ...(names && { kvMetadata: [{ key: 'huggingface', value: info(names) }] }),
  });
  return new Uint8Array(buffer);
}
const check = ({ images, labels }: Split) => {
  for (const [i, label] of labels.entries()) expect(images[6 * i] % 2).toBe(label);
  return Array.from(labels, (_, i) => images[6 * i]);
};
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('image sets of the hub', () => {
  test.each([
    ['', ''],
    ['data/', ''],
  ])('shards in %s', async (folder) => {
    const data = await load(
      {
        [`${folder}train-00001-of-00002.parquet`]: await shard(10, 4),
        [`${folder}train-00000-of-00002.parquet`]: await shard(0, 10, { codec: 'GZIP' }),
        [`${folder}validation-00000-of-00001.parquet`]: await shard(40, 3),
        [`${folder}test-00000-of-00001.parquet`]: await shard(20, 5, { codec: 'UNCOMPRESSED' }),
        'README.md': new Uint8Array(0),
      },
      { validation: undefined, test: undefined },
    );
    expect(data).toMatchObject({ imageShape: [1, 2, 3], classNames: ['cat', 'dog'] });
    expect(check(data.train)).toEqual(upTo(14));
    expect(check(data.validation)).toEqual([40, 41, 42]);
    expect(check(data.test)).toEqual([20, 21, 22, 23, 24]);
    expect(data.notes).toBeUndefined();
  });

  test('a folder for each split, classes in words, one file', async () => {
    const words = { label: (i: number) => ['ant', 'bee'][i % 2], labelType: 'STRING', names: null };
    const split = await load({ 'train/0000.parquet': await shard(0, 6, words) });
    expect([split.classNames, check(split.train)]).toEqual([['ant', 'bee'], upTo(6)]);
    const one = await load({ 'some.parquet': await shard(0, 6, words) }, {}, 'some.parquet');
    expect([one.name, check(one.train)]).toEqual(['some', upTo(6)]);
  });

  test('files whose classes have other numbers are read by the names', async () => {
    const swapped = { names: ['dog', 'fox', 'cat'], label: (i: number) => BigInt(i % 2 ? 0 : 2) };
    const files = { 'train-0.parquet': await shard(0, 6), 'test-0.parquet': await shard(20, 4, swapped) };
    const data = await load(files, { test: undefined });
    expect([data.classNames, check(data.train), check(data.test)]).toEqual([
      ['cat', 'dog'],
      upTo(6),
      [20, 21, 22, 23],
    ]);
    const other = await shard(20, 4, { names: ['dog', 'fox'] });
    await expect(load({ ...files, 'test-0.parquet': other }, { test: undefined })).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringMatching(/test-0.parquet, row 2 is of class 1 \(fox\) .*expected .*: cat, dog;/),
    });
  });

  test('the names are those of the first file that has some, and a file may have none', async () => {
    const bare = await shard(0, 4, { names: null });
    const data = await load({ 'train-0.parquet': bare, 'train-1.parquet': await shard(4, 4) });
    expect([data.classNames, check(data.train)]).toEqual([['cat', 'dog'], upTo(8)]);
  });

  test('a class beyond the names is refused without an option that does not apply', async () => {
    const files = { 'train-0.parquet': await shard(0, 6, { label: (i) => BigInt(i % 3) }) };
    await expect(load(files)).rejects.toThrow(/label 2 is 2, expected 0 to 1; (?!.*--classes)/);
  });

  test('a split without classes is left out, and it is said', async () => {
    const data = await load({
      'train-0.parquet': await shard(0, 6),
      'test-0.parquet': await shard(0, 6, { label: () => -1n }),
    });
    expect(check(data.train)).toEqual(upTo(6));
    expect(data.notes).toContainEqual(
      expect.stringMatching(/the test split names no classes and is left out/),
    );
  });

  test.each<[string, () => Promise<Uint8Array>, LoadOptions, string, RegExp]>([
    [
      'a missing column',
      () => shard(0, 6),
      { labelColumn: 'breed' },
      'ERR_OPTION',
      /labelColumn is "breed", but .* has the columns image, label; name one/,
    ],
    [
      'rows without a class',
      () => shard(0, 6, { label: (i) => (i === 3 ? null : 1n) }),
      {},
      'ERR_DATA',
      /row 4 has no class/,
    ],
    [
      'paths instead of pictures',
      () => shard(0, 6, { content: async () => null }),
      {},
      'ERR_DATA',
      /row 1: it has the path of a picture/,
    ],
    [
      'too many classes',
      () => shard(0, 6, { label: (i) => BigInt(70_000 * i) }),
      {},
      'ERR_DATA',
      /number 70000, expected 0 to 4095/,
    ],
    [
      'what is no Parquet file',
      async () => new Uint8Array(100),
      {},
      'ERR_FILE_FORMAT',
      /not a readable Parquet file/,
    ],
  ])('%s is refused', async (_what, make, options, code, message) => {
    await expect(load({ 'train.parquet': await make() }, options)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  test('pictures that claim to be huge are refused as they are in files', async () => {
    const plain = (i: number) =>
      sharp(new Uint8Array(6).fill(i), { raw: { width: 3, height: 2, channels: 1 } })
        .png()
        .toBuffer();
    const black = (side: number) =>
      sharp({ create: { width: side, height: side, channels: 3, background: 'black' } })
        .png({ palette: true, compressionLevel: 9 })
        .toBuffer();
    const [most, beyond] = [await black(2048), await black(2050)];
    expect(16 * beyond.length).toBeLessThan(2048 ** 2);
    const options = { imageSize: [2, 3], badImages: 'refuse' } as const;
    const withOne = (bytes: Buffer) => shard(0, 60, { content: async (i) => (i === 7 ? bytes : plain(i)) });
    expect((await load({ 'train.parquet': await withOne(most) }, options)).train.count).toBe(60);
    const refused = load({ 'train.parquet': await withOne(beyond) }, options);
    await expect(refused).rejects.toMatchObject({ code: 'ERR_DATA' });
    await expect(refused).rejects.toThrow(/cannot be decoded: .*exceeds pixel limit/);
    await expect(load({ 'a/1.png': beyond, 'b/1.png': await plain(1) }, options)).rejects.toThrow(
      /cannot be decoded: .*exceeds pixel limit/,
    );
    // A header alone, of a size that no memory has.
    const claim = Buffer.from(await plain(1));
    claim.writeUInt32BE(60_000, 16);
    claim.writeUInt32BE(60_000, 20);
    claim.writeUInt32BE(crc32(claim.subarray(12, 29)), 29);
    await expect(load({ 'train.parquet': await withOne(claim) }, options)).rejects.toThrow(
      /cannot be decoded: .*exceeds pixel limit/,
    );
    // Each within its limit, all of them beyond what a file of this size may become.
    const many = shard(0, 40, { content: async () => most });
    await expect(load({ 'train.parquet': await many })).rejects.toThrow(
      /40 images of 2048x2048 pixels are too large/,
    );
  });

  test('cut files are refused', async () => {
    const whole = await shard(0, 6);
    const path = join(await write({ 'cut.parquet': whole }), 'cut.parquet');
    for (let length = 0; length < whole.length; length += 17) {
      await writeFile(path, whole.subarray(0, length));
      await expect(loadDataset(path), `${length} bytes`).rejects.toBeInstanceOf(LimbeckError);
    }
  });
});
