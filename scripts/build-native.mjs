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

function cmake(...args) {
  const { error, status } = spawnSync('cmake', args, { cwd: root, stdio: 'inherit' });
  if (error?.code === 'ENOENT') {
    console.error(
      'cmake was not found: install cmake 3.18 or newer and a C++17 compiler, then run this again.',
    );
    process.exit(3);
  }
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
