import * as reduce from '../engine/ops/reduce.js';
import { recordDistributionMatching } from '../train/distribution-matching.js';
import { streams } from '../train/streams.js';
import { fraction, positive, whole } from '../util/option.js';
import { augmentationOption, recordClassBatches } from './by-class.js';
import { dsaDigits } from './datasets.js';
import { defineMethod } from './method.js';
import { initOption, recordNetworks } from './networks.js';
import { beginRecorded } from './recorded.js';

const options = {
  init: initOption,
  batch: whole(256, 'real images of each class per outer step'),
  lr: positive(1, 'rate of the images, by SGD with momentum'),
  imageMomentum: fraction(0.5, 'its momentum'),
  augmentation: augmentationOption('dsa', 'of real and distilled images, by one draw for each class'),
};

/**
 * Distribution matching: the squared distance between mean features of real and of distilled images, class by class, under
 * a network that is drawn afresh in every outer step and never trained.
 */
export const method = defineMethod({
  name: 'dm',
  source: 'Zhao, Bilen: Dataset Condensation with Distribution Matching, 2023',
  summary: 'mean features of fresh networks, class by class',
  options,
  defaults: { network: 'convnet', first: 'real', iterations: 20_000, validationNetworks: 2 },
  presets: dsaDigits,
  protocol: 'dm',
  order: 'by-class',

  complete: ({ iterations, ipc }, given) => ({
    ...(given('validateEvery') ? {} : { validateEvery: Math.ceil(iterations / 10) }),
    // The published rate is for less than 100 images per class, ten times that from there on.
    ...(given('lr') || ipc < 100 ? {} : { lr: 10 }),
  }),

  describe: ({ augmentation }) => `fresh networks, augmentation ${augmentation}`,

  realImages: ({ batch }, classes) => batch * classes,

  begin(setting) {
    const { network, options: o } = setting;
    return beginRecorded(setting, {
      name: 'distribution matching',
      itemRule: { kind: 'momentum', rate: o.lr, momentum: o.imageMomentum },

      record(r, step) {
        const { state, loss } = step;
        const theta = r.temporary('theta', 1, [network.count]);
        recordNetworks(r, setting, state, theta);
        const { images, real, backward } = recordClassBatches(r, setting, step, o);
        const mode = { random: { state, stream: streams.dropout } };
        const matched = recordDistributionMatching(r, {
          network,
          theta,
          images,
          real,
          mode,
        });
        backward(matched.images);
        reduce.members(r, { x: matched.distances }, 1, { into: loss });
        return {};
      },

      result: (learner, tensors) => learner.trainingSet(tensors, 'dm', o.protocol),
    });
  },
});
