/** The short forms of the long jobs in `test/endurance/`, which `npm run test:endurance` runs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildWhereStale } from './harness/command-line.js';
import { root } from './harness/repository.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-endurance-'));
beforeAll(buildWhereStale);
afterAll(() => rmSync(folder, { recursive: true }));

const job = async (name: string, ...args: string[]) =>
  (await import(pathToFileURL(join(root, 'test/endurance', `${name}.mjs`)).href)).run(args, folder);

test('random calls of the native engine end in results and errors with codes, never in a crash', async () => {
  const { sequences, ran, refused, wrong } = await job('misuse', '300', '7');
  expect({ sequences, wrong }).toEqual({ sequences: 300, wrong: [] });
  expect(ran).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(1000);
});

// The faults are put between a program and its C library, which takes Linux.
test.skipIf(process.platform !== 'linux')(
  'no fault of a disk, and no kill at a call, loses a run or hides the error',
  async () => {
    const full = await job('faults', '6', 'ENOSPC');
    expect(full.wrong).toEqual([]);
    expect(full.points).toBeGreaterThan(60);
    expect(full.faults).toBe(2 * Math.ceil(full.points / 6));
    expect(full.told).toBeGreaterThan(full.faults / 2);
    const { kills, wrong } = await job('faults', '31', 'kill');
    expect(wrong).toEqual([]);
    expect(kills).toBeGreaterThanOrEqual(3);
  },
);

test('a run that is killed at random moments ends with the same bits', async () => {
  const { kills, runs, wrong } = await job('kills', '3', 'cpu', 'unrolled');
  expect(wrong).toEqual([]);
  expect(kills).toBeGreaterThanOrEqual(3);
  expect(runs).toBeGreaterThanOrEqual(1);
});
