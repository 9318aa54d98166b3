import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { output } from './process.mjs';

/** Compiles one C++ file for this machine into `folder`; the path of the program. */
export async function compile(url, folder, ...libraries) {
  const source = fileURLToPath(url);
  const program = join(folder, source.split(/[\\/]/).at(-1).replace('.cc', ''));
  const flags = ['-O3', '-march=native', '-std=c++17', '-pthread'];
  await output(process.env.CXX ?? 'c++', [...flags, source, '-o', program, ...libraries]);
  return program;
}
