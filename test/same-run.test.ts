/** What is found in the folder of a run that may be another one. */
import { expect, test } from 'vitest';
import { findRun } from '../src/runs/same-run.js';

const dataset = { sha256: 'a', imageShape: [1, 2, 2] } as never;
const options = { method: 'dm', ipc: 1 } as never;

/** A folder with such a record, which counts how often that is read. */
function folderWith(record: { config: object; dataset: object } | undefined) {
  const folder = {
    reads: 0,
    holdsRun: () => record !== undefined,
    async readRecord() {
      folder.reads++;
      return record;
    },
  };
  return folder;
}

test.each([
  ['the same', { config: { options }, dataset }, undefined],
  ['other options', { config: { options: { method: 'dm', ipc: 2 } }, dataset }, 'with other options'],
  [
    'another shape',
    { config: { options }, dataset: { sha256: 'a', imageShape: [1, 4, 1] } },
    'on other data',
  ],
  ['other data', { config: { options }, dataset: { sha256: 'b', imageShape: [1, 2, 2] } }, 'on other data'],
])('a record of %s is read once and given back', async (_, record, other) => {
  const folder = folderWith(record);
  const found = await findRun(folder as never, options, dataset);
  expect(found.other).toBe(other);
  expect(found.record).toBe(record);
  expect(folder.reads).toBe(1);
});

test('an empty folder holds neither', async () => {
  expect(await findRun(folderWith(undefined) as never, options, dataset)).toEqual({});
});
