import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { breathe } from '../../util/breathe.js';
import { fileReason, LimbeckError } from '../../util/errors.js';
import { bytesText } from '../../util/words.js';
import { type SplitName, splitNames } from '../dataset.js';
import { listFolder } from '../image-list.js';
import { foldersOfSplits } from '../split-names.js';
import { type Encoding, toUtf8 } from '../table-text.js';
import { type FoundTexts, Texts } from './found.js';
import { nameOf } from './splits.js';

/** A folder with a file for each text, in folders of classes, as IMDB's reviews are: `train/pos/0_9.txt`. */

/** IMDB's reviews that nobody labelled. */
const UNLABELLED = 'unsup';
const MOST_FILE = 2 ** 22;
const isText = (name: string): boolean => /\.txt$/i.test(name);

/** Whether a folder, or its `train`, holds folders of texts. */
export async function isTextFolder(folder: string): Promise<boolean> {
  const { folders } = await listFolder(folder);
  const { train } = foldersOfSplits(folders);
  const base = train === undefined ? folder : join(folder, train);
  for (const name of train === undefined ? folders : (await listFolder(base)).folders)
    if ((await listFolder(join(base, name))).others.some(isText)) return true;
  return false;
}

/**
 * Reads `train/CLASS/*.txt` and possibly `test/CLASS/*.txt` and `validation/CLASS/*.txt`; or just `CLASS/*.txt`.
 *
 * @throws ERR_FILE_MISSING; ERR_FILE_FORMAT naming a file that is no text in the encoding; ERR_DATA for an empty one or a class without any
 */
export async function readTextFolder(
  path: string,
  { encoding }: { readonly encoding?: Encoding },
): Promise<FoundTexts> {
  const { folders } = await listFolder(path);
  const notes: string[] = [];
  const names = foldersOfSplits(folders, notes);
  if (names.train === undefined)
    return {
      name: nameOf(path, /$/),
      path,
      splits: { train: await readClasses(path, encoding, notes) },
      notes,
    };
  const splits: Partial<Record<SplitName, Texts>> = {};
  for (const part of splitNames) {
    const name = names[part];
    if (name !== undefined) splits[part] = await readClasses(join(path, name), encoding, notes);
  }
  return { name: nameOf(path, /$/), path, splits: splits as { train: Texts }, notes };
}

async function readClasses(folder: string, encoding: Encoding | undefined, notes: string[]): Promise<Texts> {
  const texts = new Texts();
  for (const label of (await listFolder(folder)).folders) {
    const inside = join(folder, label);
    const files = (await listFolder(inside)).others.filter(isText);
    if (label === UNLABELLED) {
      notes.push(`${inside}: nobody labelled its texts; they are left out`);
      continue;
    }
    if (files.length === 0)
      throw new LimbeckError(
        'ERR_DATA',
        `${inside} holds no texts; remove the folder, or put the texts of its class there (.txt).`,
      );
    for (const [i, name] of files.entries()) {
      const file = join(inside, name);
      texts.add(await readText(file, encoding), label, file);
      if (i % 256 === 0) await breathe();
    }
  }
  return texts;
}

/** A file that is larger than any text is refused before it is read. */
async function readText(path: string, encoding: Encoding | undefined): Promise<string> {
  const bytes = await (async () => {
    try {
      await using handle = await open(path);
      const found = await handle.stat();
      if (!found.isFile()) throw new Error('it is no file');
      if (found.size > MOST_FILE) return undefined;
      return await handle.readFile();
    } catch (cause) {
      throw new LimbeckError(
        'ERR_FILE_MISSING',
        `${path} cannot be read: ${fileReason(cause)}. Check the path and its permissions.`,
        { cause },
      );
    }
  })();
  if (bytes === undefined)
    throw new LimbeckError(
      'ERR_DATA',
      `${path} is too large, expected texts of at most ${bytesText(MOST_FILE)}.`,
    );
  return new TextDecoder().decode(await toUtf8(bytes, path, encoding));
}
