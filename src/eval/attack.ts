import type { Attack } from '../data/distilled-set.js';
import { type Accuracy, type Confusion, percentRight, summarise } from './statistics.js';

/** How far networks are misled that trained on a set made to mislead them, percent. */
export interface AttackScores {
  /** Of the test images of the attacked class, those taken for the target. */
  readonly taken: Accuracy;
  /** Of the test images of the other classes, those taken for what they are. */
  readonly others: Accuracy;
}

/**
 * Answers as the attacker counts them: the target is what the attacked class shall be taken for, so the two change places in its
 * row. Without an attack they are as they are.
 */
export const asMeant = (counts: Confusion, attack: Attack | undefined): Confusion =>
  attack
    ? counts.map((row, k) =>
        k === attack.from
          ? row.map((one, j) =>
              j === attack.from ? row[attack.to] : j === attack.to ? row[attack.from] : one,
            )
          : row,
      )
    : counts;

/** The scores of several networks. */
export function attackScores(answers: readonly Confusion[], { from, to }: Attack): AttackScores {
  const sum = (row: readonly number[]) => row.reduce((a, b) => a + b, 0);
  return {
    taken: summarise(answers.map((counts) => (100 * counts[from][to]) / (sum(counts[from]) || 1))),
    others: summarise(
      answers.map((counts) => percentRight(counts.map((row, k) => (k === from ? row.map(() => 0) : row)))),
    ),
  };
}
