/** Images that lie together, with a table of their classes. */
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import type { Split } from '../src/data/dataset.js';
import { readLabelledImages } from '../src/data/labelled-images.js';
import { loadDataset } from '../src/data/load.js';
import { madeFolders } from './harness/folders.js';

const { write } = madeFolders('image-tables');
const all = { test: 0, validation: 0 } as const;

const grey = (level: number) =>
  sharp(
    Uint8Array.from({ length: 6 }, (_, i) => level + i),
    { raw: { width: 3, height: 2, channels: 1 } },
  );

/** `count` images of two classes, `level` telling which, and the classes by file name. */
async function flat(prefix: string, count: number, extension = 'png') {
  const files: Record<string, Uint8Array | string> = {};
  const rows: string[][] = [];
  for (let i = 0; i < count; i++) {
    files[`${prefix}${i}.${extension}`] = await grey(i).png().toBuffer();
    rows.push([`${i}.${extension}`, i % 2 ? 'n00000002' : 'n00000001']);
  }
  return { files, rows };
}
const table = (rows: string[][], separator = ',') => rows.map((row) => row.join(separator)).join('\n');
const check = ({ images, labels }: Split) => {
  for (const [i, label] of labels.entries()) expect(images[6 * i] % 2).toBe(label);
  return labels.length;
};

describe('images that lie together', () => {
  test.each<[string, (rows: string[][]) => Record<string, string>]>([
    ['labels.csv', (rows) => ({ 'train/labels.csv': `filename,label\n${table(rows)}` })],
    [
      'train.csv beside it, names without extension',
      (rows) => ({
        'train.csv': `label,id\n${table(rows.map(([name, label]) => [label, name.replace('.png', '')]))}`,
      }),
    ],
    ['trainLabels.csv', (rows) => ({ 'trainLabels.csv': `image,level\n${table(rows)}` })],
  ])('have their classes in %s', async (_what, labels) => {
    const { files, rows } = await flat('train/', 20);
    const data = await loadDataset(
      await write({ ...files, ...labels(rows), 'test/1.png': files['train/1.png'] }),
    );
    expect(check(data.train) + check(data.validation) + check(data.test)).toBe(20);
    expect(data.notes).toContainEqual(
      expect.stringMatching(/test: nothing names the classes of its images; they are left out/),
    );
  });

  test('column of classes: named, or asked for', async () => {
    const { files, rows } = await flat('images/', 12);
    const wide = (name: string) =>
      `file,sex,${name}\n${table(rows.map(([file, label]) => [file, 'f', label]))}`;
    const named = await write({ ...files, 'labels.csv': wide('category') });
    const data = await loadDataset(named);
    expect(data.classNames).toEqual(['n00000001', 'n00000002']);
    expect(data.notes).toContainEqual(expect.stringMatching(/those of column "category"; --label-column/));
    const open = await write({ ...files, 'labels.csv': wide('breed') });
    await expect(loadDataset(open)).rejects.toThrow(/--label-column: file, sex, breed/);
    expect(check((await loadDataset(open, { labelColumn: 'breed' })).train)).toBeGreaterThan(0);
    await expect(loadDataset(open, { labelColumn: 'x' })).rejects.toThrow(
      /columns file, sex, breed; name one/,
    );
  });

  test('an image without a class, or all of them, is an error that says what to do', async () => {
    const { files, rows } = await flat('train/', 12);
    const short = await write({ ...files, 'labels.csv': table(rows.slice(1)) });
    await expect(loadDataset(short)).rejects.toThrow(/labels\.csv has no class for 0\.png; add a row/);
    await expect(loadDataset(await write(files))).rejects.toThrow(/nothing names their classes.*labels\.csv/);
  });

  test('are told apart by their endings', async () => {
    const { files, rows } = await flat('train/', 12);
    const both = { ...files, 'train/0.gif': await grey(21).gif().toBuffer() };
    const data = await loadDataset(
      await write({ ...both, 'labels.csv': `${table(rows)}\n0.gif,n00000002\n` }),
      all,
    );
    const labels = Array.from({ length: 13 }, (_, i) => data.train.labels[i]);
    expect(labels.filter((label) => label === 1)).toHaveLength(7);
  });

  test('may have dots in their names', async () => {
    const { files, rows } = await flat('train/s.', 12);
    const ids = rows.map(([name, label]) => [`s.${name.replace('.png', '')}`, label]);
    expect(check((await loadDataset(await write({ ...files, 'labels.csv': table(ids) }), all)).train)).toBe(
      12,
    );
  });

  test('have one class each', async () => {
    const { files, rows } = await flat('train/', 12);
    const twice = (label: string) => write({ ...files, 'labels.csv': table([...rows, ['0.png', label]]) });
    expect(check((await loadDataset(await twice(rows[0][1]), all)).train)).toBe(12);
    await expect(loadDataset(await twice(rows[1][1]))).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringMatching(/line 13 says that 0\.png is of class n00000002, and .* n00000001/),
    });
    const numbers = rows.map(([name], i) => [name, i === 5 ? 'nan' : String(i % 2)]);
    await expect(loadDataset(await write({ ...files, 'labels.csv': table(numbers) }))).rejects.toThrow(
      /an image has the class nan, and all others are numbers/,
    );
  });

  test('Tiny ImageNet', async () => {
    const train: Record<string, Uint8Array | string> = {};
    for (const label of ['n00000001', 'n00000002']) {
      const { files } = await flat(`train/${label}/images/${label}_`, 10, 'JPEG');
      for (const [path, bytes] of Object.entries(files))
        if (Number(/_(\d+)/.exec(path)![1]) % 2 === Number(label.at(-1)) - 1) train[path] = bytes;
      train[`train/${label}/${label}_boxes.txt`] = `${label}_0.JPEG\t0\t0\t62\t63\n`;
    }
    const { files: val, rows } = await flat('val/images/', 6, 'JPEG');
    const { files: unlabelled } = await flat('test/images/', 3, 'JPEG');
    const data = await loadDataset(
      await write({
        ...train,
        ...val,
        ...unlabelled,
        'val/val_annotations.txt': table(
          rows.map((row) => [...row, '0', '32', '44', '62']),
          '\t',
        ),
        'wnids.txt': 'n00000002\nn00000001\n',
        'words.txt': 'n00000001\tgoldfish, Carassius auratus\nn00000002\tbullfrog\n',
      }),
    );
    expect(data.classNames).toEqual(['goldfish', 'bullfrog']);
    expect(check(data.validation)).toBe(6);
    expect(check(data.train) + check(data.test)).toBe(10);
    expect(data.notes).toContainEqual(
      expect.stringMatching(/2 files that are no image left out: .*_boxes\.txt/),
    );
    const set = await write({
      'n00000002/1.png': await grey(1).png().toBuffer(),
      'goldfish/2.png': await grey(2).png().toBuffer(),
    });
    expect([...(await readLabelledImages(set, data)).labels]).toEqual([0, 1]);
    const other = await write({
      'n00000002/1.png': await grey(1).png().toBuffer(),
      'n00000003/2.png': await grey(2).png().toBuffer(),
    });
    await expect(readLabelledImages(other, data)).rejects.toThrow(/has a class n00000003, expected those of/);
  });
});

