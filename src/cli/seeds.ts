import type { Dataset } from '../data/dataset.js';
import { type Accuracy, summarise } from '../eval/statistics.js';
import { RunFolder } from '../report/run-folder.js';
import { describeData } from '../runs/describe-data.js';
import type { ResolvedOptions } from '../runs/options.js';
import { accuracyText, type DatasetRecord } from '../runs/record.js';
import { findRun } from '../runs/same-run.js';
import { LimbeckError } from '../util/errors.js';
import { aligned } from './table.js';

/** Runs that differ in their seed alone. */
interface SeedRuns {
  /** Each run has a folder of its own in this one. */
  readonly folder: string;
  /** How many. */
  readonly seeds: number;
  /** What all of them are on. */
  readonly data: Dataset;
  /** Of the first. */
  readonly options: ResolvedOptions;
  /** Whether runs that lie there are replaced. */
  readonly force: boolean;
  readonly json: boolean;
  /** Does a run from its beginning; returns the status. */
  begin(folder: string, seed: number): Promise<number>;
  /** Goes on with one that lies there, finished or not; returns the status. */
  goOn(folder: string): Promise<number>;
}

/** Does them one after the other and shows their spread. Returns the status, of the first that does not end well if one does not. */
export async function carryOutSeeds(runs: SeedRuns): Promise<number> {
  const { folder, options, data, force, json } = runs;
  const described = describeData(data);
  const done: SeedResult[] = [];
  for (let seed = options.seed; seed < options.seed + runs.seeds; seed++) {
    const out = `${folder}/seed-${seed}`;
    const same = !force && (await holdsSame(out, { ...options, seed }, described));
    const status = await (same ? runs.goOn(out) : runs.begin(out, seed));
    if (status !== 0) return status;
    const record = await new RunFolder(out).readRecord();
    done.push({ seed, out, testAccuracy: record!.testAccuracy! });
  }
  // Over the runs: each counts by the mean of its networks.
  const testAccuracy = summarise(done.map((one) => one.testAccuracy.mean));
  if (json) process.stdout.write(`${JSON.stringify({ seeds: done, testAccuracy })}\n`);
  else process.stderr.write(`\n${spreadText(done, testAccuracy)}`);
  return 0;
}

interface SeedResult {
  readonly seed: number;
  readonly out: string;
  readonly testAccuracy: Accuracy;
}

/**
 * Whether a run of these options on these data lies in the folder, to go on with or finished; ERR_OPTION where another does, which is not
 * to be mixed with them.
 */
async function holdsSame(folder: string, options: ResolvedOptions, data: DatasetRecord): Promise<boolean> {
  const run = new RunFolder(folder);
  const { other } = await findRun(run, options, data);
  if (other === undefined) return run.holdsRun();
  throw new LimbeckError(
    'ERR_OPTION',
    `${folder} holds a run ${other}: name another folder by --out, or replace the runs in it with --force`,
  );
}

function spreadText(done: readonly SeedResult[], testAccuracy: Accuracy): string {
  const rows = done.map((one) => [String(one.seed), accuracyText(one.testAccuracy)]);
  const all = ['all', accuracyText(testAccuracy)];
  return (
    `${done.length} seeds; the last line is the mean of the runs and the standard deviation between them\n` +
    `${aligned([['seed', 'test accuracy'], ...rows, all], [0, 1])}\n`
  );
}
