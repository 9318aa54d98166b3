/**
 * A Debian 12 tree in build/ with the compilers that make portable Linux binaries, the same as a checkout is built with there,
 * and in it the libraries and headers of Debian 11 for both processors: what is linked with those runs on glibc 2.28 and later,
 * what is linked with newer ones mostly does not. Unpacked, not installed: nothing but compilers runs in it.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { install } from './packages.mjs';
import { attempt, capture, onPath, root, SetupError } from './run.mjs';

const folder = join(root, 'build/portable');
const compilers = ['g++-12', 'g++-12-aarch64-linux-gnu', 'cmake', 'ninja-build', 'dash', 'coreutils'];
const libraries = ['libstdc++-10-dev'];
const systems = { x64: 'amd64', arm64: 'arm64' };

/** The libraries of Debian 11 for a processor, as seen from outside the tree. */
export const sysroot = (arch) => join(folder, 'sysroots', arch);

/** The folder of the tree, made where it is missing, or the reason why there is none. */
export async function portableRoot() {
  const noted = join(folder, '.packages');
  if (existsSync(noted)) return { folder };
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return { reason: `portable binaries are made on linux-x64, not on ${process.platform}-${process.arch}` };
  if (process.getuid() !== 0) return { reason: 'unpacking a Debian tree and building in it takes root' };
  if (!onPath('mmdebstrap')) {
    try {
      await install(['mmdebstrap', 'debian-archive-keyring'], 'What unpacks a Debian tree');
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      return { reason: error.message.split('\n')[0] };
    }
  }
  const fresh = `${folder}.new`;
  for (const path of [folder, fresh]) rmSync(path, { recursive: true, force: true });
  const trees = [
    { name: 'Debian 12', suite: 'bookworm', system: 'amd64', packages: compilers, to: fresh },
    ...Object.entries(systems).map(([arch, system]) => ({
      ...{ name: `Debian 11 for ${arch}`, suite: 'bullseye', system, packages: libraries },
      to: join(fresh, 'sysroots', arch),
    })),
  ];
  for (const tree of trees) {
    // mmdebstrap makes the last folder of a path only.
    mkdirSync(dirname(tree.to), { recursive: true });
    const failure = await unpack(tree);
    if (failure) return { reason: failure };
  }
  for (const arch of Object.keys(systems)) makeLinksRelative(join(fresh, 'sysroots', arch));
  // Newer than those of the sysroot, and found before them.
  for (const name of ['lib', 'include'])
    rmSync(join(fresh, 'usr/aarch64-linux-gnu', name), { recursive: true, force: true });
  writeFileSync(join(fresh, '.packages'), `${[...compilers, ...libraries].join('\n')}\n`);
  renameSync(fresh, folder);
  return { folder };
}

/** Undefined, or what went wrong. */
async function unpack({ name, suite, system, packages, to }) {
  const options = ['--quiet', '--variant=extract', `--architectures=${system}`];
  const args = [...options, `--include=${packages.join(',')}`, suite, to, ...(await debianMirror())];
  const step = `unpack ${name}`;
  if (await attempt(step, 'mmdebstrap', args, { quiet: true })) return undefined;
  return `mmdebstrap failed: see build/logs/${step.replaceAll(' ', '-')}.log`;
}

/** Links from the root of a tree lead out of it when the tree is used from elsewhere. */
function makeLinksRelative(tree) {
  for (const entry of readdirSync(tree, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue;
    const link = join(entry.parentPath ?? entry.path, entry.name);
    const target = readlinkSync(link);
    if (!target.startsWith('/')) continue;
    unlinkSync(link);
    symlinkSync(relative(dirname(link), join(tree, target)), link);
  }
}

/** The Debian mirror of this machine, where it has one; else mmdebstrap knows one. */
export async function debianMirror() {
  if (process.env.LIMBECK_DEBIAN_MIRROR) return [process.env.LIMBECK_DEBIAN_MIRROR];
  const format = '$(ORIGIN) $(LABEL) $(REPO_URI)';
  const { stdout } = await capture('apt-get', ['indextargets', '--format', format]);
  const uri = /^Debian Debian (\S+)$/m.exec(stdout)?.[1];
  return uri ? [uri] : [];
}
