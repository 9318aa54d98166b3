import { LimbeckError } from '../util/errors.js';
import { fraction, notNegative, whole } from '../util/option.js';
import { counted } from '../util/words.js';
import { alignedFirst } from './aligned-first.js';
import { cifar10, cifar100, digitSets } from './datasets.js';
import { openedExperts } from './expert-choice.js';
import { defineMethod } from './method.js';
import { method as mtt, options as ofMtt } from './mtt.js';
import { beginTrajectories } from './trajectories.js';

const options = {
  ...ofMtt,
  innerSteps: whole(80, 'steps of training on the distilled images'),
  firstMaxStart: whole(10, 'what maxStart is in the first outer step', {
    fallback: 'half of maxStart, above minStart',
  }),
  widenSteps: whole(1000, 'outer steps in which it rises from there to maxStart', {
    fallback: 'a tenth of iterations',
  }),
  innerBatch: whole(1000, 'distilled images per inner step, at most'),
  labelLr: notNegative(2, 'rate of the logits of the labels, by SGD with momentum; 0 keeps the labels'),
  labelMomentum: fraction(0.9, 'its momentum'),
  mostLoss: notNegative(1, 'outer steps with a larger loss have a gradient of 0; 0 for no limit'),
};

/** Decay of the running average of a run of 10,000 outer steps: its memory is a fifth of the run. */
const averageFor = (iterations: number) => Math.max(0, 1 - 5 / iterations);

/**
 * Difficulty-aligned trajectory matching: as `mtt`, with labels that are learned. They begin as the logits that an expert gives the
 * first images, real ones that it classifies correctly. Starts are drawn from early epochs first, of which more are let in as the run goes
 * on; the result is a running average.
 */
export const method = defineMethod<'datm', typeof options>({
  ...mtt,
  name: 'datm',
  source:
    'Guo et al.: Towards Lossless Dataset Distillation via Difficulty-Aligned Trajectory Matching, 2024',
  summary: 'as mtt, with learned labels, starts that are let in by and by, and a running average',
  options,
  defaults: { ...mtt.defaults, iterations: 10_000, average: averageFor(10_000) },
  presets: [
    { datasets: digitSets, own: true, options: { augmentation: 'dsa-digits', protocol: 'datm-digits' } },
    {
      datasets: cifar10,
      ipc: 1,
      options: {
        ...{ maxStart: 4, firstMaxStart: 4, rateLr: 1e-7, labelLr: 5, mostLoss: 1.1, average: 0.995 },
      },
    },
    { datasets: cifar10, ipc: 10, options: { maxStart: 20, firstMaxStart: 10 } },
    {
      datasets: cifar10,
      ipc: 50,
      options: { maxStart: 40, firstMaxStart: 20, widenSteps: 2000, lr: 1000, average: 0.995 },
    },
    {
      datasets: cifar10,
      ipc: 500,
      options: {
        ...{ innerSteps: 40, minStart: 40, maxStart: 60, firstMaxStart: 60, lr: 50, labelLr: 10 },
        average: 0.995,
      },
    },
    {
      datasets: cifar100,
      ipc: 1,
      options: {
        ...{ innerSteps: 40, expertEpochs: 3, maxStart: 30, firstMaxStart: 20, lr: 1000, labelLr: 10 },
      },
    },
    {
      datasets: cifar100,
      ipc: 10,
      options: { maxStart: 50, firstMaxStart: 30, widenSteps: 2000, lr: 1000, labelLr: 10 },
    },
    {
      datasets: cifar100,
      ipc: 50,
      options: { minStart: 20, maxStart: 70, firstMaxStart: 70, lr: 1000, labelLr: 10 },
    },
  ],
  protocol: 'datm',

  complete: (o, given) => ({
    ...mtt.complete?.(o, given as never),
    ...(given('firstMaxStart') ? {} : { firstMaxStart: Math.max(o.minStart + 1, Math.ceil(o.maxStart / 2)) }),
    ...(given('widenSteps') ? {} : { widenSteps: Math.ceil(o.iterations / 10) }),
    ...(given('average') ? {} : { average: averageFor(o.iterations) }),
  }),

  check(o) {
    mtt.check?.(o);
    const { first, minStart, firstMaxStart, maxStart } = o;
    if (firstMaxStart <= minStart || firstMaxStart > maxStart)
      throw new LimbeckError(
        'ERR_OPTION',
        `firstMaxStart is ${firstMaxStart}, expected a number above minStart, ${minStart}, up to maxStart, ${maxStart}`,
      );
    if (first === 'noise')
      throw new LimbeckError(
        'ERR_OPTION',
        'first is noise, of which an expert knows no class, and labels begin as what it says: expected real, or images of each class',
      );
  },

  describe: (o) =>
    `labels learned from an expert's, ${mtt.describe(o)}, the last of them after ${counted(o.widenSteps, 'outer step')}`,

  async begin(given) {
    const { setting, logits } = await alignedFirst(given, openedExperts(given, given.options));
    const { labelLr: rate, labelMomentum: momentum } = given.options;
    const update = { kind: 'momentum', rate, momentum } as const;
    return beginTrajectories('datm', setting, given.options, { first: logits, update });
  },
});
