import { distances } from '../train/gradient-matching.js';
import { fraction, oneOf, positive, whole } from '../util/option.js';
import { augmentationOption } from './by-class.js';
import { beginMatching } from './matching.js';
import { defineMethod } from './method.js';
import { initOption } from './networks.js';

export const options = {
  init: initOption,
  batch: whole(256, 'real images of each class per outer step'),
  lr: positive(0.1, 'rate of the images, by SGD with momentum'),
  imageMomentum: fraction(0.5, 'its momentum'),
  distance: oneOf(distances, 'rows', 'of gradients; rows is that of the paper'),
  augmentation: augmentationOption('none', 'of real and distilled images, by one draw for each class'),
  outerLoop: whole(1, 'outer steps that one network is for', { fallback: 'as ipc' }),
  innerLoop: whole(1, 'epochs of its training on the distilled images between two of them', {
    fallback: '1 for one image per class, else as published: 500 / ipc',
  }),
  networkLr: positive(0.01, 'rate of that training, by SGD'),
};

/** Epochs between outer steps by images per class, where the published ones are not 500 / ipc. */
const published: Readonly<Record<number, number>> = { 1: 1, 30: 20, 40: 15 };

/** Networks that a published run draws. */
const networks = 1000;

/**
 * Gradient matching: the distance between the gradients of the loss on real and on distilled images, class by class, under
 * networks that are drawn afresh and trained along on the distilled images.
 */
export const method = defineMethod({
  name: 'dc',
  source: 'Zhao, Mopuri, Bilen: Dataset Condensation with Gradient Matching, 2021',
  summary: 'gradients of the loss on real and distilled images, class by class',
  options,
  defaults: { network: 'convnet', imageScale: 1, validationNetworks: 2 },
  presets: [
    { datasets: ['mnist'], options: { protocol: 'dc-mnist' } },
    // The authors' program augments MNIST alone. These are grey digits as well; SVHN is not.
    { datasets: ['digits', 'usps'], own: true, options: { protocol: 'dc-mnist' } },
  ],
  protocol: 'dc',
  order: 'by-class',

  complete({ ipc, ...o }, given) {
    const outerLoop = given('outerLoop') ? o.outerLoop : ipc;
    const innerLoop = given('innerLoop')
      ? o.innerLoop
      : (published[ipc] ?? Math.max(1, Math.round(500 / ipc)));
    const iterations = given('iterations') ? o.iterations : networks * outerLoop;
    const validateEvery = given('validateEvery') ? o.validateEvery : Math.ceil(iterations / 10);
    return { outerLoop, innerLoop, iterations, validateEvery };
  },

  describe: ({ distance, outerLoop, innerLoop, augmentation }) =>
    `distance ${distance}, a network for ${outerLoop} outer step${outerLoop > 1 ? `s, ${innerLoop} epochs between them` : ''}, ` +
    `augmentation ${augmentation}`,

  realImages: ({ batch }, classes) => batch * classes,

  begin: (setting) => beginMatching('dc', setting, setting.options),
});
