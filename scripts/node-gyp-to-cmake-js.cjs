#!/usr/bin/env node
// prebuildify runs `node-gyp rebuild --target=… --devdir=… --arch=… --release|--debug` and takes the first *.node file
// of build/Release. This stands in for node-gyp and hands the work to cmake-js.
const { spawnSync } = require('node:child_process');
const path = require('node:path');

const option = (name) =>
  (process.argv.find((argument) => argument.startsWith(`--${name}=`)) ?? '').split('=')[1];
const manifest = require.resolve('cmake-js/package.json', { paths: [process.cwd()] });
// For this machine the build folder can be taken over as it is, and others keep their things in it; for another one the
// cache of CMake would name the wrong compiler.
const native = option('arch') === process.arch && !process.env.CMAKE_TOOLCHAIN_FILE;
const command = native ? 'compile' : 'rebuild';
const args = [path.join(path.dirname(manifest), 'bin', 'cmake-js'), command, '--arch', option('arch')];
// The kernels use vector extensions that Microsoft's compiler lacks.
if (process.platform === 'win32') args.push('--toolset', 'ClangCL');
if (process.argv.includes('--debug')) args.push('--debug');
// Extra cache variables for cmake, such as a toolchain: "NAME=value NAME=value".
for (const variable of (process.env.PREBUILD_CMAKE_ARGS ?? '').split(' ').filter(Boolean))
  args.push(`--CD${variable}`);
process.exit(spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1);
