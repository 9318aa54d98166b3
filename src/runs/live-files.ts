import type { Dataset } from '../data/dataset.js';
import type { Checkpoint, RunLook } from './distillation.js';
import type { RunRecord } from './record.js';
import type { RunFiles } from './run-files.js';

/** Pictures and page are drawn no more often than this, */
const leastMilliseconds = 5000;
/** and their drawing takes no more than this part of a run. */
const largestPart = 0.02;

/** What a run under way writes at its looks beside the checkpoint: points of its curve, frames, and now and then its pictures and page. */
export class LiveFiles {
  #points = 0;
  /** Looks that wait for their checkpoint. */
  readonly #looks: RunLook[] = [];
  #next = 0;

  /** Touches nothing yet: a run that ends in an error before its first look leaves nothing behind. */
  constructor(
    private readonly run: RunFiles,
    private readonly data: Dataset,
    private readonly recordAt: (checkpoint: Checkpoint) => RunRecord,
  ) {}

  /** Begins the files anew with the looks that a run brings along. */
  async goOn(curve: Checkpoint['curve']): Promise<void> {
    await this.run.film.goOn(curve);
    await this.run.beginProgress(curve);
    this.#points = curve.length;
  }

  look(look: RunLook): void {
    this.#looks.push(look);
  }

  /** After a checkpoint was written. */
  async renew(checkpoint: Checkpoint): Promise<void> {
    const { curve, best } = checkpoint;
    if (this.#points === 0) await this.run.beginProgress(curve);
    else await this.run.addProgress(curve.slice(this.#points));
    this.#points = curve.length;
    for (const look of this.#looks.splice(0)) await this.run.addFrame(look, this.data);
    const begun = performance.now();
    if (begun < this.#next) return;
    await this.run.draw(this.recordAt(checkpoint), best.set, this.data);
    const end = performance.now();
    this.#next = end + Math.max(leastMilliseconds, (end - begun) / largestPart);
  }
}
