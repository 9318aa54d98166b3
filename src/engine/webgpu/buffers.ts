import { LimbeckError } from '../../util/errors.js';
import { mapRead, usage } from './constants.js';
import { scoped } from './health.js';

/** A buffer of `bytes` zeros; ERR_OUT_OF_MEMORY when there is no room or it is more than the device can bind. */
export async function createBuffers(
  device: GPUDevice,
  what: string,
  descriptors: readonly { label: string; size: number; usage: number }[],
): Promise<GPUBuffer[]> {
  const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
  const largest = Math.min(maxBufferSize, maxStorageBufferBindingSize);
  for (const { label, size } of descriptors)
    if (size > largest)
      throw new LimbeckError(
        'ERR_OUT_OF_MEMORY',
        `webgpu: ${what}: ${label} needs ${size} bytes, this device binds at most ${largest} in one buffer; use a smaller batch or population`,
      );
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

/** Asks for `bytes` bytes from `offset` of a buffer now; the promise holds a copy. Both are multiples of 4. */
export async function readBuffer(
  device: GPUDevice,
  buffer: GPUBuffer,
  offset: number,
  bytes: number,
): Promise<ArrayBuffer> {
  let staging: GPUBuffer | undefined;
  try {
    // All of it in one scope: when there is no room for the copy, the rest fails because of it.
    const filled = await scoped(device, `reading ${bytes} bytes`, () => {
      staging = device.createBuffer({ label: 'read', size: bytes, usage: usage.mapRead | usage.copyDst });
      const encoder = device.createCommandEncoder({ label: 'read' });
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, bytes);
      device.queue.submit([encoder.finish()]);
      return staging;
    });
    await filled.mapAsync(mapRead);
    return filled.getMappedRange().slice(0);
  } finally {
    staging?.destroy();
  }
}
