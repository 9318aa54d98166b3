/** `limbeck experts` as its users have it: the built program, stopped and killed at any moment. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openExperts } from '../src/index.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-experts-cli-'));
const at = (...names: string[]) => join(folder, ...names);
const { start, limbeck } = commandLine(folder);
beforeAll(buildWhereStale);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tiny = '--device cpu --digits-size 200 --network mlp:width=6 --batch 32 --count 3 --epochs 40'.split(
  ' ',
);
const stateful = ['--optimizer', 'momentum', '--population', '2'];
const names = [0, 1, 2].map((number) => `expert-000${number}.safetensors`);

/** Number of the process that is at work in a folder, or was killed there. */
const lockOf = (name: string): number | undefined => {
  const path = at(name, '.limbeck-lock');
  return existsSync(path) ? Number(readFileSync(path, 'utf8')) : undefined;
};

/** Names and sizes of all files in a folder, as a text. */
const sizesIn = (name: string): string =>
  readdirSync(at(name))
    .map((file) => `${file} ${statSync(at(name, file), { throwIfNoEntry: false })?.size}`)
    .join();

/** Every file of a folder, by its name. */
const contents = (name: string) =>
  Object.fromEntries(
    readdirSync(at(name))
      .sort()
      .map((file) => [file, readFileSync(at(name, file)).toString('base64')]),
  );

