import type { Numbers } from '../engine/device.js';
import { streams } from '../train/streams.js';
import { Stream } from '../util/random.js';

/** Where the networks of an outer step stand when its window begins. */
export interface Start {
  /** Their number: what they are drawn by. */
  readonly number: number;
  /** Their place in the pool; 0 where there is none. */
  readonly place: number;
  /** Steps they have been trained. */
  readonly age: number;
  /** Whether they are drawn for this outer step and trained up to their age; else they are where their last window ended. */
  readonly fresh: boolean;
  /** The place of the width of its window among `widths`; left out, 0. */
  readonly width?: number;
}

/** Where windows begin. */
export interface Starts {
  /** Where the networks of outer step `step` stand; the same whichever steps were asked for before, by what was learned from them. */
  at(step: number): Start;
  /** Steps that windows may have; left out, all have those that the options say. */
  readonly widths?: readonly number[];
  /** What follows from the windows there have been, and is state of the run; left out, nothing does. */
  readonly learned?: Float32Array;
  /** Learns from the window of outer step `step`: the squared norm of each step's gradient, `[P, widest]`. */
  learn?(step: number, squaredNorms: Numbers): void;
  /** Goes on from what a run had learned. */
  goTo?(learned: ArrayLike<number>): void;
}

/** Windows of a training, by how many steps they begin late. */
export interface Windows {
  /** Steps of a window. */
  readonly window: number;
  /** Steps of a whole training, which every window lies in. */
  readonly total: number;
  /** Networks that are kept; 0 where each is for one outer step. */
  readonly pool: number;
}

/**
 * Random truncation: every age from 0 to `total - window` is equally likely at the start of a window.
 *
 * Without a pool that is an age drawn for every outer step. With one, outer step s takes place s mod pool, and a window goes on from
 * where the one before it in that place ended, as long as it ends within `total`; the first one of a network begins at an age below
 * `window`, each as likely as the next. Every age then belongs to one of them, so that in the long run each is met equally often, and
 * the steps of a window need not be trained again to reach the next.
 */
export class RandomStarts implements Starts {
  readonly #ages: Stream;
  /** By place: the network it was last asked for, and the number of its first window there. */
  readonly #known = new Map<number, { number: number; first: number }>();

  constructor(
    seed: number,
    private readonly windows: Windows,
  ) {
    this.#ages = new Stream(seed, streams.windowStart);
  }

  at(step: number): Start {
    const { window, pool } = this.windows;
    if (pool === 0) return { number: step, place: 0, age: this.#firstAge(step), fresh: true };
    const [place, visit] = [step % pool, Math.floor(step / pool)];
    let { number, first } = this.#known.get(place) ?? { number: place, first: 0 };
    if (visit < first) [number, first] = [place, 0];
    while (visit >= first + this.#uses(number)) {
      first += this.#uses(number);
      number += pool;
    }
    this.#known.set(place, { number, first });
    const age = this.#firstAge(number) + (visit - first) * window;
    return { number, place, age, fresh: visit === first };
  }

  /** The age of the networks of that number in their first window. */
  #firstAge(number: number): number {
    const { window, total, pool } = this.windows;
    const ages = total - window + 1;
    return Math.floor(this.#ages.uniform(number) * (pool === 0 ? ages : Math.min(ages, window)));
  }

  /** For how many windows they are. */
  #uses(number: number): number {
    const { window, total } = this.windows;
    return Math.floor((total - window - this.#firstAge(number)) / window) + 1;
  }
}
