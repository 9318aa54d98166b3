import { LimbeckError } from '../util/errors.js';
import { decodeSafetensors, encodeSafetensors, type WritableData } from '../util/safetensors.js';
import type { Checkpoint } from './distill.js';

const format = 'limbeck-checkpoint-1';

/** Bytes of a checkpoint; `extra` travels along (where the data came from, the engine). */
export function encodeCheckpoint(
  checkpoint: Checkpoint,
  extra: Readonly<Record<string, unknown>>,
): Uint8Array {
  const { options, iteration, curve, seconds, state, best } = checkpoint;
  const tensors: Record<string, { shape: number[]; data: WritableData }> = {};
  for (const [name, data] of Object.entries(state)) tensors[`state.${name}`] = { shape: [data.length], data };
  for (const [name, data] of Object.entries(best.distilled))
    tensors[`best.${name}`] = { shape: [data.length], data };
  const run = { options, iteration, curve, seconds, best: { ...best, distilled: undefined }, extra };
  return encodeSafetensors(tensors, { format, run: JSON.stringify(run) });
}

/** Reads what `encodeCheckpoint` wrote; ERR_FILE_FORMAT for anything else. */
export function decodeCheckpoint(bytes: Uint8Array): {
  checkpoint: Checkpoint;
  extra: Record<string, unknown>;
} {
  const { tensors, metadata } = decodeSafetensors(bytes);
  if (metadata.format !== format)
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      `checkpoint: format is ${JSON.stringify(metadata.format)}, expected ${format}`,
    );
  try {
    const { extra, ...run } = JSON.parse(metadata.run);
    const withPrefix = (prefix: string) =>
      Object.fromEntries(
        Object.entries(tensors)
          .filter(([name]) => name.startsWith(prefix))
          .map(([name, { data }]) => [name.slice(prefix.length), data]),
      );
    const best = { ...run.best, distilled: withPrefix('best.') };
    return { checkpoint: { ...run, best, state: withPrefix('state.') }, extra };
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      'checkpoint: its metadata cannot be read; the file is damaged',
      { cause },
    );
  }
}
