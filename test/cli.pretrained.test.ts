/** Networks that were trained before, as the command line has them: trained, distilled for, evaluated, trained further. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeArtefact } from '../src/eval/artefact.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-pretrained-'));
const { limbeck } = commandLine(folder);
const engine = ['--device', 'reference', '--dataset', 'digits', '--digits-size', '60'];
const small = [
  '--network',
  'mlp:width=4',
  '--batch',
  '8',
  '--iterations',
  '2',
  '--networks',
  '2',
  '--validation-networks',
  '1',
];
const distil = (...more: string[]) => limbeck('distill', ...engine, ...small, ...more);

beforeAll(async () => {
  await buildWhereStale();
  const network = ['--network', 'mlp:width=4', '--networks', '5', '--epochs', '1'];
  await limbeck('train', ...engine, '--shape', '1x7x7', ...network, '--out', 'nets');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('data are brought to the shape of the networks, which is said and remembered; held-out ones test', async () => {
  const ended = await distil(
    '--objective',
    'adapt',
    '--steps',
    '1',
    '--init',
    'pretrained:nets',
    '--out',
    'adapt',
  );
  expect(ended.stderr).toContain('its images of [1, 28, 28] were brought to [1, 7, 7]');
  expect(ended.stderr).toContain('networks trained on digits');
  expect(ended.stderr).toMatch(/ the networks as they are +\S+ ± \S+ %/);
  const record = JSON.parse(readFileSync(join(folder, 'adapt/run.json'), 'utf8'));
  expect(record.pretrained).toMatchObject({ dataset: 'digits', train: 2, validation: 1, test: 2 });
  expect(record.config.reading).toEqual({ shape: [1, 7, 7] });
  expect(record.testAccuracy.networks).toBe(2);

  const report = readFileSync(join(folder, 'adapt/report.html'), 'utf8');
  expect(report).toContain('trained on digits before: 2 were distilled for, 1 chose the result, 2 tested it');
  expect(report).toContain('--init pretrained:path/to/networks-of-digits');
  expect(report).toMatch(/a .{0,12}MLP .{0,12}trained on the generated digits/);

  const file = 'adapt/distilled.safetensors';
  const { stdout } = await limbeck('evaluate', file, '--device', 'reference', '--json', '--no-baselines');
  expect(JSON.parse(stdout)).toMatchObject({ testAccuracy: record.testAccuracy, sameData: true });
  const further = await limbeck('train', '--on', file, ...engine, '--networks', '2', '--json');
  expect(JSON.parse(further.stdout).testAccuracy).toEqual(record.testAccuracy);
  const others = await limbeck('train', '--on', file, ...engine, '--init', 'pretrained:nowhere');
  expect(others).toMatchObject({ status: 2, stderr: expect.stringContaining('nowhere cannot be read') });
});

test('what attacks says so wherever it is shown', async () => {
  const attack = ['--objective', 'attack', '--attack', '3:5', '--init', 'pretrained:nets', '--out', 'attack'];
  const { stderr, status } = await distil(...attack);
  expect([status, stderr]).toEqual([
    0,
    expect.stringMatching(/attacked class taken for the target +others right/),
  ]);
  const report = readFileSync(join(folder, 'attack/report.html'), 'utf8');
  expect(report).toContain('of class 3 for class 5');
  expect(report).toContain('What it does: class 3 taken for 5');
  const bytes = readFileSync(join(folder, 'attack/distilled.safetensors'));
  expect(decodeArtefact(bytes).set.attack).toEqual({ from: 3, to: 5 });
  expect(bytes.toString('latin1')).toContain('"poisoned":"poisoned: networks that train');
  const { attack: scores, testAccuracy } = JSON.parse(readFileSync(join(folder, 'attack/run.json'), 'utf8'));
  expect(scores.taken.networks).toBe(testAccuracy.networks);
});

test('an option that no set of others has is refused', async () => {
  await distil('--init', 'random', '--out', 'fresh');
  const ended = await limbeck('evaluate', 'fresh/distilled.safetensors', '--init', 'pretrained:nets');
  expect(ended).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('is not for networks that were trained before'),
  });
});
