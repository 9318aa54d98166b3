import { LimbeckError } from '../../util/errors.js';
import { expectArgument, shown } from '../../util/expect.js';
import { tokenise } from './tokenise.js';

/** What texts are read with: how they become words, and words numbers. */
export interface TextEncoding {
  /** Name of the rules by which texts become words. */
  readonly tokeniser: string;
  /** Words that every text is brought to: longer ones are cut, shorter ones filled up with zeros. */
  readonly length: number;
  /** Numbers that a word becomes. */
  readonly width: number;
  /** Row by row what the table holds; the first is none, what fills up, and the second any other word: both are zero. */
  readonly words: readonly string[];
  /** `[words, width]` */
  readonly table: Float32Array;
  /** Where the numbers come from: for people. */
  readonly embeddings: string;
}

/** The first rows of a table. */
export const FILLING = 0;
export const UNKNOWN = 1;
/** How an unknown word is shown. */
export const unknownWord = '▢';
export const firstWords: readonly string[] = ['', unknownWord];

/** The rows of words, by word. */
export function rowsOfWords(words: readonly string[]): ReadonlyMap<string, number> {
  return new Map(words.slice(firstWords.length).map((word, i) => [word, i + firstWords.length]));
}

/** ERR_OPTION unless `value`, given to `where`, is what texts are read with; ERR_SHAPE where its table is of another size. */
export function expectEncoding(where: string, value: unknown): asserts value is TextEncoding {
  const expected = 'what texts are read with: `text` of a data set, or of the normalisation of a model';
  for (const property of ['words', 'table']) expectArgument(where, 'encoding', value, property, expected);
  const { words, table, length, width } = value as TextEncoding;
  const sizes = [words?.length, table?.length, length, width];
  if (!sizes.every((size) => Number.isInteger(size) && size > 0) || table.length !== words.length * width)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${where}: encoding has ${words?.length} words of ${shown(width)} numbers and a table of ${table?.length}, texts of ${shown(length)} words, expected a row of the table for every word`,
    );
}

/**
 * Texts as a network takes them: `[count, 1, length, width]`.
 *
 * @throws ERR_DATA naming the first text without a word
 */
export function embedTexts(encoding: TextEncoding, texts: readonly string[]): Float32Array {
  expectEncoding('embedTexts', encoding);
  const wrong = Array.isArray(texts) ? texts.findIndex((text) => typeof text !== 'string') : undefined;
  if (wrong !== -1)
    throw new LimbeckError(
      'ERR_OPTION',
      `embedTexts: ${wrong === undefined ? `texts is ${shown(texts)}, expected a list of texts` : `texts[${wrong}] is ${shown(texts[wrong])}, expected text`}`,
    );
  const { length, width, words, table } = encoding;
  const rows = rowsOfWords(words);
  const out = new Float32Array(texts.length * length * width);
  for (const [i, text] of texts.entries()) {
    const tokens = tokenise(text);
    if (tokens.length === 0)
      throw new LimbeckError(
        'ERR_DATA',
        `text ${i + 1} is ${JSON.stringify(text.slice(0, 40))}, which has no words, expected some`,
      );
    for (const [t, token] of tokens.slice(0, length).entries()) {
      const row = rows.get(token) ?? UNKNOWN;
      out.set(table.subarray(row * width, (row + 1) * width), (i * length + t) * width);
    }
  }
  return out;
}

/** The words of a text as a network reads it, from its rows: what is unknown is `▢`, what fills up is left out. */
export const wordsOfRows = ({ words }: TextEncoding, rows: ArrayLike<number>): string[] =>
  Array.from(rows)
    .filter((row) => row !== FILLING)
    .map((row) => words[row]);
