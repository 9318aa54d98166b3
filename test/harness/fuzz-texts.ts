/** What the fuzzers read as texts: tables, lines, folders, and the embeddings of their words. */
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { loadDataset } from '../../src/data/load.js';
import { readEmbeddingsFile } from '../../src/data/text/embeddings-file.js';
import type { Draws, Files, FuzzedReader } from './fuzz.js';
import { jsonLines, madeReviews } from './made-reviews.js';

const text = (value: string) => Buffer.from(value, 'latin1');
const seeds =
  (...list: readonly Files[]) =>
  async () =>
    list;
const reviews = madeReviews(12);
const vectors = text('the 1 2\nfilm 0.5 -1\n. 3 4\na 5 6\n');

/** Words, and what is none. */
const prose = [
  ...[
    'a film',
    'the dull film .',
    'film',
    '',
    ' ',
    '"',
    'x"y',
    '\xff',
    '\0',
    'a,b\tc',
    '<br />',
    '(',
    '))',
    "n't",
  ],
  ...['a '.repeat(3000), '('.repeat(3000), '\\u0000', '\ud800', '🙂', 'ﬁ', '1,000', ':', 'DESC:x y'],
];
const labels = ['good', 'bad', '1', '2', '', ' ', '"', 'null', '0.5', '__proto__'];
const lines = (d: Draws, line: () => string): Uint8Array =>
  Buffer.from(
    Array.from({ length: d.below(14) }, line).join(d.pick(['\n', '\r\n', '\n\n'])),
    d.pick(['utf8', 'latin1']),
  );

const values = ['1', '-0.5', 'true', 'null', '[]', '{}', '1e999', '"', '[[[['.repeat(2000)];
function json(d: Draws): string {
  if (d.once(8)) return d.pick([...values, ...prose]);
  const value = () =>
    d.once(6) ? d.pick(values) : JSON.stringify(d.once(2) ? d.pick(prose) : d.pick(reviews).text);
  const name = () => d.pick(['text', 'text', 'review', '__proto__', 'constructor', '']);
  return `{"${name()}": ${value()}, "${d.pick(['label', 'label', 'class', 'text'])}": ${d.once(6) ? d.pick(values) : JSON.stringify(d.pick(labels))}}`;
}

const table = (d: Draws, between: string): Uint8Array => {
  const cell = (list: readonly string[]) => {
    const one = d.pick(list);
    return d.once(3) ? `"${one.replaceAll('"', d.pick(['"', '""']))}"` : one;
  };
  const rows = lines(d, () =>
    [
      cell(d.once(2) ? prose : reviews.map((review) => review.text)),
      cell(labels),
      ...(d.once(9) ? ['x'] : []),
    ].join(between),
  );
  return Buffer.concat([
    text(d.pick(['text,label\n', 'text,label\n', '', 'a,b\n']).replace(',', between)),
    rows,
  ]);
};

function tree(d: Draws, depth = 0): string {
  if (depth > 4 || d.once(3))
    return `(${d.pick(['0', '3', '9', '10', 'x', ''])} ${d.pick(['film', 'a', '-LRB-', '', ')', '(('])})`;
  return `(${d.pick(['1', '4', ''])} ${tree(d, depth + 1)} ${tree(d, depth + 1)}${d.once(20) ? '' : ')'}`;
}

/** Embeddings are read: making them takes longer than everything else. */
const load = (name: string) => (folder: string) =>
  loadDataset(join(folder, name), { embeddings: join(folder, 'v.vec') });

/** By name. */
export const textReaders: Readonly<Record<string, FuzzedReader>> = {
  jsonl: {
    seeds: seeds({ 'x.jsonl': text(jsonLines(reviews)), 'v.vec': vectors }),
    make: (d) => ({ 'x.jsonl': lines(d, () => json(d)), 'v.vec': vectors }),
    read: load('x.jsonl'),
  },
  'texts in tables': {
    seeds: seeds({
      'train.csv': text(`text,label\n${reviews.map((one) => `"${one.text}",${one.label}\n`).join('')}`),
      'v.vec': vectors,
    }),
    make: (d) => ({ 'train.csv': table(d, ','), 'v.vec': vectors }),
    read: load(''),
  },
  questions: {
    seeds: seeds(
      {
        'train.txt': text(reviews.map((one) => `${one.label.toUpperCase()}:x ${one.text}\n`).join('')),
        'v.vec': vectors,
      },
      { 'train.txt': text('(3 (2 a) (4 film))\n(1 (2 dull) (1 film))\n'.repeat(6)), 'v.vec': vectors },
    ),
    make: (d) => {
      const question = () =>
        `${d.pick(['DESC', 'ENTY', 'x', ''])}:${d.pick(['a', 'b', ''])} ${d.pick(prose)}`;
      const trees = d.once(2);
      return { 'train.txt': lines(d, () => (trees ? tree(d) : question())), 'v.vec': vectors };
    },
    read: load(''),
  },
  'texts in folders': {
    seeds: seeds({
      ...Object.fromEntries(reviews.map((one, i) => [`${one.label}/${i}.txt`, text(one.text)])),
      'v.vec': vectors,
    }),
    make: (d) => ({
      ...Object.fromEntries(
        Array.from({ length: 2 + d.below(4) }, (_, i) => [
          `${d.once(8) ? d.pick(['train/', 'test/', 'unsup/']) : ''}${d.once(20) ? '' : ['good/', 'bad/'][i % 2]}${i}.txt`,
          text(d.once(6) ? d.pick(prose) : d.pick(reviews).text),
        ]),
      ),
      'v.vec': vectors,
    }),
    read: load(''),
  },
  embeddings: {
    seeds: seeds(
      { 'v.txt': vectors },
      { 'v.txt': text('4 2\nthe 1 2 \nfilm 3 4 \n') },
      { 'v.txt': gzipSync(vectors) },
    ),
    make: (d) => {
      const number = () => d.pick(['1', '-0.5', '2e-3', '', 'NaN', '1e999', 'x', '0x1', '٣']);
      const row = () =>
        [
          d.pick(['the', 'film', 'other', '', '1', '.', '\xff']),
          ...Array.from({ length: d.once(5) ? d.below(5) : 2 }, number),
        ].join(d.pick([' ', ' ', '\t']));
      const content = Buffer.concat([text(d.pick(['', '3 2\n', '9 99999999\n', '1 0\n'])), lines(d, row)]);
      return { 'v.txt': d.once(3) ? gzipSync(content) : content };
    },
    read: (folder) => readEmbeddingsFile(join(folder, 'v.txt'), new Set(['the', 'film', '.', 'a'])),
  },
};
