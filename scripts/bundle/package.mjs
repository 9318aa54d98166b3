/** The built package as the bundle carries it: no sources, no types, of each dependency only what runs here. */
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../setup/run.mjs';

const folders = ['dist', 'bench', 'build/harness', 'prebuilds/linux-x64', 'node_modules/node-gyp-build'];
const dawn = ['index.js', 'package.json', 'LICENSE.md', 'dist/linux-x64/dawn.node'];
/** Packages of the peers that were installed, types, maps, and what Python leaves. */
const leftOut = /(^|\/)(node_modules|__pycache__)\/?$|\.d\.ts$|\.map$/;

export async function addPackage(to) {
  const copy = (path) => {
    mkdirSync(dirname(join(to, path)), { recursive: true });
    copyFileSync(join(root, path), join(to, path));
  };
  for (const folder of folders)
    cpSync(join(root, folder), join(to, folder), {
      recursive: true,
      filter: (source) => !leftOut.test(source.slice(join(root, folder).length)),
    });
  for (const file of dawn) copy(`node_modules/webgpu/${file}`);
  for (const file of ['package.json', 'LICENSE']) copy(file);
  // What it imports has been built by now.
  const { commit } = await import('../../bench/suite/machine.mjs');
  writeFileSync(join(to, 'commit'), commit());
}
