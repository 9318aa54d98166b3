/**
 * Node, and the shared libraries that a machine with a GPU driver may lack. Of each the system's own file where there is
 * one, else that of its Debian package.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { downloadPackage } from '../setup/packages.mjs';
import { capture, onPath, SetupError } from '../setup/run.mjs';
import { swiftShaderFolder } from '../setup/vulkan.mjs';

/** What Node and Dawn are linked with besides the C library; taken where the machine's does not do. */
const cxx = { 'libstdc++.so.6': 'libstdc++6', 'libgcc_s.so.1': 'libgcc-s1' };

/** The Vulkan loader, and what NVIDIA's drivers are linked with: containers are given the driver without it. */
const vulkan = {
  'libvulkan.so.1': 'libvulkan1',
  'libGLdispatch.so.0': 'libglvnd0',
  'libEGL.so.1': 'libegl1',
  'libX11.so.6': 'libx11-6',
  'libXext.so.6': 'libxext6',
  'libxcb.so.1': 'libxcb1',
  'libXau.so.6': 'libxau6',
  'libXdmcp.so.6': 'libxdmcp6',
  'libbsd.so.0': 'libbsd0',
  'libmd.so.0': 'libmd0',
};

/** What every glibc machine has. */
const glibc = /^(linux-vdso|\/lib64\/ld-linux-x86-64|ld-linux-x86-64|lib(c|m|dl|pthread|rt))\.so/;

/** The running Node, without its symbols. */
export async function addNode(folder) {
  const node = join(folder, 'bin/node');
  mkdirSync(dirname(node), { recursive: true });
  copyFileSync(realpathSync(process.execPath), node);
  chmodSync(node, 0o755);
  if (onPath('strip')) await capture('strip', [node]);
  const { stdout } = await capture(node, ['-p', 'process.version']);
  if (stdout.trim() !== process.version) throw new SetupError(`${node} does not run once it is stripped`);
}

export async function addLibraries(folder) {
  await addAll(cxx, join(folder, 'lib/c++'));
  await addAll(vulkan, join(folder, 'lib/vulkan'));
  const limbeck = join(folder, 'limbeck');
  const addons = readdirSync(join(limbeck, 'prebuilds/linux-x64')).map(
    (name) => `prebuilds/linux-x64/${name}`,
  );
  const dawn = 'node_modules/webgpu/dist/linux-x64/dawn.node';
  for (const file of [join(folder, 'bin/node'), ...[...addons, dawn].map((name) => join(limbeck, name))])
    await checkLinked(file);
}

/** Throws where a program needs a library that neither the bundle nor every machine has. */
async function checkLinked(file) {
  const { stdout } = await capture('ldd', [file]);
  const needed = [...stdout.matchAll(/^\s+(\S+)/gm)].map(([, name]) => name);
  const unknown = needed.filter((name) => !cxx[name] && !glibc.test(name));
  if (!needed.length || unknown.length)
    throw new SetupError(
      `${file} is linked with ${unknown.join(', ') || 'nothing that ldd tells'}, which a bare machine lacks`,
    );
}

async function addAll(libraries, to) {
  mkdirSync(to, { recursive: true });
  const { stdout } = await capture('ldconfig', ['-p'], {
    env: { ...process.env, PATH: `${process.env.PATH}:/sbin:/usr/sbin` },
  });
  const installed = Object.fromEntries(
    [...stdout.matchAll(/^\s+(\S+) \(libc6,x86-64[^)]*\) => (\S+)/gm)].map(([, name, path]) => [name, path]),
  );
  for (const [name, packageName] of Object.entries(libraries))
    copyFileSync(realpathSync(installed[name] ?? (await unpacked(packageName, name))), join(to, name));
}

/** A library out of a Debian package. */
async function unpacked(packageName, name) {
  const work = mkdtempSync(join(tmpdir(), 'limbeck-package-'));
  process.on('exit', () => rmSync(work, { recursive: true, force: true }));
  const tree = join(work, 'tree');
  const file = onPath('dpkg-deb') && (await downloadPackage(packageName, work));
  if (file) await capture('dpkg-deb', ['-x', file, tree]);
  const found = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu']
    .map((path) => join(tree, path, name))
    .find((path) => existsSync(path));
  if (!found)
    throw new SetupError(
      `The bundle needs ${name}, which is not installed and not to be had: Debian calls it ${packageName}`,
    );
  return found;
}

export async function addSoftwareDriver(folder) {
  const to = join(folder, 'drivers/swiftshader');
  mkdirSync(to, { recursive: true });
  const from = await swiftShaderFolder();
  for (const name of ['libvk_swiftshader.so', 'vk_swiftshader_icd.json'])
    copyFileSync(join(from, name), join(to, name));
}
