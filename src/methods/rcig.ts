import * as reduce from '../engine/ops/reduce.js';
import { recordConvexifiedRegression } from '../train/convexified-regression.js';
import { copyInto } from '../train/groups.js';
import { streams } from '../train/streams.js';
import { fraction, positive, whole } from '../util/option.js';
import { augmentationOption } from './by-class.js';
import { labelsOfFeatures } from './centred-labels.js';
import { defineMethod } from './method.js';
import { initOption } from './networks.js';
import { onlinePool } from './online-pool.js';
import { checkUniformBatches, fixedImages, idleRates, images } from './options.js';
import { positiveVariable, recordPositive } from './rates.js';
import { beginRecorded } from './recorded.js';
import { schedule } from './schedule-option.js';
import { recordUniformBatch } from './uniform-batch.js';

const options = {
  images,
  init: initOption,
  batch: whole(1024, 'real images per outer step'),
  ridge: positive(
    1e-4,
    'added to the diagonal of the kernel of the distilled images, as a part of its mean; weight decay of the linear network',
  ),
  solverSteps: whole(
    20,
    'conjugate gradients for the optimum of the linear network, and as many for the gradient through it',
  ),
  mostImplicit: positive(
    1,
    'how long the gradient through that optimum may be, as a multiple of the one past it',
  ),
  lr: positive(3e-3, "Adam's rate for the images"),
  labelLr: positive(3e-3, "Adam's rate for the labels"),
  temperatureLr: positive(0.03, "Adam's rate for the temperature of predictions, which begins at 1"),
  fixedImages,
  schedule: schedule('constant', 'course of these rates'),
  beta1: fraction(0.9, "Adam's decay of the mean"),
  beta2: fraction(0.999, "Adam's decay of the square"),
  epsilon: positive(1e-8, "Adam's epsilon"),
  pool: whole(30, 'networks beside the run, one of which is drawn for every outer step'),
  onlineSteps: whole(100, 'training steps before a network is drawn anew'),
  poolSteps: whole(15, 'training steps after an outer step, at most: the number is drawn'),
  networkLr: positive(5e-5, 'rate of that training, by Adam on squared error'),
  augmentation: augmentationOption('none', 'of real images, by a draw for each'),
};

const temperature = 'rawTemperature';

/**
 * Convexified implicit gradients: the cross-entropy of real images under networks of a pool, each of which is linear around its parameters and
 * trained on the distilled images to its optimum, the last layer exactly. The gradient through that optimum is implicit. Both
 * systems are solved by conjugate gradients, where the authors' program makes as many steps of Adam; images, labels and temperature move by Adam in the place of
 * AdaBelief. The ridge is a part of the kernel's mean. The bonus for labels with a margin is left out, and so are the mirrored
 * distilled images beside the others. Networks are those of limbeck, with norm and rectifiers: the paper's have none, and a smooth bend.
 */
export const method = defineMethod({
  name: 'rcig',
  source: 'Loo, Hasani, Lechner, Rus: Dataset Distillation with Convexified Implicit Gradients, 2023',
  summary:
    'implicit gradients through networks made linear and trained to their optimum, with learned labels',
  options,
  defaults: {
    ...{ network: 'convnet', first: 'real', iterations: 10_000, average: 0.99 },
    ...{ validationNetworks: 2, networks: 5 },
  },
  presets: [],
  protocol: 'frepo',
  order: 'interleaved',

  complete: ({ iterations }, given) =>
    given('validateEvery') ? {} : { validateEvery: Math.ceil(iterations / 10) },

  idle: idleRates,

  check: checkUniformBatches,

  describe: ({ pool, onlineSteps, solverSteps, augmentation, fixedImages }) =>
    `${fixedImages ? 'labels alone, ' : ''}${solverSteps} conjugate gradients, a pool of ${pool} networks of up to ${onlineSteps} steps, augmentation ${augmentation}`,

  realImages: ({ batch }) => batch,

  begin(setting) {
    const { network, items, options: o } = setting;
    const { beta1, beta2, epsilon, schedule, ridge, solverSteps, mostImplicit } = o;
    const rule = (rate: number) => ({ kind: 'adam', rate, beta1, beta2, epsilon, schedule }) as const;
    const labels = labelsOfFeatures(items, rule(o.labelLr));

    return beginRecorded(setting, {
      name: 'convexified implicit gradients',
      itemRule: o.fixedImages ? undefined : rule(o.lr),
      variables: [labels, positiveVariable(temperature, [1], rule(o.temperatureLr))],

      record(r, { state, items: images, itemsBar, variables, loss }) {
        const { x, y } = recordUniformBatch(r, setting, state, o);
        const { values, backward } = recordPositive(r, variables, temperature);
        const regressed = recordConvexifiedRegression(r, {
          ...{ network, images, labels: variables.labels, temperature: values },
          ...{ ridge, solverSteps, mostImplicit },
          theta: r.external('theta', 1, [network.count]),
          real: { images: x, labels: y },
          mode: { random: { state, stream: streams.dropout } },
        });
        copyInto(r, regressed.images, itemsBar);
        reduce.members(r, { x: regressed.losses }, 1, { into: loss });
        return { labels: regressed.labels, ...backward(regressed.temperature) };
      },

      beside: (tensors, owned) => onlinePool(setting, o, tensors, owned),

      async result(learner, tensors) {
        const use = { kind: 'minibatches', protocol: o.protocol } as const;
        return learner.set(tensors, {
          method: 'rcig',
          labels: await learner.values(tensors, 'labels'),
          use,
        });
      },
    });
  },
});
