import { LimbeckError } from '../../util/errors.js';
import { dawnFeatures } from './abilities.js';
import { type GpuOptions, openWebgpuDevice, type WebgpuDevice } from './device.js';
import { prepareEnvironment } from './environment.js';
import { type AdapterReport, probeAdapters } from './probe.js';

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
 * The adapter that was asked for, by its number in the list or by part of its name in any case; the first one, which is a
 * GPU where there is one, when none was. Dawn takes the first whose name holds what it is given, so one whose name an earlier one
 * holds cannot be told apart from it, and is not opened by mistake.
 */
export function chooseAdapter<A extends Pick<AdapterReport, 'name' | 'backend' | 'order'>>(
  adapters: readonly A[],
  wanted: string | number = 0,
): A {
  const list = adapters.map(({ name, backend }, number) => `${number}: ${name} (${backend})`).join(', ');
  const refused = (what: string) => new LimbeckError('ERR_DEVICE', `webgpu: ${what}`);
  // A command line gives its number as text.
  const byNumber = /^\d+$/.test(String(wanted));
  const text = String(wanted).toLowerCase();
  const fitting = adapters.filter(({ name }) => name.toLowerCase().includes(text));
  const exact = fitting.filter(({ name }) => name.toLowerCase() === text);
  const chosen = byNumber ? adapters[Number(wanted)] : (exact[0] ?? fitting[0]);
  if (!chosen || text === '') throw refused(`there is no adapter ${shown(wanted)}; there are: ${list}`);
  if (!byNumber && !exact.length && new Set(fitting.map(({ name }) => name)).size > 1)
    throw refused(
      `${wanted} is part of several adapters' names; there are: ${list}; give more of the name, or a number`,
    );
  const [opened] = adapters
    .filter(({ name, backend }) => backend === chosen.backend && name.includes(chosen.name))
    .sort((a, b) => a.order - b.order);
  if (opened !== chosen) {
    const other = adapters.indexOf(opened);
    throw refused(
      `adapter ${wanted} cannot be told apart by name from adapter ${other}; there are: ${list}; use adapter ${other}, or show the process only the other one`,
    );
  }
  return chosen;
}

const shown = (wanted: string | number) => (wanted === '' ? 'without a name' : wanted);

export interface DawnOptions extends GpuOptions {
  /** Which adapter: part of its name, or its number in the list of `limbeck devices`; default the first. */
  readonly adapter?: string | number;
  /** `null` checks programs without computing anything and needs no driver. */
  readonly backend?: 'null';
}

/**
 * Opens a WebGPU device in Node. Throws ERR_DEVICE with the reason when there is none. Adapters are looked for in a child
 * process first, so that a driver that crashes gives an error here.
 */
export async function openDawnDevice(options: DawnOptions = {}): Promise<WebgpuDevice> {
  const features = options.precision === 'half' ? [dawnFeatures] : [];
  if (options.backend === 'null') return openWebgpuDevice(await dawn(['backend=null', ...features]), options);
  prepareEnvironment();
  const { adapters, reason, driver } = await probeAdapters();
  if (!adapters.length) throw new LimbeckError('ERR_DEVICE', `webgpu: ${reason}; use the cpu engine`);
  if (driver) process.env.VK_ICD_FILENAMES = driver;
  const { name, backend } = chooseAdapter(adapters, options.adapter);
  const gpu = await dawn([`backend=${backend}`, `adapter=${name}`, ...features]);
  return openWebgpuDevice(gpu, { ...options, name });
}
