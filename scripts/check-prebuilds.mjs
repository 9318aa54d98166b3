/**
 * Says of every binary in prebuilds/ whether it runs on all systems of its kind, and fails where one does not.
 *
 *     node scripts/check-prebuilds.mjs [FOLDER] [--all]
 *
 * FOLDER is that of the package (default: this one). With --all every platform must be there, as it must in what is
 * published. Only Linux binaries can be looked into from everywhere; others are judged by where they were built.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readArguments } from '../bench/suite/arguments.mjs';
import { requirements } from './prebuild/elf.mjs';

/** Node itself needs it from version 18 on. */
const newestGlibc = [2, 28];
const libraries = {
  glibc: /^(libc\.so\.6|libm\.so\.6|libpthread\.so\.0|libdl\.so\.2|ld-linux-(x86-64|aarch64)\.so\.[12])$/,
  musl: /^libc\.(so|musl-(x86_64|aarch64)\.so\.1)$/,
};
const published = [
  ...['x64', 'arm64'].flatMap((arch) =>
    ['glibc', 'musl'].map((libc) => `linux-${arch}/limbeck.${libc}.node`),
  ),
  ...['darwin', 'win32'].flatMap((system) =>
    ['x64', 'arm64'].map((arch) => `${system}-${arch}/limbeck.node`),
  ),
];

const { flags, positionals } = readArguments(
  'node scripts/check-prebuilds.mjs [PACKAGE] [options]',
  { all: { help: 'a platform that is missing fails, too' } },
  { most: 1 },
);
const folder = join(positionals[0] ?? fileURLToPath(new URL('..', import.meta.url)), 'prebuilds');
const present = existsSync(folder)
  ? readdirSync(folder, { recursive: true })
      .map((path) => path.replaceAll('\\', '/'))
      .filter((path) => path.endsWith('.node'))
      .sort()
  : [];

let failed = false;
for (const path of present) {
  const faults = path.startsWith('linux-') ? faultsOf(path) : [];
  failed ||= faults.length > 0;
  console.log(`${path}: ${faults.length ? `for this machine only: ${faults.join('; ')}` : 'portable'}`);
}
const missing = flags.all ? published.filter((path) => !present.includes(path)) : [];
for (const path of missing) console.log(`${path}: missing`);
if (!present.length) console.log('there is no prebuilt binary');
process.exitCode = failed || missing.length || !present.length ? 1 : 0;

/** What of a Linux binary's needs not every system has. */
function faultsOf(path) {
  const [, arch, libc] = /^linux-(\w+)\/limbeck\.(\w+)\.node$/.exec(path) ?? [];
  if (!libraries[libc]) return ['its name says no libc, so that the wrong systems would load it'];
  let found;
  try {
    found = requirements(readFileSync(join(folder, path)));
  } catch (error) {
    return [error.message];
  }
  const faults = [];
  if (found.machine !== arch) faults.push(`it is for ${found.machine}`);
  for (const name of found.needed) if (!libraries[libc].test(name)) faults.push(`it needs ${name}`);
  for (const version of found.versions)
    if (tooNew(version)) faults.push(`it needs ${version}, expected at most GLIBC_${newestGlibc.join('.')}`);
  return faults;
}

/** Versions of anything but glibc (GLIBCXX, CXXABI, GCC) belong to libraries that are linked in. */
function tooNew(version) {
  const [, major, minor] = /^GLIBC_(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === undefined) return true;
  return Number(major) > newestGlibc[0] || Number(minor) > newestGlibc[1];
}
