/**
 * A Vulkan driver in software that has matrix units, for `npm run test:half`: Mesa's lavapipe of Debian sid, unpacked into
 * build/ with its C library, under which Node then runs. Some 70 MB to fetch, 330 MB on disk.
 */
import { chmodSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { install } from './packages.mjs';
import { debianMirror } from './portable-root.mjs';
import { onPath, root, SetupError, step } from './run.mjs';

const folder = join(root, 'build/lavapipe');
const libraries = join(folder, 'usr/lib/x86_64-linux-gnu');

/** A program that is Node with that driver, made where it is missing. Throws where there is no way to one. */
export async function matrixNode() {
  const program = join(folder, 'node');
  if (existsSync(program)) return program;
  if (process.platform !== 'linux' || process.arch !== 'x64' || process.getuid() !== 0)
    throw new SetupError('The driver with matrix units is unpacked on linux-x64 by root; run this there');
  if (!onPath('mmdebstrap'))
    await install(['mmdebstrap', 'debian-archive-keyring'], 'What unpacks a Debian driver');
  const fresh = `${folder}.new`;
  for (const path of [folder, fresh]) rmSync(path, { recursive: true, force: true });
  // A mirror that is a copy of some day is as good as a fresh one.
  const options = ['--aptopt=Acquire::Check-Valid-Until "false"', '--include=mesa-vulkan-drivers,libvulkan1'];
  const args = ['--quiet', '--variant=extract', ...options, 'sid', fresh, ...(await debianMirror())];
  await step('unpack lavapipe', 'mmdebstrap', args);
  // What is loaded under another C library is that one's loader; children must be started the same way.
  writeFileSync(join(fresh, 'node.mjs'), `process.execPath = ${JSON.stringify(program)};\n`);
  const script = [
    '#!/bin/sh',
    `export VK_ICD_FILENAMES='${folder}/usr/share/vulkan/icd.d/lvp_icd.json'`,
    `exec '${libraries}/ld-linux-x86-64.so.2' --library-path '${libraries}' '${process.execPath}' --import '${folder}/node.mjs' "$@"`,
  ];
  writeFileSync(join(fresh, 'node'), `${script.join('\n')}\n`);
  chmodSync(join(fresh, 'node'), 0o755);
  renameSync(fresh, folder);
  return program;
}
