import { LimbeckError } from '../../util/errors.js';
import { disposedDeviceError } from '../bindings.js';

/**
 * What is wrong with a device, once something is. Errors that belong to a call are caught by error scopes around
 * it; whatever else arrives (a lost device, an uncaptured error) means that results can no longer be trusted, and
 * every later call says so: after a loss Dawn's calls silently do nothing and even report success.
 */
export class Health {
  #reason: string | undefined;
  #disposed = false;

  constructor(device: GPUDevice) {
    device.onuncapturederror = (event) => {
      // Dawn would print it to stdout, among results.
      event.preventDefault();
      this.fail(`an error nobody asked for: ${oneLine(event.error.message)}`);
    };
    void device.lost.then((info) => {
      if (!this.#disposed) this.fail(`the device was lost (${info.reason}): ${oneLine(info.message)}`);
    });
  }

  /** The first reason stays: the rest are its consequences. */
  fail(reason: string): void {
    this.#reason ??= reason;
  }

  dispose(): void {
    this.#disposed = true;
  }

  /** Throws when the device is not usable; to be called before work and after every await. */
  check(): void {
    if (this.#disposed) throw disposedDeviceError('webgpu: the device');
    if (this.#reason)
      throw new LimbeckError('ERR_DEVICE', `webgpu: ${this.#reason}; open a new device to go on`);
  }
}

/** The first line says what; where in Dawn it happened follows. */
const oneLine = (message: string) => message.split('\n')[0];

/** Words the failure of a scope as the library's error; the full text of the implementation is kept. */
function scopeError(what: string, error: GPUError | null, code: 'ERR_OUT_OF_MEMORY' | 'ERR_PROGRAM'): void {
  if (!error) return;
  const why =
    code === 'ERR_OUT_OF_MEMORY' ? `the device has no room for it: ${oneLine(error.message)}` : error.message;
  throw new LimbeckError(code, `webgpu: ${what}: ${why}`, { cause: error });
}

/**
 * Runs `create` inside error scopes. A failed allocation does not throw in WebGPU, it gives a buffer that reads as
 * zeros: without the scope a run would end with plausible nonsense. Scopes are a stack of the device, so `create`
 * must be synchronous.
 */
export async function scoped<T>(device: GPUDevice, what: string, create: () => T): Promise<T> {
  device.pushErrorScope('out-of-memory');
  device.pushErrorScope('validation');
  let result: T;
  let pops: Promise<[GPUError | null, GPUError | null]>;
  try {
    result = create();
  } finally {
    pops = Promise.all([device.popErrorScope(), device.popErrorScope()]);
    // Awaited below; when `create` throws, its error is the one to report.
    pops.catch(() => {});
  }
  const [validation, memory] = await pops;
  scopeError(what, memory, 'ERR_OUT_OF_MEMORY');
  scopeError(what, validation, 'ERR_PROGRAM');
  return result;
}
