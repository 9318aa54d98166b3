import * as elementwise from '../engine/ops/elementwise.js';
import * as random from '../engine/ops/random.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import { recordCharacteristicMatching } from '../train/characteristic-matching.js';
import { copyInto, type Groups, groupCount, inTurns } from '../train/groups.js';
import { lossOf } from '../train/loss.js';
import { streams } from '../train/streams.js';
import { LimbeckError } from '../util/errors.js';
import { fraction, notNegative, positive, whole } from '../util/option.js';
import { augmentationOption, labelsByClass, recordClassBatches } from './by-class.js';
import { digitSets, notMirrored } from './datasets.js';
import { oneHotLabels } from './items.js';
import type { Bars } from './learner.js';
import { defineMethod } from './method.js';
import { initOption, parseInit, recordNetworks } from './networks.js';
import { beginRecorded } from './recorded.js';
import { schedule } from './schedule-option.js';

const options = {
  init: initOption,
  batch: whole(1024, 'real images of each class per outer step'),
  frequencies: whole(4096, 'at which characteristic functions are compared, drawn anew in every outer step'),
  alpha: fraction(0.5, 'weight of the difference of amplitudes; that of phases has the rest'),
  frequencyLr: notNegative(
    0,
    'rate, by Adam, at which the scales of the frequencies grow along features where real and distilled images differ; 0: all stay 1',
  ),
  calibration: notNegative(
    0,
    'weight of the loss of the networks of --init pretrained:DIR on distilled images',
    {
      fallback: '1/300 with pretrained networks, else 0',
    },
  ),
  lr: positive(0.004, "Adam's rate for the images"),
  beta1: fraction(0.9, "Adam's decay of the mean"),
  beta2: fraction(0.999, "Adam's decay of the square"),
  epsilon: positive(1e-8, "Adam's epsilon"),
  schedule: schedule('constant', 'course of the rate of the images'),
  augmentation: augmentationOption(
    'color_crop_cutout',
    'of real and distilled images, by one draw for each class',
  ),
};

/** Records the loss of the networks on the images of every group, times a weight, `[1]`, and its gradient. */
function recordCalibration(r: Recorder, groups: Groups & { labels: View }, weight: number) {
  const { network, images } = groups;
  const scale = weight / images.shape[0];
  const results = {
    losses: r.temporary('losses', groupCount(groups), [1]),
    images: r.temporary('imagesBar', groupCount(groups), images.shape),
  };
  inTurns(r, groups, (r, { theta, images, labels, mode }, partOf) => {
    const passes = network.forward(r, images, theta, mode);
    const { losses, backward } = lossOf('cross-entropy').forward(r, passes.z, labels);
    reduce.sum(r, { x: losses() }, scale, { into: partOf(results.losses) });
    copyInto(r, passes.backward(backward(scale), { wantX: true })!, partOf(results.images));
  });
  return results;
}

/**
 * Matching of characteristic functions: how far those of real and of distilled features are apart, class by class, at frequencies from a
 * normal distribution, whose scales may be learned against the images.
 *
 * The paper's distribution is a mixture of normal ones whose scales a network makes of noise; its published settings leave the network
 * out. Here the scales are learned themselves: as many numbers as there are features, in the place of three square matrices of that
 * size. Trained networks are taken as they are, not mixed with what they began as.
 */
export const method = defineMethod({
  name: 'ncfm',
  source: 'Wang et al.: Dataset Distillation with Neural Characteristic Function: A Minmax Perspective, 2025',
  summary: 'characteristic functions of features, class by class',
  options,
  defaults: { network: 'convnet', first: 'real', iterations: 20_000, validationNetworks: 2 },
  presets: [{ datasets: digitSets, own: true, options: notMirrored }],
  protocol: 'dm',
  order: 'by-class',

  complete: ({ iterations, init }, given) => ({
    ...(given('validateEvery') ? {} : { validateEvery: Math.ceil(iterations / 10) }),
    ...(given('calibration') || !parseInit(init)?.folder ? {} : { calibration: 1 / 300 }),
  }),

  check({ calibration, init }) {
    if (calibration > 0 && !parseInit(init)?.folder)
      throw new LimbeckError(
        'ERR_OPTION',
        `calibration is ${calibration} and init is ${init}: fresh networks know no classes, expected calibration: 0, or init: pretrained:DIR`,
      );
  },

  describe: ({ frequencies, frequencyLr, augmentation }) =>
    `${frequencies} frequencies${frequencyLr > 0 ? ', their scales learned' : ''}, augmentation ${augmentation}`,

  realImages: ({ batch }, classes) => batch * classes,

  begin(setting) {
    const { network, items, options: o } = setting;
    const { features } = network;
    const rule = { kind: 'adam', beta1: o.beta1, beta2: o.beta2, epsilon: o.epsilon } as const;
    const scales = {
      name: 'scales',
      shape: [features],
      first: new Float32Array(features).fill(1),
      update: { ...rule, rate: o.frequencyLr },
    };
    return beginRecorded(setting, {
      name: 'characteristic function matching',
      itemRule: { ...rule, rate: o.lr, schedule: o.schedule },
      variables: o.frequencyLr > 0 ? [scales] : [],

      record(r, { state, loss, variables, ...step }): Bars {
        const theta = r.temporary('theta', 1, [network.count]);
        recordNetworks(r, setting, state, theta);
        const { images, real, backward } = recordClassBatches(r, setting, { state, ...step }, o);
        const drawn = r.temporary('frequencies', 1, [o.frequencies, features]);
        const frequencies = random.normal(r, { state }, { stream: streams.frequencies }, drawn);
        const mode = { random: { state, stream: streams.dropout } };
        const groups = { network, theta, images, mode };
        const given = { real, frequencies, scales: variables.scales, alpha: o.alpha };
        const matched = recordCharacteristicMatching(r, { ...groups, ...given });
        reduce.members(r, { x: matched.distances }, 1, { into: loss });
        if (o.calibration > 0) {
          const all = r.external('labels', 1, [step.items.shape[0], items.classes]);
          const labels = labelsByClass(all, items.classes);
          const calibrated = recordCalibration(r, { ...groups, labels }, o.calibration);
          reduce.members(r, { x: calibrated.losses }, 1, { into: loss, accumulate: true });
          backward(elementwise.add(r, { a: matched.images, b: calibrated.images }));
        } else backward(matched.images);
        if (!matched.scales) return {};
        // The images go down, the scales up.
        return { scales: elementwise.add(r, { a: matched.scales, b: matched.scales }, -1, 0) };
      },

      prepare: async ({ labels }) => await labels?.write(oneHotLabels(items)),
      result: (learner, tensors) => learner.trainingSet(tensors, 'ncfm', o.protocol),
    });
  },
});
