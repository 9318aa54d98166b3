import { LimbeckError } from '../util/errors.js';
import { unreadable } from './bytes.js';
import type { Split } from './dataset.js';
import { numericArray } from './npy.js';
import { parsePickle, textOf } from './pickle.js';
import { arrayVocabulary, PickledArray } from './pickle-arrays.js';

const PIXELS = 3072;

/**
 * The images of CIFAR's batches for Python: dictionaries of `data`, `[N, 3072]`, and labels.
 *
 * @param labelName under which they have the labels
 * @throws ERR_FILE_FORMAT; ERR_DATA for a label that is none
 */
export async function readBatches(
  parts: readonly (readonly [string, Uint8Array])[],
  labelName: string,
): Promise<Split> {
  const batches: Batch[] = [];
  for (const [what, bytes] of parts) batches.push(await readBatch(what, bytes, labelName));
  const count = batches.reduce((sum, { labels }) => sum + labels.length, 0);
  const images = new Uint8Array(count * PIXELS);
  const labels = new Uint8Array(count);
  let at = 0;
  for (const batch of batches) {
    images.set(batch.pixels, at * PIXELS);
    labels.set(batch.labels, at);
    at += batch.labels.length;
  }
  return { images, labels, count };
}

interface Batch {
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
}

async function readBatch(what: string, bytes: Uint8Array, labelName: string): Promise<Batch> {
  const batch = await parsePickle(bytes, what, arrayVocabulary);
  const data = batch instanceof Map ? batch.get('data') : undefined;
  const labels = batch instanceof Map ? batch.get(labelName) : undefined;
  const stored = data instanceof PickledArray ? data.stored : undefined;
  const array = stored && (await numericArray(stored.bytes, stored.form, what));
  if (!(array?.data instanceof Uint8Array) || array.shape[1] !== PIXELS || !Array.isArray(labels))
    throw unreadable(
      what,
      'CIFAR batch',
      `it lacks bytes of [N, ${PIXELS}] called data, or ${labelName} beside them`,
    );
  if (labels.length !== array.shape[0])
    throw unreadable(what, 'CIFAR batch', `it has ${array.shape[0]} images and ${labels.length} labels`);
  return {
    pixels: array.data,
    labels: Uint8Array.from(labels, (label, i) => {
      if (typeof label === 'number' && Number.isInteger(label) && label >= 0 && label < 256) return label;
      throw new LimbeckError(
        'ERR_DATA',
        `${what}: label ${i} is no class number from 0 to 255; fetch the file again.`,
      );
    }),
  };
}

/** The names of the classes; undefined where the file has none. */
export async function pythonNames(
  bytes: Uint8Array,
  path: string,
  labelName: string,
): Promise<string[] | undefined> {
  const meta = await parsePickle(bytes, `${path}: meta`, arrayVocabulary);
  // labels, fine_labels → label_names, fine_label_names
  const names = meta instanceof Map ? meta.get(labelName.replace(/labels$/, 'label_names')) : undefined;
  const texts = Array.isArray(names) ? names.map(textOf) : [];
  return texts.every((text) => text !== undefined) && texts.length > 0 ? (texts as string[]) : undefined;
}
