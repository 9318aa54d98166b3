/** What people type after the names of the programs in `bench/` and `scripts/`. */
import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildWhereStale } from './harness/command-line.js';
import { root } from './harness/repository.js';

beforeAll(buildWhereStale);

const programs = [
  ...['run', 'embedding', 'host', 'made-pictures', 'conformance/run', 'bundle/run'].map(
    (name) => `bench/${name}.mjs`,
  ),
  ...['setup', 'bundle', 'prebuild', 'check-prebuilds', 'test-mutation', 'test-sanitize'].map(
    (name) => `scripts/${name}.mjs`,
  ),
];
const run = (program: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd: root,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
};

describe.each(programs)('%s', (program) => {
  it('shows its options', () => {
    const { status, stdout, stderr } = run(program, '--help');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^usage: /);
    expect(stdout).toMatch(/^ {2}--help {2,}shows this$/m);
  });

  it('names an option that it does not have, in a line', () => {
    const { status, stdout, stderr } = run(program, '--no-such-thing');
    expect({ status, stdout, stderr }).toEqual({
      status: 2,
      stdout: '',
      stderr: '--no-such-thing is unknown (see --help)\n',
    });
  });
});

it.each([
  [['--only', '--quick'], '--only has no value, expected NAME: the workload NAME, or workloads and kernels'],
  [['--trials'], '--trials has no value, expected N'],
  [['--quick=yes'], '--quick takes no value, got yes'],
  [['--trials', 'many'], '--trials is many, expected a number of at least 1'],
  [['--seconds='], '--seconds is , expected a number of at least 0'],
  [['--trials', '2', '--trials', '3'], '--trials is given twice'],
  [['-q'], '-q is unknown'],
  [['lenet'], '"lenet" is one argument too many'],
])('the benchmark refuses %j', (args, message) => {
  const { status, stderr } = run('bench/run.mjs', ...args);
  expect(status).toBe(2);
  expect(stderr.startsWith(message)).toBe(true);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});

it.each([
  ['scripts/test-endurance.mjs', 'nothing', 'there is no job nothing, expected one of aborts, '],
  ['scripts/test-sanitize.mjs', 'adress', 'there is no sanitizer adress, expected one of address, thread'],
  ['bench/bundle/run.mjs', 'nothing', 'there is no stage nothing, expected some of conformance, '],
])('%s refuses %s', (program, word, message) => {
  const { status, stdout, stderr } = run(program, word);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr.startsWith(message)).toBe(true);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});
