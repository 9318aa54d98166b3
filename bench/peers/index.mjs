import { torch } from './torch.mjs';

/** By the name that `--peers` takes. */
export const peers = { torch };
