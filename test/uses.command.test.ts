/** `limbeck use`: one use or several, of sets of every kind. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildWhereStale, commandLine } from './harness/command-line.js';

describe('limbeck use', () => {
  const folder = mkdtempSync(join(tmpdir(), 'limbeck-use-'));
  const { limbeck } = commandLine(folder);
  const digits = '--device cpu --digits-size 60'.split(' ');
  const set = 'a/distilled.safetensors';
  beforeAll(async () => {
    await buildWhereStale();
    const run = '--network mlp:width=8 --iterations 2 --batch 8 --networks 2 --init random --json'.split(' ');
    const { status, stderr } = await limbeck('distill', ...digits, ...run, '--out', 'a');
    expect(status, stderr).toBe(0);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each([
    ['robustness', ['--images', '10', '--epsilon', '0.1'], /^ *PGD, 0\.1 +\d+\.\d ± \d+\.\d % +\d+\.\d ±/m],
    ['fairness', [], /^ *worst class +\d+\.\d ± \d+\.\d % +\d+\.\d ±/m],
    ['privacy', ['--images', '10'], /^ *all training images +\d+\.\d ± \d+\.\d % +\d+\.\d ±/m],
    [
      'search',
      ['--architectures', 'mlp:width=2,mlp:width=4,mlp:width=8'],
      /^ *rank correlation +\S+ +\S+ +1$/m,
    ],
  ])('%s is a table, or JSON', async (kind, more, row) => {
    const given = ['use', kind, set, ...digits, '--networks', '2', ...more];
    const { status, stdout, stderr } = await limbeck(...given);
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(row);
    const json = await limbeck(...given, '--json');
    expect(Object.keys(JSON.parse(json.stdout))).toEqual(['dataset', kind]);
  });

  test('several train their networks once, and find what each finds alone', async () => {
    const more = [
      ...digits,
      '--networks',
      '2',
      '--images',
      '10',
      '--epsilon',
      '0.1',
      '--seed',
      '3',
      '--json',
    ];
    const { status, stdout, stderr } = await limbeck('use', 'robustness,privacy', set, ...more);
    expect(status, stderr).toBe(0);
    const alone = await limbeck('use', 'robustness', set, ...more);
    const without = more.filter((word) => !['--epsilon', '0.1'].includes(word));
    const other = await limbeck('use', 'privacy', set, ...without);
    expect(JSON.parse(stdout)).toEqual({ ...JSON.parse(alone.stdout), ...JSON.parse(other.stdout) });
    const table = await limbeck(
      'use',
      'fairness,privacy',
      set,
      ...digits,
      '--networks',
      '2',
      '--images',
      '10',
    );
    expect(table.stdout).toMatch(
      /^accuracy by class, and on the worst one\n(.+\n)+\nhow well training images are told from others\n/,
    );
  });

  test('sets of kernel regression are for a protocol that trains networks', async () => {
    const run = '--method kip --network mlp:layers=1:width=8 --batch 8 --iterations 1 --json --out kip'.split(
      ' ',
    );
    const made = await limbeck('distill', ...digits, ...run);
    expect(made.status, made.stderr).toBe(0);
    const given = ['use', 'fairness', 'kip/distilled.safetensors', ...digits, '--networks', '1'];
    const refused = await limbeck(...given);
    expect(refused.stderr).toMatch(
      /protocol is kip-regression, which trains no networks: expected one that does .* such as frepo/,
    );
    const { status, stdout, stderr } = await limbeck(...given, '--protocol', 'frepo');
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/^ *worst class +\d+\.\d/m);
  });

  test('sets for networks that were trained before are used with those', async () => {
    const small = [...digits, '--network', 'mlp:width=4'];
    const nets = await limbeck('train', ...small, '--networks', '5', '--epochs', '1', '--out', 'nets');
    expect(nets.status, nets.stderr).toBe(0);
    const method = '--method dm --augmentation none --batch 4 --iterations 1 --init pretrained:nets'.split(
      ' ',
    );
    const held = '--networks 2 --validation-networks 1 --protocol full-batch --json --out pre'.split(' ');
    const made = await limbeck('distill', ...small, ...method, ...held);
    expect(made.status, made.stderr).toBe(0);
    const file = 'pre/distilled.safetensors';
    const found = await limbeck('use', 'fairness', file, ...digits, '--json');
    expect(found.status, found.stderr).toBe(0);
    // As many as were held out.
    const [own] = JSON.parse(found.stdout).fairness.subjects;
    expect(own.accuracy.networks).toBe(2);
    const evaluated = await limbeck('evaluate', file, '--device', 'cpu', '--no-baselines', '--json');
    expect(own.accuracy.mean).toBeCloseTo(JSON.parse(evaluated.stdout).testAccuracy.mean, 9);
    const named = await limbeck('use', 'fairness', file, ...digits, '--json', '--init', 'pretrained:nets');
    expect(named.stdout).toBe(found.stdout);
    const nowhere = await limbeck('use', 'fairness', file, ...digits, '--init', 'pretrained:nowhere');
    expect(nowhere).toMatchObject({ status: 2, stderr: expect.stringContaining('nowhere cannot be read') });
    for (const kind of ['search', 'continual']) {
      const refused = await limbeck('use', kind, file, ...digits);
      expect(refused.stderr).toMatch(/trained on digits before, and .*: expected a set for fresh networks/);
    }
  });

  test.each([
    [
      ['use', 'love', set],
      /use needs one of robustness, fairness, privacy, continual, federated, search, or several with commas between, and a file/,
    ],
    [['use', 'privacy,privacy', set], /use needs one of/],
    [['use', 'privacy', set, '--protocol', 'love'], /protocol "love" is unknown/],
    [['use', 'privacy,fairness', set, '--steps', '3'], /which use privacy,fairness does not have/],
    [['use', 'privacy', set, '--init', 'pretrained:nets'], /is not for networks that were trained before/],
    [['use', 'privacy', set, '--steps', '3'], /--steps is 3, which use privacy does not have/],
  ])('refuses %j', async (given, message) => {
    const { status, stderr } = await limbeck(...given, ...digits);
    expect(status, stderr).toBe(2);
    expect(stderr).toMatch(message);
  });
});
