/** Tables as people have them: headers, separators, encodings, columns, class names. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { classNamesOf } from '../src/data/class-names.js';
import type { Split } from '../src/data/dataset.js';
import { type LoadOptions, loadDataset } from '../src/data/load.js';
import { madeFolders } from './harness/folders.js';

const { write } = madeFolders('tables');

async function load(content: Record<string, string | Uint8Array>, options: LoadOptions = {}) {
  const folder = await write(content);
  const path = Object.keys(content)[0] === 'x.csv' ? join(folder, 'x.csv') : folder;
  return loadDataset(path, { validation: 0, test: 0, ...options });
}

/** `count` rows of four pixels that tell which row it is, written by `row`. */
const rows = (count: number, row: (pixels: number[], i: number) => string, separator = '\n') =>
  `${Array.from({ length: count }, (_, i) => row([i, 2 * i, 0, 255 - i], i)).join(separator)}\n`;
const plain = rows(6, (pixels, i) => [i % 2, ...pixels].join());
const images = (count: number) => Array.from({ length: count }, (_, i) => [i, 2 * i, 0, 255 - i]).flat();
const read = ({ train }: { train: Split }) => [[...train.images], [...train.labels]];
const usual = [images(6), [0, 1, 0, 1, 0, 1]];

describe('a header', () => {
  test('of numbers behind a name is one', async () => {
    const names = ['label', ...Array.from({ length: 64 }, (_, i) => i)].join();
    const body = rows(20, (_, i) => [i % 10, ...Array.from({ length: 64 }, (_, p) => (i * p) % 17)].join());
    const data = await load({ 'x.csv': `${names}\n${body}` });
    expect(data).toMatchObject({ imageShape: [1, 8, 8], classes: 10, train: { count: 20 } });
    expect(data.classNames).not.toContain('label');
  });

  test.each<[string, string, LoadOptions, number, RegExp | undefined]>([
    [
      'of numbers alone, from 0 on',
      `0,1,2,3,4\n${plain}`,
      {},
      6,
      /taken as a header of numbers; --header no/,
    ],
    ['the same, told that it is none', `0,1,2,3,4\n${plain}`, { header: 'no' }, 7, undefined],
    ['of another name above numbers', `digit,5,7,9,11\n${plain}`, {}, 6, /taken as a header; --header no/],
    ['none', plain, {}, 6, undefined],
    ['none, told that it is one', plain, { header: 'yes' }, 5, undefined],
  ])('%s', async (_what, text, options, count, note) => {
    const data = await load({ 'x.csv': text }, options);
    expect(data.train.count).toBe(count);
    const notes = (data.notes ?? []).filter((one) => one.includes('--header'));
    expect(notes).toEqual(note ? [expect.stringMatching(note)] : []);
  });

  test('is not what looks like an image of a class that others have', async () => {
    const text = rows(6, (pixels, i) => ['cat', 'dog'][i % 2].concat(',', pixels.join()));
    expect(read(await load({ 'x.csv': text }))).toEqual(usual);
    const once = await load({ 'x.csv': `emu,9,9,9,7\n${text}` });
    expect(once.classNames).toEqual(['cat', 'dog', 'emu']);
    expect(once.notes).toContainEqual(
      expect.stringMatching(/taken as an image of class "emu"; --header yes/),
    );
  });
});

describe('a first line that lacks numbers', () => {
  test.each(['0,NA,NA,30,40', '0,,,30,40', '1,nan,3,NaN,40', '0,null,None,#N/A,<NA>'])(
    '%s is an image, and refused by its line',
    async (first) => {
      await expect(load({ 'x.csv': `${first}\n${plain}` })).rejects.toMatchObject({
        code: 'ERR_FILE_FORMAT',
        message: expect.stringMatching(/line 1, column [23] is .*expected a number.*--header yes/),
      });
    },
  );

  test('and has two words is taken as a header, and it is said', async () => {
    const data = await load({ 'x.csv': `0,1O,2O,30,40\n${plain}` });
    expect(data.train.count).toBe(6);
    expect(data.notes).toContainEqual(expect.stringMatching(/taken as a header; --header no/));
  });

  test('but an empty corner above numbered columns is one of a header', async () => {
    const text = rows(6, (pixels, i) => [i, i % 2, ...pixels].join());
    const data = await load({ 'x.csv': `,0,1,2,3,4\n${text}` });
    expect(read(data)).toEqual(usual);
  });

  test('a number of a column is no name of one', async () => {
    const text = rows(6, (pixels, i) => [...pixels, i % 2].join());
    expect(read(await load({ 'x.csv': `0,0,5,255,1\n${text}` }, { labelColumn: '5' }))[1]).toHaveLength(7);
  });
});

