/** What builds: once where several ask, again where something changed, and always this checkout. */
import { execFile } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { root } from './harness/repository.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-setup-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a step of the set-up', () => {
  const name = `test-${process.pid}`;
  const stamp = join(root, 'build/stamps', name);
  const [input, log] = [join(folder, 'input'), join(folder, 'log')];
  afterAll(() => rmSync(stamp, { force: true }));

  /** A process that builds where it has to, which takes a moment and is noted. */
  const ask = async () => {
    const script = [
      `import { unlessUpToDate } from ${JSON.stringify(pathToFileURL(join(root, 'scripts/setup/up-to-date.mjs')).href)};`,
      `import { appendFileSync } from 'node:fs';`,
      `await unlessUpToDate(${JSON.stringify(name)}, { inputs: [${JSON.stringify(relative(root, input))}] }, async () => {`,
      `  appendFileSync(${JSON.stringify(log)}, 'begun ');`,
      `  await new Promise((resolve) => setTimeout(resolve, 500));`,
      `  appendFileSync(${JSON.stringify(log)}, 'done ');`,
      `});`,
      `appendFileSync(${JSON.stringify(log)}, 'used ');`,
    ];
    await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script.join('\n')]);
  };
  const noted = () => readFileSync(log, 'utf8').trim().split(' ');

  test('is done once where several ask, before any of them goes on', async () => {
    writeFileSync(input, 'first');
    await Promise.all([ask(), ask(), ask()]);
    expect(noted()).toEqual(['begun', 'done', 'used', 'used', 'used']);
    await ask();
    expect(noted().filter((one) => one === 'begun')).toHaveLength(1);
  });

  test('is done again where an input has changed, also behind a process that was killed at it', async () => {
    appendFileSync(input, 'second');
    // Beyond the largest process number.
    writeFileSync(`${stamp}.lock`, '99999999');
    rmSync(log);
    await ask();
    expect(noted()).toEqual(['begun', 'done', 'used']);
    expect(existsSync(`${stamp}.lock`)).toBe(false);
  });
});

describe('npm run build:native', () => {
  /** A checkout whose `build/` was set up for `source`; in the place of cmake-js something that says what it was given. */
  async function compile(source: (checkout: string) => string) {
    const checkout = mkdtempSync(join(folder, 'checkout-'));
    const save = (path: string, content: string) => {
      mkdirSync(dirname(join(checkout, path)), { recursive: true });
      writeFileSync(join(checkout, path), content);
    };
    for (const path of ['scripts/compile-native.mjs', 'scripts/setup/run.mjs'])
      cpSync(join(root, path), join(checkout, path));
    save('build/CMakeCache.txt', `# comment\nCMAKE_HOME_DIRECTORY:INTERNAL=${source(checkout)}\n`);
    save('build/CMakeFiles/object.o', '');
    save('build/Release/limbeck.node', 'built before');
    const stub = [
      `const { existsSync } = require('node:fs');`,
      `const kept = ['CMakeCache.txt', 'CMakeFiles', 'Release'].filter((name) => existsSync('build/' + name));`,
      `console.log(JSON.stringify({ args: process.argv.slice(2), cwd: process.cwd(), kept }));`,
      `process.exitCode = 3;`,
    ];
    save('node_modules/cmake-js/bin/cmake-js', stub.join('\n'));
    const script = join(checkout, 'scripts/compile-native.mjs');
    const { stdout, code } = await promisify(execFile)(process.execPath, [script], { cwd: folder }).then(
      ({ stdout }) => ({ stdout, code: 0 }),
      (error) => error,
    );
    const lines = stdout.trim().split('\n');
    return { checkout, code, said: lines.slice(0, -1).join('\n'), given: JSON.parse(lines.at(-1)) };
  }

  test('goes on where it was, in this checkout, and ends as the compiler does', async () => {
    const { checkout, code, said, given } = await compile((own) => own);
    expect({ code, said }).toEqual({ code: 3, said: '' });
    const kept = ['CMakeCache.txt', 'CMakeFiles', 'Release'];
    expect(given).toMatchObject({ args: ['compile'], kept });
    expect(given.cwd.endsWith(checkout)).toBe(true);
  });

  test('does not compile the checkout that its build folder was copied from', async () => {
    const { said, given } = await compile(() => root);
    expect(said).toContain(`was set up to compile ${root}`);
    expect(given.kept).toEqual(['Release']);
  });
});
