import type { Progress } from '../runs/distillation.js';
import type { BegunRun } from '../runs/folder-run.js';
import { counted, duration } from '../util/words.js';
import type { Terminal } from './progress.js';

/** Where a run begins, and the operations that it takes. */
interface Begun extends Pick<BegunRun, 'iteration'> {
  readonly plan: { readonly flops: Pick<BegunRun['plan']['flops'], 'step' | 'total' | 'test'> };
}

/** Seconds of outer steps after which it is said how long all of them will take. */
const measuring = 2;

/** Says once how long a run will take: at the speed of its outer steps from the second on, looks at the validation split by their work. */
export class Expectation {
  #begun: Begun | undefined;
  #since = 0;

  constructor(private readonly terminal: Pick<Terminal, 'say'>) {}

  begin(begun: Begun): void {
    this.#begun = begun;
    this.#since = performance.now();
  }

  hear({
    iteration,
    iterations,
    stepsPerSecond,
  }: Pick<Progress, 'iteration' | 'iterations' | 'stepsPerSecond'>): void {
    if (!this.#begun || performance.now() - this.#since < 1000 * measuring || iteration === iterations)
      return;
    const { plan, iteration: before } = this.#begun;
    // The first one is slower than those to come: it brings compilation and fresh memory with it.
    if (iteration - before < 2) return;
    const { step, total, test } = plan.flops;
    const withLooks = total / (step * iterations);
    const seconds = ((iterations - before) / stepsPerSecond) * withLooks;
    // As fast as outer steps, operation by operation.
    const testSeconds = test / (step * stepsPerSecond);
    this.terminal.say(
      `Time: about ${duration(seconds)} with looks at the validation split` +
        (testSeconds >= 1 ? ` and ${duration(testSeconds)} for the test at the end` : '') +
        `, by ${counted(iteration - before - 1, 'outer step')} after the first`,
    );
    this.#begun = undefined;
  }
}
