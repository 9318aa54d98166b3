/** Packages of the operating system: Debian and Ubuntu are served, elsewhere it is said what is needed. */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { attempt, capture, onPath, SetupError, step } from './run.mjs';

let updated = false;

/** What to put before a command that needs root, or undefined where it cannot be had without asking. */
async function rootPrefix() {
  if (process.getuid?.() === 0) return ['env', 'DEBIAN_FRONTEND=noninteractive'];
  if (onPath('sudo') && (await capture('sudo', ['-n', 'true'])).status === 0)
    return ['sudo', '-n', 'env', 'DEBIAN_FRONTEND=noninteractive'];
  return undefined;
}

/** Installs packages with apt-get; throws with the command to type where that is not possible. */
export async function install(packages, purpose) {
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  if (!onPath('apt-get'))
    throw new SetupError(
      `${purpose} is missing, and this system has no apt-get to install it with.\n` +
        `Install what Debian calls: ${packages.join(' ')}`,
    );
  const prefix = await rootPrefix();
  if (!prefix)
    throw new SetupError(
      `${purpose} is missing and installing it takes root. Run this once, then try again:\n\n` +
        `    sudo apt-get update && sudo ${command}\n`,
    );
  await update(prefix);
  const [program, ...args] = [
    ...prefix,
    'apt-get',
    '-o',
    'DPkg::Lock::Timeout=300',
    ...command.split(' ').slice(1),
  ];
  await step(`apt-get install ${packages.join(' ')}`, program, args);
}

/** The lists are refreshed once; a mirror that does not answer may still leave lists that are good enough. */
async function update(prefix) {
  if (updated) return;
  updated = true;
  const [program, ...args] = [...prefix, 'apt-get', '-o', 'DPkg::Lock::Timeout=300', 'update'];
  await step('apt-get update', program, args).catch(() => {});
}

/** The version apt would install of a package, or undefined; refreshes the lists first where it may. */
export async function candidate(name) {
  if (!onPath('apt-get')) return undefined;
  const prefix = await rootPrefix();
  if (prefix) await update(prefix);
  return listedCandidate(name);
}

/** The same from the lists as they are, or from others that `options` name. */
export async function listedCandidate(name, options = []) {
  const { stdout } = await capture('apt-cache', [...options, 'policy', name], {
    env: { ...process.env, LC_ALL: 'C' },
  });
  const version = /Candidate: (\S+)/.exec(stdout)?.[1];
  return version === '(none)' ? undefined : version;
}

/** Whether Debian version `a` is at least `b`. */
export async function atLeast(a, b) {
  return (await capture('dpkg', ['--compare-versions', a, 'ge', b])).status === 0;
}

/**
 * The file of a package, downloaded into `folder`, or undefined: from the system's package lists, or from fresh ones of our
 * own where those are missing or out of date. Needs no root.
 */
export async function downloadPackage(name, folder) {
  const asRoot = ['-o', 'APT::Sandbox::User=root'];
  const quiet = { cwd: folder, quiet: true };
  const get = async (lists) => {
    const args = [...asRoot, ...lists, 'download', name];
    if (!(await attempt(`apt-get download ${name}`, 'apt-get', args, quiet))) return undefined;
    return join(
      folder,
      readdirSync(folder).find((file) => file.endsWith('.deb')),
    );
  };
  const file = (await listedCandidate(name)) && (await get([]));
  if (file) return file;
  mkdirSync(join(folder, 'lists/partial'), { recursive: true });
  const lists = ['-o', `Dir::State::Lists=${join(folder, 'lists')}`, '-o', `Dir::Cache=${folder}`];
  if (!(await attempt('apt-get update (private)', 'apt-get', [...asRoot, ...lists, 'update'], quiet)))
    return undefined;
  return (await listedCandidate(name, lists)) && get(lists);
}
