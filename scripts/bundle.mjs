/**
 * `npm run bundle`: one folder, and the same as a .tar.xz, with everything that conformance, benchmark and main job need
 * on a bare x86-64 Linux machine with a GPU driver.
 *
 *     npm run bundle -- [--out DIR] [--data NAME --data-dir DIR] [--software-driver] [--check]
 *
 * --data-dir copies a folder of a data set's files, which the main job then takes, as NAME; else it takes generated digits.
 * --software-driver adds SwiftShader, a Vulkan driver that computes on the processor. --check runs the bundle in a root
 * that holds nothing but it, a C library and a shell (needs root, and brings the software driver).
 */
import { copyFileSync, cpSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { compileHarness } from '../bench/conformance/harness.mjs';
import { readArguments } from '../bench/suite/arguments.mjs';
import { checkInEmptyRoot } from './bundle/check.mjs';
import { addLibraries, addNode, addSoftwareDriver } from './bundle/libraries.mjs';
import { addPackage } from './bundle/package.mjs';
import { main, root, SetupError, step } from './setup/run.mjs';
import { setUp } from './setup.mjs';

/** What the archive may weigh at most. */
const mostBytes = 50 * 2 ** 20;

const { flags } = readArguments('npm run bundle -- [options]', {
  out: { value: 'DIR', default: join(root, 'build/bundle'), help: 'where the bundle is made' },
  data: { value: 'NAME', help: 'what the data of --data-dir are called' },
  'data-dir': { value: 'DIR', help: 'data for the main job; generated digits unless given' },
  'software-driver': { help: 'adds a Vulkan driver that computes on the processor' },
  check: { help: 'runs the bundle in a root that holds nothing but it (as root)' },
});

await main(async () => {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new SetupError(
      `A bundle is made on x86-64 Linux for x86-64 Linux; this is ${process.platform}-${process.arch}`,
    );
  if (flags.data && !flags['data-dir'])
    throw new SetupError(`--data ${flags.data} needs --data-dir, the folder that holds its files`);
  await setUp({ prebuild: true });
  await compileHarness();
  const folder = join(resolve(flags.out), 'limbeck-linux-x64');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await addPackage(join(folder, 'limbeck'));
  copyFileSync(join(root, 'bench/bundle/run.sh'), join(folder, 'run.sh'));
  writeFileSync(join(folder, 'README'), 'limbeck on a bare machine with a GPU driver: ./run.sh --help\n');
  await addNode(folder);
  await addLibraries(folder);
  if (flags['software-driver'] || flags.check) await addSoftwareDriver(folder);
  if (flags['data-dir']) addData(folder);
  const archive = await pack(folder);
  if (flags.check) await checkInEmptyRoot(archive);
});

function addData(folder) {
  const from = resolve(flags['data-dir']);
  cpSync(from, join(folder, 'data', flags.data ?? basename(from)), { recursive: true, dereference: true });
}

async function pack(folder) {
  const archive = `${folder}.tar.xz`;
  const owner = ['--owner=0', '--group=0', '--sort=name'];
  const args = [...owner, '-cJf', archive, '-C', dirname(folder), basename(folder)];
  await step('pack the bundle', 'tar', args, { env: { ...process.env, XZ_OPT: '-6 -T2' } });
  const { size } = statSync(archive);
  console.log(`${archive}: ${(size / 2 ** 20).toFixed(1)} MiB`);
  if (size > mostBytes)
    throw new SetupError(
      `The archive is larger than ${mostBytes / 2 ** 20} MiB: leave data out, or bring less of them`,
    );
  return archive;
}
