/**
 * A Debian 11 tree in build/ with the compilers that make portable Linux binaries: what is built there runs on glibc 2.28
 * and later, what is built on a newer system mostly does not. Unpacked, not installed: nothing but compilers runs in it.
 */
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { install } from './packages.mjs';
import { attempt, capture, onPath, root, SetupError } from './run.mjs';

const folder = join(root, 'build/bullseye');
const packages = ['g++-10', 'g++-10-aarch64-linux-gnu', 'cmake', 'ninja-build', 'dash', 'coreutils'];

/** The folder of the tree, made where it is missing, or the reason why there is none. */
export async function portableRoot() {
  const noted = join(folder, '.packages');
  if (existsSync(noted)) return { folder };
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return { reason: `portable binaries are made on linux-x64, not on ${process.platform}-${process.arch}` };
  if (process.getuid() !== 0) return { reason: 'unpacking a Debian 11 tree and building in it takes root' };
  if (!onPath('mmdebstrap')) {
    try {
      await install(['mmdebstrap', 'debian-archive-keyring'], 'What unpacks a Debian 11 tree');
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      return { reason: error.message.split('\n')[0] };
    }
  }
  const fresh = `${folder}.new`;
  for (const path of [folder, fresh]) rmSync(path, { recursive: true, force: true });
  const options = ['--quiet', '--variant=extract', `--include=${packages.join(',')}`];
  const args = [...options, 'bullseye', fresh, ...(await debianMirror())];
  if (!(await attempt('unpack Debian 11', 'mmdebstrap', args, { quiet: true })))
    return { reason: 'mmdebstrap failed: see build/logs/unpack-Debian-11.log' };
  writeFileSync(join(fresh, '.packages'), `${packages.join('\n')}\n`);
  renameSync(fresh, folder);
  return { folder };
}

/** The Debian mirror of this machine, where it has one; else mmdebstrap knows one. */
export async function debianMirror() {
  if (process.env.LIMBECK_DEBIAN_MIRROR) return [process.env.LIMBECK_DEBIAN_MIRROR];
  const format = '$(ORIGIN) $(LABEL) $(REPO_URI)';
  const { stdout } = await capture('apt-get', ['indextargets', '--format', format]);
  const uri = /^Debian Debian (\S+)$/m.exec(stdout)?.[1];
  return uri ? [uri] : [];
}
