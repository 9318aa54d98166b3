/** `limbeck evaluate` and `limbeck train` as their users have them. */
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testError } from '../src/eval/statistics.js';
import { decodeSafetensors } from '../src/util/safetensors.js';
import { buildWhereStale, program } from './harness/command-line.js';
import { root } from './harness/repository.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-evaluate-'));
const at = (...names: string[]) => join(folder, ...names);
const limbeck = (...args: string[]) =>
  promisify(execFile)(process.execPath, [program, ...args], { cwd: folder });
const reference = ['--device', 'reference'];

interface Accuracy {
  readonly mean: number;
  readonly std: number;
  readonly learningRate?: number;
}

beforeAll(async () => {
  await buildWhereStale();
  const size = ['--network', 'mlp', '--digits-size', '60', '--batch', '8', '--iterations', '2'];
  await limbeck('distill', ...size, ...reference, '--init', 'random', '--networks', '2', '--out', 'run');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('other architectures and classes are shown, written, and added to the record and the page', async () => {
  const more = [
    '--networks-of',
    'mlp:width=8',
    '--per-class',
    '--baselines',
    'randomReal,neighboursOfRandom',
  ];
  const file = 'run/distilled.safetensors';
  const { stdout } = await limbeck('evaluate', file, ...reference, ...more, '--out', 'results.json');
  expect(stdout).toMatch(/random real images, nearest neighbour .* %\s+± [0-9.]+\s+10\s+–/);
  expect(stdout).toMatch(/mlp:width=8 +[0-9.]+ ± [0-9.]+ %/);
  expect(stdout).toMatch(/class +distilled images\n +0 +[0-9.]+ %/);
  const record = JSON.parse(readFileSync(at('run/run.json'), 'utf8'));
  const measured = JSON.parse(readFileSync(at('results.json'), 'utf8'));
  const { testAccuracy, protocol } = record;
  expect(measured).toMatchObject({ testAccuracy, protocol, sameData: true });
  // Every row of the tables has its own numbers.
  const line = (first: string) => {
    const [found, ...rest] = stdout.split('\n').filter((one) => one.startsWith(`  ${first}  `));
    expect(rest).toEqual([]);
    return found.trim().split(/ {2,}/).slice(1);
  };
  const spread = ({ mean, std }: Accuracy) => `${mean.toFixed(1)} ± ${std.toFixed(1)} %`;
  const [distilled, random, nearest] = [
    measured.testAccuracy,
    ...Object.values<Accuracy>(measured.baselines),
  ];
  const split = ({ mean }: Accuracy) => `± ${testError(mean, record.dataset.splits.test).toFixed(1)}`;
  const learned = [spread(distilled), split(distilled), '2', 'learned'];
  expect(line('10 distilled images')).toEqual(learned);
  expect(line('10 random real images')).toEqual([
    ...[spread(random), split(random), '2', String(random.learningRate)],
  ]);
  expect(line('10 random real images, nearest neighbour')).toEqual([
    spread(nearest),
    split(nearest),
    '10',
    '–',
  ]);
  expect(new Set([distilled, random, nearest].map(spread)).size).toBe(3);
  const [other] = measured.others;
  const ofOther = [spread(other.accuracy), String(other.learningRate), spread(other.baselines.randomReal)];
  expect(line('mlp:width=8')).toEqual(ofOther);
  for (const [k, value] of measured.perClass.entries())
    expect(line(String(k))).toEqual([`${value.toFixed(1)} %`]);
  expect(record.evaluations).toMatchObject([{ others: [{ network: 'mlp:width=8' }] }]);
  expect(readFileSync(at('run/report.html'), 'utf8')).toContain('mlp:width=8');

  // The same again takes the place of the first; other networks or baselines do not. Another file is none of the run's.
  const quick = ['--no-baselines', '--networks'];
  await limbeck('evaluate', file, ...reference, ...quick, '3');
  await limbeck('evaluate', file, ...reference, ...quick, '3');
  copyFileSync(at(file), at('run/another.safetensors'));
  await limbeck('evaluate', 'run/another.safetensors', ...reference, ...quick, '4');
  const { evaluations } = JSON.parse(readFileSync(at('run/run.json'), 'utf8'));
  expect(evaluations.map(({ accuracy }: { accuracy: { networks: number } }) => accuracy.networks)).toEqual([
    2, 3,
  ]);
});

test('the network of one’s own in the documentation is distilled for, and the file knows it', async () => {
  const example = readFileSync(join(root, 'docs/networks.md'), 'utf8').match(
    /```json config.json\n([^`]*)```/,
  )![1];
  const size = { digitsSize: 60, batch: 8, iterations: 2, validateEvery: 2, device: 'cpu' };
  writeFileSync(at('own.json'), JSON.stringify({ ...JSON.parse(example), ...size }));
  await limbeck('distill', 'own.json', '--out', 'own');
  const { stdout } = await limbeck(
    'evaluate',
    'own/distilled.safetensors',
    '--device',
    'cpu',
    '--no-baselines',
  );
  expect(stdout).toContain('custom:layers=[{"conv":16');
});

test('training on a set with other data says so, counts no look, and writes no accuracy', async () => {
  const opened = () => JSON.parse(readFileSync(at('run/run.json'), 'utf8')).testOpened;
  const train = async (size: string, out: string) => {
    const on = ['train', '--on', 'run/distilled.safetensors', '--dataset', 'digits', '--digits-size', size];
    const { stdout } = await limbeck(...on, '--out', out, ...reference, '--json');
    const { metadata } = decodeSafetensors(readFileSync(at(out, 'network.safetensors')));
    return { line: JSON.parse(stdout), notes: JSON.parse(metadata.notes) };
  };
  const before = opened();
  const other = await train('80', 'on-other');
  expect(other.line).toMatchObject({ sameData: false, testAccuracy: { networks: 1 } });
  expect(other.notes).not.toHaveProperty('testAccuracy');
  const [file, size] = ['run/distilled.safetensors', '80'];
  const { stderr } = await limbeck(
    ...['train', '--on', file, '--dataset', 'digits', '--digits-size', size, ...reference],
  );
  expect(stderr).toContain(`Warning: this is not the data that ${file} was made from`);
  expect(opened()).toBe(before);
  const same = await train('60', 'on-same');
  expect(same.line.sameData).toBe(true);
  expect(same.notes.testAccuracy).toEqual(same.line.testAccuracy);
  expect(opened()).toBe(before + 1);
});

test('training on all images writes the network, parameter by parameter', async () => {
  const args = ['train', '--digits-size', '200', '--network', 'mlp:width=8', '--epochs', '2', '--seed', '3'];
  const { stdout, stderr } = await limbeck(...args, ...reference, '--out', 'trained', '--json');
  expect(stderr).toBe('');
  const line = JSON.parse(stdout);
  const file = join('trained', 'network.safetensors');
  expect(line).toMatchObject({ engine: 'reference', testAccuracy: { networks: 1 }, file });
  expect(line.perClass).toHaveLength(10);
  const { tensors, metadata } = decodeSafetensors(readFileSync(at(file)));
  expect(metadata.protocol).toBe(line.protocol);
  const shapes = [[8, 784], [8], [8, 8], [8], [10, 8], [10]];
  expect(Object.values(tensors).map(({ shape }) => shape)).toEqual(shapes);
});

test('where results could not be written is found out before the work, and nothing is left', async () => {
  writeFileSync(at('a-file'), '');
  const refused = (...args: string[]) =>
    expect(limbeck(...args, ...reference)).rejects.toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^limbeck: .*(cannot be made or changed|could not be written).*\n$/),
    });
  // The data sets would be errors too, if they were looked at first.
  await refused('evaluate', 'missing.safetensors', '--out', 'none/results.json');
  await expect(
    limbeck('evaluate', 'missing.safetensors', '--out', 'none/results.json', ...reference),
  ).rejects.toMatchObject({
    stderr: expect.stringMatching(
      /none\/results\.json could not be written: there is no such file or folder \(ENOENT\)\./,
    ),
  });
  const train = ['train', '--digits-size', '60', '--out'];
  await refused(...train, 'a-file');
  await refused(...train, 'a-file/below');
  const child = execFile(process.execPath, [program, ...train, 'new/folder', '--epochs', '100000'], {
    cwd: folder,
  });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  while (!existsSync(at('new'))) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGTERM');
  expect(await ended).toBe(143);
  expect(existsSync(at('new'))).toBe(false);
  expect(readdirSync(folder).filter((name) => name.includes('writable'))).toEqual([]);
});

test('more training than can be is refused before the data are read and the test split is opened', async () => {
  const opened = () => JSON.parse(readFileSync(at('run/run.json'), 'utf8')).testOpened;
  const before = opened();
  const asked = ['--protocol', 'dsa-digits', '--epochs', '1000000000'];
  const elsewhere = ['--dataset', 'nowhere/at-all'];
  const message =
    /epochs is 1,000,000,000, which is 1,000,000,000 steps of training on 10 images, expected at most 10,000,000: give fewer epochs \(--epochs\)/;
  for (const command of [
    ['evaluate', 'run'],
    ['train', '--on', 'run'],
  ])
    await expect(limbeck(...command, ...elsewhere, ...asked)).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(message),
    });
  await expect(
    limbeck('train', '--digits-size', '60', '--epochs', '1000000000', ...reference),
  ).rejects.toMatchObject({ code: 2, stderr: expect.stringMatching(/, which is 1,000,000,000 steps of/) });
  expect(opened()).toEqual(before);
});
