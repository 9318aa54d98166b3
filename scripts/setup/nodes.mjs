/** Other versions of Node, and Node for another processor with what emulates that: kept in build/nodes. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { install } from './packages.mjs';
import { sysroot } from './portable-root.mjs';
import { attempt, npm, onPath, root, SetupError } from './run.mjs';

const own = join(root, 'build/nodes');
const supported = [20, 22, 24, 26];

/**
 * `[{ name, command, arch, reason }]`: how to start each version (`command` and its first arguments), or why it cannot be
 * had. Elsewhere than on Linux only the running one.
 */
export async function nodeVersions() {
  const running = { name: `${process.version} (running)`, arch: process.arch, command: [process.execPath] };
  if (process.platform !== 'linux') return [running];
  const versions = [running];
  for (const major of supported) versions.push(await nodeFor(process.arch, major));
  if (process.arch === 'x64') for (const major of supported) versions.push(await emulated('arm64', major));
  return versions;
}

async function nodeFor(arch, major, prefix = []) {
  const name = `node-linux-${arch}@${major}`;
  const file = join(own, `${arch}-${major}`);
  if (!existsSync(file) && !(await fetchNode(name, file)))
    return { name, arch, reason: `the npm package ${name} cannot be had` };
  return { name, arch, command: [...prefix, file] };
}

/** The npm package holds one program; only that is kept. */
async function fetchNode(name, file) {
  mkdirSync(own, { recursive: true });
  const work = mkdtempSync(join(own, 'fetch-'));
  try {
    const fetched = await attempt(
      `download ${name}`,
      ...npm('pack', name, '--silent', '--pack-destination', work),
      {
        quiet: true,
      },
    );
    const archive = readdirSync(work).find((entry) => entry.endsWith('.tgz'));
    if (!fetched || !archive) return false;
    const args = ['-xzf', join(work, archive), '-C', work, 'package/bin/node'];
    if (!(await attempt(`unpack ${name}`, 'tar', args, { quiet: true }))) return false;
    renameSync(join(work, 'package/bin/node'), file);
    return true;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** arm64 on x64: with the C library that binaries for it are linked with. */
async function emulated(arch, major) {
  const libraries = sysroot('arm64');
  const name = `node-linux-${arch}@${major}`;
  if (!existsSync(libraries)) return { name, arch, reason: 'there is no tree with its C library' };
  try {
    if (!onPath('qemu-aarch64')) await install(['qemu-user'], 'What emulates arm64');
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return { name, arch, reason: error.message.split('\n')[0] };
  }
  return nodeFor(arch, major, ['qemu-aarch64', '-L', libraries]);
}
