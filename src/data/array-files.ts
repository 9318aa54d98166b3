import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { inPieces } from '../util/breathe.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import { decodeSafetensors } from '../util/safetensors.js';
import { assembleDataset, type SplitOptions } from './assemble.js';
import { readBytes, unreadable } from './bytes.js';
import { type Dataset, type Split, type SplitName, splitNames } from './dataset.js';
import { parseMat, rowMajor } from './mat.js';
import { type NumericArray, parseNpy } from './npy.js';
import { type PixelLayout, toImages, toLabels } from './pixels.js';
import { divisorOf } from './whole-numbers.js';
import { openZip } from './zip.js';

export type ArrayFileOptions = SplitOptions & PixelLayout;

/** Names of the arrays, in lower case: Keras', PyTorch's, MedMNIST's and plain ones. */
const NAMES = {
  train: [
    ['x_train', 'train_images', 'train_x', 'train_data', 'images', 'x', 'data'],
    ['y_train', 'train_labels', 'train_y', 'train_targets', 'labels', 'label', 'y', 'targets', 'target'],
  ],
  validation: [
    ['x_val', 'val_images', 'val_x', 'x_validation', 'validation_images', 'x_valid', 'valid_images'],
    ['y_val', 'val_labels', 'val_y', 'y_validation', 'validation_labels', 'y_valid', 'valid_labels'],
  ],
  test: [
    ['x_test', 'test_images', 'test_x', 'test_data'],
    ['y_test', 'test_labels', 'test_y', 'test_targets'],
  ],
} as const;

/** Arrays by name, each read when it is asked for. */
type Arrays = ReadonlyMap<string, () => NumericArray | Promise<NumericArray>>;

/**
 * Loads named arrays: a `.npz`, a `.safetensors`, a `.mat` of version 5, or a folder of `.npy` files or of Kuzushiji-MNIST's `.npz` files, with `x_train` and `y_train` (or `images`
 * and `labels`, `train_images` and `train_labels`), and the same for `val` and `test` where there are such splits.
 *
 * @throws ERR_FILE_MISSING; ERR_FILE_FORMAT; ERR_DATA when arrays are missing or their values unusable; ERR_SHAPE;
 * ERR_OPTION
 */
export async function loadArrayFile(path: string, options: ArrayFileOptions = {}): Promise<Dataset> {
  const arrays = await openArrays(path);
  const found: Partial<Record<SplitName, Split>> = {};
  let imageShape: readonly [number, number, number] | undefined;
  let classes: number | undefined;
  const parts: {
    part: SplitName;
    imageName: string;
    labelName: string;
    array: NumericArray;
    what: string;
  }[] = [];
  for (const part of splitNames) {
    const names = pairOf(path, arrays, part);
    if (names === undefined) continue;
    const [imageName, labelName] = names;
    const array = await take(arrays, imageName);
    parts.push({ part, imageName, labelName, array, what: `${path}: ${imageName}` });
  }
  const { divisor, notes: more } = await divisorOf(parts);
  const notes = new Set(more);
  // Each array goes once it has become images.
  for (let next = parts.shift(); next; next = parts.shift()) {
    const { part, imageName, labelName, array, what } = next;
    const { imageShape: shape, images, ...read } = await toImages(array, options, what, divisor);
    for (const note of read.notes) notes.add(note);
    if (imageShape && shape.join() !== imageShape.join())
      throw new LimbeckError(
        'ERR_SHAPE',
        `${path}: ${imageName} holds images of ${shapeText(shape)}, expected ${shapeText(imageShape)} as those to train on.`,
      );
    imageShape = shape;
    const count = array.shape[0];
    const { labels, classes: own } = toLabels(await take(arrays, labelName), count, `${path}: ${labelName}`);
    if (own !== undefined && classes !== undefined && own !== classes)
      throw new LimbeckError(
        'ERR_SHAPE',
        `${path}: ${labelName} is one-hot of ${own} classes, expected ${classes} as those of the other images.`,
      );
    classes ??= own;
    found[part] = { images, labels, count };
  }
  const { train, validation, test } = found;
  if (train === undefined || imageShape === undefined) throw nothingToTrainOn(path, arrays);
  return assembleDataset(
    {
      name: basename(resolve(path)).replace(/\.\w+$/, ''),
      path,
      imageShape,
      classes,
      train,
      validation,
      test,
      divisor,
      background: options.background,
      notes: [...notes],
    },
    options,
  );
}

/** The arrays to train on in a `.npz`, a `.safetensors`, a `.mat` or a folder of `.npy` files. @throws as `loadArrayFile` */
export async function readNamedArrays(path: string): Promise<Record<'images' | 'labels', NumericArray>> {
  const arrays = await openArrays(path);
  const names = pairOf(path, arrays, 'train');
  if (names === undefined) throw nothingToTrainOn(path, arrays);
  const [images, labels] = names;
  return { images: await take(arrays, images), labels: await take(arrays, labels) };
}

