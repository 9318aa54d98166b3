/**
 * How long a command buffer may take: systems kill a GPU's work after seconds, and an `AbortSignal` is heard between two of
 * them.
 */
const patienceMs = 50;
/** How many are handed over before the first is done: the GPU never waits for the host to encode. */
const mostUnderWay = 3;
/** Encoding more at once would block the event loop. */
const mostDispatches = 4096;
/**
 * What every command buffer may hold, see `workOf`: a tenth of a second on a software adapter, a tenth of a millisecond on a
 * large GPU. A run with less is never cut.
 */
export const leastWork = 2 ** 25;

/** What is cut: work before each dispatch of a run, and of all of them at the end. */
export type Sums = Float64Array;

/**
 * Cuts runs into command buffers that take about as long as `patienceMs`, by what earlier ones took, whatever program
 * they were of. Where they are cut changes nothing in what is computed.
 */
export class Pace {
  #budget = leastWork;
  readonly #underWay: Promise<void>[] = [];
  #lastDone = 0;

  constructor(readonly now: () => number = () => performance.now()) {}

  /** Where the command buffer ends that begins with dispatch `from`. */
  end(sums: Sums, from: number): number {
    const last = Math.min(sums.length - 1, from + mostDispatches);
    let to = from + 1;
    while (to < last && sums[to + 1] - sums[from] <= this.#budget) to++;
    return to;
  }

  /** Waits until one more may be handed over. */
  async room(): Promise<void> {
    while (this.#underWay.length >= mostUnderWay) await this.#underWay[0];
  }

  /** Learns from what was handed over just now, when it is done. */
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
    // The rest of a run that was cut says nothing about larger ones.
    else if (milliseconds < patienceMs / 2 && work > this.#budget / 2) this.#budget *= 2;
  }
}
