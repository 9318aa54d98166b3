/** `limbeck compare`: what it takes, prints and writes. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildWhereStale, commandLine } from './harness/command-line.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-cli-compare-'));
const { limbeck } = commandLine(folder);
const data = '--dataset digits --digits-size 60 --device cpu --network mlp:width=8 --networks 2'.split(' ');

beforeAll(buildWhereStale);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('prints a table, the best first, and writes page and numbers', async () => {
  const given = [...data, '--methods', 'unrolled:iterations=3:batch=8,dm:iterations=2:batch=4'];
  const more = ['--full-epochs', '1', '--baselines', 'classMeans', '--out', 'both'];
  const { status, stdout, stderr } = await limbeck('compare', ...given, ...more);
  expect(status, stderr).toBe(0);
  const rows = stdout.split('\n').filter((line) => /^ +1 {2}/.test(line));
  expect(rows).toHaveLength(4);
  for (const name of [
    'unrolled:iterations=3:batch=8',
    'dm:iterations=2:batch=4',
    'class means',
    'random real images',
  ])
    expect(rows.filter((row) => row.includes(`  ${name}  `))).toHaveLength(1);
  const accuracies = rows.map((row) => Number(/([\d.]+) ± [\d.]+ %/.exec(row)![1]));
  expect(accuracies).toEqual([...accuracies].sort((a, b) => b - a));
  expect(stdout).toMatch(/^All training images: \d+\.\d %\.$/m);
  expect(stderr).toContain('Wrote both/compare.html');
  const written = JSON.parse(readFileSync(join(folder, 'both/compare.json'), 'utf8'));
  // As JSON it says the same, with the rows of the table; nothing is done twice.
  const again = await limbeck('compare', ...given, ...more, '--json');
  expect(again.status, again.stderr).toBe(0);
  const { rows: table, ...compared } = JSON.parse(again.stdout);
  expect(compared.runs).toEqual(written.runs);
  expect(table.map(({ accuracy }: { accuracy: { mean: number } }) => accuracy.mean.toFixed(1))).toEqual(
    accuracies.map((mean) => mean.toFixed(1)),
  );
});

test.each([
  [[], /compare needs methods/],
  [['--methods', 'dn'], /expected one of .*dm/],
  [['--methods', 'dm:stepz=3'], /--stepz is unknown/],
  [['--methods', 'dm:iterations'], /--iterations has no value/],
  [['--methods', 'dm:iterations=few'], /--iterations is "few"/],
  [
    ['--methods', 'dm', '--budget', '20'],
    /--budget is 20, expected a time above 0 with its unit, such as 90s/,
  ],
  [['--methods', 'dm', '--budget', '0m'], /--budget is 0m/],
  [['--methods', 'dm', '--protocol', 'learned-steps'], /not every set has steps/],
])('refuses %j', async (given, message) => {
  const { status, stderr } = await limbeck('compare', ...data, ...given, '--out', 'nothing');
  expect(status, stderr).toBe(2);
  expect(stderr).toMatch(message);
  expect(existsSync(join(folder, 'nothing'))).toBe(false);
});
