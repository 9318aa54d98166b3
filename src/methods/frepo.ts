import * as reduce from '../engine/ops/reduce.js';
import { copyInto } from '../train/groups.js';
import { recordKernelRegression } from '../train/kernel-regression.js';
import { streams } from '../train/streams.js';
import { fraction, positive, whole } from '../util/option.js';
import { augmentationOption } from './by-class.js';
import { labelsOfFeatures, recordCentred } from './centred-labels.js';
import { defineMethod } from './method.js';
import { initOption } from './networks.js';
import { onlinePool } from './online-pool.js';
import { checkUniformBatches, fixedImages, idleRates, images } from './options.js';
import { beginRecorded } from './recorded.js';
import { schedule } from './schedule-option.js';
import { recordUniformBatch } from './uniform-batch.js';

const options = {
  images,
  init: initOption,
  batch: whole(1024, 'real images per outer step'),
  ridge: positive(1e-6, 'added to the diagonal of the kernel of the distilled images, as a part of its mean'),
  lr: positive(3e-4, "LAMB's rate for the images"),
  labelLr: positive(3e-4, "LAMB's rate for the labels"),
  fixedImages,
  schedule: schedule('cosine', 'course of both rates'),
  beta1: fraction(0.9, "LAMB's decay of the mean"),
  beta2: fraction(0.999, "LAMB's decay of the square"),
  epsilon: positive(1e-6, "LAMB's epsilon"),
  pool: whole(10, 'networks beside the run, one of which is drawn for every outer step'),
  onlineSteps: whole(
    100,
    'training steps, one after each outer step that used it, before a network is drawn anew',
  ),
  networkLr: positive(3e-4, 'rate of that training, by Adam on squared error'),
  augmentation: augmentationOption('none', 'of real images, by a draw for each'),
};

/**
 * Neural feature regression: how well ridge regression on features of the distilled images predicts the labels of real ones, under
 * networks that are trained along on the distilled set; its labels are learned, too. The penalty on labels without a margin that the
 * authors' program has beside the squared error is left out, and so are the mirrored distilled images that it predicts with beside the others on
 * some data sets. Its cosine ends at a tenth of the rate, not at 0.
 */
export const method = defineMethod({
  name: 'frepo',
  source: 'Zhou, Nezhadarya, Ba: Dataset Distillation using Neural Feature Regression, 2022',
  summary: 'kernel regression on features of networks trained along, with learned labels',
  options,
  defaults: { network: 'convnet', first: 'real', iterations: 20_000, validationNetworks: 2, networks: 5 },
  presets: [],
  protocol: 'frepo',
  order: 'interleaved',

  complete: ({ iterations }, given) =>
    given('validateEvery') ? {} : { validateEvery: Math.ceil(iterations / 10) },

  idle: idleRates,

  check: checkUniformBatches,

  describe: ({ pool, onlineSteps, augmentation, fixedImages }) =>
    `${fixedImages ? 'labels alone, ' : ''}a pool of ${pool} networks of up to ${onlineSteps} steps, augmentation ${augmentation}`,

  realImages: ({ batch }) => batch,

  begin(setting) {
    const { network, items, options: o } = setting;
    const { beta1, beta2, epsilon, schedule, ridge } = o;
    const rule = (rate: number) => ({ kind: 'lamb', rate, beta1, beta2, epsilon, schedule }) as const;
    const labels = labelsOfFeatures(items, rule(o.labelLr));

    return beginRecorded(setting, {
      name: 'neural feature regression',
      itemRule: o.fixedImages ? undefined : rule(o.lr),
      variables: [labels],

      record(r, { state, items: images, itemsBar, variables, loss }) {
        const { x, y } = recordUniformBatch(r, setting, state, o);
        const regressed = recordKernelRegression(r, {
          ...{ network, images, labels: variables.labels, ridge },
          theta: r.external('theta', 1, [network.count]),
          real: { images: x, labels: recordCentred(r, y) },
          mode: { random: { state, stream: streams.dropout } },
        });
        copyInto(r, regressed.images, itemsBar);
        reduce.members(r, { x: regressed.losses }, 1, { into: loss });
        return { labels: regressed.labels };
      },

      beside: (tensors, owned) => onlinePool(setting, o, tensors, owned),

      async result(learner, tensors) {
        const use = { kind: 'minibatches', protocol: o.protocol } as const;
        return learner.set(tensors, {
          method: 'frepo',
          labels: await learner.values(tensors, 'labels'),
          use,
        });
      },
    });
  },
});
