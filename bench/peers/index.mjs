import { jaxjs } from './jaxjs.mjs';
import { onednn } from './onednn.mjs';
import { tfjs } from './tfjs.mjs';
import { torch } from './torch.mjs';

/** By the name that `--peers` takes: those that do whole steps have a `trial`, those that do kernels have `convolutions`. */
export const peers = { torch, onednn, tfjs, jaxjs };
