import { basename, resolve } from 'node:path';
import { type SplitName, splitNames } from '../dataset.js';
import type { FoundTexts, Texts } from './found.js';

/** What a data set is called: its file or folder, without the ending of a file. */
export const nameOf = (path: string, ending: RegExp): string => basename(resolve(path)).replace(ending, '');

/** Reads the file of each split, that to train on first; one in which nothing names classes is left out, and it is said. */
export async function readSplits(
  files: Readonly<Partial<Record<SplitName, string>> & { train: string }>,
  notes: string[],
  read: (path: string, part: SplitName) => Promise<Texts | undefined>,
): Promise<FoundTexts['splits']> {
  const splits: Partial<Record<SplitName, Texts>> = {};
  for (const part of splitNames) {
    const path = files[part];
    if (path === undefined) continue;
    const texts = await read(path, part);
    if (texts) splits[part] = texts;
    else notes.push(`${path} names no classes and is left out`);
  }
  return splits as FoundTexts['splits'];
}
