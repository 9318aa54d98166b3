import { isAdam } from '../train/training.js';
import { LimbeckError } from '../util/errors.js';
import { fraction, notNegative, oneOf, positive, type ValuesOf, whole } from '../util/option.js';
import { augmentationOption } from './by-class.js';
import { cifar10, cifar100, digitSets } from './datasets.js';
import { checkFirstLabels, firstLabelsOption } from './first-labels.js';
import { idleConstants, innerOptions, innerTraining, keepOption } from './inner-options.js';
import { defineMethod } from './method.js';
import { initOption } from './networks.js';
import { checkUniformBatches, idleRates, images } from './options.js';
import { schedule } from './schedule-option.js';
import { RandomStarts } from './starts.js';
import { beginTruncated } from './truncated.js';
import type { TruncatedRules } from './window.js';

export const options = {
  init: initOption,
  window: whole(20, 'inner steps that are differentiated', {
    fallback: '20; 10 for several images a class; at most total',
  }),
  total: whole(60, 'inner steps of a whole training; the window begins anywhere in it that it fits'),
  pool: whole(
    4,
    'networks that are kept, each window going on from the one before; 0 for new ones in every outer step',
    {
      least: 0,
    },
  ),
  population: whole(1, 'networks per outer step'),
  images,
  labels: oneOf(['hard', 'soft'], 'hard', 'labels fixed, or learned with the images'),
  firstLabels: firstLabelsOption,
  batch: whole(256, 'real images per outer step'),
  innerBatch: whole(0, 'distilled images per inner step, at most; 0 for all', { least: 0 }),
  augmentation: augmentationOption(
    'flip_rotate',
    'of real images and of those of every inner step, each image by its own draw',
  ),
  lr: positive(0.05, "outer Adam's rate for the images"),
  labelLr: positive(0.001, "outer Adam's rate for soft labels"),
  networkLr: positive(0.001, 'rate of the inner steps', {
    fallback: '0.001; 0.01 for sgd, momentum and nesterov',
  }),
  ...innerOptions('adam'),
  beta1: fraction(0.9, "outer Adam's decay of the mean"),
  beta2: fraction(0.999, "outer Adam's decay of the square"),
  epsilon: positive(1e-8, "outer Adam's epsilon"),
  schedule: schedule('cosine', 'course of the outer rates'),
  clipFactor: notNegative(
    2,
    'largest norm of a meta-gradient, as a multiple of the moving average of those before; 0 for no limit',
  ),
  keep: keepOption,
};

/**
 * What the published runs share, for a GPU and days: 60,000 epochs of ten outer steps, from noise of about length 1 an image, on whitened
 * images. The defaults are for two processor cores and an hour: shorter windows, fewer real
 * images, a rate that falls from 0.05 to 0 instead of a constant 0.001.
 */
export const published = {
  ...{ batch: 5000, iterations: 600_000, lr: 0.001 },
  ...{ first: 'noise', imageScale: 0.018 },
  schedule: { kind: 'constant' },
} as const;

/** Decay of the moving average of norms. */
const normDecay = 0.9;

/** The inner training, and how images and labels move. */
export function rulesOf(o: Omit<ValuesOf<typeof options>, 'pool'>): TruncatedRules {
  const { beta1, beta2, epsilon, schedule } = o;
  const clip = o.clipFactor > 0 ? { factor: o.clipFactor, decay: normDecay } : undefined;
  const rule = (rate: number) => ({ kind: 'adam', rate, beta1, beta2, epsilon, schedule, clip }) as const;
  return {
    training: innerTraining(o),
    items: rule(o.lr),
    labels: o.labels === 'soft' ? rule(o.labelLr) : undefined,
  };
}

/**
 * Unrolled training with random truncation: the loss on real images after a window of a longer training on the distilled images, which
 * begins anywhere in it with equal probability, differentiated through the window exactly.
 */
export const method = defineMethod({
  name: 'rat',
  source: 'Feng, Vedantam, Kempe: Embarrassingly Simple Dataset Distillation, 2024 (RaT-BPTT)',
  summary: 'exact gradients through a window of training that begins at random',
  options,
  defaults: { network: 'convnet', first: 'real', imageScale: 1, iterations: 3000, validationNetworks: 2 },
  presets: [
    { datasets: digitSets, own: true, options: { augmentation: 'none', protocol: 'rat-digits' } },
    {
      datasets: cifar10,
      ipc: 10,
      whitened: true,
      options: { ...published, pool: 0, window: 60, total: 200 },
    },
    {
      datasets: cifar100,
      ipc: 10,
      whitened: true,
      options: { ...published, pool: 0, window: 100, total: 300, labels: 'soft' },
    },
  ],
  protocol: 'rat',
  order: 'interleaved',

  complete: ({ ipc, total, iterations, optimizer }, given) => ({
    ...(given('window') ? {} : { window: Math.min(total, ipc > 1 ? 10 : 20) }),
    ...(given('validateEvery') ? {} : { validateEvery: Math.ceil(iterations / 20) }),
    ...(given('networkLr') || isAdam(optimizer) ? {} : { networkLr: 0.01 }),
  }),

  idle: (o) => ({ ...idleConstants(o), ...idleRates(o) }),

  check({ window, total, iterations, batch, ...o }) {
    checkFirstLabels(o);
    if (window > total)
      throw new LimbeckError(
        'ERR_OPTION',
        `window is ${window} and total is ${total}: a window is a part of the whole training, so expected a total of at least ${window}`,
      );
    checkUniformBatches({ iterations, batch });
  },

  describe: ({ window, total, optimizer, labels, augmentation }) =>
    `${labels} labels, windows of ${window} of ${total} steps of ${optimizer}, augmentation ${augmentation}`,

  realImages: ({ batch }) => batch,

  begin: (setting) =>
    beginTruncated(
      'rat',
      setting,
      setting.options,
      rulesOf(setting.options),
      new RandomStarts(setting.options.seed, setting.options),
    ),
});
