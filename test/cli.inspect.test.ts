/** `limbeck data`: what is read, before anything is trained. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { command } from '../src/cli/data.js';
import { datasetFromArrays } from '../src/data/arrays.js';
import { inspectDataset } from '../src/data/inspect.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'limbeck-inspect-'));
});
afterAll(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

async function printed(path: string, values: Record<string, unknown> = {}): Promise<string> {
  const lines: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
  try {
    expect(await command.run({ values, positionals: [path] })).toBe(0);
  } finally {
    spy.mockRestore();
  }
  return lines.join('');
}

test('a table: splits, classes, range, notes, warnings and a picture', async () => {
  const rows = Array.from({ length: 44 }, (_, i) => [i < 40 ? 'cat' : 'dog', i, 10, i % 7, 250].join());
  const path = join(folder, 'pets.csv');
  await writeFile(path, `label,a,b,c,d\n${rows.join('\n')}\n`);
  const png = join(folder, 'pets.png');
  const text = await printed(path, { png });
  expect(text).toMatch(
    /^pets: 2 classes, images of 1 x 2 x 2 \(channels, rows, columns\)\nBytes from 0 to 250; mean 0\./,
  );
  expect(text).toMatch(/class +train +validation +test\n +cat +31 +2 +7\n +dog +2 +1 +1\n +all +33 +3 +8\n/);
  expect(text).toMatch(/Note: held out of the training images/);
  expect(text).toMatch(
    /Warning: the test split has \d images: one of them is \d+\.\d % of accuracy; where it is held out of the training images, --test takes more/,
  );
  expect(text).toMatch(/Warning: the classes are unbalanced: cat has 31 training images, dog has 2/);
  expect(await sharp(await readFile(png)).metadata()).toMatchObject({ format: 'png', channels: 1 });

  const line = JSON.parse(await printed(path, { json: true }));
  expect(line).toMatchObject({ name: 'pets', imageShape: [1, 2, 2], values: 'bytes', range: [0, 250] });
  expect(line.classes.map(({ name }: { name: string }) => name)).toEqual(['cat', 'dog']);
});

test('needs a data set', async () => {
  await expect(command.run({ values: {}, positionals: [] })).rejects.toThrow(/data needs a data set/);
});

describe('an inspection', () => {
  const images = (count: number, from = 0) =>
    Float32Array.from({ length: 2 * count }, (_, i) => (from + i / 8) / 4096);
  const labels = (count: number) => Array.from({ length: count }, (_, i) => i % 2);
  const split = (count: number, from = 0) => ({ images: images(count, from), labels: labels(count) });
  const of = (train: { images: Float32Array; labels: number[] }, tested = split(200, 1000)) =>
    inspectDataset(
      datasetFromArrays({ imageShape: [1, 1, 2], train, validation: split(200, 2000), test: tested }),
    ).warnings;

  test('finds nothing wrong with what is fine', () => {
    expect(of(split(300))).toEqual([]);
  });

  test('finds images of the training split in another', () => {
    const tested = { images: Float32Array.of(...images(3), ...images(150, 1000)), labels: labels(153) };
    expect(of(split(300), tested)).toEqual([
      '3 of 153 test images are training images, too: remove one of each',
    ]);
  });

  test('finds classes whose images are all the same', () => {
    const { images: all, labels: classes } = split(300);
    const same = all.map((value, i) => (Math.floor(i / 2) % 2 ? 0.5 : value));
    expect(of({ images: same, labels: classes })).toEqual(['all training images are the same in: 1']);
  });
});
