/** A timer that waits longer fires at once: its delay is a signed number of 32 bits. */
const longest = 2 ** 31 - 1;

/** Time for distilling, shared among runs that come one after another. */
export class Budget {
  /** Milliseconds. */
  #left: number;
  #begun?: number;
  #timer?: NodeJS.Timeout;

  constructor(seconds = Number.POSITIVE_INFINITY) {
    this.#left = 1000 * seconds;
  }

  /** The first of `runs` runs that are left begins; `stop` is called when its share is over. */
  begin(runs: number, stop: () => void): void {
    this.#begun = performance.now();
    const share = Math.max(1, this.#left / runs);
    if (share <= longest) this.#timer = setTimeout(stop, share);
  }

  /** It distils no longer: what comes now costs nothing. May be called again. */
  end(): void {
    clearTimeout(this.#timer);
    if (this.#begun !== undefined) this.#left = Math.max(0, this.#left - (performance.now() - this.#begun));
    this.#begun = undefined;
  }
}
