import { isDeepStrictEqual } from 'node:util';
import type { ResolvedOptions } from './options.js';
import type { DatasetRecord } from './record.js';
import type { RunFiles } from './run-files.js';

/** Whether two records are of the same data, read alike; the checksum is of pixels before whitening, whatever rows they are cut into. */
export const isSameRecord = (one: DatasetRecord, other: DatasetRecord): boolean =>
  one.sha256 === other.sha256 &&
  isDeepStrictEqual([...one.imageShape], [...other.imageShape]) &&
  one.zca?.epsilon === other.zca?.epsilon;

/** What a run in a folder was made with that is other than what is asked for; undefined where it is the same, or where there is none. */
export async function otherRunIn(
  run: RunFiles,
  asked: ResolvedOptions,
  dataset: DatasetRecord,
): Promise<'with other options' | 'on other data' | undefined> {
  if (!run.holdsRun()) return undefined;
  const record = await run.readRecord();
  const { config, sha256 } = record
    ? { config: record.config, sha256: record.dataset.sha256 }
    : (await run.checkpoints.read()).extra;
  if (!isDeepStrictEqual(config.options, JSON.parse(JSON.stringify(asked)))) return 'with other options';
  const same = record
    ? isSameRecord(record.dataset, dataset)
    : sha256 === dataset.sha256 &&
      // A program that brings its own data does not say how it read them.
      (config.dataset === undefined || Boolean(config.reading?.zca) === Boolean(dataset.zca));
  return same ? undefined : 'on other data';
}
