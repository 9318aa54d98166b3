import { Program } from '../../program.js';
import type { Step } from '../../step.js';

/** The same program with pairs of neighbouring steps replaced by the step that `join` returns, where it returns one. */
export function joinNeighbours(
  program: Program,
  join: (before: Step, step: Step) => Step | undefined,
): Program {
  const steps: Step[] = [];
  for (const step of program.steps) {
    const before = steps.at(-1);
    const joined = before && join(before, step);
    if (joined) steps.pop();
    steps.push(joined ?? step);
  }
  return new Program(program.name, program.slots, steps);
}
