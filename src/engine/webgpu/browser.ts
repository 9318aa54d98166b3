import { LimbeckError } from '../../util/errors.js';
import { openWebgpuDevice, type WebgpuDevice } from './device.js';

/** Opens the GPU that the browser offers, in a page or a worker. Throws ERR_DEVICE with the reason when there is none. */
export async function openBrowserDevice(): Promise<WebgpuDevice> {
  const { gpu } = (globalThis as { navigator?: Navigator }).navigator ?? {};
  if (!gpu)
    throw new LimbeckError(
      'ERR_DEVICE',
      'webgpu: there is no navigator.gpu; use a browser with WebGPU and a page from https or localhost, or the reference engine',
    );
  if (!(await gpu.requestAdapter()))
    throw new LimbeckError(
      'ERR_DEVICE',
      'webgpu: the browser offers no adapter; turn hardware acceleration on in its settings, or use the reference engine',
    );
  return openWebgpuDevice(gpu);
}
