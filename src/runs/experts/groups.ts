import type { Found } from './folder.js';
import type { Members } from './program.js';

/** Experts that are trained at once, from the same epoch on. */
export interface Group extends Members {
  /** Epochs that all of them have behind them. */
  readonly epoch: number;
}

/**
 * Shares out the experts that are not finished among groups of at most `population`. Those that were killed together go on together,
 * from the last epoch that all of them have; none goes back by more than one epoch for another.
 *
 * @param stateful whether training goes on from a snapshot and a state, not from a snapshot alone
 */
export function groupsOf(found: readonly Found[], population: number, stateful: boolean): Group[] {
  const left = found.filter(({ finished }) => !finished);
  const groups: Group[] = [];
  for (let i = 0; i < left.length; ) {
    const first = left[i].number;
    let common = epochsOf(left[i], stateful);
    const least = Math.max(...common) - 1;
    let members = 1;
    for (; members < population && left[i + members]?.number === first + members; members++) {
      const own = epochsOf(left[i + members], stateful);
      const both = own.filter((epoch) => common.includes(epoch));
      const latest = Math.max(...both);
      if (latest < least || latest < Math.max(...own) - 1) break;
      common = both;
    }
    groups.push({ first, members, epoch: Math.max(...common) });
    i += members;
  }
  return groups;
}

/** Epochs from whose end an expert can go on: 0 always, for its first parameters are drawn by its number. */
function epochsOf({ part, states }: Found, stateful: boolean): number[] {
  if (!part) return [0];
  const kept = stateful ? states : Array.from({ length: part.snapshots }, (_, epoch) => epoch);
  return [...new Set([0, ...kept.filter((epoch) => epoch < part.snapshots)])];
}
