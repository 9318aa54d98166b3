/** `limbeck plan` as a person and as a program see it, and what `distill` says of its plan. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { planTable } from '../src/cli/plan-table.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-cli-plan-'));
const { limbeck } = commandLine(folder);
beforeAll(buildWhereStale);
afterAll(() => rmSync(folder, { recursive: true }));

const data = '--device cpu --threads 1 --digits-size 50 --batch 16'.split(' ');
const small = [...data, '--network', 'mlp:width=8'];

describe('limbeck plan', () => {
  test('says what a run takes in lines of 80 columns, and makes nothing', async () => {
    const { status, stdout, stderr } = await limbeck('plan', ...small, '--iterations', '1000');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lines = stdout.split('\n');
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(stdout).toMatch(
      /^Engine: cpu \(\w+, 1 thread\)\nPlan: 10 distilled images \(1 per class\) for mlp:width=8 /,
    );
    for (const heading of ['On the device', 'Memory of the machine', 'Disk', 'Work'])
      expect(lines).toContain(heading);
    expect(stdout).toMatch(/ an outer step, [\d.]+ (ms|s); there are 1,000\n/);
    expect(stdout).toMatch(
      / all of these, about .*\n +[\d.]+ .?FLOP {2}the test at the end, about .*\n +by whole outer steps that were timed\n/,
    );
    expect(lines.at(-2)).toBe('It fits.');
    expect(existsSync(join(folder, 'runs'))).toBe(false);
  });

  test('--json: the plan as one object', async () => {
    const { status, stdout, stderr } = await limbeck('plan', ...small, '--untimed', '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.trim().split('\n')).toHaveLength(1);
    const plan = JSON.parse(stdout);
    const { total, test: ofTest, ...kinds } = plan.device;
    const sum = Object.values(kinds as Record<string, number>).reduce((all, bytes) => all + bytes, 0);
    expect(total).toBe(sum);
    expect(ofTest).toBeGreaterThan(0);
    expect(plan).toMatchObject({ lacks: [], remedies: [], looks: 40, engine: { name: 'cpu' } });
    expect(plan.time).toBeUndefined();
    const memory = { needed: 1e6, available: 3e9, total: 8e9, limited: true };
    expect(planTable({ ...plan, memory }, { classes: 10 })).toMatch(
      /\n +3(?:\.0+)? GB {2}available of 8(?:\.0+)? GB, the limit of a control group\n/,
    );
  });

  test('what does not fit ends with the status of a refusal, and what makes it fit', async () => {
    const many = (population: number, ...others: string[]) =>
      limbeck(
        ...['plan', ...data, '--network', 'mlp:width=200', '--init', 'random', '--untimed'],
        ...['--population', String(population), ...others],
      );
    const { needed } = JSON.parse((await many(16, '--json')).stdout).memory;
    const { status, stdout } = await many(64, '--memory', String(needed / 1e9));
    expect(status).toBe(2);
    const end = stdout.slice(stdout.indexOf('It does not fit'));
    expect(end).toMatch(
      /^It does not fit: it needs [\d.]+ MB of memory, and [\d.]+ MB are available\.\nIt fits with (this|any of these):\n/,
    );
    expect(end).toMatch(/^ {2}--population 16 +needs [\d.]+ MB, which leaves 0 B$/m);
    expect(stdout).toContain('not timed');
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  test.each([
    [['--memory', '0'], /memory is 0, expected a number above 0 \[ERR_OPTION\]/],
    [['--method', 'dm', '--epochs', '3'], /--epochs is no option of method dm.*\[ERR_OPTION\]/],
    [
      ['--method', 'rat', '--window', '0'],
      /--window is 0, expected a whole number of at least 1 \[ERR_OPTION\]/,
    ],
  ])('%j is refused in one line', async (args, message) => {
    const { status, stdout, stderr } = await limbeck('plan', ...small, ...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

test('distill says in one line what it needs', async () => {
  const args = [...small, '--iterations', '2', '--networks', '1', '--out', 'run'];
  const { status, stderr } = await limbeck('distill', ...args);
  expect(status).toBe(0);
  expect(stderr).toMatch(
    /^Plan: .*\nNeeds: [\d.]+ [kM]B on the device, [\d.]+ [kM]B on disk, [\d.]+ [kMG]FLOP and [\d.]+ [kMG]FLOP for the test at the end\n/m,
  );
});
