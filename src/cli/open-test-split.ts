import { dirname } from 'node:path';
import { RunFolder } from '../report/run-folder.js';
import type { Terminal } from './progress.js';

/**
 * Counts a look at the test split in the run that the distilled set at `path` is of, and returns that run. Other data is no test split of
 * it: then it is said, nothing is counted, and there is none to record in; nor is there where the set is of no run.
 */
export async function openTestSplit(
  path: string,
  sameData: boolean | undefined,
  terminal: Terminal,
): Promise<RunFolder | undefined> {
  if (sameData === false) {
    terminal.say(
      `Warning: this is not the data that ${path} was made from: the accuracy is of other images, and is not written down with it.`,
    );
    return undefined;
  }
  const beside = new RunFolder(dirname(path));
  if (!beside.owns(path)) return undefined;
  const uncounted = await beside.countTest();
  if (uncounted) terminal.say(`Warning: this look at the test split is not counted: ${uncounted}`);
  return beside;
}
