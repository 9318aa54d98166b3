import { LimbeckError } from '../../util/errors.js';
import { mapRead, usage } from './constants.js';
import { scoped } from './health.js';

/** Why a buffer is larger than the device can have, where it is. */
export function tooLarge(
  { limits: { maxBufferSize } }: GPUDevice,
  { label, size }: { readonly label: string; readonly size: number },
): string | undefined {
  if (size <= maxBufferSize) return undefined;
  return `${label} needs ${size} bytes, a buffer of this device has at most ${maxBufferSize} (maxBufferSize); use a smaller batch or population`;
}

/** Buffers of zeros; ERR_OUT_OF_MEMORY when there is no room or one is larger than the device can have. */
export async function createBuffers(
  device: GPUDevice,
  what: string,
  descriptors: readonly { label: string; size: number; usage: number }[],
): Promise<GPUBuffer[]> {
  for (const descriptor of descriptors) {
    const refused = tooLarge(device, descriptor);
    if (refused) throw new LimbeckError('ERR_OUT_OF_MEMORY', `webgpu: ${what}: ${refused}`);
  }
  const buffers: GPUBuffer[] = [];
  try {
    return await scoped(device, what, () => {
      for (const descriptor of descriptors) buffers.push(device.createBuffer(descriptor));
      return buffers;
    });
  } catch (error) {
    // Buffers are not collected in practice (the garbage collector does not see their memory).
    for (const buffer of buffers) buffer.destroy();
    throw error;
  }
}

/** Reads of up to this many bytes keep their staging buffer: losses and counters are read again and again. */
const keptBytes = 4096;

/** Copies from buffers of a device to the host. */
export class Reader {
  readonly #device: GPUDevice;
  readonly #kept: GPUBuffer[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Asks for `bytes` bytes from `offset` of a buffer now; the promise holds a copy. Both are multiples of 4. */
  async read(buffer: GPUBuffer, offset: number, bytes: number): Promise<ArrayBuffer> {
    const small = bytes <= keptBytes;
    let staging = small ? this.#kept.pop() : undefined;
    const fill = () => {
      staging ??= this.#device.createBuffer({
        label: 'read',
        size: small ? keptBytes : bytes,
        usage: usage.mapRead | usage.copyDst,
      });
      const encoder = this.#device.createCommandEncoder({ label: 'read' });
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, bytes);
      this.#device.queue.submit([encoder.finish()]);
    };
    let keep = false;
    try {
      // All of it in one scope: when there is no room for the copy, the rest fails because of it.
      if (staging) fill();
      else await scoped(this.#device, `reading ${bytes} bytes`, fill);
      await staging!.mapAsync(mapRead, 0, bytes);
      const copy = staging!.getMappedRange(0, bytes).slice(0);
      staging!.unmap();
      keep = small;
      return copy;
    } finally {
      if (keep) this.#kept.push(staging!);
      else staging?.destroy();
    }
  }
}
