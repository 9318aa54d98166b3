/**
 * Data sets of a few made images whose splits can be told apart, and small runs on them. What these tests know of options
 * and of what a run gives back stands here and nowhere else.
 */
import {
  type Dataset,
  type Device,
  type DistilledSet,
  type DistillOptions,
  datasetFromArrays,
  type Split,
} from '../../src/index.js';
import { Stream } from '../../src/util/random.js';

export const imageShape = [1, 2, 3] as const;
const pixels = 6;

/** A network whose 41 parameters no other tensor of these runs has, nor a multiple of them. */
export const smallNetwork = { name: 'mlp', width: 3 };
export const parameterCount = 41;

/** `count` images of two classes in turn that differ in their mean, by less than their noise. */
function images(count: number, draw: number): { images: Float32Array; labels: Uint8Array } {
  const noise = new Stream(17, draw);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 2);
  const value = (i: number) => {
    const sign = labels[Math.floor(i / pixels)] ? 1 : -1;
    return sign * (i % 3 === 0 ? 0.9 : -0.6) + noise.normal(i);
  };
  return { images: Float32Array.from({ length: count * pixels }, (_, i) => value(i)), labels };
}

/** Two classes; no count of images or pixels is a multiple of `parameterCount`. */
export const twoClasses = (): Dataset =>
  datasetFromArrays({
    name: 'two classes',
    imageShape,
    classes: 2,
    train: images(30, 0),
    validation: images(20, 1),
    test: images(24, 2),
  });

/** The same training images; of the validation images half are right, whatever a network answers. */
export const halfRight = (): Dataset =>
  datasetFromArrays({
    name: 'half right',
    imageShape,
    classes: 2,
    train: images(30, 0),
    validation: { images: new Float32Array(12).fill(0.5), labels: [0, 1] },
  });

export type SplitName = 'train' | 'validation' | 'test';

/** The same data with the labels of one split the other way round: whoever was right there is wrong now. */
export function opposite(data: Dataset, name: SplitName): Dataset {
  const split = data[name];
  return { ...data, [name]: { ...split, labels: split.labels.map((label) => 1 - label) } };
}

/** The same data; `opened` is called before a split is handed out. */
export function watched(data: Dataset, opened: (name: SplitName) => void): Dataset {
  const getter = (name: SplitName) => ({
    enumerable: true,
    get(): Split {
      opened(name);
      return data[name];
    },
  });
  return Object.defineProperties(
    { ...data },
    { train: getter('train'), validation: getter('validation'), test: getter('test') },
  );
}

/** A run of eight outer steps whose rates do not fall, so that a shorter one is its beginning. */
export const shortRun: DistillOptions = {
  network: smallNetwork,
  steps: 1,
  epochs: 2,
  ipc: 1,
  labels: 'soft',
  innerLr: 0.3,
  lr: 0.2,
  schedule: { kind: 'constant' },
  iterations: 8,
  batch: 8,
  validateEvery: 1,
  networks: 3,
};

/** The optimiser of ordinary training without momentum or weight decay. */
export const plainSgd = { kind: 'sgd' } as const;

/** The learned numbers of a set: images, labels and inner learning rates. */
export const learnedOf = ({ images, labels, use }: DistilledSet) => ({
  images: [...images],
  labels: [...labels],
  learningRates: use.kind === 'learned-steps' ? [...use.learningRates] : [],
});

/** The networks that a set was made for; none where it was made for any. */
export const parametersOf = ({ use }: DistilledSet) =>
  use.kind === 'learned-steps' ? use.initialParameters : undefined;

/** What a device was asked for, in order. */
export type Asked =
  /** A split's images came onto the device. */
  | { readonly what: 'upload'; readonly split: SplitName }
  /** A program with that split bound ran, last after these networks had been written. */
  | { readonly what: 'run'; readonly split: SplitName; readonly networks: readonly string[] };

/**
 * Notes which splits reach a device, and which networks are scored on them: those whose parameters were the last to be written
 * before a program ran that has the split's images bound. Changes the device itself.
 */
export function watchDevice(device: Device, data: Dataset, count = parameterCount): Asked[] {
  const log: Asked[] = [];
  const splits = new Map<unknown, SplitName>();
  let networks: readonly string[] = [];
  const wrote = (values?: ArrayLike<number>) => {
    if (!values?.length || values.length % count) return;
    const all = Array.from(values);
    // Of the size of parameters and all zero: an optimiser's velocity before its first step.
    if (all.every((value) => value === 0)) return;
    networks = Array.from({ length: all.length / count }, (_, p) =>
      all.slice(p * count, (p + 1) * count).join(),
    );
  };
  const isSplit = (name: SplitName, values?: ArrayLike<number>) =>
    values?.length === data[name].images.length && data[name].images.every((value, i) => values[i] === value);

  const { tensor, load } = device;
  device.tensor = async (dtype, length, values) => {
    const made = await tensor.call(device, dtype, length, values);
    wrote(values);
    for (const split of ['train', 'validation', 'test'] as const)
      if (isSplit(split, values)) {
        splits.set(made, split);
        log.push({ what: 'upload', split });
      }
    const { write } = made;
    made.write = (...written) => {
      wrote(written[0]);
      return write.apply(made, written);
    };
    return made;
  };
  device.load = async (program, bindings) => {
    const executable = await load.call(device, program, bindings);
    const bound = Object.values(bindings).flatMap((one) => splits.get(one) ?? []);
    const { run } = executable;
    executable.run = (options) => {
      for (const split of bound) log.push({ what: 'run', split, networks });
      return run.call(executable, options);
    };
    return executable;
  };
  return log;
}

/** The networks that were scored on a split, each once. */
export const networksOn = (log: readonly Asked[], split: SplitName): Set<string> =>
  new Set(log.flatMap((one) => (one.what === 'run' && one.split === split ? one.networks : [])));
