import type { Dataset } from '../data/dataset.js';
import type { Checkpoint } from './distillation.js';
import type { RunRecord } from './record.js';
import type { RunFiles } from './run-files.js';

/** Pictures and page are drawn no more often than this, */
const leastMilliseconds = 5000;
/** and their drawing takes no more than this part of a run. */
const largestPart = 0.02;

/** What a run under way writes at its looks beside the checkpoint: the points of its curve, and now and then its pictures and page. */
export class LiveFiles {
  #points: number;
  #next = 0;

  private constructor(
    private readonly run: RunFiles,
    private readonly data: Dataset,
    private readonly recordAt: (checkpoint: Checkpoint) => RunRecord,
    points: number,
  ) {
    this.#points = points;
  }

  /** Begins `progress.jsonl` with the points that a run brings along. */
  static async begin(
    run: RunFiles,
    data: Dataset,
    curve: Checkpoint['curve'],
    recordAt: (checkpoint: Checkpoint) => RunRecord,
  ): Promise<LiveFiles> {
    await run.beginProgress(curve);
    return new LiveFiles(run, data, recordAt, curve.length);
  }

  /** After a checkpoint was written. */
  async renew(checkpoint: Checkpoint): Promise<void> {
    const { curve, best } = checkpoint;
    // A rollback takes points away.
    if (curve.length < this.#points) await this.run.beginProgress(curve);
    else await this.run.addProgress(curve.slice(this.#points));
    this.#points = curve.length;
    const begun = performance.now();
    if (begun < this.#next) return;
    await this.run.draw(this.recordAt(checkpoint), best.set, this.data);
    const end = performance.now();
    this.#next = end + Math.max(leastMilliseconds, (end - begun) / largestPart);
  }
}
