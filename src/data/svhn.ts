import { join } from 'node:path';
import { LimbeckError, shapeText } from '../util/errors.js';
import { assembleDataset, type SplitOptions } from './assemble.js';
import { readBytes } from './bytes.js';
import { FETCH_AGAIN, numberNames } from './classes.js';
import type { Dataset, Split } from './dataset.js';
import { parseMat } from './mat.js';

const FILES = { train: 'train_32x32.mat', test: 'test_32x32.mat' } as const;
const IMAGE_SHAPE = [3, 32, 32] as const;
const CLASSES = 10;

/** Whether a folder holds the cropped digits of SVHN, by the names in it. */
export const isSvhn = (names: readonly string[]): boolean => names.includes(FILES.train);

/**
 * Loads the cropped digits of SVHN: a folder with `train_32x32.mat` and `test_32x32.mat`. The files call the digit 0
 * class 10; here it is class 0.
 *
 * @throws ERR_FILE_MISSING; ERR_FILE_FORMAT; ERR_SHAPE or ERR_DATA when the arrays are not those of SVHN; ERR_OPTION
 */
export async function loadSvhn(
  folder: string,
  options: Omit<SplitOptions, 'classes'> = {},
): Promise<Dataset> {
  return assembleDataset(
    {
      name: 'svhn',
      path: folder,
      remedy: FETCH_AGAIN,
      imageShape: IMAGE_SHAPE,
      classNames: numberNames(CLASSES),
      train: await readSplit(join(folder, FILES.train)),
      test: await readSplit(join(folder, FILES.test)),
    },
    options,
  );
}

/** X is [32, 32, 3, N] and y [N, 1], first axis fastest: rows, then columns, colours, images. */
async function readSplit(path: string): Promise<Split> {
  const arrays = await parseMat(await readBytes(path), path);
  const [X, y] = [arrays.get('X'), arrays.get('y')];
  const count = X?.shape[3] ?? (X ? 1 : 0);
  if (
    !(X?.data instanceof Uint8Array) ||
    !y ||
    X.shape.slice(0, 3).join() !== '32,32,3' ||
    X.shape.length > 4 ||
    y.data.length !== count
  )
    throw new LimbeckError(
      'ERR_SHAPE',
      `${path} holds X ${shapeText(X?.shape ?? [])} and y ${shapeText(y?.shape ?? [])}, expected bytes of [32, 32, 3, N] and classes of [N, 1].`,
    );
  const images = new Uint8Array(X.data.length);
  for (let plane = 0; plane < images.length; plane += 1024)
    for (let row = 0; row < 32; row++)
      for (let column = 0; column < 32; column++)
        images[plane + row * 32 + column] = X.data[plane + column * 32 + row];
  const labels = Uint8Array.from(y.data, (label, i) => {
    if (Number.isInteger(label) && label >= 0 && label <= CLASSES) return label % CLASSES;
    throw new LimbeckError('ERR_DATA', `${path}: label ${i} is ${label}, expected 1 to 10.`);
  });
  return { images, labels, count };
}
