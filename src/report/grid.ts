import type { DistilledSet } from '../data/distilled-set.js';

/** A row of images: one of each class, where there is one. */
export interface GridRow {
  /** The learned step that takes them, from 0; 0 where there are none. */
  readonly step: number;
  /** `[K]`: the number of an image. */
  readonly items: readonly (number | undefined)[];
}

/** The images of a set as a table with a column per class: step by step, and in a step as many rows as its largest class needs. */
export function gridOf({ classes, use, network }: DistilledSet): GridRow[] {
  const steps = stepsOf(use);
  const perStep = classes.length / steps;
  return Array.from({ length: steps }, (_, step) => {
    const columns: number[][] = Array.from({ length: network.classes }, () => []);
    for (let i = step * perStep; i < (step + 1) * perStep; i++) columns[classes[i]].push(i);
    const rows = Math.max(...columns.map(({ length }) => length));
    return Array.from({ length: rows }, (_, row) => ({ step, items: columns.map((column) => column[row]) }));
  }).flat();
}

/** Learned steps that share out the images; 1 where training takes them all together. */
export const stepsOf = (use: DistilledSet['use']): number => (use.kind === 'learned-steps' ? use.steps : 1);
