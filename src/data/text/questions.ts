import { isUtf8 } from 'node:buffer';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LimbeckError } from '../../util/errors.js';
import { unreadable } from '../bytes.js';
import type { SplitName } from '../dataset.js';
import { filesOfSplits } from '../split-names.js';
import { bytesOf, type Encoding, toUtf8 } from '../table-text.js';
import { type FoundTexts, Texts } from './found.js';
import { linesIn } from './lines.js';
import { nameOf, readSplits } from './splits.js';
import { parseTree } from './trees.js';

/** Published sets that are lines of a grammar of their own: TREC's questions and the Stanford sentiment treebank. */

export interface LinesOptions {
  readonly encoding?: Encoding;
  /** Of TREC: the six coarse classes, or the fifty fine ones. */
  readonly labelSet?: string;
}

const TREC = /^([A-Z]{2,8}):([A-Za-z]+)\s+(\S.*)$/;
const ENDING = /\.(txt|label)(\.gz)?$/i;
export const isLinesName = (name: string): boolean => ENDING.test(name);

type Files = Readonly<Partial<Record<SplitName, string>>>;

/** The files of each split: `train.txt`, `dev.txt`, `test.txt`; or as TREC's were published, `train_5500.label` and `TREC_10.label`. */
function filesIn(names: readonly string[], notes?: string[]): Files {
  const published = (pattern: RegExp) => names.find((name) => pattern.test(name));
  const [train, test] = [published(/^train_5500\.label$/i), published(/^trec_10\.label$/i)];
  return train === undefined
    ? filesOfSplits(names, 'txt', notes)
    : { train, ...(test !== undefined && { test }) };
}

/** Whether the first line of a file is one of these sets. */
export async function isLinesFile(path: string): Promise<boolean> {
  for (const { content } of linesIn(await bytesOf(path), path))
    return TREC.test(content) || content.startsWith('(');
  return false;
}

/** Whether a folder holds such a set. */
export async function isLinesFolder(names: readonly string[], folder: string): Promise<boolean> {
  const { train } = filesIn(names);
  return train !== undefined && isLinesFile(join(folder, train));
}

/**
 * Reads TREC's questions (`DESC:manner How did …`) or the Stanford sentiment treebank (`(3 (2 It) (4 …))`, the class of a sentence
 * being that of its root).
 *
 * @throws ERR_FILE_MISSING; ERR_FILE_FORMAT naming the first line that is none of these; ERR_OPTION
 */
export async function readLines(path: string, options: LinesOptions): Promise<FoundTexts> {
  const { labelSet = 'coarse' } = options;
  if (labelSet !== 'coarse' && labelSet !== 'fine')
    throw new LimbeckError(
      'ERR_OPTION',
      `labelSet is ${labelSet}, but ${path} has the labels coarse and fine (--label-set).`,
    );
  const notes: string[] = [];
  const found = isLinesName(path) ? { train: path } : filesIn(await readdir(path), notes);
  const files = Object.fromEntries(
    Object.entries(found).map(([part, name]) => [part, name === path ? path : join(path, name)]),
  ) as { train: string };
  const splits = await readSplits(files, notes, async (file) => {
    const { texts, latin1, trees } = await readFile(file, options.encoding, labelSet === 'fine');
    if (latin1)
      notes.push(`${file}: it is no UTF-8 and was read as Latin-1, as TREC's questions were published`);
    if (trees && options.labelSet !== undefined)
      throw new LimbeckError(
        'ERR_OPTION',
        `Option labelSet does not apply to ${file}, sentences as trees; leave it out (--label-set).`,
      );
    return texts;
  });
  return { name: nameOf(path, ENDING), path, splits, notes };
}

async function readFile(
  path: string,
  encoding: Encoding | undefined,
  fine: boolean,
): Promise<{ texts: Texts; latin1: boolean; trees: boolean }> {
  const given = await bytesOf(path);
  const latin1 = encoding === undefined && !isUtf8(given);
  const texts = new Texts();
  let trees: boolean | undefined;
  for (const { content, line } of linesIn(await toUtf8(given, path, latin1 ? 'latin1' : encoding), path)) {
    const where = `${path}: line ${line}`;
    trees ??= content.startsWith('(');
    if (trees) {
      const { label, words } = parseTree(content, where);
      texts.add(words.join(' '), label, where);
      continue;
    }
    const found = TREC.exec(content);
    if (!found)
      throw new LimbeckError(
        'ERR_FILE_FORMAT',
        `${where} is ${JSON.stringify(content.slice(0, 40))}, expected a class and a question such as DESC:manner How did it end ?`,
      );
    texts.add(found[3], fine ? `${found[1]}:${found[2]}` : found[1], where);
  }
  if (texts.texts.length === 0) throw unreadable(path, 'file of questions', 'it is empty');
  return { texts, latin1, trees: trees ?? false };
}
