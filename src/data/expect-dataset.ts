import { expectArgument } from '../util/expect.js';
import { asGiven, damaged, StoredFields } from '../util/stored-fields.js';
import type { Dataset, Labels, Split, SplitName } from './dataset.js';

/** Splits that were looked through once. */
const sound = new WeakSet<object>();

/**
 * ERR_OPTION unless `value`, given to `where`, is a data set; ERR_DATA where there is something in it that no file could bring. Only the
 * splits that are used are opened.
 */
export function expectDataset(
  where: string,
  value: unknown,
  used: readonly SplitName[] = ['train', 'validation'],
): asserts value is Dataset {
  const expected = 'a data set, as `await loadDataset(name)` or `datasetFromArrays` gives it';
  expectArgument(where, 'dataset', value, 'imageShape', expected);
  asGiven(() => checkDataset(new StoredFields(where, 'dataset', value), used));
}

function checkDataset(fields: StoredFields, used: readonly SplitName[]): void {
  const size = { expected: 'whole numbers above 0', test: (one: number) => Number.isInteger(one) && one > 0 };
  const [channels, ...rest] = fields.numbers('imageShape', 3, size);
  const classes = fields.whole('classes', 2);
  fields.text('name');
  fields.texts('classNames', classes);
  fields.numbers('mean', channels);
  fields.numbers('std', channels, { expected: 'numbers from 0 on', test: (one) => one >= 0 });
  const text = fields.optional('text', (name) => fields.object(name));
  const pixels = text ? text.whole('length', 1) : rest.reduce((a, b) => a * b, channels);
  for (const name of used) {
    const split = fields.object(name);
    const { images, labels } = split.all();
    const arrays = [images, labels].every((array) => ArrayBuffer.isView(array) && 'length' in array);
    if (!arrays) throw damaged(fields.file, `${split.name} lacks images or labels, expected typed arrays`);
    checkSplit(split, images as Split['images'], labels as Labels, {
      pixels,
      classes,
      words: text?.texts('words').length,
    });
  }
}

function checkSplit(
  split: StoredFields,
  images: Split['images'],
  labels: Labels,
  { pixels, classes, words }: { pixels: number; classes: number; words?: number },
): void {
  const { file, name } = split;
  const count = split.whole('count', 0);
  if (labels.length !== count || images.length !== count * pixels)
    throw damaged(
      file,
      `${name} has ${labels.length} labels and ${images.length} pixels, expected ${count} and ${count * pixels}`,
    );
  const wrong = labels.findIndex((label) => !(label >= 0 && label < classes));
  if (wrong >= 0)
    throw damaged(
      file,
      `${name}.labels[${wrong}] is ${labels[wrong]}, expected a class from 0 to ${classes - 1}`,
    );
  if (sound.has(images)) return;
  if ((words !== undefined) !== images instanceof Uint32Array)
    throw damaged(
      file,
      `${name}.images is of type ${images.constructor.name}, expected ${words ? 'Uint32Array: the rows of words' : 'bytes or floats'}`,
    );
  if (images instanceof Uint8Array) return;
  const odd = images.findIndex((pixel) => !(words === undefined ? Number.isFinite(pixel) : pixel < words));
  if (odd >= 0)
    throw damaged(
      file,
      `${name}.images[${odd}] is ${images[odd]}, expected ${words === undefined ? 'finite numbers' : `rows of ${words} words`}`,
    );
  sound.add(images);
}
