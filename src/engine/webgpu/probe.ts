import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { softwareNames, wantedLimits } from './constants.js';
import { prepareEnvironment } from './environment.js';

/** One adapter as `limbeck devices` shows it. */
export interface AdapterReport {
  /** The name to give as `adapter`, whole or in part. */
  readonly name: string;
  /** `vulkan`, `metal`, `d3d12`. */
  readonly backend: string;
  /** Its place in Dawn's own list: of adapters whose names hold what is asked for Dawn opens the first. */
  readonly order: number;
  /** As the driver says it; empty where it does not. */
  readonly vendor: string;
  /** Family of the GPU, as the driver says it; empty where it does not. */
  readonly architecture: string;
  /** The driver, in its own words. */
  readonly driver: string;
  /** Computes on the processor. */
  readonly software: boolean;
  /** WebGPU's names of what it can. */
  readonly features: readonly string[];
  /** WebGPU's limits that matter here, in its own units (bytes, invocations). */
  readonly limits: Readonly<Record<string, number>>;
}

/** What `probeAdapters` found. */
export interface Probe {
  /** GPUs first, software last; the place in this list is an adapter's number. */
  readonly adapters: readonly AdapterReport[];
  /** Why there is none, in words. */
  readonly reason?: string;
  /** The Vulkan driver file that had to be named for the adapters to be found (a software one). */
  readonly driver?: string;
}

/** Where Chromium keeps SwiftShader, a Vulkan driver in software. */
const softwareDrivers = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib/chromium-browser/vk_swiftshader_icd.json',
  '/usr/lib64/chromium-browser/vk_swiftshader_icd.json',
  '/usr/lib/x86_64-linux-gnu/chromium/vk_swiftshader_icd.json',
];

/**
 * The child: CommonJS source, so that it runs the same from the built package and from TypeScript under a test
 * runner. Naming an adapter that does not exist makes Dawn list those that do.
 */
const childSource = `
const { create } = require(process.argv[1]);
const kept = globalThis.kept = [];
const open = (options) => { const gpu = create(options); kept.push(gpu); return gpu.requestAdapter(); };
const report = (adapter, backend, name, order) => ({
  name, backend, order, vendor: adapter.info.vendor, architecture: adapter.info.architecture,
  driver: adapter.info.description,
  software: adapter.info.isFallbackAdapter === true ||
    ${softwareNames}.test(name + adapter.info.architecture + adapter.info.description),
  features: [...adapter.features].sort(),
  limits: Object.fromEntries(${JSON.stringify([
    ...wantedLimits,
    'maxComputeWorkgroupsPerDimension',
  ])}.map((limit) => [limit, adapter.limits[limit]])),
});
(async () => {
  let listed = [];
  try { await open(['adapter=?']); } catch (error) {
    listed = [...String(error.message).matchAll(/backend: '([^\\n]*)', name: '([^\\n]*)'/g)];
  }
  const adapters = [];
  for (const [order, [, backend, name]] of listed.entries()) {
    const adapter = await open(['backend=' + backend, 'adapter=' + name]).catch(() => null);
    if (adapter) adapters.push(report(adapter, backend, name, order));
  }
  process.stdout.write('\\n' + JSON.stringify(adapters) + '\\n', () => process.exit(0));
})().catch((error) => { console.error(error.message); process.exit(1); });
`;

const timeoutMs = 10_000;

/** Asks Dawn in a child process, so that a broken driver, a missing library or a hang becomes an answer. */
function ask(modulePath: string, environment: NodeJS.ProcessEnv): Promise<Probe> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['-e', childSource, modulePath], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment,
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    child.on('error', (error) =>
      resolve({ adapters: [], reason: `the probe could not be started: ${error.message}` }),
    );
    child.on('close', (code, signal) => {
      const lastLine = output.trim().split('\n').at(-1) ?? '';
      if (code === 0 && lastLine.startsWith('[')) {
        const adapters = (JSON.parse(lastLine) as AdapterReport[]).sort(
          (a, b) => Number(a.software) - Number(b.software) || a.order - b.order,
        );
        if (adapters.length) return resolve({ adapters });
        const missing = /libvulkan/.test(errors) || !vulkanLoaderExists();
        return resolve({
          adapters,
          reason: missing
            ? 'the Vulkan loader (libvulkan.so.1) is not installed'
            : 'no Vulkan driver offers an adapter that Dawn accepts',
        });
      }
      if (signal) {
        const why =
          signal === 'SIGKILL' ? `no answer within ${timeoutMs / 1000} s` : `it crashed (${signal})`;
        return resolve({ adapters: [], reason: `asking the driver failed: ${why}` });
      }
      resolve({
        adapters: [],
        reason: `Dawn could not be loaded: ${errors.trim().split('\n')[0] || `exit ${code}`}`,
      });
    });
  });
}

function vulkanLoaderExists(): boolean {
  if (process.platform !== 'linux') return true;
  const folders = ['/usr/lib', '/usr/lib64', '/lib', '/usr/local/lib'];
  for (const triple of ['x86_64-linux-gnu', 'aarch64-linux-gnu']) folders.push(`/usr/lib/${triple}`);
  folders.push(...(process.env.LD_LIBRARY_PATH ?? '').split(':').filter(Boolean));
  return folders.some((folder) => existsSync(`${folder}/libvulkan.so.1`));
}

async function probeOnce(): Promise<Probe> {
  let modulePath: string;
  try {
    modulePath = createRequire(import.meta.url).resolve('webgpu');
  } catch {
    return {
      adapters: [],
      reason: 'the optional package webgpu is not installed (npm install webgpu@0.6.2)',
    };
  }
  prepareEnvironment();
  const found = await ask(modulePath, process.env);
  const chosen = process.env.VK_ICD_FILENAMES || process.env.VK_DRIVER_FILES;
  const driver = softwareDrivers.find((file) => existsSync(file));
  if (found.adapters.length || chosen || !driver) return found;
  const software = await ask(modulePath, { ...process.env, VK_ICD_FILENAMES: driver });
  return software.adapters.length ? { ...software, driver } : found;
}

let cached: Promise<Probe> | undefined;

/** The adapters of this machine, asked for once per process. */
export function probeAdapters(): Promise<Probe> {
  cached ??= probeOnce();
  return cached;
}
