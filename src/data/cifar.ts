import { LimbeckError } from '../util/errors.js';
import { assembleDataset, type SplitOptions } from './assemble.js';
import { unreadable } from './bytes.js';
import { pythonNames, readBatches } from './cifar-python.js';
import { FETCH_AGAIN, numberNames } from './classes.js';
import type { Dataset, Split } from './dataset.js';
import { openFiles } from './files.js';

export interface CifarOptions extends Omit<SplitOptions, 'classes'> {
  /** Of CIFAR-100: its 100 classes or its 20 superclasses; 'fine' when missing. */
  readonly labelSet?: string;
}

interface Variant {
  readonly name: string;
  readonly train: readonly string[];
  readonly test: string;
  /** Bytes before the pixels. */
  readonly labelBytes: number;
  readonly labelAt: number;
  readonly classes: number;
  /** The file with the classes' names, one per line. */
  readonly names: string;
}

const IMAGE_SHAPE = [3, 32, 32] as const;
const PIXELS = 3072;
const TEN: Variant = {
  name: 'cifar10',
  train: [1, 2, 3, 4, 5].map((batch) => `data_batch_${batch}.bin`),
  test: 'test_batch.bin',
  labelBytes: 1,
  labelAt: 0,
  classes: 10,
  names: 'batches.meta.txt',
};
/** The same files without their endings; all names of classes in one. */
const forPython = (variant: Variant): Variant => ({
  ...variant,
  train: variant.train.map((name) => name.replace('.bin', '')),
  test: variant.test.replace('.bin', ''),
  names: variant.classes === 10 ? 'batches.meta' : 'meta',
});
/** Under which the files for Python have the labels. */
const LABELS: Readonly<Record<string, string>> = {
  cifar10: 'labels',
  cifar100: 'fine_labels',
  cifar20: 'coarse_labels',
};
const HUNDRED = { train: ['train.bin'], test: 'test.bin', labelBytes: 2 } as const;
const FINE: Variant = {
  ...HUNDRED,
  name: 'cifar100',
  labelAt: 1,
  classes: 100,
  names: 'fine_label_names.txt',
};
const COARSE: Variant = {
  ...HUNDRED,
  name: 'cifar20',
  labelAt: 0,
  classes: 20,
  names: 'coarse_label_names.txt',
};

const VARIANTS = [TEN, FINE, COARSE].flatMap((one) => [one, forPython(one)]);
/** Whether a file is one that is read. */
const isCifarName = (name: string): boolean =>
  VARIANTS.some(({ train, test, names }) => [...train, test, names].includes(name));

/** Whether file names are those of CIFAR-10 or CIFAR-100, in the binary version or that for Python. */
export const isCifar = (names: readonly string[]): boolean =>
  isTen(names) ||
  names.includes('train.bin') ||
  ['meta', 'train', 'test'].every((name) => names.includes(name));
const isTen = (names: readonly string[]): boolean =>
  names.some((name) => /^data_batch_\d(\.bin)?$/.test(name));
const isPython = (names: readonly string[]): boolean =>
  names.includes('meta') || names.includes('data_batch_1');

/**
 * Loads CIFAR-10 or CIFAR-100, the binary version or that for Python: a folder with its files, or the `.tar.gz` they come in.
 *
 * @throws ERR_FILE_MISSING naming the absent files; ERR_FILE_FORMAT; ERR_DATA for a label out of range; ERR_OPTION
 */
export async function loadCifar(path: string, options: CifarOptions = {}): Promise<Dataset> {
  const { labelSet } = options;
  if (labelSet !== undefined && labelSet !== 'fine' && labelSet !== 'coarse')
    throw new LimbeckError('ERR_OPTION', `labelSet is ${labelSet}, expected fine or coarse (--label-set).`);
  const files = await openFiles(path, isCifarName);
  const names = [...files.keys()];
  if (!isCifar(names))
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${path} holds none of data_batch_1 or data_batch_1.bin (CIFAR-10) and meta or train.bin (CIFAR-100); give the folder or archive with them. Other archives than theirs and STL-10's are read when they are unpacked: tar xf ${path}`,
    );
  const ten = isTen(names);
  if (ten && labelSet !== undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      `labelSet is ${labelSet}, but CIFAR-10 has one set of labels; leave it out.`,
    );
  const python = isPython(names);
  const variant = (python ? forPython : (one: Variant) => one)(
    ten ? TEN : labelSet === 'coarse' ? COARSE : FINE,
  );
  const missing = [...variant.train, variant.test].filter((name) => !files.has(name));
  if (missing.length > 0)
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${path} has no ${missing.join(', ')}; all of ${[...variant.train, variant.test].join(', ')} are needed.`,
    );
  const read = async (wanted: readonly string[]): Promise<Split> => {
    const parts: [string, Uint8Array][] = [];
    for (const name of wanted) parts.push([`${path}: ${name}`, await files.get(name)!()]);
    return python ? await readBatches(parts, LABELS[variant.name]) : readRecords(parts, variant);
  };
  const meta = files.get(variant.names);
  return assembleDataset(
    {
      name: variant.name,
      path,
      remedy: FETCH_AGAIN,
      imageShape: IMAGE_SHAPE,
      classNames: namesOf(
        meta && (python ? await pythonNames(await meta(), path, LABELS[variant.name]) : lines(await meta())),
        variant.classes,
      ),
      train: await read(variant.train),
      test: await read([variant.test]),
    },
    options,
  );
}

/** Each record is one or two bytes of labels and 3072 of pixels, planes of red, green and blue. */
function readRecords(parts: readonly (readonly [string, Uint8Array])[], variant: Variant): Split {
  const record = variant.labelBytes + PIXELS;
  for (const [what, bytes] of parts)
    if (bytes.length === 0 || bytes.length % record !== 0)
      throw unreadable(
        what,
        'CIFAR file',
        `it has ${bytes.length} bytes, expected a multiple of ${record}, those of one image`,
      );
  const count = parts.reduce((sum, [, bytes]) => sum + bytes.length / record, 0);
  const images = new Uint8Array(count * PIXELS);
  const labels = new Uint8Array(count);
  let image = 0;
  for (const [what, bytes] of parts)
    for (let at = 0; at < bytes.length; at += record, image++) {
      const label = bytes[at + variant.labelAt];
      if (label >= variant.classes)
        throw new LimbeckError(
          'ERR_DATA',
          `${what}: image ${at / record} has label ${label}, expected 0 to ${variant.classes - 1}; fetch the file again.`,
        );
      labels[image] = label;
      images.set(bytes.subarray(at + variant.labelBytes, at + record), image * PIXELS);
    }
  return { images, labels, count };
}

const lines = (bytes: Uint8Array): string[] =>
  new TextDecoder()
    .decode(bytes)
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);

/** Numbers where the names are missing or of another number. */
const namesOf = (names: readonly string[] | undefined, classes: number): readonly string[] =>
  names?.length === classes ? names : numberNames(classes);
