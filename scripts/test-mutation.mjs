/**
 * `npm run test:mutation`: puts the faults of `test/mutation/` one at a time into a copy of the checkout and runs the test files
 * that should notice, then, where they do not, all. Prints a table; its status is 1 where a fault lives.
 *
 *     npm run test:mutation -- --only best-is-last,clip     these faults alone
 *     npm run test:mutation -- --named-tests-only           the files that a fault names, and no others
 *
 * What is known is kept in `build/mutation.json` and not done again until the fault or a source changes.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { cp } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { readArguments } from '../bench/suite/arguments.mjs';
import { faults } from '../test/mutation/faults.mjs';
import { capture, main, npm, root, SetupError } from './setup/run.mjs';
import { vulkanEnvironment } from './setup/vulkan.mjs';
import { setUp } from './setup.mjs';

const copy = join(root, 'build/mutation');
const kept = join(root, 'build/mutation.json');
const log = (text) => process.stdout.write(text);

await main(async () => {
  const { flags } = readArguments('npm run test:mutation -- [options]', {
    only: { value: 'ID,ID', help: 'these faults alone' },
    'named-tests-only': { help: 'the test files that a fault names, and no others' },
  });
  const chosen = choose(flags.only?.split(','));
  checkThatTheyApply(chosen);
  await setUp();
  const environment = { ...process.env, ...(await vulkanEnvironment()) };
  const sources = await copyCheckout(chosen.some(({ file }) => file.startsWith('native/')));
  const results = existsSync(kept) ? JSON.parse(readFileSync(kept, 'utf8')) : {};
  const keyOf = (fault) => hashOf(`${JSON.stringify(fault)} ${sources}`);
  const open = chosen.filter((fault) => results[keyOf(fault)] === undefined);
  if (open.length) await expectGreen(open, environment);
  for (const [i, fault] of open.entries()) {
    log(`${i + 1}/${open.length} ${fault.id} ... `);
    const result = await tryFault(fault, environment, flags['named-tests-only']);
    log(`${result.noticed ? `noticed: ${result.by}` : 'LIVES'} (${result.seconds} s)\n`);
    // A fault that was tried on some files alone is not known to live.
    if (result.noticed || !flags['named-tests-only']) results[keyOf(fault)] = result;
    else open[i].lived = result;
    writeFileSync(kept, JSON.stringify(results, null, 1));
  }
  return print(chosen.map((fault) => ({ ...fault, ...(results[keyOf(fault)] ?? fault.lived) })));
});

function choose(ids) {
  const unknown = ids?.filter((id) => !faults.some((fault) => fault.id === id)) ?? [];
  if (unknown.length)
    throw new SetupError(
      `there is no fault ${unknown.join(', ')}; there are: ${faults.map(({ id }) => id).join(', ')}`,
    );
  return ids ? faults.filter(({ id }) => ids.includes(id)) : faults;
}

function occurrences(text, part) {
  return text.split(part).length - 1;
}

/** A fault whose place has moved tests nothing. */
function checkThatTheyApply(chosen) {
  const wrong = chosen.flatMap(({ id, file, find }) => {
    const path = join(root, file);
    const times = existsSync(path) ? occurrences(readFileSync(path, 'utf8'), find) : 0;
    return times === 1 ? [] : [`${id}: its text stands ${times} times in ${file}, expected once`];
  });
  const ids = chosen.map(({ id }) => id);
  wrong.push(...ids.filter((id, i) => ids.indexOf(id) !== i).map((id) => `${id}: two faults have this name`));
  if (wrong.length) throw new SetupError(`test/mutation: mend the table of faults\n${wrong.join('\n')}`);
}

