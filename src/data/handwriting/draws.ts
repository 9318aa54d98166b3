import type { Stream } from '../../util/random.js';

/** Reads a stream from its beginning, one value after the other. */
export class Draws {
  readonly #stream: Stream;
  #next = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  /** In (low, high). */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * this.#stream.uniform(this.#next++);
  }

  /** Normal, cut at two and a half deviations: handwriting varies, but nobody writes outliers for long. */
  normal(deviation = 1, mean = 0): number {
    const value = this.#stream.normal(this.#next++);
    return mean + deviation * Math.max(-2.5, Math.min(2.5, value));
  }

  /** An index into `weights`, as likely as its weight. */
  choice(weights: readonly number[]): number {
    let rest = this.uniform(
      0,
      weights.reduce((sum, weight) => sum + weight, 0),
    );
    for (let index = 0; index < weights.length - 1; index++) {
      if (rest < weights[index]) return index;
      rest -= weights[index];
    }
    return weights.length - 1;
  }
}
