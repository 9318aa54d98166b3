import { median } from '../eval/statistics.js';

/** Where a run stood at a time. */
export interface Mark {
  /** Outer steps that were done by then. */
  readonly steps: number;
  /** Milliseconds of some clock. */
  readonly at: number;
}

/**
 * How fast a run goes. Its first piece, in which programs are compiled and memory is touched for the first time, is left out as soon as
 * there is another one.
 */
export class Pace {
  /** Milliseconds of an outer step, piece by piece. */
  readonly #times: number[] = [];
  readonly #began: Mark;
  #settled: Mark | undefined;
  #now: Mark;

  /** @param at milliseconds, as all marks */
  constructor(at: number) {
    this.#began = { steps: 0, at };
    this.#now = this.#began;
  }

  /** Outer steps of a piece that took so long, the last of which was done `at`. */
  add(steps: number, milliseconds: number, at: number): void {
    this.#times.push(milliseconds / steps);
    this.#now = { steps: this.#now.steps + steps, at };
    this.#settled ??= this.#now;
  }

  /** Milliseconds of an outer step by the last pieces. */
  get step(): number {
    return median(this.#times.length > 1 ? this.#times.slice(1).slice(-20) : this.#times);
  }

  /** Seconds that so many more steps take, with what is done between them. */
  secondsFor(steps: number): number {
    const settled = this.#now === this.#settled ? undefined : this.#settled;
    const from = settled ?? this.#began;
    const done = this.#now.steps - from.steps;
    return done ? (steps * (this.#now.at - from.at)) / done / 1000 : Number.POSITIVE_INFINITY;
  }

  /** Milliseconds of an outer step of all pieces. */
  get all(): { readonly median: number; readonly min: number } {
    const times = this.#times;
    return { median: median(times), min: times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY) };
  }
}
