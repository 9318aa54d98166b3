import { isDeepStrictEqual } from 'node:util';
import type { ResolvedOptions } from './options.js';
import type { DatasetRecord, RunRecord } from './record.js';
import type { RunFiles } from './run-files.js';

/** Whether two records are of the same data, read alike; the checksum is of pixels before whitening, whatever rows they are cut into. */
export const isSameRecord = (one: DatasetRecord, other: DatasetRecord): boolean =>
  one.sha256 === other.sha256 &&
  isDeepStrictEqual([...one.imageShape], [...other.imageShape]) &&
  one.zca?.epsilon === other.zca?.epsilon;

/** A run that lies in a folder, beside what is asked for. */
export interface FoundRun {
  /** What it was made with that is other; left out where nothing is, or where there is no run. */
  readonly other?: 'with other options' | 'on other data';
  /** Its record; left out where it has none yet. */
  readonly record?: RunRecord;
}

/** What lies in the folder of a run. */
export async function findRun(
  run: RunFiles,
  asked: ResolvedOptions,
  dataset: DatasetRecord,
): Promise<FoundRun> {
  if (!run.holdsRun()) return {};
  const record = await run.readRecord();
  const { config, sha256 } = record
    ? { config: record.config, sha256: record.dataset.sha256 }
    : (await run.checkpoints.read()).extra;
  if (!isDeepStrictEqual(config.options, JSON.parse(JSON.stringify(asked))))
    return { other: 'with other options', record };
  const same = record
    ? isSameRecord(record.dataset, dataset)
    : sha256 === dataset.sha256 &&
      // A program that brings its own data does not say how it read them.
      (config.dataset === undefined || Boolean(config.reading?.zca) === Boolean(dataset.zca));
  return same ? { record } : { other: 'on other data', record };
}
