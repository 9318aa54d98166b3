import type { Members, Sizes } from './kernel.js';
import { expectShape, expectShared } from './op.js';
import type { View } from './view.js';

/**
 * Checks what an optimiser's step in place reads, and returns the number of rows: `schedule` `[rows, 2]`, computed once in float64,
 * with a learning rate and a second number for each step, and `state`, whose word 2 counts the steps (see `ops/random.ts`).
 * Steps past the last row take the last row.
 */
export function expectSchedule(op: string, { schedule, state }: { schedule: View; state: View }): number {
  const rows = schedule.shape[0];
  expectShape(op, 'schedule', schedule, [rows, 2], '(a row for each step)');
  expectShape(op, 'state', state, [4], '(a counter state)');
  expectShared(op, 'schedule', schedule);
  expectShared(op, 'state', state);
  return rows;
}

/** The row of the present step, of kernels that have the size `rows`. */
export function rowOf({ schedule, state }: Readonly<Record<string, Members>>, { rows }: Sizes): number[] {
  const row = Math.min(state(0)[2], rows - 1);
  return [schedule(0)[2 * row], schedule(0)[2 * row + 1]];
}
