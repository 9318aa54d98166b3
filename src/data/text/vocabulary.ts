import { breathe } from '../../util/breathe.js';
import type { LimbeckError } from '../../util/errors.js';
import { tokenise } from './tokenise.js';

/** Texts as numbers of words, every word that occurs once. */
export class WordNumbers {
  /** In the order in which they first occur; the first is what no word may be. */
  readonly words: string[] = [''];
  /** Of every text the numbers of its words. */
  readonly texts: Uint32Array[] = [];
  readonly #numbers = new Map<string, number>([['', 0]]);

  /** @throws what `empty` says where a text has no words */
  async add(texts: readonly string[], empty: (i: number) => LimbeckError): Promise<void> {
    let characters = 0;
    for (const [i, text] of texts.entries()) {
      const tokens = tokenise(text);
      if (tokens.length === 0) throw empty(i);
      this.texts.push(Uint32Array.from(tokens, (token) => this.#number(token)));
      characters += text.length;
      if (characters > 2 ** 20) {
        characters = 0;
        await breathe();
      }
    }
  }

  #number(word: string): number {
    const known = this.#numbers.get(word);
    if (known !== undefined) return known;
    this.#numbers.set(word, this.words.length);
    return this.words.push(word) - 1;
  }
}

/** Of some texts, how often each word occurs. */
export function wordCounts({ words, texts }: WordNumbers, rows: Iterable<number>): Uint32Array {
  const counts = new Uint32Array(words.length);
  for (const row of rows) for (const word of texts[row]) counts[word]++;
  counts[0] = 0;
  return counts;
}

/** The numbers of the words that occur at least so often, the most frequent first, of equally frequent ones in the order of their letters. */
export function mostFrequent({ words }: WordNumbers, counts: Uint32Array, least: number): number[] {
  const kept = [...counts.keys()].filter((word) => counts[word] >= least);
  return kept.sort((a, b) => counts[b] - counts[a] || (words[a] < words[b] ? -1 : 1));
}

/** The length that so many in a hundred of some texts do not exceed. */
export function usualLength(lengths: readonly number[], part: number): number {
  const sorted = Uint32Array.from(lengths).sort();
  return sorted[Math.ceil(part * sorted.length) - 1];
}