describe('cells', () => {
  const header = 'label,a,b,c,d\n';
  test.each<[string, string]>([
    ['semicolons', (header + plain).replaceAll(',', ';')],
    ['tabs', (header + plain).replaceAll(',', '\t')],
    ['carriage returns', (header + plain).replaceAll('\n', '\r\n')],
    ['blanks', plain.replaceAll(',', '  ')],
    ['quotes around everything', (header + plain).replace(/[^,\n]+/g, '"$&"')],
    ['a byte order mark', `\ufeff${header}${plain}`],
  ])('with %s', async (_what, text) => {
    expect(read(await load({ 'x.csv': text }))).toEqual(usual);
  });

  test.each([
    ['semicolons', ';', ''],
    ['tabs', '\t', ''],
    ['semicolons and quotes', ';', '"'],
  ])('with decimal commas between %s', async (_what, between, quote) => {
    const cells = (i: number) => ['cat, dog'.split(', ')[i % 2], '0,5', '-1,25', '2,5e-1', '7'];
    const body = Array.from({ length: 6 }, (_, i) => cells(i).map((cell) => quote + cell + quote));
    const text = ['label,a,b,c,d'.split(','), ...body].map((row) => `${row.join(between)}\n`).join('');
    const data = await load({ 'x.csv': text });
    expect(data.classNames).toEqual(['cat', 'dog']);
    expect([...data.train.images.subarray(0, 4)]).toEqual([0.5, -1.25, 0.25, 7]);
  });

  test('a comma inside a number is refused where commas stand between cells', async () => {
    const text = `label,a,b,c,d\n${rows(6, (pixels, i) => `${i % 2},"0,5",${pixels.slice(1).join()}`)}`;
    await expect(load({ 'x.csv': text })).rejects.toThrow(
      /line 2, column 2 \(a\) is "0,5", expected a number/,
    );
  });

  test('with quoted separators, newlines and quotes in class names', async () => {
    const names = ['"big, ""old"" dog"', '"cat\nor kitten"'];
    const text = rows(6, (pixels, i) => [names[i % 2], ...pixels].join());
    const data = await load({ 'x.csv': `class,a,b,c,d\n${text}` });
    expect(data.classNames).toEqual(['big, "old" dog', 'cat\nor kitten']);
    expect(read(data)).toEqual(usual);
  });

  test('a quote that does not end is named by its line', async () => {
    await expect(load({ 'x.csv': `${plain}0,"1,2,3,4\n` })).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
      message: expect.stringMatching(/x\.csv is not a readable table: Quote Not Closed.*line/),
    });
  });
});

describe('encodings', () => {
  const text = rows(6, (pixels, i) => ['Bär', 'Bör'][i % 2].concat(',', pixels.join()));
  const latin1 = Buffer.from(`label,a,b,c,d\n${text}`, 'latin1');

  test('Latin-1 is refused by line, and read when told', async () => {
    await expect(load({ 'x.csv': latin1 })).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
      message: expect.stringMatching(/x\.csv: line 2 holds bytes that are no UTF-8.*--encoding latin1/),
    });
    const data = await load({ 'x.csv': latin1 }, { encoding: 'latin1' });
    expect(data.classNames).toEqual(['Bär', 'Bör']);
    expect(read(data)).toEqual(usual);
  });

  test('UTF-16 is told by its mark, or refused with what to say', async () => {
    const marked = Buffer.from(`\ufeffclass\ta\tb\tc\td\n${text.replaceAll(',', '\t')}`, 'utf16le');
    expect((await load({ 'x.csv': marked })).classNames).toEqual(['Bär', 'Bör']);
    const bare = Buffer.from(plain, 'utf16le');
    await expect(load({ 'x.csv': bare })).rejects.toThrow(/say --encoding utf16/);
    expect(read(await load({ 'x.csv': bare }, { encoding: 'utf16' }))).toEqual(usual);
    await expect(load({ 'x.csv': Buffer.from([0, 0xd8, 65, 0]) }, { encoding: 'utf16' })).rejects.toThrow(
      /it is no text in utf-16le/,
    );
  });
});

