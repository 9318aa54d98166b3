/** From texts to numbers: words, embeddings out of files and out of the texts alone, nearest words. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { normalisedImages } from '../src/data/on-device.js';
import { ppmi } from '../src/data/text/cooccurrence.js';
import { readEmbeddingsFile } from '../src/data/text/embeddings-file.js';
import { makeEmbeddings } from '../src/data/text/embeddings-made.js';
import { readWinkFile } from '../src/data/text/embeddings-wink.js';
import { embedTexts, firstWords } from '../src/data/text/encoding.js';
import { largestEigen } from '../src/data/text/largest-eigen.js';
import { nearestWords } from '../src/data/text/nearest.js';
import { tokenise, tokeniser } from '../src/data/text/tokenise.js';
import { madeFolders } from './harness/folders.js';

const made = madeFolders('words');

describe('tokenise', () => {
  test.each([
    ["I don't think it's GOOD...", ['i', 'do', "n't", 'think', 'it', "'s", 'good', '...']],
    ['one<br /><br />two', ['one', 'two']],
    ['1,000.5 times, 3 < 4 > 2', ['1,000.5', 'times', ',', '3', '<', '4', '>', '2']],
    ['the U.S. well-known “x”', ['the', 'u.s.', 'well', '-', 'known', '"', 'x', '"']],
    ['What fowl ? ` ``', ['what', 'fowl', '?', '`', '``']],
    ["the dog 's bone, can’t", ['the', 'dog', "'s", 'bone', ',', 'ca', "n't"]],
    ['東京は 4th', ['東', '京', 'は', '4th']],
    [`cafe\u0301 ${'x'.repeat(65)}`, ['café', '']],
    [' \u200b\n', []],
  ])('%j', (text, words) => {
    expect(tokenise(text)).toEqual(words);
  });

  test('has a name that files keep', () => expect(tokeniser).toBe('limbeck-words-1'));

  test('is quick with what repeats', () => {
    for (const part of ['a', "'", '<a', '1,', 'a.', '.', "a'"]) tokenise(part.repeat(200_000));
  });
});

const wanted = new Set(['the', 'café', '.', 'none']);
const rows = { glove: '', word2vec: '3 2\n', fasttext: '3 2\n' };
const vectorsOf = ({ vectors }: { vectors: ReadonlyMap<string, Float32Array> }) =>
  Object.fromEntries([...vectors].map(([word, vector]) => [word, [...vector]]));

describe('files of embeddings', () => {
  test.each(
    Object.entries(rows).flatMap(([name, head]) => [
      [name, 'v.txt', head],
      [name, 'v.txt.gz', head],
    ]),
  )('%s, %s', async (name, file, head) => {
    const end = name === 'fasttext' ? ' \r\n' : '\n';
    const content = [head, 'the 0.25 -1e-1', end, 'dog 1 2', end, 'café 3 .5', end, 'the 7 7', end].join('');
    const folder = await made.write({ [file]: file.endsWith('.gz') ? gzipSync(content) : content });
    const found = await readEmbeddingsFile(join(folder, file), wanted);
    expect(found.width).toBe(2);
    expect(vectorsOf(found)).toEqual({ the: [0.25, Math.fround(-0.1)], café: [3, 0.5] });
  });

  test('words with blanks in them are none', async () => {
    const folder = await made.write({ v: 'the 1 2\n. . 3 4\n. 5 6' });
    expect(vectorsOf(await readEmbeddingsFile(join(folder, 'v'), wanted))).toEqual({
      the: [1, 2],
      '.': [5, 6],
    });
  });

  test.each([
    ['', 'ERR_FILE_FORMAT', 'it is empty'],
    ['the\n', 'ERR_FILE_FORMAT', 'line 1'],
    ['3 99999\nthe 1 2\n', 'ERR_FILE_FORMAT', 'line 1'],
    ['dog 1 2\nthe 1\n', 'ERR_FILE_FORMAT', 'line 2'],
    ['dog 1 2\ncat 1 2\nthe 1 NaN\n', 'ERR_FILE_FORMAT', 'line 3'],
    ['dog 1 2\ncat\n', 'ERR_FILE_FORMAT', 'line 2'],
    [`dog 1 2\nthe ${'1'.repeat(200_000)}`, 'ERR_DATA', 'line 2'],
  ])('refuses what is none, %#', async (content, code, text) => {
    const folder = await made.write({ 'v.vec': content });
    const reading = readEmbeddingsFile(join(folder, 'v.vec'), wanted);
    await expect(reading).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
  });

  test('refuses what unpacks to far more than it is, and what is no file', async () => {
    const folder = await made.write({ 'v.gz': gzipSync(`the 1 2\n${'dog 1 2\n'.repeat(2 ** 20)}`) });
    await expect(readEmbeddingsFile(join(folder, 'v.gz'), wanted)).rejects.toMatchObject({
      code: 'ERR_DATA',
    });
    await expect(readEmbeddingsFile(join(folder, 'none'), wanted)).rejects.toMatchObject({
      code: 'ERR_FILE_MISSING',
      message: expect.stringContaining('--embeddings'),
    });
  });

  test('the npm package: entries as they stream by', async () => {
    const numbers = (first: number) => [first, ...Array.from({ length: 101 }, () => 0.5)].join(',');
    const folder = await made.write({});
    const file = join(folder, 'w.json');
    writeFileSync(
      file,
      `{"words":["the"],"vectors":{"the":[${numbers(1)}],"]":[${numbers(2)}],"\\"":[${numbers(3)}]},"unkVector":[0]}`,
    );
    const { vectors, width } = await readWinkFile(file, new Set(['the', ']', '"']));
    expect(width).toBe(100);
    expect([...vectors].map(([word, vector]) => [word, vector[0], vector.length])).toEqual([
      ['the', 1, 100],
      [']', 2, 100],
      ['"', 3, 100],
    ]);
    writeFileSync(file, '{"vectors":{"the":[1,2]');
    await expect(readWinkFile(file, wanted)).rejects.toMatchObject({ code: 'ERR_FILE_FORMAT' });
  });
});

/** Four words in three texts; 4 is none of them. */
const texts = [Uint32Array.of(0, 1, 2, 0), Uint32Array.of(3, 1, 4, 3), Uint32Array.of(2, 0, 3)];

