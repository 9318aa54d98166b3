import type { Numbers } from '../engine/device.js';
import { streams } from '../train/streams.js';
import { Stream } from '../util/random.js';
import type { Start, Starts } from './starts.js';

/** How windows follow gradients. */
export interface Adaptation {
  /** Outer steps of the run. */
  readonly iterations: number;
  /** Steps of a window of usual width. */
  readonly window: number;
  /** Steps of a whole training, which every window lies in. */
  readonly total: number;
  /** How strongly starts follow the length of gradients: the exponent by which it counts. */
  readonly focus: number;
  /** How much narrower and wider than usual windows may be, as a part of `window`; 0 for one width. */
  readonly spread: number;
}

/** Decay of the running average of a gradient's length at an age. */
const decay = 0.9;

/** What there is to know of windows of usual width, by the age at which they begin. */
interface Known {
  /** Mean length of gradients; 0 where none is known. */
  readonly means: Float64Array;
  /** Deviation of the length as a part of the mean; NaN for fewer than two known ones. */
  readonly variations: Float64Array;
  /** Means over the starts that have one; 0 where none has. */
  readonly usual: { readonly mean: number; readonly variation: number };
}

/** Where windows begin in a part of the run. */
interface Chances {
  /** Of the exponent. */
  readonly sign: number;
  /** Sums of the weights of the ages up to each. */
  readonly upTo: Float64Array;
}

/** The mean of those values that pass; 0 where none does. */
function meanWhere(values: Float64Array, passes: (value: number) => boolean): number {
  let [sum, count] = [0, 0];
  for (const value of values)
    if (passes(value)) {
      sum += value;
      count++;
    }
  return count ? sum / count : 0;
}

/**
 * Truncation that follows the inner gradients (after AT-BPTT). Their mean length at each age of a training is kept as a running average,
 * from the windows there have been. A window begins at age a with a probability in proportion to
 *
 *     (mean length over the ages of a window from a on) ^ (focus s),
 *
 * where s is 1 in the first third of the run, so that where training moves fastest is met most often, 0 in the second, which is random truncation, and
 * -1 in the last. It is wider where that length varies more from age to age than it does on average over all starts, and narrower where it varies less:
 * by that ratio, within `spread`, to the nearest of three widths that ends within the training.
 *
 * Ages that no window has met are left out of means; where a window knows none, it has the mean of the others.
 */
export class AdaptiveStarts implements Starts {
  /** The usual width first. */
  readonly widths: readonly number[];
  /** `[total]`: running average of the length of gradients by age; 0 where none was seen. */
  readonly learned: Float32Array;
  readonly #draws: Stream;
  /** What follows from `learned`, until that changes: it is asked for several times in an outer step. */
  #known: Known | undefined;
  #chances: Chances | undefined;

  constructor(
    seed: number,
    private readonly how: Adaptation,
  ) {
    const { window, total, spread } = how;
    const widths = [1, 1 - spread, 1 + spread].map((part) => Math.round(part * window));
    this.widths = [...new Set(widths.map((width) => Math.min(total, Math.max(1, width))))];
    this.learned = new Float32Array(total);
    this.#draws = new Stream(seed, streams.windowStart);
  }

  at(step: number): Start {
    const age = this.#ageOf(step);
    return { number: step, place: 0, age, fresh: true, width: this.#widthAt(age) };
  }

  learn(step: number, squaredNorms: Numbers): void {
    const { age, width = 0 } = this.at(step);
    const widest = Math.max(...this.widths);
    const members = squaredNorms.length / widest;
    for (let t = 0; t < this.widths[width]; t++) {
      let now = 0;
      for (let p = 0; p < members; p++) now += Math.sqrt(squaredNorms[p * widest + t]) / members;
      const before = this.learned[age + t];
      this.learned[age + t] = before > 0 ? decay * before + (1 - decay) * now : now;
    }
    this.#forget();
  }

  goTo(learned: ArrayLike<number>): void {
    this.learned.set(learned);
    this.#forget();
  }

  #forget(): void {
    this.#known = undefined;
    this.#chances = undefined;
  }

  #ageOf(step: number): number {
    const { iterations } = this.how;
    const sign = 1 - Math.min(2, Math.floor((3 * step) / iterations));
    if (this.#chances?.sign !== sign) this.#chances = { sign, upTo: this.#weightsUpTo(sign) };
    const { upTo } = this.#chances;
    const drawn = this.#draws.uniform(step) * upTo[upTo.length - 1];
    const chosen = upTo.findIndex((sum) => drawn < sum);
    return chosen < 0 ? upTo.length - 1 : chosen;
  }

  #weightsUpTo(sign: number): Float64Array {
    const { means, usual } = this.#knowing();
    // Before the first window all are alike.
    const whole = usual.mean || 1;
    let sum = 0;
    return means.map((mean) => {
      sum += ((mean || whole) / whole) ** (this.how.focus * sign);
      return sum;
    });
  }

  /** The place among the widths. */
  #widthAt(age: number): number {
    const { window, total } = this.how;
    const { variations, usual } = this.#knowing();
    const own = variations[age];
    const wanted = Number.isNaN(own) || usual.variation === 0 ? window : (own / usual.variation) * window;
    const fitting = this.widths.filter((width) => age + width <= total);
    const away = (width: number) => Math.abs(width - wanted);
    return this.widths.indexOf(fitting.reduce((a, b) => (away(b) < away(a) ? b : a)));
  }

  #knowing(): Known {
    this.#known ??= knownOf(this.learned, this.how.window);
    return this.#known;
  }
}

/** In one pass over the ages: of every window by sums from age 0 on. */
function knownOf(learned: Float32Array, window: number): Known {
  const [counts, sums, squares] = [0, 1, 2].map(() => new Float64Array(learned.length + 1));
  for (const [age, length] of learned.entries()) {
    counts[age + 1] = counts[age] + (length > 0 ? 1 : 0);
    sums[age + 1] = sums[age] + length;
    squares[age + 1] = squares[age] + length ** 2;
  }
  const means = new Float64Array(learned.length - window + 1);
  const variations = new Float64Array(means.length).fill(Number.NaN);
  for (let age = 0; age < means.length; age++) {
    const within = (upTo: Float64Array) => upTo[age + window] - upTo[age];
    const count = within(counts);
    if (count === 0) continue;
    const mean = within(sums) / count;
    means[age] = mean;
    // Rounding may leave less than nothing.
    if (count > 1) variations[age] = Math.sqrt(Math.max(0, within(squares) / count - mean ** 2)) / mean;
  }
  const usual = {
    mean: meanWhere(means, (mean) => mean > 0),
    variation: meanWhere(variations, (variation) => !Number.isNaN(variation)),
  };
  return { means, variations, usual };
}
