import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { output } from '../suite/process.mjs';

const folder = fileURLToPath(new URL('.', import.meta.url));
const versionIn = (name) =>
  JSON.parse(readFileSync(`${folder}node_modules/${name}/package.json`, 'utf8')).version;

let installing;

/** The version of a package of bench/peers/package.json, which are installed into bench/peers when first asked for. */
export async function installed(name) {
  if (!existsSync(`${folder}node_modules/${name}`)) {
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    const args = ['install', '--prefix', folder, '--no-package-lock', '--ignore-scripts'];
    await (installing ??= output(npm, args));
  }
  return versionIn(name);
}
