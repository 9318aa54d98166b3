/** The tools that build the native engine: a C++ compiler, make (or ninja) and CMake. */
import { install } from './packages.mjs';
import { capture, onPath, SetupError } from './run.mjs';

const oldestCmake = [3, 18];

function missing() {
  const packages = [];
  if (!process.env.CXX && !['c++', 'g++', 'clang++'].some(onPath)) packages.push('g++');
  if (!['make', 'ninja'].some(onPath)) packages.push('make');
  if (!onPath('cmake')) packages.push('cmake');
  return packages;
}

export async function ensureCompiler() {
  if (process.platform === 'win32') return;
  if (process.platform === 'darwin' && missing().length)
    throw new SetupError(
      'The native engine needs a C++ compiler and CMake: xcode-select --install; brew install cmake',
    );
  const packages = missing();
  if (packages.length) await install(packages, 'What builds the native engine');
  const { stdout } = await capture('cmake', ['--version']);
  const [major, minor] = (/version (\d+)\.(\d+)/.exec(stdout) ?? [0, 0, 0]).slice(1).map(Number);
  if (major < oldestCmake[0] || (major === oldestCmake[0] && minor < oldestCmake[1]))
    throw new SetupError(`CMake ${major}.${minor} is too old: ${oldestCmake.join('.')} or later is needed`);
}
