import type { MinibatchTraining } from '../train/minibatch.js';
import type { Protocol } from './protocol.js';

/**
 * SGD as the program of DC and everyone after it trains on a distilled set. Asked for 300 epochs it makes 301, the last 149 of
 * them at a tenth of the rate, by a new optimiser.
 */
const sgd: MinibatchTraining = {
  optimizer: { kind: 'momentum', momentum: 0.9, weightDecay: 5e-4 },
  loss: 'cross-entropy',
  batch: 256,
  epochs: 301,
  schedule: { kind: 'halfway', factor: 0.1 },
  restart: true,
};
const longer: MinibatchTraining = { ...sgd, epochs: 1001 };
/** As the configurations of DATM have it. */
const datm: MinibatchTraining = { ...longer, batch: 128 };

/** Adam on all images together, as the inner training of RaT, for as many steps as its whole unroll has with CIFAR-10. */
const rat: MinibatchTraining = {
  optimizer: { kind: 'adam' },
  loss: 'cross-entropy',
  batch: 5000,
  epochs: 200,
  schedule: { kind: 'constant' },
};

/** Adam on squared error, at a rate that ends at zero. */
const frepo = {
  training: {
    optimizer: { kind: 'adam' },
    loss: 'squared-error',
    batch: 500,
    epochs: 1000,
    schedule: { kind: 'cosine' },
  },
  learningRate: 3e-4,
  labels: 'stored',
  networks: 5,
} as const;

/** Kernel ridge regression on the images, in the place of training. */
const regression = {
  training: 'none',
  learningRate: 'none',
  labels: 'stored',
  initialisation: undefined,
  ridge: 1e-6,
  networks: 5,
} as const;

/** Decoupled methods; their programs crop, mirror and mix the images as well, and ask the teacher again for every batch. */
const softLabels: MinibatchTraining = {
  optimizer: { kind: 'adamw', weightDecay: 0.01 },
  loss: 'cross-entropy',
  batch: 50,
  epochs: 300,
  schedule: { kind: 'cosine' },
};

const common = {
  learningRate: 0.01,
  labels: 'hard',
  initialisation: 'pytorch',
  augmentation: 'none',
  preprocessing: 'none',
  networks: 20,
} as const;

/** Protocols by name, the default first; numbers are only comparable within one. */
export const protocols: readonly Protocol[] = [
  {
    ...common,
    name: 'learned-steps',
    source: 'Wang et al. 2018',
    training: 'learned-steps',
    learningRate: 'learned',
    labels: 'stored',
    initialisation: undefined,
  },
  { ...common, name: 'dc', source: 'Zhao et al. 2021 (DC)', training: sgd },
  {
    ...common,
    name: 'dc-mnist',
    source: 'Zhao et al. 2021 (DC), digits',
    training: longer,
    augmentation: 'dc-mnist',
  },
  { ...common, name: 'dsa', source: 'Zhao & Bilen 2021 (DSA)', training: longer, augmentation: 'dsa' },
  {
    ...common,
    name: 'dsa-digits',
    source: 'Zhao & Bilen 2021 (DSA), digits: nothing is mirrored',
    training: longer,
    augmentation: 'dsa-digits',
  },
  { ...common, name: 'dm-texts', source: 'as dm, texts: nothing is augmented', training: longer },
  { ...common, name: 'dm', source: 'Zhao & Bilen 2023 (DM)', training: longer, augmentation: 'dsa' },
  {
    ...common,
    name: 'mtt',
    source: 'Cazenavette et al. 2022 (MTT); the last accuracy, not the best on the test split',
    training: longer,
    learningRate: 'learned',
    augmentation: 'dsa',
    preprocessing: 'zca',
    networks: 5,
  },
  {
    ...common,
    name: 'mtt-no-zca',
    source: 'Cazenavette et al. 2022 (MTT), its rows without whitening',
    training: longer,
    learningRate: 'learned',
    augmentation: 'dsa',
    networks: 5,
  },
  {
    ...common,
    name: 'mtt-digits',
    source: 'as mtt-no-zca, digits: nothing is mirrored',
    training: longer,
    learningRate: 'learned',
    augmentation: 'dsa-digits',
    networks: 5,
  },
  {
    ...common,
    name: 'mtt-texts',
    source: 'as mtt-no-zca, texts: nothing is augmented',
    training: longer,
    learningRate: 'learned',
    networks: 5,
  },
  {
    ...common,
    name: 'tesla',
    source: 'Cui et al. 2023 (TESLA)',
    training: longer,
    learningRate: 'learned',
    labels: 'stored',
    augmentation: 'dsa',
    preprocessing: 'zca',
    networks: 5,
  },
  {
    ...common,
    name: 'datm',
    source: 'Guo et al. 2024 (DATM); the last accuracy, not the best on the test split',
    training: datm,
    learningRate: 'learned',
    labels: 'stored',
    augmentation: 'dsa',
    preprocessing: 'zca',
    networks: 5,
  },
  {
    ...common,
    name: 'datm-digits',
    source: 'as datm, digits: neither whitened nor mirrored',
    training: datm,
    learningRate: 'learned',
    labels: 'stored',
    augmentation: 'dsa-digits',
    networks: 5,
  },
  {
    ...common,
    name: 'full-batch',
    source: 'Yang et al. 2024 (What is Dataset Distillation Learning?)',
    training: {
      optimizer: { kind: 'momentum', momentum: 0.9 },
      loss: 'cross-entropy',
      batch: 1_000_000,
      epochs: 300,
      schedule: { kind: 'constant' },
    },
    labels: 'stored',
    networks: 5,
  },
  {
    ...common,
    name: 'datm-texts',
    source: 'as datm, texts: nothing is augmented or whitened',
    training: datm,
    learningRate: 'learned',
    labels: 'stored',
    networks: 5,
  },
  {
    ...common,
    name: 'rat',
    source:
      'after Feng et al. 2024 (RaT-BPTT): 200 steps, where their program takes the best on the test split of 300, 600, 1,000 and 3,000',
    training: rat,
    learningRate: 1e-3,
    labels: 'stored',
    initialisation: undefined,
    augmentation: 'flip_rotate',
    networks: 8,
  },
  {
    ...common,
    name: 'rat-digits',
    source: 'as rat, digits: nothing is augmented',
    training: rat,
    learningRate: 1e-3,
    labels: 'stored',
    initialisation: undefined,
    networks: 8,
  },
  {
    ...common,
    ...frepo,
    name: 'frepo',
    source:
      'after Zhou et al. 2022 (FRePo), without augmentation, warm-up, weight decay (0.0003) and more steps for more images (to 40,000)',
  },
  {
    ...common,
    ...frepo,
    name: 'frepo-regression',
    source: 'as frepo, then by kernel regression on the features',
    ridge: 1e-6,
  },
  {
    ...common,
    ...regression,
    name: 'kip-regression',
    source: 'Nguyen et al. 2021 (KIP): the tangent kernel of infinitely wide networks',
    kernel: 'ntk',
  },
  {
    ...common,
    ...regression,
    name: 'kip-regression-nngp',
    source: 'as kip-regression, with the kernel of random networks',
    kernel: 'nngp',
  },
  {
    ...common,
    name: 'soft-labels',
    source:
      'after Yin et al. 2023 (SRe2L) and Sun et al. 2024 (RDED): one label for each image, nothing is augmented',
    training: softLabels,
    learningRate: 1e-3,
    labels: 'stored',
    networks: 5,
  },
];
