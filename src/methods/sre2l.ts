import { perMember, together } from '../engine/members.js';
import * as reduce from '../engine/ops/reduce.js';
import { reshape } from '../engine/view.js';
import { augment } from '../train/augmentation.js';
import { copyInto } from '../train/groups.js';
import { recordStatisticsMatching } from '../train/statistics-matching.js';
import { streams } from '../train/streams.js';
import { LimbeckError } from '../util/errors.js';
import { roundedToHalf } from '../util/half.js';
import { fraction, notNegative, positive, whole } from '../util/option.js';
import { augmentationOption, strategyOf } from './by-class.js';
import { digitSets } from './datasets.js';
import { itemCount, oneHotLabels } from './items.js';
import { defineMethod } from './method.js';
import { beginRecorded } from './recorded.js';
import { schedule } from './schedule-option.js';
import { TeacherOnDevice } from './teacher.js';
import { checkTeacher, teacherOf, teacherOptions } from './teacher-options.js';

const options = {
  ...teacherOptions,
  batch: whole(100, 'images whose statistics are matched together, at most'),
  statisticsWeight: notNegative(0.01, 'weight of the distances of the statistics beside the cross-entropy'),
  lr: positive(0.25, "Adam's rate for the images"),
  beta1: fraction(0.5, "Adam's decay of the mean"),
  beta2: fraction(0.9, "Adam's decay of the square"),
  epsilon: positive(1e-8, "Adam's epsilon"),
  schedule: schedule('cosine', 'course of the rate'),
  augmentation: augmentationOption(
    'resized-crop',
    'of every image in every outer step, by a draw of its own',
  ),
};

/**
 * Squeeze, recover, relabel: images that a trained network takes for their class and whose means and variances in front of every batch norm are
 * those that it learned from real images; its answers to what comes out are the labels. No real image is looked at. What their program does
 * besides stands in docs/decoupled.md.
 */
export const method = defineMethod({
  name: 'sre2l',
  source:
    'Yin, Xing, Shen: Squeeze, Recover and Relabel: Dataset Condensation at ImageNet Scale From A New Perspective, 2023',
  summary:
    'images by which the batch norms of a trained network see what they learned, with its answers as labels',
  options,
  defaults: { network: 'convnet', imageScale: 1, iterations: 4000, validationNetworks: 2, networks: 5 },
  presets: [{ datasets: digitSets, own: true, options: { augmentation: 'resized-crop-digits' } }],
  protocol: 'soft-labels',
  order: 'interleaved',

  complete: ({ iterations }, given) =>
    given('validateEvery') ? {} : { validateEvery: Math.ceil(iterations / 10) },

  check: checkTeacher,

  describe: ({ batch, augmentation, temperature }) =>
    `statistics of ${batch} images, augmentation ${augmentation}, labels at temperature ${temperature}`,

  realImages: () => 0,

  begin(setting) {
    const { device, items, options: o } = setting;
    const teacher = teacherOf(setting);
    const { network, parameters, statistics, record } = teacher;
    if (!statistics)
      throw new LimbeckError(
        'ERR_OPTION',
        `teacher ${o.teacher} is a ${record.network} without batch norm, whose statistics are what is recovered: expected one with it, such as limbeck train --network convnet:norm=batch makes`,
      );
    const count = itemCount(items);
    const n = largestDivisor(count, o.batch);
    const groups = count / n;
    const strategy = strategyOf(o.augmentation);
    const { beta1, beta2, epsilon, schedule } = o;
    let labeller: TeacherOnDevice;
    return beginRecorded(setting, {
      name: 'recovery',
      itemRule: { kind: 'adam', rate: o.lr, beta1, beta2, epsilon, schedule },

      record(r, { state, items: all, itemsBar, loss }) {
        const shape = [groups, n, ...items.shape];
        const own = perMember(reshape(all, shape));
        const augmented = strategy && augment(r, own, { strategy, state, stream: streams.augmentation });
        const labels = r.constant('labels', [groups, n, items.classes], oneHotLabels(items));
        const matched = recordStatisticsMatching(r, {
          network,
          theta: r.external('teacher', 1, [network.count]),
          images: augmented?.y ?? own,
          labels: perMember(labels),
          statistics: r.external('statistics', 1, [network.statisticsCount]),
          weight: o.statisticsWeight,
        });
        const bar = augmented?.backward(matched.images) ?? matched.images;
        copyInto(r, together(bar), reshape(itemsBar, shape));
        reduce.members(r, { x: matched.losses }, 1, { into: loss });
        return {};
      },

      async prepare(tensors, owned) {
        await tensors.teacher.write(parameters);
        await tensors.statistics.write(statistics);
        labeller = await TeacherOnDevice.create(device, teacher, Math.min(count, 256), owned);
      },

      async result(learner, tensors) {
        const set = await learner.trainingSet(tensors, 'sre2l', o.protocol);
        const labels = roundedToHalf(await labeller.labels(set.images, o.temperature));
        return { ...set, labels, teacher: { ...record, temperature: o.temperature } };
      },
    });
  },
});

/** The largest part of a number of images that divides it, `most` at most. */
function largestDivisor(count: number, most: number): number {
  let n = Math.min(count, most);
  while (count % n) n--;
  return n;
}