describe('columns', () => {
  test('that number the rows are left out, and it is said', async () => {
    for (const [name, what] of [
      ['', 'a column without a name'],
      ['Unnamed: 0', 'Unnamed: 0'],
      ['id', 'id'],
    ]) {
      const text = rows(6, (pixels, i) => [100 + i, i % 2, ...pixels].join());
      const data = await load({ 'x.csv': `${name},label,a,b,c,d\n${text}` });
      expect(read(data)).toEqual(usual);
      expect(data.notes).toContainEqual(expect.stringContaining(`left out as numbers of rows: ${what}`));
    }
  });

  test('of classes are found by name or number, or the message says how', async () => {
    const text = rows(6, (pixels, i) => [...pixels, ['cat', 'dog'][i % 2]].join());
    const named = `a,b,c,d,species\n${text}`;
    await expect(load({ 'x.csv': named })).rejects.toThrow(
      /line 2, column 5 \(species\) is "cat", expected a number; .*--label-column "species"/,
    );
    const data = await load({ 'x.csv': named }, { labelColumn: 'species' });
    expect([data.classNames, ...read(data)]).toEqual([['cat', 'dog'], ...usual]);
    await expect(load({ 'x.csv': text })).rejects.toThrow(/--label-column 5/);
    expect(read(await load({ 'x.csv': text }, { labelColumn: '5' }))).toEqual(usual);
    await expect(load({ 'x.csv': text }, { labelColumn: 'kind' })).rejects.toThrow(
      /has 5 columns and no header; .*\(--label-column\), by its number/,
    );
  });

  test('of classes by number, where the table to test on has a header of its own', async () => {
    const named = (names: string, row: (pixels: number[], label: number) => number[]) =>
      `${names}\n${rows(6, (pixels, i) => row(pixels, i % 2).join())}`;
    const train = named('a,b,c,d,kind', (pixels, label) => [...pixels, label]);
    const moved = named('kind,a,b,c,d', (pixels, label) => [label, ...pixels]);
    for (const other of [train, moved])
      expect(
        read({
          train: (
            await load({ 'train.csv': train, 'test.csv': other }, { labelColumn: '5', test: undefined })
          ).test,
        }),
      ).toEqual(usual);
    const bare = await load(
      { 'train.csv': plain, 'test.csv': rows(3, (pixels) => pixels.join()) },
      { labelColumn: '1' },
    );
    expect(bare.notes).toContainEqual(expect.stringMatching(/test\.csv names no classes/));
  });

  test.each(['nan', 'NA', 'null', 'none'])(
    'of numbers, with %s among them: refused by line',
    async (none) => {
      const text = `label,a,b,c,d\n${plain}${none},1,2,3,4\n`;
      await expect(load({ 'x.csv': text })).rejects.toMatchObject({
        code: 'ERR_DATA',
        message: expect.stringMatching(`line 8 has the label ${none}, expected a class in every row`),
      });
      const names = rows(6, (pixels, i) => [['cat', none][i % 2], ...pixels].join());
      expect((await load({ 'x.csv': `label,a,b,c,d\n${names}` })).classNames).toEqual(['cat', none].sort());
    },
  );

  test('that a table without a header has last is asked for where numbers cannot be labels', async () => {
    const text = rows(6, (pixels, i) => [...pixels.slice(0, 3), 9 * i, i % 2].join());
    await expect(load({ 'x.csv': text.replace(/^0,/, '7,') })).rejects.toThrow(
      /column 1 of 5 was taken for the labels: if another holds them, say --label-column/,
    );
    const data = await load({ 'x.csv': text }, { labelColumn: '5' });
    expect([...data.train.labels]).toEqual([0, 1, 0, 1, 0, 1]);
  });

  test('of another name: the first is taken, and it is said', async () => {
    const data = await load({ 'x.csv': `digit,a,b,c,d\n${plain}` });
    expect(read(data)).toEqual(usual);
    expect(data.notes).toContainEqual(expect.stringMatching(/the first, "digit", was taken.*--label-column/));
  });
});