/** The definition, pair by pair in dense float64. */
function densePpmi(V: number): number[][] {
  const n = Array.from({ length: V }, () => new Array<number>(V).fill(0));
  for (const text of texts)
    for (let i = 0; i < text.length; i++)
      for (let j = 0; j < text.length; j++) {
        const distance = Math.abs(i - j);
        if (distance && distance <= 5 && text[i] < V && text[j] < V) n[text[i]][text[j]] += 1 / distance;
      }
  const sums = n.map((row) => row.reduce((a, b) => a + b, 0));
  const N = sums.reduce((a, b) => a + b, 0);
  const norm = sums.reduce((a, b) => a + b ** 0.75, 0);
  const forth = (v: number, u: number) =>
    n[v][u] ? Math.max(0, Math.log((n[v][u] * N) / (sums[v] * ((N * sums[u] ** 0.75) / norm)))) : 0;
  return n.map((row, v) => row.map((_, u) => (forth(v, u) + forth(u, v)) / 2));
}

const dense = ({ size, starts, columns, values }: Awaited<ReturnType<typeof ppmi>>): number[][] =>
  Array.from({ length: size }, (_, i) => {
    const row = new Array<number>(size).fill(0);
    for (let at = starts[i]; at < starts[i + 1]; at++) row[columns[at]] = values[at];
    return row;
  });

