/** Small files that claim or unpack to far more: refused as too large, with the numbers, before the memory is taken. */
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { assembleDataset } from '../src/data/assemble.js';
import { loadDataset } from '../src/data/load.js';
import { parsePickle } from '../src/data/pickle.js';
import { arrayVocabulary } from '../src/data/pickle-arrays.js';
import { openTable, rowsOf } from '../src/data/table-text.js';
import { ThriftStruct } from '../src/data/thrift.js';
import { roomFor, unpack } from '../src/data/unpack.js';
import { openDevice, planDistillation } from '../src/index.js';
import { createNetwork, type NetworkOptions } from '../src/networks/index.js';
import { parseRecord } from '../src/runs/record-file.js';
import { decodeSafetensors } from '../src/util/safetensors.js';
import * as files from './harness/data-files.js';
import { madeFolders } from './harness/folders.js';
import { twoClasses } from './harness/made-data.js';
import { makeRecord } from './harness/record.js';

const folders = madeFolders('too-large');
const text = (value: string) => Buffer.from(value, 'latin1');
const MiB = 2 ** 20;
const zeros = new Uint8Array(9 * MiB);
const idx = (rows: number, data: Uint8Array, ...image: number[]) => {
  const header = Buffer.alloc(8 + 4 * image.length);
  header.set([0, 0, 8, 1 + image.length]);
  for (const [i, size] of [rows, ...image].entries()) header.writeUInt32BE(size, 4 + 4 * i);
  return Buffer.concat([header, data]);
};

test('a file may become 32 times as large, a small one 8 MiB', () => {
  expect([100, MiB, 2 ** 30].map(roomFor)).toEqual([8 * MiB, 32 * MiB, 2 ** 31 - 1]);
});

describe('too large, not damaged', () => {
  const images = files.npy([9, 1024, 1024], zeros);
  const mat = (count: number) => ({
    X: { shape: [32, 32, 3, count], data: zeros.subarray(0, count * 3072) },
    y: { shape: [count, 1], data: zeros.subarray(0, count) },
  });
  test.each<[string, string, Record<string, Uint8Array>]>([
    [
      'a gzipped IDX file',
      '',
      {
        'train-images-idx3-ubyte.gz': gzipSync(idx(9, zeros, 1024, 1024)),
        'train-labels-idx1-ubyte': idx(9, zeros.subarray(0, 9)),
        't10k-images-idx3-ubyte': idx(1, zeros.subarray(0, MiB), 1024, 1024),
        't10k-labels-idx1-ubyte': idx(1, zeros.subarray(0, 1)),
      },
    ],
    [
      'one array',
      'x.npz',
      { 'x.npz': files.zip({ 'images.npy': images, 'labels.npy': files.npy([9], new Uint8Array(9)) }) },
    ],
    [
      'two arrays together',
      'x.npz',
      {
        'x.npz': files.zip({
          'images.npy': files.npy([5, 1024, 1024], zeros.subarray(0, 5 * MiB)),
          'labels.npy': files.npy([5, MiB], zeros.subarray(0, 5 * MiB)),
        }),
      },
    ],
    ['a MATLAB file', '', { 'train_32x32.mat': files.mat(mat(3000)), 'test_32x32.mat': files.svhn(2) }],
    ['a file in an archive', 'x.tar.gz', { 'x.tar.gz': gzipSync(files.tar({ 'data_batch_1.bin': zeros })) }],
    ['a table', 'x.csv.gz', { 'x.csv.gz': gzipSync(text('1,1,1,1,1\n'.repeat(MiB))) }],
  ])('%s', async (_, name, content) => {
    const refused = loadDataset(join(await folders.write(content), name));
    await expect(refused).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringMatching(
        /is too large: .*\d MB come out of its compression, expected [38]\.\d MB at most .* without compression/,
      ),
    });
  });

  test.each<[string, Uint8Array]>([
    ['empty dictionaries', Buffer.concat([text('\x80\x02'), Buffer.alloc(MiB, '}'), text('.')])],
    [
      'one text encoded again and again',
      Buffer.concat([
        text('\x80\x02c_codecs\nencode\nq\x01X\0\0\x10\0'),
        Buffer.alloc(MiB, 'a'),
        text('q\x00'),
        Buffer.alloc(6 * 1000, 'h\x01h\x00\x85R', 'latin1'),
        text('.'),
      ]),
    ],
  ])('a pickle of %s', async (_, bytes) => {
    await expect(parsePickle(bytes, 'x', arrayVocabulary)).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringMatching(/x is too large: its objects take more than 4\d\.\d MB/),
    });
  });

  test.each([
    ['', ''],
    ['with quotes', '"a",1\n'],
  ])('a row of a table %s', async (_, before) => {
    const path = join(await folders.write({ 'x.csv': `${before}${'1,'.repeat(2.5 * MiB)}1\n` }), 'x.csv');
    await expect(loadDataset(path)).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringMatching(/line \d is too large, expected rows of at most 4\.2 MB/),
    });
  });

  test('a table of too many classes, a split of too many images', async () => {
    const rows = Array.from({ length: 70_000 }, (_, i) => `c${i},1\n`).join('');
    const path = join(await folders.write({ 'x.csv': rows }), 'x.csv');
    await expect(loadDataset(path)).rejects.toThrow(/more than 16,384 different labels.*--label-column/);
    const pixels = new Uint8Array(2 ** 22 + 1);
    const train = { images: pixels, labels: pixels, count: pixels.length };
    const found = { name: 'x', path: 'x', imageShape: [1, 1, 1] as const, classNames: ['a', 'b'], train };
    await expect(assembleDataset(found)).rejects.toThrow(
      /train split has 4,194,305 images, expected 4,194,304/,
    );
  });
});

