/** Runs a bundle where there is nothing else: a root with the C library of this machine and a static busybox. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { downloadPackage } from '../setup/packages.mjs';
import { capture, onPath, SetupError, step } from '../setup/run.mjs';

const glibc = ['libc.so.6', 'libm.so.6', 'libdl.so.2', 'libpthread.so.0', 'librt.so.1'];
const loader = '/lib64/ld-linux-x86-64.so.2';
const tools = ['sh', 'ls', 'cat', 'env', 'mkdir'];

/** A little of every stage, on the software driver. */
const stages = {
  conformance: ['--checks', 'relu', '--members', '3'],
  half: [],
  bench: ['--quick', '--peers', '', '--only', 'convnet-gradient-256'],
  main: [
    '--data',
    'digits',
    '--iterations',
    '2',
    '--distill=--network mlp:width=8 --batch 16 --digits-size 100',
  ],
};

/** For chroot and mount, which are not on everybody's path. */
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

export async function checkInEmptyRoot(archive) {
  if (process.getuid() !== 0) throw new SetupError('--check needs root, for chroot');
  const empty = mkdtempSync(join(tmpdir(), 'limbeck-root-'));
  try {
    await furnish(empty);
    await step('unpack the bundle in an empty root', 'tar', ['-xJf', archive, '-C', empty]);
    for (const [stage, options] of Object.entries(stages)) {
      const out = `/results-${stage}`;
      const command = ['/limbeck-linux-x64/run.sh', stage, '--software', '--out', out, ...options];
      const bare = ['/bin/env', '-i', 'PATH=/bin', 'HOME=/', '/bin/sh', ...command];
      await step(`${stage} in an empty root`, 'chroot', [empty, ...bare], { env });
      console.log(readFileSync(join(empty, out, 'results.md'), 'utf8').replace(/^/gm, '    '));
    }
  } finally {
    // Nothing is deleted through a mount that stays.
    const { status } = await capture('umount', [join(empty, 'proc')], { env });
    if (status && existsSync(join(empty, 'proc/self'))) console.error(`${empty}/proc is still mounted`);
    else rmSync(empty, { recursive: true, force: true });
  }
}

async function furnish(empty) {
  for (const folder of ['bin', 'lib64', 'lib/x86_64-linux-gnu', 'tmp', 'dev', 'proc'])
    mkdirSync(join(empty, folder), { recursive: true });
  for (const name of glibc)
    copyFileSync(realpathSync(`/lib/x86_64-linux-gnu/${name}`), join(empty, 'lib/x86_64-linux-gnu', name));
  copyFileSync(realpathSync(loader), join(empty, loader));
  copyFileSync(await busybox(), join(empty, 'bin/busybox'));
  await capture('chmod', ['755', join(empty, 'bin/busybox')]);
  for (const name of tools) symlinkSync('busybox', join(empty, 'bin', name));
  for (const [name, minor] of [
    ['null', '3'],
    ['urandom', '9'],
  ])
    await capture('mknod', ['-m', '666', join(empty, 'dev', name), 'c', '1', minor]);
  await capture('mount', ['-t', 'proc', 'proc', join(empty, 'proc')], { env });
}

async function busybox() {
  const work = mkdtempSync(join(tmpdir(), 'limbeck-busybox-'));
  process.on('exit', () => rmSync(work, { recursive: true, force: true }));
  const file = onPath('dpkg-deb') && (await downloadPackage('busybox-static', work));
  if (!file) throw new SetupError('--check needs a static busybox: Debian calls it busybox-static');
  await capture('dpkg-deb', ['-x', file, work]);
  return join(work, 'bin/busybox');
}
