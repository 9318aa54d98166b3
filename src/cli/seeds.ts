import { isDeepStrictEqual } from 'node:util';
import { type Accuracy, summarise } from '../eval/statistics.js';
import { RunFolder, readRun } from '../report/run-folder.js';
import type { ResolvedOptions } from '../runs/options.js';
import { accuracyText, type RunRecord } from '../runs/record.js';
import { LimbeckError } from '../util/errors.js';
import { aligned } from './table.js';

/** What runs of several seeds came to. */
export interface SeedsSummary {
  /** In their order. */
  readonly seeds: readonly { readonly seed: number; readonly out: string; readonly testAccuracy: Accuracy }[];
  /** Over the runs; each counts by the mean of its networks. */
  readonly testAccuracy: Accuracy;
}

/** The folder of one of several seeds. */
export const seedFolder = (folder: string, seed: number): string => `${folder}/seed-${seed}`;

/**
 * Whether a run of these options lies in the folder, to go on with or finished; ERR_OPTION where one of others does, which is not to be
 * mixed with them.
 */
export async function holdsSame(folder: string, options: ResolvedOptions): Promise<boolean> {
  const run = new RunFolder(folder);
  if (!run.holdsRun()) return false;
  const config = (await run.readRecord())?.config ?? (await readRun(folder)).config;
  if (isDeepStrictEqual(config.options, JSON.parse(JSON.stringify(options)))) return true;
  throw new LimbeckError(
    'ERR_OPTION',
    `${folder} holds a run with other options: name another folder by --out, or replace the runs in it with --force`,
  );
}

/** Of finished runs. */
export function summary(runs: readonly { readonly out: string; readonly record: RunRecord }[]): SeedsSummary {
  const seeds = runs.map(({ out, record: { seed, testAccuracy } }) => ({
    ...{ seed, out, testAccuracy: testAccuracy! },
  }));
  return { seeds, testAccuracy: summarise(seeds.map(({ testAccuracy }) => testAccuracy.mean)) };
}

/** The same for a terminal. */
export function summaryText({ seeds, testAccuracy }: SeedsSummary): string {
  const rows = seeds.map((one) => [String(one.seed), accuracyText(one.testAccuracy)]);
  const all = ['all', accuracyText(testAccuracy)];
  return (
    `${seeds.length} seeds; the last line is the mean of the runs and the standard deviation between them\n` +
    `${aligned([['seed', 'test accuracy'], ...rows, all], [0, 1])}\n`
  );
}