describe('images to test on', () => {
  /** Twelve images to train on, `0.png` to `11.png`, and `b0.png` to `b3.png` to test on. */
  async function competition() {
    const train = await flat('train/', 12);
    const { files, rows } = await flat('test/b', 4);
    return {
      files: { ...train.files, ...files },
      train: train.rows,
      test: rows.map(([name, label]) => [`b${name}`, label]),
    };
  }

  test.each<[string, (train: string, test: string) => Record<string, string>]>([
    ['a table of those to train on alone', (train) => ({ 'labels.csv': train })],
    ['one for each split', (train, test) => ({ 'labels.csv': train, 'test_labels.csv': test })],
    ['one for all', (train, test) => ({ 'labels.csv': `${train}\n${test}` })],
    [
      'one for all, with folders',
      (train, test) => ({
        'metadata.csv': `${train.replace(/^/gm, 'train/')}\n${test.replace(/^/gm, './test/')}`,
      }),
    ],
  ])('and %s', async (what, tables) => {
    const { files, train, test } = await competition();
    const data = await loadDataset(await write({ ...files, ...tables(table(train), table(test)) }), {
      validation: 0,
    });
    const isLeftOut = what.endsWith('alone');
    expect(check(data.train) + check(data.test)).toBe(isLeftOut ? 12 : 16);
    expect(data.notes?.some((note) => /test: nothing names the classes/.test(note)) ?? false).toBe(isLeftOut);
  });

  test('of the same names are told by their folders', async () => {
    const { files, rows } = await flat('train/', 12);
    const swapped = rows.map(([name], i) => [`test/${name}`, rows[(i + 1) % 2][1]]);
    const test = Object.fromEntries(
      Object.keys(files).map((name, i) => [name.replace('train', 'test'), Object.values(files)[i ^ 1]]),
    );
    const folders = table([...rows.map(([name, label]) => [`train/${name}`, label]), ...swapped]);
    const data = await loadDataset(await write({ ...files, ...test, 'labels.csv': folders }), {
      validation: 0,
    });
    expect([check(data.train), check(data.test)]).toEqual([12, 12]);
  });

  test('named by no table are refused where they are to train on', async () => {
    const { files, test } = await competition();
    await expect(loadDataset(await write({ ...files, 'labels.csv': table(test) }))).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringMatching(/labels\.csv: no column names images such as 0\.png/),
    });
  });
});