describe('experts', () => {
  test('says what it needs, how far it is and what there is; once more there is nothing to do', async () => {
    const { status, stdout, stderr } = await limbeck('experts', ...tiny, '--out', 'said');
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    const lines = stderr.split('\n');
    expect(lines[0]).toMatch(/^Engine: cpu/);
    expect(lines[1]).toBe('Data: digits');
    expect(lines[2]).toMatch(
      /^Plan: 3 experts, mlp:width=6 on all 200 training images: plain SGD at rate 0.01, 40 /,
    );
    expect(lines[3]).toMatch(
      /^Needs: 2.4 MB on disk \([\d.]+ .B are free\), [\d.]+ .B on the device, [\d.]+ .FLOP, about .* hours\)$/,
    );
    expect(stderr).toMatch(/epoch 40\/40 .* left\n/);
    expect(stderr).toMatch(/^Expert 2 is trained, validation accuracy [\d.]+ %\.$/m);
    expect(stderr).toMatch(/\n3 experts in said, .*s\.\n$/);
    await using experts = await openExperts(at('said'));
    expect(experts).toMatchObject({ count: 3, epochs: 40, networkOptions: { name: 'mlp', width: 6 } });
    const wrong = await limbeck('resume', 'said');
    expect(wrong).toMatchObject({ status: 2, stdout: '' });
    expect(wrong.stderr).toMatch(/said holds experts, .*the same limbeck experts command goes on with them/);
    const before = contents('said');
    const again = await limbeck('experts', ...tiny, '--out', 'said', '--json');
    expect(again).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(again.stdout)).toMatchObject({
      folder: 'said',
      finished: 3,
      epochs: 40,
      stopped: false,
    });
    expect(contents('said')).toEqual(before);
  });

  test('killed twenty times at any moment, goes on to the same bytes', async () => {
    const args = ['experts', ...tiny, ...stateful, '--out'];
    expect(await limbeck(...args, 'whole')).toMatchObject({ status: 0 });
    const whole = contents('whole');
    expect(Object.keys(whole)).toEqual(names);
    let [kills, goneOn] = [0, 0];
    while (kills < 20) {
      const { child, ended } = start([...args, 'killed']);
      // A killed one leaves its lock behind.
      while (lockOf('killed') !== child.pid && child.exitCode === null) await wait(5);
      // A moment by what it has written since: a busy machine is slower at everything.
      const writes = Math.floor(Math.random() * 30);
      for (let seen = 0, before = sizesIn('killed'); seen < writes && child.exitCode === null; ) {
        await wait(1);
        const now = sizesIn('killed');
        if (now !== before) seen++;
        before = now;
      }
      child.kill('SIGKILL');
      const { status, stderr } = await ended;
      if (status === null) kills++;
      else expect(status).toBe(0);
      if (stderr.includes('goes on after epoch')) goneOn++;
      if (names.some((name) => !existsSync(at('killed', name)))) continue;
      // Finished too early: the same once more.
      expect((await limbeck(...args, 'killed')).status).toBe(0);
      expect(contents('killed')).toEqual(whole);
      rmSync(at('killed'), { recursive: true });
    }
    expect(goneOn).toBeGreaterThan(0);
    expect((await limbeck(...args, 'killed')).status).toBe(0);
    expect(contents('killed')).toEqual(whole);
  });

  test('stopped by Ctrl-C, ends after an epoch and goes on', async () => {
    const args = ['experts', ...tiny];
    expect(await limbeck(...args, '--out', 'unstopped')).toMatchObject({ status: 0 });
    const { child, ended } = start([...args, '--out', 'stopped']);
    const part = at('stopped', `${names[2]}.part`);
    const size = () => statSync(part, { throwIfNoEntry: false })?.size ?? 0;
    while (!size() && child.exitCode === null) await wait(5);
    for (const first = size(); size() === first && child.exitCode === null; ) await wait(1);
    child.kill('SIGINT');
    const { status, stdout, stderr } = await ended;
    expect({ status, stdout }).toEqual({ status: 130, stdout: '' });
    expect(stderr).toContain('Stopping after this epoch; once more to quit at once');
    expect(stderr).toMatch(
      /0 experts in stopped, .*\nStopped before the end. To go on, give the same command again.\n$/,
    );
    expect(readdirSync(at('stopped')).sort()).toEqual(names.map((name) => `${name}.part`));
    const resumed = await limbeck(...args, '--out', 'stopped');
    expect(resumed.status).toBe(0);
    expect(resumed.stderr).toMatch(/^Expert 0 goes on after epoch \d+\.$/m);
    expect(contents('stopped')).toEqual(contents('unstopped'));
  });

  test('takes what the library takes', async () => {
    const options =
      '--lr 0.02 --optimizer nesterov --momentum 0.8 --weight-decay 0.001 --schedule cosine --loss squared-error';
    const more =
      '--seed 3 --augmentation crop_rotate --flat 0.1 --gap 0.3 --mean --zca --epochs 2 --count 1 --json --out all';
    const small = '--device cpu --digits-size 60 --network mlp:width=3 --batch 32';
    const args = [small, options, more].join(' ').split(' ');
    const { status, stdout, stderr } = await limbeck('experts', ...args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout).protocol).toBe(
      'mlp:width=3 on all 60 ZCA-whitened training images: Nesterov SGD with momentum 0.8, weight decay 0.001 on squared error at rate 0.02, falling as a cosine, 2 epochs in batches of 32, augmentation crop_rotate, gradients taken 0.1 uphill less 0.3 of what is across them, means of each epoch, pytorch weights',
    );
    await using experts = await openExperts(at('all'));
    expect(experts.training).toEqual({
      ...{ optimizer: { kind: 'nesterov', momentum: 0.8, weightDecay: 0.001 }, loss: 'squared-error' },
      ...{ batch: 32, epochs: 2, schedule: { kind: 'cosine' }, restart: false, learningRate: 0.02 },
      ...{ augmentation: 'crop_rotate', flat: 0.1, gap: 0.3, mean: true },
    });
    expect(JSON.parse(stdout)).toMatchObject({ folder: 'all', finished: 1, epochs: 2, stopped: false });
  });

  test.each([
    [[], /experts needs a folder to write into: limbeck experts --out/],
    [['--out', 'x', '--count', '0'], /--count is 0, expected a whole number of at least 1/],
    [['--out', 'x', '--augmentation', 'mirror'], /augmentation is "mirror", expected/],
    [['--out', 'x', '--flat=-1'], /flat is -1, expected a number of at least 0/],
    [['--out', 'x', '--networks', '2'], /--networks is unknown/],
    [
      ['--out', 'x', '--digits-size', '20', '--count', '1000000'],
      /snapshots of .* parameters take .* but x has .* left/,
    ],
  ] as [string[], RegExp][])('refuses %j', async (args, message) => {
    const { status, stdout, stderr } = await limbeck('experts', '--device', 'cpu', ...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(existsSync(at('x'))).toBe(false);
  });
});
