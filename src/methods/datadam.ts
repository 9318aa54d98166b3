import * as elementwise from '../engine/ops/elementwise.js';
import * as linear from '../engine/ops/linear.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import { reshape, type View } from '../engine/view.js';
import { leakyRelu } from '../layers/activation.js';
import { conv } from '../layers/conv.js';
import { localResponseNorm } from '../layers/local-response-norm.js';
import { sequence } from '../layers/sequence.js';
import { copyInto, type Groups, inTurns } from '../train/groups.js';
import { recordInitialise } from '../train/initialise.js';
import { streams } from '../train/streams.js';
import { LimbeckError } from '../util/errors.js';
import { notNegative } from '../util/option.js';
import { recordClassBatches } from './by-class.js';
import { method as dm } from './dm.js';
import { oneHotLabels } from './items.js';
import { defineMethod } from './method.js';
import { beginRecorded } from './recorded.js';

const options = { ...dm.options, featureWeight: notNegative(0.01, 'weight of the mean features') };

/** Keeps powers of zero, and norms, away from zero. */
const k = 1e-12;

/** Records attention maps `[N, H W]` of maps x `[N, C, H, W]`: the sum over channels of x^4, divided by its norm. */
function recordAttention(r: Recorder, x: View) {
  const [N, C, H, W] = x.shape;
  const ones = elementwise.fill(r, 1, r.temporary('ones', 1, [1, C, 1, 1]));
  const powers = localResponseNorm({ size: 1, alpha: 1, beta: -1.5, k });
  const add = conv(1, 1, { stride: 1, padding: 0, bias: false });
  const sum = sequence(leakyRelu(-1), powers, add).forward(r, x, [ones]);
  // Positions in the place of channels, and a window that has all of them.
  const size = 2 * H * W;
  const byNorm = localResponseNorm({ size, alpha: size, beta: 0.5, k });
  const unit = byNorm.forward(r, reshape(sum.y, [N, H * W]), []);
  return {
    y: unit.y,
    backward(yBar: View): View {
      const sumBar = unit.backward({ yBar, wantX: true })!;
      return sum.backward({ yBar: reshape(sumBar, sum.y.shape), wantX: true })!;
    },
  };
}

/** A column `[N, 1]` of one number: a mean over N rows is a product with it, and so is the way back. */
const column = (r: Recorder, N: number, value: number): View =>
  elementwise.fill(r, value, r.temporary('column', 1, [N, 1]));

/** Records the features of every group and the attention maps of its blocks but the last, and the mean of each. */
function recordMeans(r: Recorder, { network, theta, images, mode }: Groups) {
  const { features, outputs, backward } = network.featurePasses(r, images, theta, mode);
  // A block ends before a layer with weights; parameters are named after their layer's index.
  const weights = network.parameters.filter(({ kind }) => kind === 'weight');
  const next = new Set(weights.map(({ name }) => Number.parseInt(name, 10)));
  const ends = [...outputs.keys()].slice(0, -1).filter((i) => next.has(i + 1) && outputs[i].shape.length > 2);
  if (!ends.length)
    throw new LimbeckError('ERR_OPTION', `network ${network.name} has too few blocks, expected two or more`);
  const attention = ends.map((i) => recordAttention(r, outputs[i]));
  const [N] = images.shape;
  const yBar = column(r, N, 1 / N);
  return {
    means: [features, ...attention.map(({ y }) => y)].map((x) => linear.backwardWeight(r, { x, yBar })),
    backward([featuresBar, ...bars]: readonly View[]): View {
      const outputBars: View[] = [];
      for (const [i, end] of ends.entries()) outputBars[end] = attention[i].backward(bars[i]);
      return backward(featuresBar, outputBars);
    },
  };
}

/** As dm, with mean attention maps of all blocks but the last beside the mean features. */
export const method = defineMethod<'datadam', typeof options>({
  ...dm,
  name: 'datadam',
  source: 'Sajedi et al.: DataDAM: Efficient Dataset Distillation with Attention Matching, 2023',
  summary: 'mean attention maps and features of fresh networks, class by class',
  options,
  defaults: { ...dm.defaults, iterations: 8000 },

  begin(setting) {
    const { network, items, options: o } = setting;
    return beginRecorded(setting, {
      name: 'attention matching',
      itemRule: { kind: 'momentum', rate: o.lr, momentum: o.imageMomentum },

      record(r, { state, loss, ...step }) {
        const theta = r.temporary('theta', 1, [network.count]);
        recordInitialise(r, network, state, theta, { firstStream: streams.trainingNetworks });
        const { images, real, backward } = recordClassBatches(r, setting, { state, ...step }, o);
        const distances = r.temporary('distances', items.classes, [1]);
        const imagesBar = r.temporary('imagesBar', items.classes, images.shape);
        const [N] = images.shape;
        const mode = { random: { state, stream: streams.dropout } };
        inTurns(r, { network, theta, images, mode }, (r, some, partOf) => {
          const target = recordMeans(r, { ...some, images: partOf(real) }).means;
          const mine = recordMeans(r, some);
          const bars = mine.means.map((mean, i) => {
            const root = i === 0 ? Math.sqrt(o.featureWeight) : 1;
            const w = elementwise.add(r, { a: mean, b: target[i] }, root, -root);
            reduce.dot(r, { a: w, b: w }, { into: partOf(distances), accumulate: i > 0 });
            return linear.backwardInput(r, { yBar: column(r, N, (2 * root) / N), w });
          });
          copyInto(r, mine.backward(bars), partOf(imagesBar));
        });
        backward(imagesBar);
        reduce.members(r, { x: distances }, 1, { into: loss });
        return {};
      },

      result: (learner, tensors) =>
        learner.set(tensors, {
          method: 'datadam',
          labels: oneHotLabels(items),
          use: { kind: 'minibatches', protocol: o.protocol },
        }),
    });
  },
});
