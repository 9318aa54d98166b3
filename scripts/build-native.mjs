#!/usr/bin/env node
// Builds the CPU engine from source where the package brings no prebuilt one: needs only cmake and a C++17 compiler.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('..', import.meta.url));

if (process.platform === 'win32') {
  console.error('On Windows run: npx cmake-js compile -T ClangCL (it makes the import library of node.exe).');
  process.exit(2);
}

/** Whether a program is on the PATH and runs. */
const runs = (program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;

/** What it takes, and the programs of which one will do. */
const needed = {
  'cmake (3.18 or newer)': ['cmake'],
  'a C++17 compiler (g++ 10 or clang 12, or newer)': [process.env.CXX, 'c++', 'g++', 'clang++'].filter(
    Boolean,
  ),
  'make or ninja': ['make', 'ninja'],
};
const missing = Object.keys(needed).filter((what) => !needed[what].some(runs));
if (missing.length) {
  console.error(
    `Missing: ${missing.join('; ')}. Install ${missing.length > 1 ? 'these' : 'it'}, then run this again:`,
  );
  console.error(
    process.platform === 'darwin'
      ? '  xcode-select --install; brew install cmake'
      : '  apt-get install cmake g++ make   (Alpine: apk add cmake g++ make)',
  );
  process.exit(3);
}

function cmake(...args) {
  const { status } = spawnSync('cmake', args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

// node-addon-api's own include_dir is relative to the working directory, so ask for the folder of its package.json.
const headers = [
  require('node-api-headers').include_dir,
  dirname(require.resolve('node-addon-api/package.json')),
];
const build = join(root, 'build');
cmake(
  '-S',
  root,
  '-B',
  build,
  '-DCMAKE_BUILD_TYPE=Release',
  `-DCMAKE_JS_INC=${headers.join(';')}`,
  `-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${join(build, 'Release')}`,
  ...process.argv.slice(2),
);
cmake('--build', build, '--config', 'Release', '--parallel');
console.log(`Built ${join(build, 'Release/limbeck.node')}: limbeck loads it from now on.`);