test('a header of nothing but lists is refused before it is read', () => {
  const json = `{"a":[${'{},'.repeat(100_000)}1]}`;
  const length = Buffer.alloc(8);
  length.writeUInt32LE(json.length);
  const file = Buffer.concat([length, text(json)]);
  expect(() => decodeSafetensors(file)).toThrow(/100002 lists and objects in 300009 bytes/);
});

test('a list in a header of Parquet is no longer than its bytes', () => {
  // Field 1, a list of structs, 2^25 of them.
  const bytes = Uint8Array.of(0x19, 0xfc, 0x80, 0x80, 0x80, 0x10, 0, 0);
  expect(() => new ThriftStruct(bytes, 0)).toThrow(/promises a list of 33554432/);
  // Fields 1 and 5, the latter a struct with a field 1.
  const header = new ThriftStruct(Uint8Array.of(0x15, 4, 0x4c, 0x15, 7, 0, 0), 0);
  expect([[...header.numbers], header.end]).toEqual([
    [
      ['1', 2],
      ['5.1', -4],
    ],
    7,
  ]);
});

describe('other work goes on while', () => {
  /** How often other work could run meanwhile. */
  const turnsDuring = async (work: () => Promise<void>): Promise<number> => {
    let turns = 0;
    const turn = () => {
      turns++;
      next = setImmediate(turn);
    };
    let next = setImmediate(turn);
    await work();
    clearImmediate(next);
    return turns;
  };

  test('a file is unpacked', async () => {
    const bytes = gzipSync(zeros);
    const turns = await turnsDuring(async () => {
      const packed = { bytes, compression: 'gzip', path: 'x', kind: 'gzip file', most: 9 * MiB } as const;
      expect(Buffer.compare(await unpack(packed, () => 9 * MiB), zeros)).toBe(0);
    });
    expect(turns).toBeGreaterThan(10);
  });

  test('a table of many short rows is read', async () => {
    const table = await openTable(text('1,2\n'.repeat(100_000)), 'x.csv');
    let rows = 0;
    const turns = await turnsDuring(async () => {
      for await (const { cells } of rowsOf(table)) rows += cells.length / 2;
    });
    expect(rows).toBe(100_000);
    expect(turns).toBeGreaterThan(10);
  });
});

const nested = (levels: number): unknown[] => (levels ? [{ residual: nested(levels - 1) }] : ['relu']);

test('layers that lie 3,000 levels deep are refused where the fifth is', () => {
  const network = (levels: number) =>
    ({
      name: 'custom',
      inputShape: [1, 2, 2],
      classes: 2,
      layers: [...nested(levels), { linear: 2 }],
    }) as NetworkOptions;
  expect(createNetwork(network(4)).count).toBe(10);
  expect(() => createNetwork(network(3000))).toThrow(/more than 4 residual blocks/);
  const deep = JSON.parse('['.repeat(5000) + ']'.repeat(5000));
  expect(() => createNetwork({ ...network(0), layers: [deep] } as NetworkOptions)).toThrow(
    /layers\[0\] is nested deep/,
  );
  const lists = '['.repeat(5000) + ']'.repeat(5000);
  const record = JSON.stringify({ ...makeRecord(), protocol: 'HERE' }).replace('"HERE"', lists);
  expect(() => parseRecord('run.json', record)).toThrow(/more than 100 levels/);
});

test('a training that is too long to be recorded is refused with the number', async () => {
  const device = await openDevice('reference');
  const plan = (epochs: number) =>
    planDistillation(
      device,
      twoClasses(),
      { network: 'mlp:width=3', epochs, batch: 4 },
      { timed: false, test: false, remedies: false },
    );
  await expect(plan(100_000)).rejects.toMatchObject({
    code: 'ERR_OUT_OF_MEMORY',
    message: expect.stringMatching(
      /^100,000 inner steps .* of \d+ kernels each .* expected at most [\d,]+ with this network/,
    ),
  });
  device.dispose();
});
