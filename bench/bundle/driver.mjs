/**
 * The environment in which Dawn finds this machine's GPU. A container often has a driver's libraries and not the file
 * that tells the Vulkan loader of them, or lacks the loader, or libraries that the driver was linked with.
 */
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { runChild } from './child.mjs';

const cli = new URL('../../dist/cli/main.js', import.meta.url).pathname;

/** Where drivers leave their files besides the places where the loader looks. */
const icdFolders = [
  '/usr/local/nvidia/share/vulkan/icd.d',
  '/usr/local/share/vulkan/icd.d',
  '/opt/amdgpu/share/vulkan/icd.d',
];
const libraryFolders = [
  '/usr/local/nvidia/lib64',
  '/usr/local/nvidia/lib',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
];

/** Libraries of NVIDIA's driver that are a Vulkan driver, the second one without X. */
const nvidia = ['libGLX_nvidia.so.0', 'libEGL_nvidia.so.0'];

/**
 * `{ env, adapters, way }` of the first way that gives a GPU. `driver` is a file that was named by hand; `software` takes
 * the bundle's driver that computes on the processor, and nothing else does. Throws with all reasons.
 */
export async function findDriver(bundle, out, { driver, software }) {
  const base = {
    ...process.env,
    XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR || folder(join(out, 'runtime')),
  };
  base.LD_LIBRARY_PATH = paths(base.LD_LIBRARY_PATH, missingLibraries(join(bundle, 'lib/vulkan'), out));
  const file = driver
    ? resolve(driver)
    : software && join(bundle, 'drivers/swiftshader/vk_swiftshader_icd.json');
  if (file && !existsSync(file)) throw new Error(`there is no driver file ${file}`);
  const ways = file ? [named(file)] : hardwareWays(out);
  const reasons = [];
  for (const { name, more = [], env } of ways) {
    const all = { ...base, ...env, LD_LIBRARY_PATH: paths(base.LD_LIBRARY_PATH, ...more) };
    const { adapters, reason } = await probe(all);
    const fitting = adapters.filter((adapter) => file || !adapter.software);
    if (fitting.length) return { env: all, adapters: fitting, way: name };
    reasons.push(`${name}: ${reason ?? `only ${adapters.map((adapter) => adapter.name).join(', ')}`}`);
  }
  throw new Error(
    `no GPU was found:\n${reasons.map((line) => `  ${line}`).join('\n')}\n--driver FILE names a driver's icd.json`,
  );
}

const named = (file) => ({ name: file, env: { VK_ICD_FILENAMES: file, VK_DRIVER_FILES: file } });
const paths = (...parts) => parts.filter(Boolean).join(':');

function folder(path) {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

/** The loader's own search, files elsewhere, and a file of ours for libraries that lie about without one. */
function hardwareWays(out) {
  const searched = [...(process.env.LD_LIBRARY_PATH ?? '').split(':').filter(Boolean), ...libraryFolders];
  const files = icdFolders.flatMap((path) =>
    existsSync(path)
      ? readdirSync(path)
          .filter((file) => file.endsWith('.json'))
          .map((file) => join(path, file))
      : [],
  );
  const libraries = nvidia.flatMap((library) => {
    const file = searched.map((path) => join(path, library)).find((path) => existsSync(path));
    return file ? [file] : [];
  });
  return [
    { name: 'this machine' },
    ...files.map((file) => ({ ...named(file), more: libraryFolders })),
    ...libraries.map((library, i) => {
      const file = join(folder(join(out, 'drivers')), `nvidia-${i}.json`);
      const ICD = { library_path: library, api_version: '1.3.277' };
      writeFileSync(file, JSON.stringify({ file_format_version: '1.0.1', ICD }));
      return { ...named(file), name: `${library} (${file})`, more: [dirname(library)] };
    }),
  ];
}

/** A folder of links to those of the bundle's libraries that the machine lacks: its own go with its driver. */
function missingLibraries(from, out) {
  const links = folder(join(out, 'libraries'));
  for (const name of readdirSync(from)) {
    try {
      process.dlopen({ exports: {} }, name);
    } catch ({ message }) {
      if (!/cannot open shared object file/.test(message) || existsSync(join(links, name))) continue;
      symlinkSync(join(from, name), join(links, name));
    }
  }
  return links;
}

/** What `limbeck devices` finds, in a process of its own, as drivers crash and hang. */
async function probe(env) {
  const { status, stdout } = await runChild([cli, 'devices', '--json'], { env, seconds: 60, quiet: true });
  if (status !== 0) return { adapters: [], reason: `limbeck devices ended with ${status}` };
  const { engines } = JSON.parse(stdout);
  const { adapters = [], description } = engines.find(({ engine }) => engine === 'webgpu');
  return { adapters, reason: adapters.length ? undefined : description };
}
