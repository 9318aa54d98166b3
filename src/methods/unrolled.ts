import { readFloats } from '../engine/load.js';
import * as reduce from '../engine/ops/reduce.js';
import { reshape } from '../engine/view.js';
import { drawNetworks } from '../train/initialise.js';
import { streams } from '../train/streams.js';
import { isAdam } from '../train/training.js';
import { recordUnrolled } from '../train/unrolled.js';
import { LimbeckError } from '../util/errors.js';
import { fraction, notNegative, oneOf, positive, positives, text, whole } from '../util/option.js';
import { counted } from '../util/words.js';
import { checkFirstLabels, firstLabels, firstLabelsOption } from './first-labels.js';
import { idleConstants, innerOptions, innerTraining, keepOption } from './inner-options.js';
import { itemCount, oneHotLabels } from './items.js';
import { defineMethod, type Options } from './method.js';
import { type InitText, parseInit, recordNetworks } from './networks.js';
import { checkObjective, objectiveOptions } from './objective.js';
import { checkUniformBatches, fixedImages, idleRates, images } from './options.js';
import { ratesOf, rateVariable, recordRates } from './rates.js';
import { beginRecorded } from './recorded.js';
import { schedule } from './schedule-option.js';
import { recordUniformBatch } from './uniform-batch.js';
import type { Variable } from './variable.js';

const options = {
  ...objectiveOptions,
  init: text<InitText>(
    'fixed',
    'for known networks, or for others in every outer step: freshly drawn, or of those in a folder that limbeck train wrote',
    (given) => (parseInit(given) ? undefined : 'fixed, random, pretrained:DIR or fixed:DIR'),
    { value: 'fixed|random|pretrained:DIR|fixed:DIR' },
  ),
  population: whole(1, 'networks per outer step'),
  steps: whole(1, 'inner steps per epoch, each with images of its own'),
  epochs: whole(3, 'times the steps are repeated'),
  images,
  labels: oneOf(['hard', 'soft'], 'hard', 'labels fixed, or learned with the images'),
  firstLabels: firstLabelsOption,
  batch: whole(1024, 'real images per outer step'),
  lr: positive(0.01, "outer Adam's rate for the images"),
  labelLr: positive(0.03, "outer Adam's rate for soft labels"),
  rateLr: notNegative(0.01, "outer Adam's rate for the inner learning rates; 0 keeps them"),
  innerLr: positives<number | readonly number[]>(
    [1, 0.2, 0.1],
    'first inner learning rates: one, or one per inner step',
    {
      fallback: '1,0.2,0.1 for three inner steps of sgd from a fixed initialisation, else 0.02 (adam: 0.001)',
    },
  ),
  rates: oneOf(['per-step', 'shared'], 'per-step', 'a learned rate for every inner step, or one for all'),
  ...innerOptions('sgd'),
  beta1: fraction(0.5, "outer Adam's decay of the mean"),
  beta2: fraction(0.999, "outer Adam's decay of the square"),
  epsilon: positive(1e-8, "outer Adam's epsilon"),
  schedule: schedule('cosine', 'course of the outer rates'),
  clip: notNegative(0, 'largest norm of a meta-gradient; 0 for no limit'),
  fixedImages,
  keep: keepOption,
};

type UnrolledOptions = Options<typeof options>;

/** How many inner learning rates there are. */
const rateCount = ({ steps, epochs, rates }: UnrolledOptions): number =>
  rates === 'shared' ? 1 : steps * epochs;

/**
 * Dataset distillation by unrolled training: the loss on a real batch after `steps * epochs` steps of training on the
 * distilled images, differentiated exactly through all of them. Soft labels follow Sucholutsky & Schonlau 2019.
 */
