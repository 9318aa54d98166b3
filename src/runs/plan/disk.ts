import { stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setTensors } from '../../eval/set-file.js';
import { mostFrames } from '../film.js';
import { runFileNames } from '../run-files.js';
import type { Measured } from './measure.js';

/** Bytes in the folder of a run. */
export interface DiskBytes {
  /** `checkpoint.safetensors` at the last look, to within some hundreds of bytes. */
  readonly checkpoint: number;
  /** `distilled.safetensors`, likewise. */
  readonly set: number;
  /** `distilled.png`, `report.html`, `film.jsonl` and `run.json`, at a guess: how well pictures compress is known when they are made. */
  readonly pages: number;
  /** All of them, with a checkpoint that is written beside the two before it. */
  readonly total: number;
}

/** What a file says of itself: options, names, sizes. */
const header = 4000;
/** A point of the curve as JSON, and each learned rate in it. */
const point = 90;
const rate = 22;
/** A page with no pictures, and what each number of an image takes as pictures in two files. */
const page = 30_000;
const perPixel = 6;

/** A frame of the film, in two files, at most. */
const frame = 250_000;

/** What the files of a run take after so many looks at the validation split. */
export function diskBytes({ set, stateSaved }: Measured, looks: number): DiskBytes {
  const tensors = Object.values(setTensors(set)).reduce(
    (sum, { data, half }) => sum + data.byteLength / (half ? 2 : 1),
    0,
  );
  const rates = set.use.kind === 'learned-steps' ? set.use.learningRates.length : 0;
  const film = Math.min(looks + 1, mostFrames) * Math.min(frame, perPixel * set.images.length);
  const curve = looks * (point + rates * rate);
  const own = {
    checkpoint: stateSaved + tensors + curve + header,
    set: tensors + header,
    pages: page + perPixel * set.images.length + film + curve,
  };
  return { ...own, total: 3 * own.checkpoint + own.set + own.pages };
}

/** Bytes of a run's files that lie in a folder, which a run there replaces. */
export async function usedOnDisk(folder: string): Promise<number> {
  const sizes = Object.values(runFileNames).map(async (name) => {
    try {
      return (await stat(join(folder, name))).size;
    } catch {
      return 0;
    }
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Bytes that can be written to the disk of a folder, or of the first above it that exists. */
export async function freeOnDisk(folder: string): Promise<number> {
  const path = resolve(folder);
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch (error) {
    if (dirname(path) === path) throw error;
    return freeOnDisk(dirname(path));
  }
}
