/**
 * How long a command buffer may take: systems end a GPU's work after seconds, and an `AbortSignal` is noticed between two
 * command buffers.
 */
const patienceMs = 50;
/** How many command buffers may be queued: the GPU never waits for the host to encode. */
const mostUnderWay = 3;
/** Encoding more at once would block the event loop. */
const mostDispatches = 4096;
/**
 * The work that a command buffer may always hold, see `workOf`: a tenth of a second on a software adapter, a tenth of a millisecond
 * on a large GPU. A run with less is never cut.
 */
export const leastWork = 2 ** 25;

/** Running totals of work: before each dispatch of a run, and after the last. */
export type Sums = Float64Array;

/**
 * Cuts runs into command buffers that take about `patienceMs`, judged by how long earlier ones took, of any program. Where runs
 * are cut does not change their results.
 */
export class Pace {
  #budget = leastWork;
  readonly #underWay: Promise<void>[] = [];
  #lastDone = 0;

  constructor(readonly now: () => number = () => performance.now()) {}

  /** The end of the command buffer that begins with dispatch `from`. */
  end(sums: Sums, from: number): number {
    const last = Math.min(sums.length - 1, from + mostDispatches);
    let to = from + 1;
    while (to < last && sums[to + 1] - sums[from] <= this.#budget) to++;
    return to;
  }

  /** Waits until one more may be submitted. */
  async room(): Promise<void> {
    while (this.#underWay.length >= mostUnderWay) await this.#underWay[0];
  }

  /** Learns from the command buffer that was just submitted, when it is done. */
  submitted(work: number, done: Promise<unknown>): void {
    const start = this.now();
    const learn = () => {
      this.#underWay.shift();
      const end = this.now();
      this.#took(work, end - Math.max(start, this.#lastDone));
      this.#lastDone = end;
    };
    this.#underWay.push(done.then(learn, learn));
  }

  #took(work: number, milliseconds: number): void {
    if (milliseconds > patienceMs) this.#budget = Math.max(leastWork, this.#budget / 2);
    // The short end of a run that was cut says nothing about larger command buffers.
    else if (milliseconds < patienceMs / 2 && work > this.#budget / 2) this.#budget *= 2;
  }
}
