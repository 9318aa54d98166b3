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

const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Deviation as a part of the mean; undefined for fewer than two values. */
function variationOf(values: readonly number[]): number | undefined {
  if (values.length < 2) return undefined;
  const mean = meanOf(values);
  return Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2))) / mean;
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
      const lengths = Array.from({ length: members }, (_, p) => Math.sqrt(squaredNorms[p * widest + t]));
      const before = this.learned[age + t];
      const now = meanOf(lengths);
      this.learned[age + t] = before > 0 ? decay * before + (1 - decay) * now : now;
    }
  }

  /** Lengths of gradients at the ages of a window of usual width that begins at `age`, where any are known. */
  #known = (age: number): number[] =>
    Array.from(this.learned.subarray(age, age + this.how.window)).filter((length) => length > 0);

  #ages = (): number[] => Array.from({ length: this.how.total - this.how.window + 1 }, (_, age) => age);

  #ageOf(step: number): number {
    const { iterations, focus } = this.how;
    const sign = 1 - Math.min(2, Math.floor((3 * step) / iterations));
    const lengths = this.#ages().map((age) => meanOf(this.#known(age)));
    const known = lengths.filter((length) => length > 0);
    // Before the first window all are alike.
    const usual = known.length ? meanOf(known) : 1;
    const weights = lengths.map((length) => ((length > 0 ? length : usual) / usual) ** (focus * sign));
    let left = this.#draws.uniform(step) * weights.reduce((a, b) => a + b, 0);
    const chosen = weights.findIndex((weight) => {
      left -= weight;
      return left < 0;
    });
    return chosen < 0 ? weights.length - 1 : chosen;
  }

  /** The place among the widths. */
  #widthAt(age: number): number {
    const { window, total } = this.how;
    const own = variationOf(this.#known(age));
    const all = this.#ages().flatMap((other) => variationOf(this.#known(other)) ?? []);
    const usual = all.length ? meanOf(all) : 0;
    const wanted = own === undefined || usual === 0 ? window : (own / usual) * window;
    const fitting = this.widths.filter((width) => age + width <= total);
    const away = (width: number) => Math.abs(width - wanted);
    return this.widths.indexOf(fitting.reduce((a, b) => (away(b) < away(a) ? b : a)));
  }
}
