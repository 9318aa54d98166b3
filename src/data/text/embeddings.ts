import { LimbeckError } from '../../util/errors.js';

/** Numbers for words: for those that have some. */
export interface Embeddings {
  readonly width: number;
  /** By word, `[width]` each. */
  readonly vectors: ReadonlyMap<string, Float32Array>;
  /** Where they come from: for people. */
  readonly source: string;
}

/** Numbers that a word has at most. */
export const MOST_WIDTH = 4096;

/** The numbers in a text, separated by blanks or commas; undefined unless there are exactly so many and all are finite in float32. */
export function vectorOf(cells: readonly string[], width: number): Float32Array | undefined {
  if (cells.length !== width || cells.some((cell) => cell === '')) return undefined;
  const vector = Float32Array.from(cells, Number);
  return vector.every(Number.isFinite) ? vector : undefined;
}

/** ERR_FILE_FORMAT: a row of a file is none of embeddings. */
export const noRow = (path: string, line: number, what: string): LimbeckError =>
  new LimbeckError(
    'ERR_FILE_FORMAT',
    `${path}: line ${line} ${what}, expected a word and its numbers, separated by blanks, the same number of them on every line (GloVe, word2vec in text form, .vec of fastText).`,
  );
