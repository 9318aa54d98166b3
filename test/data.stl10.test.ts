/** STL-10 out of its archive: what is not needed of it is passed over, however large. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { loadDataset } from '../src/data/load.js';
import * as files from './harness/data-files.js';
import { madeFolders } from './harness/folders.js';

const folders = madeFolders('stl10');

const PIXELS = 3 * 96 * 96;
const names = 'airplane bird car cat deer dog horse monkey ship truck'.split(' ');
const pixels = (count: number, first: number) =>
  Uint8Array.from({ length: count * PIXELS }, (_, i) => (first + 7 * Math.floor(i / PIXELS) + i) % 251);
const labels = (count: number) => Uint8Array.from({ length: count }, (_, i) => (i % 10) + 1);

/** In the order of the published archive, whose unlabelled images come before the names. */
const before = {
  'test_X.bin': pixels(10, 3),
  'test_y.bin': labels(10),
  'train_X.bin': pixels(20, 5),
  'train_y.bin': labels(20),
};
const after = { 'class_names.txt': new TextEncoder().encode(`${names.join('\n')}\n`) };
const options = { validation: 0 };

test('the archive gives what the folder does', async () => {
  const folder = await folders.write({ ...before, ...after });
  const expected = await loadDataset(folder, options);
  expect(expected).toMatchObject({ name: 'stl10', imageShape: [3, 96, 96], classNames: names });
  // Columns come first in the file.
  expect(expected.train.images[1]).toBe(before['train_X.bin'][96]);

  const unlabelled = Uint8Array.from({ length: 3 * PIXELS }, (_, i) => (i * i * 31 + i * 17) & 255);
  const whole = files.tar({ ...before, 'unlabeled_X.bin': unlabelled, ...after });
  const mac = files.tar({ '._test_X.bin': new Uint8Array(9), ...before, ...after });
  for (const [name, content] of [
    ['stl10_binary.tar.gz', gzipSync(whole)],
    ['stl10_binary.tar', whole],
    ['mac.tgz', gzipSync(mac)],
  ] as const) {
    const path = join(await folders.write({ [name]: content }), name);
    const data = await loadDataset(path, options);
    expect(data.classNames).toEqual(names);
    for (const split of ['train', 'test'] as const) {
      expect([...data[split].labels]).toEqual([...expected[split].labels]);
      // Millions of numbers, which toEqual takes one by one.
      expect(Buffer.from(data[split].images).equals(Buffer.from(expected[split].images))).toBe(true);
    }
  }
});

test('2.2 GB that are not needed are neither held nor refused', async () => {
  const head = files.tar({ ...before, 'unlabeled_X.bin': new Uint8Array(0) }).subarray(0, -1024);
  const size = 2.2e9;
  const header = Buffer.from(head.subarray(-512));
  header.write(`${size.toString(8).padStart(11, '0')}\0        `, 124);
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const path = join(await folders.write({ 'stl10.tar': head }), 'stl10.tar');
  const file = await open(path, 'r+');
  await file.write(header, 0, 512, head.length - 512);
  // A hole takes no room on the disk.
  await file.write(files.tar(after), 0, undefined, head.length + Math.ceil(size / 512) * 512);
  await file.close();

  const peak = process.resourceUsage().maxRSS;
  const data = await loadDataset(path, options);
  expect(data.classNames).toEqual(names);
  expect(data.train.count).toBe(20);
  expect(process.resourceUsage().maxRSS - peak).toBeLessThan(300_000);
}, 60_000);

test.each([
  [
    'labels',
    { 'train_X.bin': before['train_X.bin'], 'test_X.bin': before['test_X.bin'] },
    'ERR_FILE_MISSING',
    /has no train_y\.bin; all of train_X\.bin, train_y\.bin, test_X\.bin, test_y\.bin are needed/,
  ],
  [
    'half of an image',
    { ...before, 'test_X.bin': before['test_X.bin'].subarray(1) },
    'ERR_FILE_FORMAT',
    /test_X\.bin is not a readable STL-10 file: it has 276479 bytes/,
  ],
])('an archive without %s', async (_, content, code, message) => {
  const path = join(await folders.write({ 'x.tar.gz': gzipSync(files.tar(content)) }), 'x.tar.gz');
  await expect(loadDataset(path)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  // Its labels have one set, those of CIFAR-100 two.
  await expect(loadDataset(path, { labelSet: 'fine' })).rejects.toThrow(/labelSet does not apply/);
});

test('an archive that ends in what is passed over', async () => {
  const whole = files.tar({ 'unlabeled_X.bin': new Uint8Array(5000), ...before });
  const path = join(await folders.write({ 'x.tar': whole.subarray(0, 3000) }), 'x.tar');
  await expect(loadDataset(path)).rejects.toThrow(
    /the file at byte 0 reaches beyond its end; it is cut short/,
  );
});
