import { type SplitName, splitNames } from './dataset.js';

/** What the splits are called in the names of files and folders, the most usual first. */
export const splitWords: Readonly<Record<SplitName, readonly string[]>> = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'val', 'dev'],
  test: ['test', 'testing'],
};

/** The split whose name a name begins with, such as `train-00000-of-00001` and `testset`; undefined where it is none. */
export const splitAtStart = (name: string): SplitName | undefined =>
  splitNames.find((part) =>
    new RegExp(`^(${splitWords[part].join('|')})(set|val)?(?![a-z])`, 'i').test(name),
  );

/** The names of each split's files or folders, by a pattern of what stands around the word. */
type Found = Readonly<Partial<Record<SplitName, string>>>;

/** The folder of each split; where there are several, it is said. */
export function foldersOfSplits(folders: readonly string[], notes?: string[]): Found {
  return chosen(
    (part) => splitWords[part].flatMap((word) => folders.filter((folder) => folder.toLowerCase() === word)),
    notes,
  );
}

/** The file of each split in a folder, by the ends of their names; where there are several, it is said. */
export function filesOfSplits(names: readonly string[], endings: string, notes?: string[]): Found {
  const visible = names.filter((name) => !name.startsWith('.')).sort();
  return chosen((part) => {
    const pattern = new RegExp(`(^|[._-])(${splitWords[part].join('|')})\\.(${endings})(\\.gz)?$`, 'i');
    const isPacked = (name: string) => /\.gz$/i.test(name) && visible.includes(name.slice(0, -3));
    return visible.filter((name) => pattern.test(name) && !isPacked(name));
  }, notes);
}

function chosen(namesOf: (part: SplitName) => readonly string[], notes?: string[]): Found {
  const found: Partial<Record<SplitName, string>> = {};
  for (const part of splitNames) {
    const [name, ...others] = namesOf(part);
    if (name === undefined) continue;
    found[part] = name;
    if (others.length > 0) notes?.push(`${name} was taken for ${part}; left out: ${others.join(', ')}`);
  }
  return found;
}