const nothingToTrainOn = (path: string, arrays: Arrays): LimbeckError =>
  new LimbeckError(
    'ERR_DATA',
    `${path} holds ${namesText(arrays)}, expected x_train and y_train, or images and labels, or train_images and ` +
      'train_labels (and x_test and y_test, or test_images and test_labels).',
  );

/** Kuzushiji-MNIST's and -49's own arrays, each the only one of a file. */
const KUZUSHIJI = /^k(?:mnist|49)-(train|test)-(imgs|labels)\.npz$/i;

/** Whether a folder holds arrays for `loadArrayFile`, by the names in it. */
export const isArrayFolder = (names: readonly string[]): boolean =>
  names.some((file) => KUZUSHIJI.test(file)) ||
  NAMES.train[0].some((name) => names.some((file) => file.toLowerCase() === `${name}.npy`));

async function openArrays(path: string): Promise<Arrays> {
  if (/\.npz$/i.test(path)) {
    const files = openZip(await readBytes(path), path);
    return new Map(
      [...files].map(([name, read]) => [
        name.toLowerCase().replace(/\.npy$/, ''),
        async () => parseNpy(await read(), `${path}: ${name}`),
      ]),
    );
  }
  if (/\.mat$/i.test(path)) {
    const found = await parseMat(await readBytes(path), path);
    return new Map([...found].map(([name, array]) => [name.toLowerCase(), () => rowMajor(array)]));
  }
  if (/\.safetensors$/i.test(path)) {
    const { tensors } = decodeNamed(path, await readBytes(path));
    return new Map(
      Object.entries(tensors).map(([name, { shape, data, truth }]) => [
        name.toLowerCase(),
        async () =>
          data instanceof BigInt64Array || data instanceof BigUint64Array
            ? { shape, data: await toFloats(data), whole: true }
            : { shape, data, truth },
      ]),
    );
  }
  const known = new Set<string>(Object.values(NAMES).flat(2));
  const arrays = new Map<string, () => Promise<NumericArray>>();
  for (const file of await readdir(path)) {
    const [, part, kind] = KUZUSHIJI.exec(file) ?? [];
    if (part) {
      const where = join(path, file);
      const [first] = openZip(await readBytes(where), where);
      if (first === undefined) throw unreadable(where, 'NumPy archive', 'it holds no array');
      const [name, read] = first;
      arrays.set(`${part}_${kind === 'imgs' ? 'images' : kind}`.toLowerCase(), async () =>
        parseNpy(await read(), `${where}: ${name}`),
      );
      continue;
    }
    const name = file.toLowerCase().replace(/\.npy$/, '');
    if (!/\.npy$/i.test(file) || !known.has(name)) continue;
    arrays.set(name, async () => parseNpy(await readBytes(join(path, file)), join(path, file)));
  }
  return arrays;
}

async function toFloats(data: BigInt64Array | BigUint64Array): Promise<Float64Array> {
  const floats = new Float64Array(data.length);
  await inPieces(data.length, (from, to) => {
    for (let i = from; i < to; i++) floats[i] = Number(data[i]);
  });
  return floats;
}

function decodeNamed(path: string, bytes: Uint8Array): ReturnType<typeof decodeSafetensors> {
  try {
    return decodeSafetensors(bytes);
  } catch (error) {
    if (!(error instanceof LimbeckError)) throw error;
    throw new LimbeckError(error.code, `${path}: ${error.message}`, { cause: error });
  }
}

/** The names of a split's images and labels; undefined without such a split. */
function pairOf(path: string, arrays: Arrays, part: SplitName): [string, string] | undefined {
  const [images, labels] = NAMES[part].map((names) => names.find((name) => arrays.has(name)));
  if (images !== undefined && labels !== undefined) return [images, labels];
  if ((images ?? labels) === undefined) return undefined;
  const expected = NAMES[part][images === undefined ? 0 : 1].join(', ');
  throw new LimbeckError(
    'ERR_DATA',
    `${path} has ${images ?? labels}, but none of ${expected}; it holds ${namesText(arrays)}. Give images and labels.`,
  );
}

async function take(arrays: Arrays, name: string): Promise<NumericArray> {
  const array = await arrays.get(name)!();
  return array.shape.length > 0 ? array : { ...array, shape: [1] };
}

function namesText(arrays: Arrays): string {
  const names = [...arrays.keys()];
  if (names.length === 0) return 'no arrays';
  return `${names
    .slice(0, 10)
    .map((name) => name.slice(0, 40))
    .join(', ')}${names.length > 10 ? ', …' : ''}`;
}