export const method = defineMethod({
  name: 'unrolled',
  source: 'Wang, Zhu, Torralba, Efros: Dataset Distillation, 2018',
  summary: 'exact gradients through the whole training run',
  options,
  defaults: {},
  // One known network learns few images from what looks like noise; of many networks the images keep what they show.
  small: { init: 'random', first: 'real', epochs: 10 },
  presets: [],
  protocol: 'learned-steps',
  order: 'interleaved',

  complete({ objective, init, optimizer, rates, ...o }, given) {
    // Wang et al. adapt by ten steps, thrice.
    const steps = objective === 'adapt' && !given('steps') ? 10 : o.steps;
    const { epochs } = o;
    // The default rates are for the three steps of the default run.
    const three = steps * epochs === 3 && init === 'fixed' && optimizer === 'sgd' && rates === 'per-step';
    return {
      steps,
      ...(given('ipc') ? {} : { ipc: steps }),
      ...(given('innerLr') || three ? {} : { innerLr: isAdam(optimizer) ? 0.001 : 0.02 }),
    };
  },

  idle: (o) => ({ ...idleConstants(o), ...idleRates(o) }),

  check(o) {
    const { ipc, images, steps, rates } = o;
    checkFirstLabels(o);
    checkObjective(o);
    if (o.fixedImages && o.labels !== 'soft')
      throw new LimbeckError(
        'ERR_OPTION',
        'fixedImages is given and labels is hard: then only rates are learned, expected labels: soft beside it',
      );
    if (images % steps)
      throw new LimbeckError(
        'ERR_OPTION',
        `images is ${images} and steps is ${steps}: the images are shared out among the steps, so expected a multiple of ${steps}`,
      );
    if (!images && ipc % steps)
      throw new LimbeckError(
        'ERR_OPTION',
        `ipc is ${ipc} and steps is ${steps}: the images of a class are shared out among the steps, so expected a multiple of ${steps} ` +
          `(ipc ${steps} is one image per class in each step)`,
      );
    const first = [o.innerLr].flat();
    const T = rateCount(o);
    if (first.length !== 1 && first.length !== T)
      throw new LimbeckError(
        'ERR_OPTION',
        `innerLr has ${first.length} values, expected one` +
          (rates === 'shared'
            ? ': the inner steps share it (rates: shared)'
            : `, or one for each of the ${T} inner steps (steps x epochs)`),
      );
    checkUniformBatches(o);
  },

  describe({ objective, attack, labels, steps, epochs, init: given, population, optimizer }) {
    const { kind: init, folder } = parseInit(given)!;
    const aim = objective === 'attack' ? `attack ${attack}, ` : objective === 'adapt' ? 'adaptation, ' : '';
    const networks = population > 1 ? ` of ${population} networks` : '';
    return (
      `${aim}${labels} labels, ${counted(steps, 'step')} x ${counted(epochs, 'epoch')} of ${optimizer}, ` +
      `${folder === undefined ? `${init} initialisation` : `${init} networks of ${folder}`}${networks}`
    );
  },

  realImages: ({ batch }) => batch,

  begin(setting) {
    const { device, network, items, options: o } = setting;
    const { population: P, steps, epochs } = o;
    const { kind: init, folder } = parseInit(o.init)!;
    const training = innerTraining(o);
    const [count, K, T] = [itemCount(items), network.classes, rateCount(o)];
    const n = count / steps;
    const soft = o.labels === 'soft';
    const oneHot = oneHotLabels(items);
    const rule = (rate: number) => {
      const { beta1, beta2, epsilon, schedule, clip } = o;
      return { kind: 'adam', rate, beta1, beta2, epsilon, schedule, clip } as const;
    };
    const first = [o.innerLr].flat();
    const labels: Variable = {
      name: 'labels',
      shape: [count, K],
      first: soft ? firstLabels(setting, o.firstLabels) : oneHot,
      update: rule(o.labelLr),
    };
    const firstRates = Array.from({ length: T }, (_, t) => first[first.length > 1 ? t : 0]);
    const raw = rateVariable(firstRates, rule(o.rateLr));

    return beginRecorded(setting, {
      name: 'unrolled outer step',
      itemRule: o.fixedImages ? undefined : rule(o.lr),
      variables: soft ? [labels, raw] : [raw],

      record(r, { state, items: images, itemsBar, variables, loss }) {
        const batch = recordUniformBatch(r, setting, state, { batch: o.batch });
        const theta =
          init === 'fixed'
            ? r.external('theta', P, [network.count])
            : r.temporary('theta', P, [network.count]);
        if (init === 'random') recordNetworks(r, setting, state, theta);
        const y = variables.labels ?? r.external('labels', 1, [count, K]);
        const { rates, backward } = recordRates(r, variables);
        const ratesBar = r.temporary('ratesBar', 1, [T]);
        const labelsBar = soft ? r.temporary('labelsBar', 1, [count, K]) : undefined;
        const losses = r.temporary('losses', P, [1]);
        const byStep = [steps, n];
        recordUnrolled(
          r,
          P,
          {
            network,
            theta,
            images: reshape(images, [...byStep, ...network.inputShape]),
            labels: reshape(y, [...byStep, K]),
            rates,
            steps,
            epochs,
            training,
            random: { state, stream: streams.dropout },
          },
          batch,
          {
            losses,
            images: reshape(itemsBar, [...byStep, ...network.inputShape]),
            labels: labelsBar && reshape(labelsBar, [...byStep, K]),
            rates: ratesBar,
          },
          { keep: o.keep },
        );
        reduce.members(r, { x: losses }, 1 / P, { into: loss });
        return { ...(labelsBar && { labels: labelsBar }), ...backward(ratesBar) };
      },

      async prepare(tensors) {
        if (!soft) await tensors.labels.write(oneHot);
        if (init === 'random') return;
        if (folder === undefined)
          await drawNetworks(device, network, tensors.theta, o.seed, streams.trainingNetworks);
        else await tensors.theta.write(setting.pretrained!.parameters.subarray(0, P * network.count));
      },

      async result(learner, tensors) {
        return learner.set(tensors, {
          method: 'unrolled',
          labels: soft ? await learner.values(tensors, 'labels') : oneHot,
          use: {
            kind: 'learned-steps',
            steps,
            epochs,
            learningRates: await ratesOf(learner, tensors),
            training,
            init,
            initialParameters: init === 'fixed' ? await readFloats(tensors.theta) : undefined,
          },
        });
      },
    });
  },
});
