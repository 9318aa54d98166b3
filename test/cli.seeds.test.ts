/** `limbeck distill --seeds`: several runs, their spread, and what is there already. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildWhereStale, commandLine } from './harness/command-line.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-seeds-'));
const { limbeck } = commandLine(folder);
const tiny = '--device reference --network mlp:width=8 --digits-size 100 --batch 16 --iterations 3'.split(
  ' ',
);
const recordOf = (seed: number) =>
  JSON.parse(readFileSync(join(folder, `runs/seed-${seed}/run.json`), 'utf8'));

beforeAll(buildWhereStale);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('runs each seed in a folder of its own and says how far they lie apart', async () => {
  const { status, stdout, stderr } = await limbeck(
    ...['distill', ...tiny, '--seed', '4', '--seeds', '3', '--json', '--out', 'runs'],
  );
  expect(status, stderr).toBe(0);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toHaveLength(4);
  const means = [4, 5, 6].map((seed) => recordOf(seed).testAccuracy.mean);
  expect([4, 5, 6].map((seed) => recordOf(seed).seed)).toEqual([4, 5, 6]);
  const mean = (means[0] + means[1] + means[2]) / 3;
  const { seeds, testAccuracy } = lines[3];
  expect(seeds.map(({ seed }: { seed: number }) => seed)).toEqual([4, 5, 6]);
  expect(testAccuracy.mean).toBeCloseTo(mean, 9);
  expect(testAccuracy.std).toBeCloseTo(
    Math.sqrt(means.reduce((sum, one) => sum + (one - mean) ** 2, 0) / 2),
    9,
  );
  expect(testAccuracy.networks).toBe(3);

  // Those that are finished stay as they are; another run in their place is not mixed with them.
  const before = readFileSync(join(folder, 'runs/seed-5/run.json'), 'utf8');
  const again = await limbeck('distill', ...tiny, '--seed', '4', '--seeds', '3', '--out', 'runs');
  expect(again.status, again.stderr).toBe(0);
  expect(again.stderr).toMatch(/^ +5 +[0-9.]+ %$/m);
  expect(again.stderr).toMatch(/^ +all +[0-9.]+ ± [0-9.]+ %$/m);
  expect(readFileSync(join(folder, 'runs/seed-5/run.json'), 'utf8')).toBe(before);
  const other = ['distill', ...tiny, '--seed', '4', '--seeds', '3', '--lr', '0.5', '--out', 'runs'];
  const refused = await limbeck(...other);
  expect(refused.status).toBe(2);
  expect(refused.stderr).toMatch(/runs\/seed-4 holds a run with other options: name another folder by --out/);

  // Nor are numbers of other data given as those of the data asked for.
  for (const other of [tiny.map((word) => (word === '100' ? '120' : word)), [...tiny, '--zca']]) {
    const elsewhere = await limbeck(...['distill', ...other, '--seed', '4', '--seeds', '3', '--out', 'runs']);
    expect(elsewhere.status).toBe(2);
    expect(elsewhere.stderr).toMatch(
      /runs\/seed-4 holds a run on other data: name another folder by --out, or replace the runs in it with --force/,
    );
  }
});
