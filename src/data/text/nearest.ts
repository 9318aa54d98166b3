import { LimbeckError } from '../../util/errors.js';
import { shown } from '../../util/expect.js';
import { expectEncoding, firstWords, type TextEncoding } from './encoding.js';

/** A word, and how near it is to a place of a learned text: the cosine of the angle between the two, -1 to 1. */
export interface NearWord {
  /** The word. */
  readonly word: string;
  /** The cosine. */
  readonly similarity: number;
}

/** Products that are computed at most: some seconds. */
const MOST_PRODUCTS = 4e9;

/**
 * The nearest word of every place of texts `[count, length, width]`, by the cosine; of as many texts, from the first on, as can be
 * computed in some seconds. A place that is zero has none.
 */
export function nearestWords(encoding: TextEncoding, texts: Float32Array): (NearWord | undefined)[][] {
  expectEncoding('nearestWords', encoding);
  const { words, table, length, width } = encoding;
  if (!ArrayBuffer.isView(texts) || texts.length % (length * width))
    throw new LimbeckError(
      'ERR_SHAPE',
      `nearestWords: texts is ${ArrayBuffer.isView(texts) ? `of ${texts.length} numbers` : shown(texts)}, expected a Float32Array of a multiple of ${length * width}: [count, length, width]`,
    );
  const skipped = firstWords.length;
  const norms = words.map((_, v) => normOf(table, v * width, width));
  const each = length * width * words.length;
  const count = Math.min(texts.length / (length * width), Math.max(1, Math.floor(MOST_PRODUCTS / each)));
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length }, (_, t) => {
      const at = (i * length + t) * width;
      const norm = normOf(texts, at, width);
      if (!(norm > 0)) return undefined;
      let [best, most] = [skipped, Number.NEGATIVE_INFINITY];
      for (let v = skipped; v < words.length; v++) {
        if (norms[v] === 0) continue;
        let product = 0;
        for (let w = 0; w < width; w++) product += texts[at + w] * table[v * width + w];
        const cosine = product / norms[v];
        if (cosine > most) [best, most] = [v, cosine];
      }
      return most === Number.NEGATIVE_INFINITY ? undefined : { word: words[best], similarity: most / norm };
    }),
  );
}

function normOf(values: Float32Array, at: number, width: number): number {
  let sum = 0;
  for (let w = 0; w < width; w++) sum += values[at + w] ** 2;
  return Math.sqrt(sum);
}
