import { LimbeckError } from '../util/errors.js';
import { expectOptions } from '../util/expect.js';
import type { Device, EngineName } from './device.js';
import { checkPrecision, type Precision } from './precision.js';
import { ReferenceDevice } from './reference.js';

/** An engine by name, or `auto`: `webgpu` where there is a GPU, else `cpu`. */
export type DeviceChoice = 'auto' | EngineName;

/** Options of the engines; each takes its own and leaves the others. */
export interface OpenDeviceOptions {
  /** Threads of the `cpu` engine; default: all physical cores within affinity and quota, at most 16. */
  readonly threads?: number;
  /** The passes that the `cpu` engine applies to programs, by name; see `CpuOptions`. */
  readonly passes?: readonly string[];
  /** Adapter of the `webgpu` engine, by number or by part of its name. */
  readonly adapter?: string | number;
  /** `half`: products of the `webgpu` engine by matrix units, with f16 factors and f32 sums; see `GpuOptions`. */
  readonly precision?: Precision;
}

const known = { threads: true, passes: true, adapter: true, precision: true } satisfies Record<
  keyof OpenDeviceOptions,
  true
>;

const openers: Record<EngineName, (options: OpenDeviceOptions) => Promise<Device>> = {
  reference: async () => new ReferenceDevice(),
  cpu: async (options) => (await import('./cpu/device.js')).openCpuDevice(options),
  webgpu: async (options) => (await import('./webgpu/dawn.js')).openDawnDevice(options),
};

/**
 * Opens an engine. `auto` takes a GPU where there is one and the processor otherwise (see `chooseDevice` for the
 * reason); a named engine that is not available throws ERR_DEVICE, it is never silently replaced. ERR_OPTION for options that are
 * unknown or out of range.
 */
export async function openDevice(
  choice: DeviceChoice = 'auto',
  options: OpenDeviceOptions = {},
): Promise<Device> {
  expectOptions('openDevice', options, known);
  if (choice === 'auto') {
    const { engine, reason } = await chooseDevice();
    checkPrecision(engine, options.precision, `auto takes ${engine}: ${reason}`);
    return openDevice(engine, options);
  }
  if (!Object.hasOwn(openers, choice))
    throw new LimbeckError(
      'ERR_DEVICE',
      `device ${JSON.stringify(choice)} is unknown; there are: auto, ${Object.keys(openers).join(', ')}`,
    );
  checkPrecision(choice, options.precision, `the device is ${choice}`);
  return openers[choice](options);
}

/** What `auto` means here. */
export interface ChosenDevice {
  /** The engine. */
  engine: EngineName;
  /** Why this one, for people. */
  reason: string;
}

/** Which engine `auto` takes, and why, in one sentence. */
export async function chooseDevice(): Promise<ChosenDevice> {
  const { probeAdapters } = await import('./webgpu/probe.js');
  const { adapters, reason } = await probeAdapters();
  const gpu = adapters.find((adapter) => !adapter.software);
  if (gpu) return { engine: 'webgpu', reason: `there is a GPU: ${gpu.name}` };
  const why = adapters.length ? `only a software adapter was found (${adapters[0].name})` : reason;
  try {
    (await import('./cpu/device.js')).cpuInfo();
  } catch (error) {
    return {
      engine: 'cpu',
      reason: `no GPU to use (${why}), and cpu is not available: ${(error as Error).message}`,
    };
  }
  return { engine: 'cpu', reason: `no GPU to use: ${why}` };
}
