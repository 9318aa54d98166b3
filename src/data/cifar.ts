import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LimbeckError } from '../util/errors.js';
import { assembleDataset, type SplitOptions } from './assemble.js';
import { decompressed, readBytes, unreadable } from './bytes.js';
import type { Dataset, Split } from './dataset.js';
import { readTar } from './tar.js';

export interface CifarOptions extends Omit<SplitOptions, 'classes'> {
  /** Of CIFAR-100: its 100 classes or its 20 superclasses; 'fine' when missing. */
  readonly labelSet?: 'fine' | 'coarse';
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

/** Whether file names are those of CIFAR-10 or CIFAR-100. */
export const isCifar = (names: readonly string[]): boolean => isTen(names) || names.includes('train.bin');
const isTen = (names: readonly string[]): boolean => names.some((name) => /^data_batch_\d\.bin$/.test(name));

/**
 * Loads the binary version of CIFAR-10 or CIFAR-100: a folder with its `.bin` files, or the `.tar.gz` they come in.
 *
 * @throws ERR_FILE_MISSING naming the absent files; ERR_FILE_FORMAT; ERR_DATA for a label out of range; ERR_OPTION
 */
export async function loadCifar(path: string, options: CifarOptions = {}): Promise<Dataset> {
  const { labelSet } = options;
  if (labelSet !== undefined && labelSet !== 'fine' && labelSet !== 'coarse')
    throw new LimbeckError('ERR_OPTION', `labelSet is ${labelSet}, expected fine or coarse.`);
  const files = await openFiles(path);
  const names = [...files.keys()];
  if (!isCifar(names))
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${path} holds none of data_batch_1.bin (CIFAR-10) and train.bin (CIFAR-100); give the binary version.`,
    );
  const ten = isTen(names);
  if (ten && labelSet !== undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      `labelSet is ${labelSet}, but CIFAR-10 has one set of labels; leave it out.`,
    );
  const variant = ten ? TEN : labelSet === 'coarse' ? COARSE : FINE;
  const missing = [...variant.train, variant.test].filter((name) => !files.has(name));
  if (missing.length > 0)
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${path} has no ${missing.join(', ')}; all of ${[...variant.train, variant.test].join(', ')} are needed.`,
    );
  const read = async (wanted: readonly string[]): Promise<Split> => {
    const parts: [string, Uint8Array][] = [];
    for (const name of wanted) parts.push([`${path}: ${name}`, await files.get(name)!()]);
    return readRecords(parts, variant);
  };
  return assembleDataset(
    {
      name: variant.name,
      path,
      imageShape: IMAGE_SHAPE,
      classNames: await readNames(files.get(variant.names), variant.classes),
      train: await read(variant.train),
      test: await read([variant.test]),
    },
    options,
  );
}

type Files = ReadonlyMap<string, () => Uint8Array | Promise<Uint8Array>>;

async function openFiles(path: string): Promise<Files> {
  if (/\.(tar\.gz|tgz|tar)$/i.test(path)) {
    const files = readTar(await decompressed(await readBytes(path), path), path);
    return new Map([...files].map(([name, bytes]) => [name, () => bytes]));
  }
  return new Map((await readdir(path)).map((name) => [name, () => readBytes(join(path, name))]));
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

/** Numbers where the names are missing or of another number. */
async function readNames(
  read: (() => Uint8Array | Promise<Uint8Array>) | undefined,
  classes: number,
): Promise<string[]> {
  const text = read ? new TextDecoder().decode(await read()) : '';
  const names = text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  return names.length === classes ? names : Array.from({ length: classes }, (_, label) => String(label));
}
