/** A run outlives who looks at it: a reader that goes away, a terminal that is closed. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { printable } from '../src/util/words.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-streams-'));
const { start, limbeck } = commandLine(folder);
beforeAll(buildWhereStale);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const small = ['--digits-size', '100', '--network', 'mlp:width=8', '--batch', '16', '--device', 'reference'];
const distill = ['distill', '--dataset', 'digits', ...small];
const recordOf = (name: string) => JSON.parse(readFileSync(join(folder, name, 'run.json'), 'utf8'));

test('losing the reader of what it says does not end a run', async () => {
  const { child, ended } = start([
    ...distill,
    '--iterations',
    '20',
    '--validate-every',
    '5',
    '--out',
    'unread',
  ]);
  child.stderr.once('data', () => child.stderr.destroy());
  expect((await ended).status).toBe(0);
  expect(recordOf('unread')).toMatchObject({ stopped: false, outerSteps: 20 });
});

test('a closed terminal stops a run as Ctrl-C does', async () => {
  const { child, ended } = start([
    ...distill,
    '--iterations',
    '100000',
    '--validate-every',
    '5',
    '--out',
    'hung',
  ]);
  child.stderr.once('data', () => setTimeout(() => child.kill('SIGHUP'), 1000));
  expect((await ended).status).toBe(129);
  expect(recordOf('hung')).toMatchObject({ stopped: true });
});

test('what would steer a terminal is shown, not sent', async () => {
  expect(printable('a\tb\n\x1b[2J\x9b\u202e\x07é')).toBe('a\tb\n\\x1b[2J\\x9b\\u202e\\x07é');
  const { stderr } = await limbeck('data', 'no\x1b[31mwhere');
  expect(stderr).toContain('no\\x1b[31mwhere');
  expect(stderr).not.toContain('\x1b');
});

test('a configuration of 5,000 levels is refused, and a pipe is no file', async () => {
  writeFileSync(join(folder, 'deep.json'), `{"network": ${'['.repeat(5000)}${']'.repeat(5000)}}`);
  const deep = await limbeck('distill', 'deep.json');
  expect(deep).toMatchObject({ status: 2, stderr: expect.stringMatching(/100 levels.*ERR_FILE_FORMAT/) });
  execFileSync('mkfifo', [join(folder, 'pipe.csv')]);
  const { status, stderr } = await limbeck('data', 'pipe.csv');
  expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringMatching(/pipe\.csv.*\[ERR_/) });
});

test('a configuration file may begin with a byte order mark', async () => {
  writeFileSync(join(folder, 'marked.json'), '\uFEFF{"iterations": 0}');
  const { status, stderr } = await limbeck('distill', 'marked.json');
  expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining('iterations is 0') });
});

test('who gives a folder of data as configuration is told where it goes', async () => {
  const { status, stderr } = await limbeck('distill', '.');
  const said =
    /^limbeck: \. is a folder, expected a configuration file .* say --dataset \. \[ERR_FILE_MISSING\]/;
  expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringMatching(said) });
});
