import { breathe } from '../../util/breathe.js';

/** A symmetric matrix with few entries that are not zero, row by row: those of row i are from `starts[i]` to `starts[i + 1]`. */
export interface SparseMatrix {
  readonly size: number;
  readonly starts: Float64Array;
  readonly columns: Uint32Array;
  readonly values: Float32Array;
}

/** Words on either side that count as neighbours. */
const WINDOW = 5;
/** What the frequencies of neighbours are raised to, so that rare ones are not overrated (Levy, Goldberg, Dagan 2015). */
const SMOOTHING = 0.75;

/**
 * Positive pointwise mutual information of words that occur within five words of each other,
 * `max(0, log(n(v, u) N / (n(v) m(u))))`: n counts pairs, each by one over its distance, n(v) is a row's sum, N all of them, and
 * `m(u) = N n(u)^0.75 / sum n^0.75` smooths the frequencies of neighbours. The matrix is made symmetric as the mean of it and its transpose.
 *
 * @param texts words as numbers from 0 on; numbers from `size` on are no words, and end no window
 */
export async function ppmi(texts: readonly Uint32Array[], size: number): Promise<SparseMatrix> {
  const places = placesOf(texts, size);
  const sums = new Float64Array(size);
  const row = new Float64Array(size);
  const touched: number[] = [];
  /** Fills `row` with the pairs of a word; `touched` are its neighbours in order. */
  const fill = (word: number): void => {
    for (let at = places.starts[word]; at < places.starts[word + 1]; at++) {
      const text = texts[places.texts[at]];
      const place = places.places[at];
      for (let distance = 1; distance <= WINDOW; distance++)
        for (const other of [place - distance, place + distance]) {
          const neighbour = text[other];
          if (neighbour === undefined || neighbour >= size) continue;
          if (row[neighbour] === 0) touched.push(neighbour);
          row[neighbour] += 1 / distance;
        }
    }
    touched.sort((a, b) => a - b);
  };
  const clear = (): void => {
    for (const neighbour of touched) row[neighbour] = 0;
    touched.length = 0;
  };
  for (let word = 0; word < size; word++) {
    fill(word);
    for (const neighbour of touched) sums[word] += row[neighbour];
    clear();
    if (word % 256 === 0) await breathe();
  }
  const total = sums.reduce((a, b) => a + b, 0);
  const smoothed = sums.map((sum) => sum ** SMOOTHING);
  const norm = smoothed.reduce((a, b) => a + b, 0);
  const context = smoothed.map((value) => (total * value) / norm);
  const starts = new Float64Array(size + 1);
  const columns = new Growing(Uint32Array);
  const values = new Growing(Float32Array);
  for (let word = 0; word < size; word++) {
    fill(word);
    for (const neighbour of touched) {
      const forth = Math.log((row[neighbour] * total) / (sums[word] * context[neighbour]));
      const back = Math.log((row[neighbour] * total) / (sums[neighbour] * context[word]));
      const value = (Math.max(0, forth) + Math.max(0, back)) / 2;
      if (value === 0) continue;
      columns.add(neighbour);
      values.add(value);
    }
    clear();
    starts[word + 1] = columns.length;
    if (word % 256 === 0) await breathe();
  }
  return { size, starts, columns: columns.all(), values: values.all() };
}

/** Where each word stands, word by word. */
function placesOf(texts: readonly Uint32Array[], size: number) {
  const starts = new Float64Array(size + 1);
  for (const text of texts) for (const word of text) if (word < size) starts[word + 1]++;
  for (let word = 0; word < size; word++) starts[word + 1] += starts[word];
  const next = starts.slice();
  const of = { texts: new Uint32Array(starts[size]), places: new Uint32Array(starts[size]) };
  for (const [i, text] of texts.entries())
    for (const [place, word] of text.entries())
      if (word < size) {
        of.texts[next[word]] = i;
        of.places[next[word]++] = place;
      }
  return { starts, ...of };
}

/** A typed array that grows. */
class Growing<T extends Uint32Array | Float32Array> {
  #values: T;
  length = 0;

  constructor(private readonly kind: new (length: number) => T) {
    this.#values = new kind(1024);
  }

  add(value: number): void {
    if (this.length === this.#values.length) {
      const more = new this.kind(2 * this.length);
      more.set(this.#values);
      this.#values = more;
    }
    this.#values[this.length++] = value;
  }

  all(): T {
    return this.#values.subarray(0, this.length) as T;
  }
}
