import { setTimeout } from 'node:timers/promises';
import { openDevice } from '../../dist/engine/open.js';

/** Below this share of the best peak so far something else took part of the processor: another program, or a core that two threads share. */
const least = 0.85;
const mostAttempts = 3;
const pause = 2000;

/**
 * Watches what the processor can do. Its peak, of all threads, is measured before and after each trial; a trial beside which it fell is
 * done again, twice at most.
 */
export class Watch {
  #device;
  #best = 0;

  static async open(threads) {
    const watch = new Watch();
    watch.#device = await openDevice('cpu', { threads });
    return watch;
  }

  /** What `run` reports, with `peaks` in 10^9 operations a second and how often it was done `again`. */
  async trial(run) {
    for (let again = 0; ; again++) {
      const before = await this.#peak();
      const report = await run();
      const peaks = [before, await this.#peak()];
      if (Math.min(...peaks) >= least * this.#best || again === mostAttempts - 1)
        return { ...report, peaks, again };
      await setTimeout(pause);
    }
  }

  async #peak() {
    const { flops } = await this.#device.peak();
    this.#best = Math.max(this.#best, flops[1] / 1e9);
    return flops[1] / 1e9;
  }

  close() {
    return this.#device.dispose();
  }
}
