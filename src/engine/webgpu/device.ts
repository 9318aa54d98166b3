import { LimbeckError } from '../../util/errors.js';
import { checkLength } from '../bindings.js';
import type { Device, Executable, Tensor } from '../device.js';
import type { Precision } from '../precision.js';
import type { Program } from '../program.js';
import type { DType } from '../view.js';
import { type Abilities, abilitiesOf, plain } from './abilities.js';
import { createBuffers } from './buffers.js';
import { softwareNames, usage, wantedLimits } from './constants.js';
import { loadProgram, needsOf } from './program.js';
import { DeviceQueue } from './queue.js';
import { paddedBytes, WebgpuTensor } from './tensor.js';

export interface GpuOptions {
  /** Whether an adapter that computes on the processor will do (default). It is slower than the `cpu` engine. */
  readonly allowSoftware?: boolean;
  /** The name of the adapter, where that is known; browsers tell its family at most. */
  readonly name?: string;
  /**
   * `half` rounds the factors of products to f16 and multiplies them by matrix units, where the shapes of a step fill those;
   * sums, results and everything else stay f32. ERR_DEVICE where the adapter cannot. Default `single`.
   */
  readonly precision?: Precision;
  /** Whether sums over a workgroup use subgroup operations where the adapter has them (default). */
  readonly subgroups?: boolean;
}

/** Whether an adapter computes on the processor. */
function isSoftware(info: {
  isFallbackAdapter?: boolean;
  vendor: string;
  architecture: string;
  device: string;
  description: string;
}): boolean {
  const words = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  return info.isFallbackAdapter === true || softwareNames.test(words);
}

/** Opens the adapter a GPU object offers first. Nothing of Node is needed: browsers give their `navigator.gpu`. */
export async function openWebgpuDevice(gpu: GPU, options: GpuOptions = {}): Promise<WebgpuDevice> {
  const { allowSoftware = true, name } = options;
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter)
    throw new LimbeckError(
      'ERR_DEVICE',
      'webgpu: there is no adapter; `limbeck devices` says what was looked for',
    );
  const { info } = adapter;
  const driver = info.description || info.device || info.architecture || info.vendor || 'unnamed adapter';
  const called = name && name !== driver ? `${name}, ${driver}` : driver;
  const software = isSoftware(info);
  if (!allowSoftware && software)
    throw new LimbeckError(
      'ERR_DEVICE',
      `webgpu: the adapter is ${called}, which computes on the processor; use the cpu engine, which is faster`,
    );
  const { features, abilities } = abilitiesOf(adapter, options, called);
  const raw = await adapter.requestDevice({
    label: 'limbeck',
    requiredFeatures: features as GPUFeatureName[],
    requiredLimits: Object.fromEntries(wantedLimits.map((limit) => [limit, adapter.limits[limit]])),
  });
  const words = [
    called,
    ...(software ? ['software'] : []),
    ...(abilities.matrices ? ['half precision'] : []),
  ];
  return new WebgpuDevice(gpu, raw, `webgpu (${words.join(', ')})`, software, abilities);
}

/** One WebGPU device. */
export class WebgpuDevice extends DeviceQueue implements Device {
  readonly engine = 'webgpu';
  readonly needs = needsOf(this);

  constructor(
    gpu: GPU,
    raw: GPUDevice,
    readonly description: string,
    software: boolean,
    abilities: Abilities = plain,
  ) {
    super(gpu, raw, software, abilities);
  }

  async tensor(dtype: DType, length: number, values?: ArrayLike<number>): Promise<Tensor> {
    checkLength(dtype, length);
    this.check();
    const label = `tensor of ${length} ${dtype}`;
    const size = paddedBytes(dtype, length);
    const [buffer] = await this.guard(
      createBuffers(this.raw, label, [{ label, size, usage: usage.storage | usage.copySrc | usage.copyDst }]),
    );
    const tensor = new WebgpuTensor(this, dtype, length, buffer);
    this.tensors.add(tensor);
    try {
      if (values) await tensor.write(values);
    } catch (error) {
      tensor.dispose();
      throw error;
    }
    return tensor;
  }

  async load(program: Program, bindings: Readonly<Record<string, Tensor>>): Promise<Executable> {
    this.check();
    return loadProgram(this, program, bindings);
  }

  memory(): { tensors: number; executables: number; bytes: number } {
    let bytes = 0;
    for (const { bytes: own } of this.tensors) bytes += own;
    for (const { bytes: own } of this.executables) bytes += own;
    return { tensors: this.tensors.size, executables: this.executables.size, bytes };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
