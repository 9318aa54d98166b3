import { LimbeckError } from '../../util/errors.js';
import { type GpuOptions, openWebgpuDevice, type WebgpuDevice } from './device.js';
import { prepareEnvironment } from './environment.js';
import { probeAdapters } from './probe.js';

const held = Symbol.for('limbeck.dawn');

/**
 * The GPU object of Dawn for these options, made once per process and never let go: when it is collected while a
 * promise of it is pending, the process aborts or hangs at its end. It is held on `globalThis` because two copies
 * of this module (a test runner, two versions of the package) must not free each other's.
 */
async function dawn(options: readonly string[]): Promise<GPU> {
  const instances = ((globalThis as Record<symbol, unknown>)[held] ??= new Map()) as Map<string, GPU>;
  const key = options.join(' ');
  let gpu = instances.get(key);
  if (!gpu) {
    let create: (options: string[]) => GPU;
    try {
      ({ create } = await import('webgpu'));
    } catch (error) {
      throw new LimbeckError(
        'ERR_DEVICE',
        `webgpu: the optional package webgpu cannot be loaded (${(error as Error).message.split('\n')[0]}); install it with npm install webgpu@0.6.2, or use the cpu engine`,
        { cause: error },
      );
    }
    gpu = instances.get(key) ?? create([...options]);
    instances.set(key, gpu);
  }
  return gpu;
}

/**
 * The GPU object for an adapter: by part of its name, by its number in the list of `probeAdapters`, or a hardware one
 * where there is one. Looked for in a child process first, so that a driver that crashes gives an error here.
 */
async function gpuFor(adapter?: string | number): Promise<GPU> {
  prepareEnvironment();
  const { adapters, reason, driver } = await probeAdapters();
  if (!adapters.length) throw new LimbeckError('ERR_DEVICE', `webgpu: ${reason}; use the cpu engine`);
  if (driver) process.env.VK_ICD_FILENAMES = driver;
  const names = adapters.map(({ name }) => name);
  if (adapter === undefined) {
    const hardware = adapters.findIndex(({ software }) => !software);
    return dawn(hardware > 0 ? [`adapter=${names[hardware]}`] : []);
  }
  return dawn([`adapter=${adapterName(names, adapter)}`]);
}

/**
 * The name by which Dawn opens the adapter that was asked for. It takes the first one whose name holds what it is
 * given, so an adapter whose name an earlier one holds cannot be told apart from it, and is not opened by mistake.
 */
export function adapterName(names: readonly string[], adapter: string | number): string {
  const list = names.map((name, number) => `${number}: ${name}`).join(', ');
  // A command line gives its number as text.
  const number = /^\d+$/.test(String(adapter)) ? Number(adapter) : undefined;
  const fitting = names.filter((name) => name.includes(String(adapter)));
  const exact = fitting.filter((name) => name === adapter);
  const name = number === undefined ? (exact[0] ?? fitting[0]) : names[number];
  if (name === undefined)
    throw new LimbeckError('ERR_DEVICE', `webgpu: there is no adapter ${adapter}; there are ${list}`);
  if (number === undefined && !exact.length && new Set(fitting).size > 1)
    throw new LimbeckError(
      'ERR_DEVICE',
      `webgpu: ${adapter} is part of several adapters' names; there are ${list}; give more of the name, or a number`,
    );
  const opened = names.findIndex((other) => other.includes(name));
  if (opened !== (number ?? names.indexOf(name)))
    throw new LimbeckError(
      'ERR_DEVICE',
      `webgpu: adapter ${adapter} cannot be told apart by name from adapter ${opened}; there are ${list}; use adapter ${opened}, or show the process only the other one`,
    );
  return name;
}

export interface DawnOptions extends GpuOptions {
  /** Which adapter: part of its name, or its number in the list of `probeAdapters`. */
  readonly adapter?: string | number;
  /** `null` checks programs without computing anything and needs no driver. */
  readonly backend?: 'null';
}

/** Opens a WebGPU device in Node. Throws ERR_DEVICE with the reason when there is none. */
export async function openDawnDevice(options: DawnOptions = {}): Promise<WebgpuDevice> {
  const { adapter, backend } = options;
  return openWebgpuDevice(backend === 'null' ? await dawn(['backend=null']) : await gpuFor(adapter), options);
}
