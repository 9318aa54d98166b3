/**
 * WebGPU for the tests: Dawn needs the Vulkan loader and a driver. A machine with neither gets a software one.
 *
 * What is there already is tried first. Then, on Debian, SwiftShader: `chromium-common` is one package with the
 * driver and the loader, neither needs anything beyond libc, and they work from any folder, so that no root is
 * needed. Elsewhere (Ubuntu has no such package) Mesa's lavapipe; before 23.2 Dawn refuses it.
 */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atLeast, candidate, downloadPackage, install } from './packages.mjs';
import { capture, onPath, root, SetupError } from './run.mjs';

const own = join(root, 'build/vulkan');
const icd = 'vk_swiftshader_icd.json';
/** Where SwiftShader lies: what was fetched, and Chromium's own. */
const folders = [own, '/usr/lib/chromium', '/usr/lib/chromium-browser', '/usr/lib64/chromium-browser'];
const lavapipe = 'mesa-vulkan-drivers';
const oldestLavapipe = '23.2';

/** The environment in which Dawn finds an adapter. Throws when there is no way to one. */
export async function vulkanEnvironment() {
  const reasons = [];
  const base = { ...(process.env.XDG_RUNTIME_DIR ? {} : { XDG_RUNTIME_DIR: runtimeFolder() }) };
  const tryAll = async (environments) => {
    for (const [name, more] of environments) {
      const found = await probe({ ...base, ...more });
      if (found.adapter) return { ...base, ...more };
      reasons.push(`${name}: ${found.reason}`);
    }
    return undefined;
  };

  let found = await tryAll(present());
  if (found || process.platform !== 'linux' || process.env.VK_ICD_FILENAMES) return found ?? give(reasons);
  if (await fetchSwiftShader()) found = await tryAll([['SwiftShader', swiftShader(own)]]);
  if (found) return found;
  const version = await candidate(lavapipe);
  if (version && !(await atLeast(version.replace(/^\d+:/, ''), oldestLavapipe)))
    reasons.push(`${lavapipe}: ${version} is too old for Dawn, which takes ${oldestLavapipe} or later`);
  else {
    await install(['libvulkan1', lavapipe], 'A Vulkan driver for the tests');
    found = await tryAll([[lavapipe, {}]]);
  }
  return found ?? give(reasons);
}

function give(reasons) {
  throw new SetupError(
    `The tests need WebGPU and none was found:\n${reasons.map((reason) => `  ${reason}\n`).join('')}` +
      `Install the Vulkan loader (libvulkan1) and a driver: that of your GPU, Mesa's lavapipe from ${oldestLavapipe} on ` +
      `(${lavapipe}), or SwiftShader; VK_ICD_FILENAMES names a driver file by hand.`,
  );
}

/** What may already work, cheapest first. A driver named by hand is not argued with. */
function present() {
  const environments = [['this machine', {}]];
  if (process.env.VK_ICD_FILENAMES) return environments;
  for (const folder of folders)
    if (existsSync(join(folder, icd))) environments.push([join(folder, icd), swiftShader(folder)]);
  return environments;
}

/** SwiftShader in a folder, with the loader beside it where the system has none. */
function swiftShader(folder) {
  const environment = { VK_ICD_FILENAMES: join(folder, icd) };
  if (loaderInstalled() || !existsSync(join(folder, 'libvulkan.so.1'))) return environment;
  const searched = [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  return { ...environment, LD_LIBRARY_PATH: searched };
}

function loaderInstalled() {
  const triple = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[process.arch];
  return [`/usr/lib/${triple}`, '/usr/lib64', '/usr/lib', '/usr/local/lib'].some((folder) =>
    existsSync(join(folder, 'libvulkan.so.1')),
  );
}

async function probe(environment) {
  const script = join(root, 'scripts/setup/probe.mjs');
  const options = { env: { ...process.env, ...environment }, timeout: 60_000 };
  const { stdout, output } = await capture(process.execPath, [script], options);
  try {
    return JSON.parse(stdout.trim().split('\n').at(-1));
  } catch {
    return { reason: `the probe died: ${output.trim().split('\n').at(-1)}` };
  }
}

/** Vulkan drivers want a private folder for this user. */
function runtimeFolder() {
  const folder = join(tmpdir(), `limbeck-runtime-${process.getuid?.() ?? 0}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** Downloads one Debian package and takes two libraries and a JSON file out of it. Says whether that worked. */
async function fetchSwiftShader() {
  if (!onPath('apt-get') || !onPath('dpkg-deb')) return false;
  mkdirSync(own, { recursive: true });
  const work = mkdtempSync(join(own, 'fetch-'));
  try {
    const file = await downloadPackage('chromium-common', work);
    if (!file || (await capture('dpkg-deb', ['-x', file, join(work, 'tree')])).status) return false;
    const from = join(work, 'tree/usr/lib/chromium');
    const parts = ['libvk_swiftshader.so', 'libvulkan.so.1', icd];
    if (!parts.every((name) => existsSync(join(from, name)))) return false;
    for (const name of parts) renameSync(join(from, name), join(own, name));
    return true;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A folder that holds SwiftShader and its JSON file; throws where there is no way to one. */
export async function swiftShaderFolder() {
  const found = folders.find((folder) => existsSync(join(folder, icd)));
  if (found) return found;
  if (await fetchSwiftShader()) return own;
  throw new SetupError('SwiftShader is not there and cannot be fetched: Debian has it in chromium-common');
}
