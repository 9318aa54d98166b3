import { onednn } from './onednn.mjs';
import { torch } from './torch.mjs';

/** By the name that `--peers` takes: those that do whole steps have a `trial`, those that do kernels have `convolutions`. */
export const peers = { torch, onednn };
