import * as elementwise from '../engine/ops/elementwise.js';
import * as linear from '../engine/ops/linear.js';
import * as norm from '../engine/ops/norm.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import { reshape, slice, type View } from '../engine/view.js';
import { leakyRelu } from '../layers/activation.js';
import { conv } from '../layers/conv.js';
import { localResponseNorm } from '../layers/local-response-norm.js';
import { sequence } from '../layers/sequence.js';
import { column } from '../train/distribution-matching.js';
import { copyInto, type Groups, inTurns, modeOfReal } from '../train/groups.js';
import { streams } from '../train/streams.js';
import { LimbeckError } from '../util/errors.js';
import { notNegative } from '../util/option.js';
import { recordClassBatches } from './by-class.js';
import { digitSets, notMirrored } from './datasets.js';
import { method as dm } from './dm.js';
import { defineMethod } from './method.js';
import { recordNetworks } from './networks.js';
import { beginRecorded } from './recorded.js';

const options = { ...dm.options, featureWeight: notNegative(0.01, 'weight of the mean features') };

/** Keeps powers of zero, and norms, away from zero. */
const k = 1e-12;

/**
 * Records attention maps, the sum over channels of x^4 divided by its norm, of maps x `[N, C, H, W]`. Each comes with its
 * negative, `[N, 2 H W]`: the mean of both is 0, so that a norm op divides by the norm alone.
 */
function recordAttention(r: Recorder, x: View) {
  const [N, C, H, W] = x.shape;
  const [signs, gamma, beta] = [[2, C, 1, 1], [2], [2]].map((shape) => r.temporary('attention', 1, shape));
  for (const [i, sign] of [1, -1].entries()) elementwise.fill(r, sign, slice(signs, i * C, [C]));
  elementwise.fill(r, 1 / Math.sqrt(2 * H * W), gamma);
  elementwise.fill(r, 0, beta);
  const powers = localResponseNorm({ size: 1, alpha: 1, beta: -1.5, k });
  const add = conv(2, 1, { stride: 1, padding: 0, bias: false });
  const sums = sequence(leakyRelu(-1), powers, add).forward(r, x, [signs]);
  const { y, saved } = norm.forward(r, { x: sums.y, gamma, beta }, { groups: 1, eps: k });
  return {
    y: reshape(y, [N, 2 * H * W]),
    backward(yBar: View): View {
      const { xBar } = norm.backward(r, { x: sums.y, saved, yBar }, { groups: 1, eps: k, frozen: false });
      return sums.backward({ yBar: xBar, wantX: true })!;
    },
  };
}

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
  presets: [{ datasets: digitSets, own: true, options: notMirrored }],

  begin(setting) {
    const { network, items, options: o } = setting;
    return beginRecorded(setting, {
      name: 'attention matching',
      itemRule: { kind: 'momentum', rate: o.lr, momentum: o.imageMomentum },
      record(r, { state, loss, ...step }) {
        const theta = r.temporary('theta', 1, [network.count]);
        recordNetworks(r, setting, state, theta);
        const { images, real, backward } = recordClassBatches(r, setting, { state, ...step }, o);
        const [N] = images.shape;
        const distances = r.temporary('distances', items.classes, [1]);
        const imagesBar = r.temporary('imagesBar', items.classes, images.shape);
        const mode = { random: { state, stream: streams.dropout } };
        inTurns(r, { network, theta, images, mode }, (r, some, partOf) => {
          const target = recordMeans(r, { ...some, images: partOf(real), mode: modeOfReal(some.mode) }).means;
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
      result: (learner, tensors) => learner.trainingSet(tensors, 'datadam', o.protocol),
    });
  },
});