function hashOf(text) {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/**
 * Copies what git knows or would add, and what was built; returns a hash of the former. What is the same stays as it is, with its
 * time: the native engine takes minutes to build anew.
 */
async function copyCheckout(native) {
  const { stdout } = await capture('git', ['ls-files', '-co', '--exclude-standard', '-z']);
  const files = stdout.split('\0').filter((file) => file && existsSync(join(root, file)));
  const hash = createHash('sha256');
  for (const file of files) {
    const content = readFileSync(join(root, file));
    hash.update(file).update(content);
    const path = join(copy, file);
    if (existsSync(path) && readFileSync(path).equals(content)) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  for (const folder of ['src', 'test', 'shaders', 'native', 'scripts'])
    for (const entry of readdirSync(join(copy, folder), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const known =
        files.includes(relative(copy, path).replaceAll('\\', '/')) || entry.name.endsWith('.gen.ts');
      if (entry.isFile() && !known) rmSync(path);
    }
  if (!existsSync(join(copy, 'node_modules')))
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction');
  for (const name of ['dist', 'build/stamps'])
    if (!existsSync(join(copy, name))) await cp(join(root, name), join(copy, name), { recursive: true });
  await inCopy(npm('run', '--silent', 'generate'));
  // Built here once a fault of the native engine was tried, a copy of what is built before.
  if (native || existsSync(join(copy, 'build/CMakeCache.txt')))
    await inCopy(npm('run', '--silent', 'build:native'));
  else await cp(join(root, 'build/Release'), join(copy, 'build/Release'), { recursive: true });
  return hash.digest('hex');
}

async function inCopy([command, args], env = process.env) {
  const { status, output } = await capture(command, args, { cwd: copy, env });
  if (status !== 0) throw new SetupError(`${[command, ...args].join(' ')} failed in ${copy}\n${output}`, 1);
}

/** Runs test files, all where none is named; the first test that fails, or undefined. */
async function firstFailure(files, env) {
  const report = join(copy, 'build/report.json');
  rmSync(report, { force: true });
  const args = ['run', ...files, '--bail=1', '--reporter=json', `--outputFile=${report}`];
  const { status, output } = await capture(
    process.execPath,
    [join(copy, 'node_modules/vitest/vitest.mjs'), ...args],
    { cwd: copy, env },
  );
  if (status === 0) return undefined;
  if (!existsSync(report)) throw new SetupError(`vitest ended without a report\n${output}`, 1);
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
  const failed = testResults.filter((file) => file.status === 'failed');
  const name = (file) => file.name.slice(file.name.lastIndexOf('/') + 1);
  for (const file of failed)
    for (const one of file.assertionResults)
      if (one.status === 'failed') return `${name(file)}: ${one.fullName}`;
  return failed.length ? `${name(failed[0])} as a whole: ${failed[0].message.split('\n')[0]}` : output.trim();
}

/** Tests that fail anyway notice nothing. */
async function expectGreen(open, environment) {
  log('the tests without a fault ... ');
  const failure = await firstFailure([...new Set(open.flatMap(({ tests }) => tests))], environment);
  if (failure) throw new SetupError(`a test fails without any fault: ${failure}`, 1);
  log('pass\n');
}

async function tryFault({ file, find, replace, tests }, environment, namedOnly) {
  const path = join(copy, file);
  const text = readFileSync(path, 'utf8');
  const start = performance.now();
  const build = async () => {
    if (file.startsWith('shaders/')) await inCopy(npm('run', '--silent', 'generate'));
    if (file.startsWith('native/')) await inCopy(npm('run', '--silent', 'build:native'), environment);
  };
  writeFileSync(path, text.split(find).join(replace));
  try {
    await build();
    let by = await firstFailure(tests, environment);
    const named = Boolean(by);
    if (!by && !namedOnly) by = await firstFailure([], environment);
    const seconds = Math.round((performance.now() - start) / 1000);
    return { noticed: Boolean(by), named, by, seconds };
  } finally {
    writeFileSync(path, text);
    await build();
  }
}

/** Prints what lives; the status. */
function print(results) {
  const living = results.filter(({ noticed, equivalent }) => !noticed && !equivalent);
  const elsewhere = results.filter(({ noticed, named }) => noticed && !named);
  log(
    `\n${results.length} faults, ${results.filter(({ noticed }) => noticed).length} noticed, ${living.length} alive\n`,
  );
  for (const { id, by } of elsewhere) log(`  ${id}: noticed by none of the named files, but by ${by}\n`);
  for (const { id, file, what } of living) log(`  ${id}: ${what} (${file})\n`);
  for (const { id, equivalent } of results.filter((one) => one.equivalent && !one.noticed))
    log(`  ${id}: changes nothing: ${equivalent}\n`);
  return living.length ? 1 : 0;
}
