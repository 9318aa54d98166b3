/** A data set for records, in which nothing is equal to anything else; and what some methods need beside one. */
import { type Dataset, datasetFromArrays, type Model, type NetworkOptions } from '../../src/index.js';
import { describeData } from '../../src/runs/describe-data.js';
import { Stream } from '../../src/util/random.js';
import { freshParameters } from './arrays.js';
import { smallExperts, writeExperts } from './experts.js';

/** Higher than wide. */
export const imageShape = [3, 6, 4] as const;
const [channels, height, width] = imageShape;
const plane = height * width;

/** Classes of different sizes, channels of different mean and deviation; a class is where an image is bright. */
function split(draw: number, counts: readonly number[]) {
  const noise = new Stream(23, draw);
  // The first of each class, then the second ...
  const labels = counts
    .flatMap((count, label) => Array.from({ length: count }, (_, i) => [i, label]))
    .sort(([a, k], [b, l]) => a - b || k - l)
    .map(([, label]) => label);
  const images = labels.flatMap((label, n) =>
    Array.from({ length: channels * plane }, (_, i) => {
      const [channel, row, column] = [Math.floor(i / plane), Math.floor((i % plane) / width), i % width];
      const bright = row === 2 * label + (n % 2) || column === label ? 0.14 : 0;
      const value = 0.2 + 0.15 * channel + bright + (0.08 + 0.03 * channel) * noise.normal(n * 100 + i);
      return Math.min(1, Math.max(0, value));
    }),
  );
  return { images: Float32Array.from(images), labels };
}

export function shapes(): Dataset {
  const made = datasetFromArrays({
    ...{ name: 'shapes', imageShape, classes: 3 },
    train: split(0, [19, 14, 23]),
    validation: split(1, [8, 12, 7]),
    test: split(2, [17, 11, 15]),
  });
  return { ...made, classNames: ['bar', 'disc', 'edge'] };
}

/** Small, smooth, and of two blocks, the first of which has an attention map. */
export const network = {
  name: 'custom',
  layers: [
    { conv: 3, kernel: 3, padding: 1 },
    { groupNorm: 3 },
    'tanh',
    { avgPool: 2 },
    { conv: 4, kernel: 3, padding: 1 },
    'tanh',
    { linear: 3 },
  ],
};

/** Experts of made numbers, on a data set of three classes. */
export const writeMadeExperts = (
  folder: string,
  data: Dataset,
  { name, layers }: Pick<NetworkOptions, 'name' | 'layers'>,
): void =>
  writeExperts(folder, 3, {
    ...smallExperts,
    networkOptions: { name, layers, inputShape: data.imageShape, classes: 3 },
    dataset: { ...describeData(data) },
  });

/** A smooth network with batch norm for a data set of three classes, trained by nobody. */
export function madeTeacher({ imageShape, mean, std, classNames, name }: Dataset): Model {
  const options = {
    name: 'custom',
    layers: [{ conv: 3, kernel: 3, padding: 1 }, 'batchNorm', 'tanh', { avgPool: 2 }, { linear: 3 }],
    ...{ inputShape: imageShape, classes: 3 },
  };
  return {
    network: options,
    parameters: freshParameters(options, 1),
    statistics: Float32Array.of(0.1, -0.2, 0.3, 0.5, 0.8, 1.2),
    loss: 'cross-entropy',
    classNames,
    normalisation: { mean, std },
    notes: { dataset: name, trainedOn: 'nothing', protocol: 'made numbers' },
  };
}
