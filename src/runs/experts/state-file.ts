import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../../util/atomic-file.js';
import { LimbeckError } from '../../util/errors.js';
import { decodeSafetensors, encodeSafetensors } from '../../util/safetensors.js';
import { damaged } from '../../util/stored-fields.js';

/**
 * What training needs beside a snapshot to go on from it, `expert-0007.state-12.safetensors` after epoch 12: velocities or
 * moments of the optimiser. That of an epoch is written before its snapshot; that of the epoch before goes when all experts which
 * are trained together have both, so that there always is an epoch from which all of them can go on.
 */
const format = 'limbeck-expert-state-1';

/** Tensors by name, those of one expert. */
export type ExpertState = Readonly<Record<string, Float32Array>>;

export const stateFileName = (expertFile: string, epoch: number): string =>
  expertFile.replace(/\.safetensors$/, `.state-${epoch}.safetensors`);

/** The expert's file and the epoch in such a name; undefined for other names. */
export function stateOf(name: string): { expertFile: string; epoch: number } | undefined {
  const [, stem, epoch] = /^(expert-\d{4,})\.state-(\d+)\.safetensors$/.exec(name) ?? [];
  return stem === undefined ? undefined : { expertFile: `${stem}.safetensors`, epoch: Number(epoch) };
}

export function writeState(path: string, state: ExpertState): Promise<void> {
  const tensors = Object.entries(state).map(([name, data]) => [name, { shape: [data.length], data }]);
  return writeFileAtomic(path, encodeSafetensors(Object.fromEntries(tensors), { format }));
}

/** ERR_FILE_FORMAT unless it holds tensors of these lengths. */
export async function readState(
  path: string,
  lengths: Readonly<Record<string, number>>,
): Promise<ExpertState> {
  const { tensors, metadata } = await decoded(path);
  if (metadata.format !== format)
    throw damaged(path, `format is ${JSON.stringify(metadata.format)}, expected ${format}`);
  const state = Object.entries(lengths).map(([name, length]) => {
    const data = tensors[name]?.data;
    if (!(data instanceof Float32Array) || data.length !== length)
      throw damaged(path, `tensor ${name} is not there, expected F32 of ${length}`);
    return [name, data] as const;
  });
  return Object.fromEntries(state);
}

async function decoded(path: string) {
  try {
    return decodeSafetensors(await readFile(path));
  } catch (cause) {
    if (!(cause instanceof LimbeckError)) throw cause;
    throw new LimbeckError(cause.code, `${path}: ${cause.message}`, { cause });
  }
}
