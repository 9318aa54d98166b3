/** Whose fault it was: 2 for what the user can mend, 1 for what only a programmer can. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildWhereStale, program } from './harness/command-line.js';

beforeAll(buildWhereStale);

/** Something in limbeck that breaks: here, how it shows a help text. */
const broken =
  'data:text/javascript,const {write}=process.stdout;process.stdout.write=function(text){' +
  'if(text.startsWith("limbeck"))throw new TypeError("a%20fault");return%20write.call(this,text)}';

async function ended(args: readonly string[], node: readonly string[] = []) {
  const run = promisify(execFile)(process.execPath, [...node, program, ...args]);
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}

describe('the status', () => {
  test.each([
    [['--help'], 'the whole program'],
    [['distill', '--help'], 'a command'],
  ])('of a fault of its own is 1, and it says so: %j', async (args) => {
    const stderr = 'limbeck: a fault (unexpected; --debug shows where)\n';
    expect(await ended(args, ['--import', broken])).toEqual({ code: 1, stdout: '', stderr });
    const shown = await ended([...args, '--debug'], ['--import', broken]);
    expect(shown).toMatchObject({ code: 1, stdout: '' });
    expect(shown.stderr).toMatch(/^limbeck: a fault\nTypeError: a fault\n {4}at /);
  });

  test.each([
    [['destill'], /there is no command "destill".*\[ERR_OPTION\]\n$/],
    [['distill', '--iterations', '0'], /\[ERR_OPTION\]\n$/],
    [['distill', '--iterations', '0', '--debug'], /\[ERR_OPTION\]\n(.*\n)+ {4}at /],
  ])('of what the user can mend is 2: %j', async (args, message) => {
    const { code, stdout, stderr } = await ended(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('unexpected');
  });

  test('of help that was asked for is 0, of help that was needed 2', async () => {
    expect(await ended(['--help'])).toMatchObject({ code: 0, stderr: '' });
    expect(await ended([])).toMatchObject({ code: 2, stderr: '' });
  });
});