describe('embeddings out of texts', () => {
  test('mutual information is that of the definition', async () => {
    const found = dense(await ppmi(texts, 4));
    for (const [i, row] of densePpmi(4).entries())
      for (const [j, value] of row.entries())
        expect(Math.abs(found[i][j] - value)).toBeLessThanOrEqual(2 ** -23 * value);
    expect(found.flat().filter((value) => value > 0).length).toBeGreaterThan(4);
  });

  test('eigenvectors are those of a matrix that was made of them', async () => {
    // Of size 40: reflections make an orthogonal basis, its eigenvalues fall by a quarter each, signs in turn.
    const size = 40;
    const basis = Array.from({ length: size }, (_, k) =>
      Float64Array.from({ length: size }, (_, i) => (i === k ? 1 : 0)),
    );
    for (let turn = 1; turn <= 3; turn++) {
      const u = Float64Array.from({ length: size }, (_, i) => Math.sin(turn * (i + 1)));
      const square = u.reduce((a, b) => a + b * b, 0);
      for (const vector of basis) {
        const part = (2 * vector.reduce((sum, x, i) => sum + x * u[i], 0)) / square;
        for (let i = 0; i < size; i++) vector[i] -= part * u[i];
      }
    }
    const values = Float64Array.from({ length: size }, (_, k) => (k % 2 ? -1 : 1) * 0.75 ** k);
    const entries = Float32Array.from({ length: size * size }, (_, at) => {
      const [i, j] = [Math.floor(at / size), at % size];
      return basis.reduce((sum, q, k) => sum + values[k] * q[i] * q[j], 0);
    });
    const columns = Uint32Array.from({ length: size * size }, (_, at) => at % size);
    const starts = Float64Array.from({ length: size + 1 }, (_, i) => i * size);
    const found = await largestEigen({ size, starts, columns, values: entries }, 5);
    // Entries are rounded to float32: the eigenvalues move by no more than the norm of that.
    const bound = size * 2 ** -24;
    for (let k = 0; k < 5; k++) {
      expect(Math.abs(found.values[k] - values[k])).toBeLessThan(bound);
      const cosine = found.vectors[k].reduce((sum, x, i) => sum + x * basis[k][i], 0);
      expect(1 - Math.abs(cosine)).toBeLessThan(bound);
      const most = found.vectors[k].reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
      expect(most).toBeGreaterThan(0);
    }
  });

  test('with all of them, vectors multiply to the absolute value of the matrix, scaled; the same every time', async () => {
    const words = ['a', 'b', 'c', 'd'];
    const once = await makeEmbeddings(texts, words, 100, 'x');
    const again = await makeEmbeddings(texts, words, 100, 'x');
    expect(once.width).toBe(4);
    expect([...once.vectors]).toEqual([...again.vectors]);
    const rows = words.map((word) => once.vectors.get(word)!);
    const product = (a: ArrayLike<number>, b: ArrayLike<number>) =>
      Array.from(a).reduce((sum, x, i) => sum + x * b[i], 0);
    expect(
      product(
        rows.flatMap((row) => [...row]),
        rows.flatMap((row) => [...row]),
      ) / 16,
    ).toBeCloseTo(0.16, 6);
    // |M|² = M M: what the products are but for the scale.
    const M = densePpmi(4);
    const gram = rows.map((a) => rows.map((b) => product(a, b)));
    const squared = (m: number[][]) => m.map((row) => m.map((other) => product(row, other)));
    const [left, right] = [squared(gram), squared(M)];
    const scale = left[0][0] / right[0][0];
    for (const [i, row] of left.entries())
      for (const [j, value] of row.entries()) expect(value / scale).toBeCloseTo(right[i][j], 5);
  });

  test('no two words together more often than by chance', async () => {
    const alone = [Uint32Array.of(0), Uint32Array.of(1)];
    await expect(makeEmbeddings(alone, ['a', 'b'], 2, 'x')).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringContaining('--embeddings'),
    });
  });
});

const encoding = {
  ...{ tokeniser, length: 3, width: 2, embeddings: 'by hand' },
  words: [...firstWords, 'up', 'right'],
  table: Float32Array.of(0, 0, 0, 0, 0, 2, 3, 0),
};

test('texts are embedded word by word, cut and filled up', () => {
  expect([...embedTexts(encoding, ['Up what right up', 'right'])]).toEqual([
    0, 2, 0, 0, 3, 0, 3, 0, 0, 0, 0, 0,
  ]);
  expect(() => embedTexts(encoding, ['up', ' '])).toThrow(/text 2/);
});

test('texts of a split are embedded by their rows, in the order that is asked for', () => {
  const images = Uint32Array.of(2, 0, 0, 3, 2, 1);
  const text = { ...encoding, length: 3 };
  const dataset = { imageShape: [1, 3, encoding.width] as const, mean: [0], std: [1], text };
  const word = (row: number) => [
    ...encoding.table.subarray(row * encoding.width, (row + 1) * encoding.width),
  ];
  expect([...normalisedImages(dataset, { images }, [1, 0, 1])]).toEqual(
    [3, 2, 1, 2, 0, 0, 3, 2, 1].flatMap(word),
  );
});

test('the nearest word is that of the largest cosine', () => {
  const [[first, second, third]] = nearestWords(encoding, Float32Array.of(1, 1.5, 0, 0, 10, -1));
  expect(first?.word).toBe('up');
  expect(first?.similarity).toBeCloseTo(1.5 / Math.hypot(1, 1.5), 12);
  expect(second).toBeUndefined();
  expect(third?.word).toBe('right');
});
