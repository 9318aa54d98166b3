import { judgement } from '../eval/verdict.js';
import { type RunRecord, testedOf } from '../runs/record.js';

/** The one line of `--json`: percent, seconds and milliseconds; what is undefined is left out. */
export function resultLine(record: RunRecord, out: string): string {
  const { testAccuracy, baselines, outerSteps, timings, engine, best, stopped, diverged } = record;
  const tested = testedOf(record);
  return `${JSON.stringify({
    testAccuracy,
    ...(tested && judgement(tested)),
    attack: record.attack,
    validationAccuracy: best.validationAccuracy,
    baselines,
    outerSteps,
    seconds: timings.seconds,
    stepMilliseconds: timings.stepMilliseconds,
    engine: engine.name,
    out,
    stopped,
    diverged,
    earlierProcessors: engine.earlierProcessors,
  })}\n`;
}
