import { trajectoryGradients } from '../train/trajectory-matching.js';
import { LimbeckError } from '../util/errors.js';
import { fraction, notNegative, oneOf, positive, text, whole } from '../util/option.js';
import { counted } from '../util/words.js';
import { augmentationOption } from './by-class.js';
import { cifar10, digitSets } from './datasets.js';
import { keepOption } from './inner-options.js';
import { defineMethod } from './method.js';
import { checkUniformBatches } from './options.js';
import { beginTrajectories } from './trajectories.js';

export const options = {
  experts: text<string>(
    '',
    'folder of experts that limbeck experts trained; needed',
    (given) => (typeof given === 'string' ? undefined : 'the path of a folder'),
    { value: 'DIR' },
  ),
  population: whole(1, 'experts per outer step'),
  innerSteps: whole(30, 'steps of training on the distilled images'),
  expertEpochs: whole(2, 'epochs of the expert between start and target'),
  minStart: whole(0, 'first epoch of an expert to start at', { least: 0 }),
  maxStart: whole(20, 'starts are drawn from epochs below this'),
  trajectory: oneOf(
    ['expert', 'line'],
    'expert',
    'snapshots of an expert, or points between its first and its last',
  ),
  masked: fraction(0, 'part of the parameters, counted from the first layer, that is not matched'),
  innerBatch: whole(0, 'distilled images per inner step, at most; 0 for all', { least: 0 }),
  augmentation: augmentationOption('dsa', 'of distilled images in inner steps, every image by its own draw'),
  gradient: oneOf(
    trajectoryGradients,
    'exact',
    'tesla takes the gradients of later inner steps for constants',
  ),
  lr: positive(100, 'rate of the images, by SGD with momentum'),
  imageMomentum: fraction(0.5, 'its momentum, and that of the inner rate'),
  networkLr: positive(0.01, 'first inner rate'),
  rateLr: notNegative(
    1e-5,
    "rate at which the inner rate is learned, as plain SGD's at its first value; 0 keeps the inner rate fixed",
  ),
  keep: keepOption,
};

/**
 * Matching training trajectories: networks start at a snapshot of an expert, train on the distilled images, and should end where the
 * expert was some epochs of real data later. Exact gradients through all inner steps; one learned inner rate, which stays above 0.
 */
export const method = defineMethod({
  name: 'mtt',
  source: 'Cazenavette et al.: Dataset Distillation by Matching Training Trajectories, 2022',
  summary: 'training on distilled images ends where experts of real data do',
  options,
  defaults: { network: 'convnet', first: 'real', iterations: 5000, validationNetworks: 2 },
  presets: [
    { datasets: digitSets, own: true, options: { augmentation: 'dsa-digits', protocol: 'mtt-digits' } },
    { datasets: cifar10, ipc: 1, options: { innerSteps: 50, maxStart: 2, rateLr: 1e-7 } },
    { datasets: cifar10, ipc: 10, options: { networkLr: 0.001 } },
    {
      datasets: cifar10,
      ipc: 50,
      options: { maxStart: 40, lr: 1000, networkLr: 0.001, protocol: 'mtt-no-zca' },
    },
  ],
  protocol: 'mtt',
  order: 'by-class',

  complete: ({ iterations }, given) =>
    given('validateEvery') ? {} : { validateEvery: Math.ceil(iterations / 10) },

  check({ experts, minStart, maxStart, iterations, innerSteps, innerBatch }) {
    if (!experts)
      throw new LimbeckError(
        'ERR_OPTION',
        'experts is missing, expected the folder of experts that limbeck experts --out made for this data and network',
      );
    if (minStart >= maxStart)
      throw new LimbeckError(
        'ERR_OPTION',
        `minStart is ${minStart} and maxStart is ${maxStart}, expected a start below the end`,
      );
    checkUniformBatches(
      { iterations: iterations * innerSteps, batch: innerBatch },
      'iterations x innerSteps x innerBatch',
    );
  },

  describe({ innerSteps, expertEpochs, minStart, maxStart, gradient, population, augmentation }) {
    const several = population > 1 ? `${counted(population, 'expert')} at once, ` : '';
    return (
      `${several}${gradient} gradients through ${counted(innerSteps, 'step')} to match ${counted(expertEpochs, 'epoch')} of an expert, ` +
      `starting at one of its epochs ${minStart} to ${maxStart - 1}, augmentation ${augmentation}`
    );
  },

  realImages: () => 0,

  begin: (setting) => beginTrajectories('mtt', setting, setting.options),
});
