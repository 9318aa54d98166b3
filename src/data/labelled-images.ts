import { stat } from 'node:fs/promises';
import { LimbeckError, shapeText } from '../util/errors.js';
import { readNamedArrays } from './array-files.js';
import { classNamesOf } from './class-names.js';
import { labelsOf } from './classes.js';
import type { Dataset, Labels, Split } from './dataset.js';
import { decodeImages, imageFile } from './image-files.js';
import { isImageFolder, listImages } from './image-list.js';
import type { NumericArray } from './npy.js';
import { onScale, pixelScaleOf } from './pixel-scale.js';
import { fourChannels, toImages, toLabels } from './pixels.js';
import { DEEPEST } from './planes.js';
import { isTorchSet, readTorchSet, type TorchSet } from './torch-set.js';
import { divisorLike } from './whole-numbers.js';

/** Images of somebody else, with a label each. */
export interface LabelledFiles {
  /** `[count, C, H, W]` */
  readonly images: Split['images'];
  /** `[count]`: numbers of classes; or `[count, K]`: their probabilities. */
  readonly labels: Labels | Float32Array;
  /** The rate that was learned with them, where they have one. */
  readonly learningRate?: number;
  /** What was decided: for people. */
  readonly notes: readonly string[];
}

/**
 * Reads a small set in the form of a data set's training images, and in its geometry. `path` is a `.npz` or `.safetensors` file or a folder
 * of `.npy` files, with `images` and `labels` (or `x_train` and `y_train` and so on; labels may be soft, `[count, K]`); or what `torch.save`
 * wrote, a file or the files of a folder. It may be a folder of images per class, too, whose names are those of the data set's classes.
 *
 * @throws ERR_SHAPE for images of another geometry; ERR_DATA for a class that the data set does not have; what the readers throw
 */
export async function readLabelledImages(path: string, dataset: Dataset): Promise<LabelledFiles> {
  const folder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (folder && (await isImageFolder(path))) return ofFolder(path, dataset);
  const torch = await isTorchSet(path);
  const set: TorchSet = torch ? await readTorchSet(path) : { ...(await readNamedArrays(path)), notes: [] };
  const { images: array, labels: given = inOrder(set.images, dataset, path), learningRate } = set;
  const what = `${path}: images`;
  const scale = pixelScaleOf(dataset);
  const { divisor, notes: divided } = await divisorLike(array, scale, what);
  const layout = { ...(torch && { layout: 'nchw' as const }), ...fourChannels(dataset) };
  const { imageShape, ...read } = await toImages(array, layout, what, divisor);
  if (`${imageShape}` !== `${dataset.imageShape}`)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${path} holds images of ${shapeText(imageShape)}, expected ${shapeText(dataset.imageShape)} as those of ${dataset.name}`,
    );
  const count = array.shape[0];
  const labels = softLabels(given, count, dataset) ?? hardLabels(given, count, dataset, path);
  const { images, notes } = await onScale(read, scale.range, path);
  const ordered = set.labels ? [] : ['no labels beside them: taken to be in the order of their classes'];
  return { images, labels, learningRate, notes: [...set.notes, ...divided, ...notes, ...ordered] };
}

/** The labels of images that are saved class after class, as many of each, as programs after DC's do. */
function inOrder({ shape: [count] }: NumericArray, { classes, name }: Dataset, path: string): NumericArray {
  if (count % classes)
    throw new LimbeckError(
      'ERR_DATA',
      `${path} has no labels, and ${count} images are not as many of each of the ${classes} classes of ${name}: give labels with them`,
    );
  const perClass = count / classes;
  return { shape: [count], data: Float32Array.from({ length: count }, (_, i) => Math.floor(i / perClass)) };
}

/** Labels that are probabilities; undefined where they are numbers of classes. */
function softLabels(
  { shape, data }: NumericArray,
  count: number,
  { classes }: Dataset,
): Float32Array | undefined {
  if (shape.length !== 2 || shape[0] !== count || shape[1] !== classes) return undefined;
  return Float32Array.from(data);
}

/** Numbers of classes, from 0 on; from 1 on, or others, where those are what the classes of the data set are called. @throws ERR_SHAPE for one-hot labels of another number of classes */
function hardLabels(
  given: NumericArray,
  count: number,
  { classes, classNames, name }: Dataset,
  path: string,
): Labels {
  const found = toLabels(given, count, `${path}: labels`);
  if (found.classes === undefined) {
    const called = [...found.labels].map((label) => classNames.indexOf(String(label)));
    return called.includes(-1) ? found.labels : labelsOf(called);
  }
  throw new LimbeckError(
    'ERR_SHAPE',
    `${path}: its labels are of ${found.classes} classes, expected the ${classes} of ${name}`,
  );
}

async function ofFolder(path: string, dataset: Dataset): Promise<LabelledFiles> {
  const [channels, height, width] = dataset.imageShape;
  const { divisor = DEEPEST, background } = dataset;
  const { train: files, notes } = await listImages(path, {});
  const { numbers, names } = classNamesOf(files.map(({ className }) => className));
  // By their places: they need not be in the order of their names.
  const own = new Map(dataset.classNames.map((name, label) => [name, label]));
  const ids = dataset.classIds ?? [];
  const classOf = (className: string): number => {
    const label = own.get(className) ?? own.get(names[numbers.get(className)!]) ?? ids.indexOf(className);
    if (label >= 0) return label;
    throw new LimbeckError(
      'ERR_DATA',
      `${path} has a class ${className}, expected those of ${dataset.name}: ${dataset.classNames.slice(0, 10).join(', ')}`,
    );
  };
  const labels = labelsOf(files.map(({ className }) => classOf(className)));
  const decoded = await decodeImages(
    files.map(({ path }) => imageFile(path)),
    {
      channels: channels === 1 ? 1 : 3,
      imageSize: [height, width],
      badImages: 'refuse',
      divisor,
      background,
    },
  );
  return { images: decoded.data, labels, notes: [...notes, ...decoded.notes] };
}
