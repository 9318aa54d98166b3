import type { Tensor } from '../engine/device.js';
import { loadWithTensors, readFloats } from '../engine/load.js';
import type { ArccosineKernel } from '../engine/ops/arccosine.js';
import { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import { copyInto } from '../train/groups.js';
import { type InducedPasses, recordInducingPoints } from '../train/inducing-points.js';
import { infinitelyWide, kernelNames } from '../train/infinite-width.js';
import { LimbeckError } from '../util/errors.js';
import { flag, fraction, oneOf, positive, whole } from '../util/option.js';
import type { Owned } from '../util/owned.js';
import { augmentationOption } from './by-class.js';
import { centredLabels, recordCentred } from './centred-labels.js';
import { cifar10 } from './datasets.js';
import { itemCount } from './items.js';
import { defineMethod, type Setting } from './method.js';
import { checkUniformBatches, fixedImages, idleRates, images } from './options.js';
import { beginRecorded } from './recorded.js';
import { schedule } from './schedule-option.js';
import { recordUniformBatch } from './uniform-batch.js';

const options = {
  images,
  kernel: oneOf(
    kernelNames,
    'ntk',
    'kernel of infinitely wide networks: of their training by gradient descent, or of random ones',
  ),
  labels: oneOf(['hard', 'soft'], 'hard', 'labels fixed, or learned with the images'),
  solveLabels: flag(
    'soft labels are those that fit best in every step, in closed form, in the place of steps of Adam',
  ),
  batch: whole(5000, 'real images per outer step'),
  ridge: positive(
    1e-6,
    'added to the diagonal of the kernel of the distilled images, as a part of its mean, here and where the set is scored by its kernel',
  ),
  lr: positive(0.04, "Adam's rate for the images"),
  labelLr: positive(0.04, "Adam's rate for soft labels"),
  fixedImages,
  schedule: schedule('constant', 'course of both rates'),
  beta1: fraction(0.9, "Adam's decay of the mean"),
  beta2: fraction(0.999, "Adam's decay of the square"),
  epsilon: positive(1e-8, "Adam's epsilon"),
  augmentation: augmentationOption('none', 'of real images, by a draw for each'),
};

/** Records what is known of images: how they predict the labels of the next batch of real ones. */
function recordBatch(
  r: Recorder,
  setting: Setting<typeof options>,
  { state, images, kernel }: { state: View; images: View; kernel: ArccosineKernel },
): InducedPasses {
  const { options: o } = setting;
  const { x, y } = recordUniformBatch(r, setting, state, o);
  const real = { images: x, labels: recordCentred(r, y) };
  return recordInducingPoints(r, { images, real, kernel, ridge: o.ridge });
}

/**
 * Solves labels for the images as they are: those of the last outer step fit the images before it, and running averages are others again. By
 * the next batch of real images, which stays the next one.
 */
async function loadSolver(
  setting: Setting<typeof options>,
  kernel: ArccosineKernel,
  tensors: Readonly<Record<string, Tensor>>,
  owned: Owned,
): Promise<() => Promise<Float32Array>> {
  const { device, items } = setting;
  const { decoder } = items;
  const r = new Recorder('labels of the images as they are');
  const state = r.external('state', 1, [4], 'u32');
  const names = Object.keys(decoder.variables);
  const stored = names.map((name) => [name, r.external(name, 1, decoder.variables[name])] as const);
  const { items: images } = decoder.decode(r, Object.fromEntries(stored));
  const solved = recordBatch(r, setting, { state, images, kernel }).solved();
  copyInto(r, solved, r.external('solved', 1, solved.shape));
  const program = r.program();
  const current = names.map((name) => [name, tensors[`${name}.average`] ?? tensors[name]] as const);
  const bound = { ...tensors, ...Object.fromEntries(current) };
  const declared = program.slots.flatMap(({ external, name }) => (external && bound[name] ? [name] : []));
  const given = Object.fromEntries(declared.map((name) => [name, bound[name]]));
  const { executable, tensors: own } = await loadWithTensors(device, program, owned, given);
  return async () => {
    await executable.run();
    return readFloats(own.solved);
  };
}

/** Outer steps by default where labels alone are solved: nine of its batches are all 45,000 training images of CIFAR-10. */
const batchesSolved = 10;

/**
 * Kernel inducing points: how well kernel ridge regression on the distilled images predicts the labels of real ones, with the kernel of
 * fully connected networks of infinite width, as many layers as the network has. With solved labels and fixed images this is label solve.
 */
export const method = defineMethod({
  name: 'kip',
  source: 'Nguyen, Chen, Lee: Dataset Meta-Learning from Kernel Ridge-Regression, 2021',
  summary: 'kernel regression with infinitely wide networks, images or labels',
  options,
  defaults: {
    network: 'mlp:layers=1:width=1024',
    first: 'real',
    iterations: 300,
    validationNetworks: 1,
    networks: 5,
  },
  presets: [{ datasets: cifar10, options: { ipc: 10 } }],
  protocol: 'kip-regression',
  order: 'interleaved',

  complete({ kernel, solveLabels, fixedImages, ...o }, given) {
    const iterations = fixedImages && solveLabels && !given('iterations') ? batchesSolved : o.iterations;
    return {
      iterations,
      ...(solveLabels && !given('labels') ? { labels: 'soft' } : {}),
      ...(given('validateEvery') ? {} : { validateEvery: Math.ceil(iterations / 15) }),
      ...(given('protocol') || kernel === 'ntk' ? {} : { protocol: 'kip-regression-nngp' }),
    };
  },

  idle: (o) => ({
    ...(o.solveLabels && { labelLr: 'solveLabels is given, which takes no steps, expected one of the two' }),
    ...idleRates(o),
  }),

  check(o) {
    if (o.labels === 'hard' && (o.fixedImages || o.solveLabels))
      throw new LimbeckError(
        'ERR_OPTION',
        o.solveLabels
          ? 'solveLabels is given and labels is hard: hard labels stay what they are, expected labels: soft beside it'
          : 'fixedImages is given and labels is hard: then nothing is learned, expected solveLabels (or labels: soft) beside it',
      );
    checkUniformBatches(o);
  },

  describe: ({ kernel, labels, solveLabels, fixedImages }) =>
    `${fixedImages ? 'labels alone, ' : ''}${solveLabels ? 'solved' : labels} labels, the ${kernel === 'ntk' ? 'tangent kernel' : 'kernel'} of infinitely wide networks`,

  realImages: ({ batch }) => batch,

  begin(setting) {
    const { network, items, options: o } = setting;
    const kernel = infinitelyWide(network, o.kernel);
    const rule = (rate: number) => {
      const { beta1, beta2, epsilon, schedule } = o;
      return { kind: 'adam', rate, beta1, beta2, epsilon, schedule } as const;
    };
    const [n, K] = [itemCount(items), items.classes];
    const labels = {
      name: 'labels',
      shape: [n, K],
      first: centredLabels(items),
      update: o.labels === 'soft' && !o.solveLabels ? rule(o.labelLr) : undefined,
    };
    const sum = (name: string, shape: readonly number[]) => ({
      name,
      shape,
      first: new Float32Array(n * shape[1]),
    });
    // Of images that stay the labels are those that fit all batches there have been.
    const sums = o.fixedImages && o.solveLabels ? [sum('normal', [n, n]), sum('projected', [n, K])] : [];

    let solve: (() => Promise<Float32Array>) | undefined;

    return beginRecorded(setting, {
      name: 'kernel inducing points',
      itemRule: o.fixedImages ? undefined : rule(o.lr),
      variables: [labels, ...sums],

      record(r, { state, items: images, itemsBar, variables, loss }) {
        const passes = recordBatch(r, setting, { state, images, kernel });
        if (o.solveLabels) {
          const { normal, projected } = variables;
          copyInto(r, passes.solved(sums.length ? { normal, projected } : undefined), variables.labels);
        }
        return passes.regressed(variables.labels, { images: itemsBar, loss });
      },

      async prepare(tensors, owned) {
        if (o.solveLabels && !o.fixedImages) solve = await loadSolver(setting, kernel, tensors, owned);
      },

      async result(learner, tensors) {
        const labels = solve ? await solve() : await learner.values(tensors, 'labels');
        const use = { kind: 'minibatches', protocol: o.protocol, ridge: o.ridge } as const;
        return learner.set(tensors, { method: 'kip', labels, use });
      },
    });
  },
});
