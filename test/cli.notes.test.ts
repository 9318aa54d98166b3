/** What is said of data where a run begins and not again, and what comes after a run. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { onAllText } from '../src/cli/run.js';
import { sourceText } from '../src/cli/sources.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';
import { npy, zip } from './harness/data-files.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck notes '));
const { limbeck } = commandLine(folder);
const set = (turn: number) => {
  const count = 60;
  const labels = Array.from({ length: count }, (_, i) => i % 2);
  const pixels = labels.flatMap((label, i) =>
    [0, 1, 2, 3].map((at) => ((label ? 200 : 20) + at * turn + i) % 256),
  );
  return zip({ 'x.npy': npy([count, 2, 2], pixels, 'f4'), 'y.npy': npy([count], labels) });
};
const note = 'its floats are whole numbers from 0 to 255 and were taken as bytes';
const reference = ['--device', 'reference'];

beforeAll(async () => {
  await buildWhereStale();
  writeFileSync(join(folder, 'a.npz'), set(7));
  writeFileSync(join(folder, 'b.npz'), set(11));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('what was decided in reading', () => {
  const small = ['--network', 'mlp:width=4', '--batch', '8', '--iterations', '2', '--networks', '2'];

  test('is said where a run begins, and later of other data alone', async () => {
    const begun = await limbeck('distill', '--dataset', 'a.npz', ...small, ...reference, '--out', 'run');
    expect(begun.status).toBe(0);
    expect(begun.stderr).toContain(`Note on a: ${note}`);
    // What to do next, as it is typed.
    const { splits } = JSON.parse(readFileSync(join(folder, 'run/run.json'), 'utf8')).dataset;
    expect(begun.stderr).toContain(
      `What networks learn from all ${splits.train} training images: limbeck train --dataset '${join(folder, 'a.npz')}' --network mlp:width=4\n`,
    );
    const quiet = ['--no-baselines', '--networks', '1', ...reference];
    for (const args of [
      ['evaluate', 'run', ...quiet],
      ['train', '--on', 'run', '--dataset', 'a.npz', ...reference],
      ['resume', 'run', '--iterations', '3', ...reference],
    ]) {
      const { status, stderr } = await limbeck(...args);
      expect(status, stderr).toBe(0);
      expect(stderr, args[0]).not.toContain('Note on');
    }
    const other = await limbeck('evaluate', 'run', '--dataset', 'b.npz', ...quiet);
    expect(other.stderr).toContain(`Note on b: ${note}`);
  });
});

describe('a command line', () => {
  test('names data as they were read', () => {
    const reading = { imageSize: [8, 16], zca: true, labelColumn: "it's" } as const;
    expect(sourceText({ dataset: '/data/set', reading })).toBe(
      "--dataset /data/set --image-size 8x16 --zca --label-column 'it'\\''s'",
    );
    expect(sourceText({ dataset: 'digits', digitsSize: 300 })).toBe('--dataset digits --digits-size 300');
  });

  test('is not given where no data can be named, or layers stand in full', () => {
    const dataset = { splits: { train: 5 } };
    const of = (config: object) => onAllText({ config, dataset } as never);
    expect(of({ options: { network: { name: 'lenet' } } })).toBeUndefined();
    const layers = { name: 'custom', layers: [] };
    expect(of({ dataset: 'digits', options: { network: layers } })).toBeUndefined();
    expect(of({ dataset: 'digits', options: { network: { name: 'lenet' } } })).toBe(
      'What networks learn from all 5 training images: limbeck train --dataset digits --network lenet',
    );
  });
});
