/**
 * Everything between a fresh clone and a program that runs: npm dependencies, the compiler, the generated modules,
 * TypeScript and the native engine. Skips what is up to date. Plain Node, because node_modules may not exist yet.
 *
 *     node scripts/setup.mjs [--prebuild]
 *
 * With --prebuild also prebuilds/, as the npm package carries it: portable binaries for Linux where they can be made.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readArguments } from '../bench/suite/arguments.mjs';
import { ensureCompiler } from './setup/compiler.mjs';
import { portableRoot } from './setup/portable-root.mjs';
import { main, npm, root, SetupError, step } from './setup/run.mjs';
import { filesBelow, unlessUpToDate } from './setup/up-to-date.mjs';

const addon = 'build/Release/limbeck.node';
const nativeSources = ['native', 'CMakeLists.txt', 'cmake', 'package-lock.json'];
export const typescriptSources = [
  'src',
  'shaders',
  'scripts/generate.mjs',
  'scripts/generate',
  'tsconfig.json',
];

export async function setUp({ prebuild = false } = {}) {
  checkNode();
  await installDependencies();
  await buildTypescript();
  await buildNative();
  if (prebuild) await prebuildNative();
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const fits = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 24;
  if (!fits)
    throw new SetupError(
      `Node ${process.versions.node} does not do: 20.19, 22.12 or 24 and later are supported`,
    );
}

async function installDependencies() {
  const lock = join(root, 'package-lock.json');
  if (dependenciesAreInstalled(lock)) return;
  const command = existsSync(lock) ? 'ci' : 'install';
  await step(
    `npm ${command}`,
    ...npm(command, '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'),
  );
}

/** Every package of the lock file is in node_modules in that version (optional ones may be for other systems). */
function dependenciesAreInstalled(lock) {
  const installed = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installed)) return false;
  if (!existsSync(lock)) return true;
  const wanted = JSON.parse(readFileSync(lock, 'utf8')).packages;
  const found = JSON.parse(readFileSync(installed, 'utf8')).packages;
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || optional || found[path]?.version === version,
  );
}

/** The generated modules and `dist/`. */
export async function buildTypescript() {
  const inputs = [...typescriptSources, 'tsconfig.build.json', 'package-lock.json'];
  await unlessUpToDate(
    'typescript',
    { inputs, outputs: ['dist/index.js', 'src/engine/ops/index.gen.ts'] },
    async () => {
      await step('build TypeScript', ...npm('run', '--silent', 'build:ts'));
      removeOrphans();
    },
  );
}

/** The compiler leaves the output of a source that has since been renamed or deleted. */
function removeOrphans() {
  for (const file of filesBelow(['dist'])) {
    const source = file.replace(/^dist\//, 'src/').replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts');
    if (source.endsWith('.ts') && !existsSync(join(root, source))) rmSync(join(root, file));
  }
}

async function buildNative() {
  await unlessUpToDate('native', { inputs: nativeSources, outputs: [addon] }, async () => {
    await ensureCompiler();
    // make, unlike ninja, takes one core unless told.
    const env = { CMAKE_BUILD_PARALLEL_LEVEL: String(availableParallelism()), ...process.env };
    await step('build the native engine', ...npm('run', '--silent', 'build:native'), { env });
  });
}

/** Portable binaries for both Linux processors where they can be made; else one that this machine can run. */
async function prebuildNative() {
  const inputs = [
    ...nativeSources,
    'scripts/prebuild.mjs',
    'scripts/prebuild',
    'scripts/setup/portable-root.mjs',
  ];
  const { folder, reason } = await portableRoot();
  if (!folder) return prebuildHere(inputs, reason);
  for (const arch of ['x64', 'arm64'])
    await unlessUpToDate(
      `prebuild-${arch}`,
      { inputs, outputs: [`prebuilds/linux-${arch}/limbeck.glibc.node`] },
      () =>
        step(`prebuild for linux-${arch}`, process.execPath, [
          'scripts/prebuild.mjs',
          ...['--root', folder, '--arch', arch],
        ]),
    );
}

async function prebuildHere(inputs, reason) {
  console.log(`The prebuilt engine is made for this machine only: ${reason}`);
  const outputs = [`prebuilds/${process.platform}-${process.arch}`];
  await unlessUpToDate('prebuild', { inputs, outputs }, async () => {
    await ensureCompiler();
    await step('prebuild the native engine', process.execPath, ['scripts/prebuild.mjs']);
    // prebuildify moves what was built; put it back, for it is what a checkout loads.
    const [built] = readdirSync(join(root, outputs[0])).filter((name) => name.endsWith('.node'));
    mkdirSync(join(root, 'build/Release'), { recursive: true });
    copyFileSync(join(root, outputs[0], built), join(root, addon));
  });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { flags } = readArguments('npm run setup -- [options]', {
    prebuild: { help: 'also makes prebuilds/, as the package carries it' },
  });
  await main(() => setUp(flags));
}
