import { checkWrite, disposedError } from '../bindings.js';
import type { Numbers, Tensor } from '../device.js';
import { bytesOf, type DType } from '../view.js';
import type { DeviceQueue } from './queue.js';

/** What the host holds of a slot type. */
const hostArrays = { f32: Float32Array, u32: Uint32Array, u8: Uint8Array } as const;

/** Bytes of a tensor's buffer: WebGPU copies and binds whole words. */
export function paddedBytes(dtype: DType, length: number): number {
  return Math.ceil((length * bytesOf[dtype]) / 4) * 4;
}

export class WebgpuTensor implements Tensor {
  readonly bytes: number;

  /** `WebgpuDevice.tensor` makes the buffer. */
  constructor(
    readonly device: DeviceQueue,
    readonly dtype: DType,
    readonly length: number,
    readonly buffer: GPUBuffer,
  ) {
    this.bytes = paddedBytes(dtype, length);
  }

  async write(values: ArrayLike<number>, offset?: number): Promise<void> {
    this.checkAlive();
    checkWrite(this.dtype, this.length, values, offset);
    if (values.length === 0) return;
    // Copied now: the write itself waits for its turn, and the caller may change the array meanwhile.
    const copy = new hostArrays[this.dtype](values);
    const bytes = new Uint8Array(copy.buffer, copy.byteOffset, copy.byteLength);
    const start = (offset ?? 0) * bytesOf[this.dtype];
    await this.device.inTurn(() => this.#writeBytes(bytes, start));
  }

  /** Queue writes take whole words; a piece of bytes that starts or ends inside one is merged with what is there. */
  async #writeBytes(bytes: Uint8Array<ArrayBuffer>, start: number): Promise<void> {
    const { raw, reader } = this.device;
    const end = start + bytes.length;
    const from = start - (start % 4);
    const to = Math.ceil(end / 4) * 4;
    if (from === start && to === end) {
      raw.queue.writeBuffer(this.buffer, start, bytes);
      return;
    }
    const endsTensor = end === this.length * bytesOf[this.dtype];
    const words =
      from === start && endsTensor
        ? new Uint8Array(to - from)
        : new Uint8Array(await this.device.guard(reader.read(this.buffer, from, to - from)));
    words.set(bytes, start - from);
    raw.queue.writeBuffer(this.buffer, from, words);
  }

  async read(): Promise<Numbers> {
    this.checkAlive();
    const copied = await this.device.inTurn(() => ({
      done: this.device.reader.read(this.buffer, 0, this.bytes),
    }));
    return new hostArrays[this.dtype](await this.device.guard(copied.done), 0, this.length);
  }

  /** Throws when the tensor was disposed: Dawn would take that for an error of the whole device. */
  checkAlive(user = 'tensor'): void {
    this.device.check();
    if (!this.device.tensors.has(this))
      throw disposedError(`${user}: the tensor of ${this.length} ${this.dtype}`);
  }

  dispose(): void {
    if (this.device.tensors.delete(this)) this.device.afterwards(() => this.buffer.destroy());
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