describe('a table to test on', () => {
  const train = `label,a,b,c,d\n${plain}`;
  const unlabelled = rows(3, (pixels) => pixels.join());

  test.each<[string, Record<string, string>]>([
    ['with a header', { 'train.csv': train, 'test.csv': `a,b,c,d\n${unlabelled}` }],
    [
      'with row numbers',
      { 'train.csv': train, 'test.csv': `id,a,b,c,d\n${rows(3, (p, i) => [i, ...p].join())}` },
    ],
    ['without a header', { 'train.csv': plain, 'test.csv': unlabelled }],
  ])('that has no classes is left out: %s', async (_what, content) => {
    const data = await load(content, { test: 2 });
    expect([data.train.count, data.test.count]).toEqual([4, 2]);
    expect(data.notes).toContainEqual(expect.stringMatching(/test\.csv names no classes and is left out/));
  });

  test('and one to choose on, with columns in another order', async () => {
    const other = `a,b,c,d,Label\n${rows(6, (pixels, i) => [...pixels, i % 2].join())}`;
    const data = await load(
      { 'train.tsv': train, 'val.csv': other, 'x_test.csv': train },
      {
        validation: undefined,
        test: undefined,
      },
    );
    for (const part of [data.train, data.validation, data.test]) expect(read({ train: part })).toEqual(usual);
    expect(data.notes).toBeUndefined();
  });

  test('with pixels in another order is read by the names, or refused by one that is missing', async () => {
    const turned = (names: string) =>
      `${names}\n${rows(6, (pixels, i) => [...[...pixels].reverse(), i % 2].join())}`;
    const data = await load({ 'train.csv': train, 'test.csv': turned('D,c,b,a,label') }, { test: undefined });
    expect(read({ train: data.test })).toEqual(usual);
    const other = load({ 'train.csv': train, 'test.csv': turned('d,c,b,e,label') }, { test: undefined });
    await expect(other).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringMatching(
        /test\.csv has no column "a", expected the columns of the table to train on/,
      ),
    });
  });

  test('of two one is taken, and it is said', async () => {
    const data = await load(
      { 'train.csv': train, 'train.csv.gz': 'x', 'val.csv': train, 'valid.csv': train },
      { validation: undefined },
    );
    expect([data.validation.count, data.notes]).toEqual([
      6,
      ['val.csv was taken for validation; left out: valid.csv'],
    ]);
  });
});

describe('class names', () => {
  test('stay where there are more classes than they name', async () => {
    const text = rows(6, (pixels, i) => [['cat', 'dog'][i % 2], ...pixels].join());
    const data = await load({ 'x.csv': text }, { classes: 4 });
    expect(data.classNames).toEqual(['cat', 'dog', '2', '3']);
  });

  const cafe = ['caf\u00e9', 'cafe\u0301'];

  test('in two forms of Unicode or in capitals are one class, and it is said', async () => {
    expect(classNamesOf(['dog', cafe[1], 'Dog', 'dog', cafe[0]])).toEqual({
      names: ['caf\u00e9', 'dog'],
      numbers: new Map([
        ['dog', 1],
        ['Dog', 1],
        [cafe[0], 0],
        [cafe[1], 0],
      ]),
      notes: [
        'classes spelt in several ways, each taken for one: "cafe\u0301" (bytes 63 61 66 65 cc 81) and ' +
          '"caf\u00e9" (bytes 63 61 66 c3 a9); Dog and dog',
      ],
    });
    const text = rows(6, (pixels, i) => [['dog', 'Dog', ...cafe][i % 4], ...pixels].join());
    const data = await load({ 'x.csv': `label,a,b,c,d\n${text}` });
    expect([...data.train.labels]).toEqual([0, 0, 1, 1, 0, 0]);
    expect(data.notes).toContainEqual(expect.stringMatching(/spelt in several ways/));
  });

  test('that look alike and stay apart are named by their bytes', () => {
    const { names, notes } = classNamesOf(['a', 'A', 'one', 'o\u200bne', '10', '9']);
    expect(names).toEqual(['9', '10', 'A', 'a', 'one', 'o\u200bne']);
    expect(notes).toEqual([
      'classes that look alike and stay apart: A and a; one and "o\u200bne" (bytes 6f e2 80 8b 6e 65)',
    ]);
  });
});
