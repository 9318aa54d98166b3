import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { root } from './harness/repository.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-bench-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const suite = (name: string) => import(pathToFileURL(join(root, 'bench', 'suite', name)).href);
const options = { folder, device: 'cpu', threads: 1, size: 'small', seconds: 0, trials: 1, quick: true };
const name = 'convnet-gradient-256';

interface Task {
  readonly results?: string;
}

/** limbeck, with its results passed through `change`; counts the trials that were timed. */
async function sideThat(change: (values: Float32Array) => Float32Array) {
  const { limbeck } = await suite('limbeck.mjs');
  const { readResults, writeResults } = await suite('arrays.mjs');
  const side = {
    name: 'changed',
    timed: 0,
    settings: () => limbeck.settings(options),
    describe: () => 'as it is',
    async trial(task: Task, settings: unknown) {
      const report = await limbeck.trial(task, settings);
      if (!task.results) side.timed++;
      else {
        const results = Object.entries<Float32Array>(readResults(task.results));
        writeResults(task.results, Object.fromEntries(results.map(([key, v]) => [key, change(v)])));
      }
      return report;
    },
  };
  return side;
}

const wrongs: [string, (values: Float32Array) => Float32Array][] = [
  ['is 0.2 % too large', (values) => values.map((value) => 1.002 * value)],
  ['holds one NaN', (values) => values.with(3, Number.NaN)],
  ['is zero', (values) => new Float32Array(values.length)],
];

describe('the benchmark', () => {
  it('prints a row of numbers for a workload that limbeck computes correctly', async () => {
    const args = ['bench/run.mjs', '--quick', '--only', name, '--peers', '', '--threads', '1'];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
    const [head, rule, row, ...more] = stdout.split('\n').filter((line) => line.startsWith('|'));
    expect(more).toEqual([]);
    const cells = row.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, ''));
    expect(head.split(' | ')).toHaveLength(cells.length);
    expect(rule.split(' | ')).toHaveLength(cells.length);
    expect(cells[0]).toBe(`\`${name}\``);
    expect(Number.parseFloat(cells[1])).toBeGreaterThan(0);
    expect(Number.parseFloat(cells.at(-1)!)).toBeLessThan(1e-5);
    expect(stdout).toMatch(/Node \d+\.\d+\.\d+, limbeck .*, \d{4}-\d\d-\d\d\./);
  });

  it('times limbeck and a peer that agree', async () => {
    const { runWorkload } = await suite('steps.mjs');
    const peer = await sideThat((values) => values.map((value) => 1.0005 * value));
    const [row] = await runWorkload(name, { torch: peer }, options);
    expect(row.peerError).toBeCloseTo(0.0005, 6);
    expect(row.ratio).toBeGreaterThan(0);
    expect(peer.timed).toBe(1);
  });

  it.each(wrongs)('does not time limbeck where its result %s', async (_, change) => {
    const { runWorkload } = await suite('steps.mjs');
    const side = await sideThat(change);
    const rows = await runWorkload(name, {}, options, side);
    expect(rows).toMatchObject([
      { wrong: true, note: expect.stringContaining('a wrong result is not timed') },
    ]);
    expect(rows[0].limbeck).toBeUndefined();
    expect(side.timed).toBe(0);
  });

  it.each(wrongs)('times neither side where the result of a peer %s', async (_, change) => {
    const { runWorkload } = await suite('steps.mjs');
    const peer = await sideThat(change);
    const rows = await runWorkload(name, { torch: peer }, options);
    expect(rows).toMatchObject([
      { wrong: true, note: expect.stringContaining('a wrong result is not timed') },
    ]);
    expect(peer.timed).toBe(0);
  });

  it('says so where a peer fails, and times limbeck alone', async () => {
    const { runWorkload } = await suite('steps.mjs');
    const peer = {
      name: 'broken',
      settings: () => [{}],
      trial: () => Promise.reject(new Error('no such thing')),
    };
    const [row] = await runWorkload(name, { torch: peer }, options);
    expect(row.note).toBe('broken: no such thing');
    expect(row.limbeck.ms).toBeGreaterThan(0);
  });
});
