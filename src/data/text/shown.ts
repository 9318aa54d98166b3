import type { Dataset } from '../dataset.js';
import { wordsOfRows } from './encoding.js';
import { type NearWord, nearestWords } from './nearest.js';

/** Learned texts as words, and real ones to stand beside them. */
export interface ShownTexts {
  /** For the first of the learned texts, of every place its nearest word; undefined where a place is zero. */
  readonly nearest: readonly (readonly (NearWord | undefined)[])[];
  /** The words of the first training text of each class, as a network reads them; undefined for a class without any. */
  readonly examples: readonly (readonly string[] | undefined)[];
}

/** What is shown of texts `[count, length, width]` that were learned from a data set; undefined where it is one of images. */
export function shownTexts({ text, train, classes }: Dataset, learned: Float32Array): ShownTexts | undefined {
  if (!text) return undefined;
  const { length } = text;
  const examples = Array.from({ length: classes }, (_, k) => {
    const row = train.labels.indexOf(k);
    return row < 0 ? undefined : wordsOfRows(text, train.images.subarray(row * length, (row + 1) * length));
  });
  return { nearest: nearestWords(text, learned), examples };
}
