/**
 * `npm run build:native`: compiles `native/` into `build/`. CMake notes in its cache which checkout it was set up for and goes on
 * compiling that one, wherever the folder has been copied to; such a folder is set up anew.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup/run.mjs';

const build = join(root, 'build');
const real = (path) => (existsSync(path) ? realpathSync(path) : path);

const cache = join(build, 'CMakeCache.txt');
const [, source] = existsSync(cache)
  ? (/^CMAKE_HOME_DIRECTORY:INTERNAL=(.*?)\r?$/m.exec(readFileSync(cache, 'utf8')) ?? [])
  : [];
if (source !== undefined && real(source) !== real(root)) {
  console.log(`${build} was set up to compile ${source}: it is set up anew.`);
  for (const name of ['CMakeCache.txt', 'CMakeFiles', 'build.ninja', '.ninja_deps', '.ninja_log', 'Makefile'])
    rmSync(join(build, name), { recursive: true, force: true });
}

const cmake = join(root, 'node_modules/cmake-js/bin/cmake-js');
const { status } = spawnSync(process.execPath, [cmake, 'compile', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
