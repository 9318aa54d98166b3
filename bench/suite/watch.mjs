import { setTimeout } from 'node:timers/promises';
import { openDevice } from '../../dist/engine/open.js';

/** Below this share of the best peak so far something else took part of the processor: another program, or a core that two threads share. */
const least = 0.85;
const mostAttempts = 3;

/**
 * Watches what the processor can do. Its peak, of all threads, is measured before and after each trial; a trial beside which it fell is
 * done again, twice at most.
 */
export class Watch {
  #device;
  #pause;
  #best = 0;

  /** `pause`: milliseconds before a trial is done again. */
  constructor(device, pause = 2000) {
    this.#device = device;
    this.#pause = pause;
  }

  static open = async (threads) => new Watch(await openDevice('cpu', { threads }));

  /** What `run` reports, with `peaks` in 10^9 operations a second and how often it was done `again`. */
  async trial(run) {
    for (let again = 0; ; again++) {
      const before = await this.#peak();
      const report = await run();
      const peaks = [before, await this.#peak()];
      if (Math.min(...peaks) >= least * this.#best || again === mostAttempts - 1)
        return { ...report, peaks, again };
      await setTimeout(this.#pause);
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
