import { jaxjs } from './jaxjs.mjs';
import { onednn } from './onednn.mjs';
import { tfjs } from './tfjs.mjs';
import { torch, torchModes } from './torch.mjs';

/** By the name that `--peers` takes: those that do whole steps have a `trial`, those that do kernels have `convolutions`. */
export const peers = { torch, 'torch-modes': torchModes, onednn, tfjs, jaxjs };

/** Those that an engine is compared with unless others are asked for. */
export const usualPeers = (device) =>
  device.startsWith('webgpu') ? ['torch-modes'] : ['torch', 'onednn', 'tfjs', 'jaxjs'];
