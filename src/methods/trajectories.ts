import * as elementwise from '../engine/ops/elementwise.js';
import * as reduce from '../engine/ops/reduce.js';
import * as relu from '../engine/ops/relu.js';
import type { Recorder } from '../engine/program.js';
import { reshape, type View } from '../engine/view.js';
import { copyInto } from '../train/groups.js';
import type { Keep } from '../train/hypergradient.js';
import { recordSoftmax, softmax } from '../train/softmax.js';
import { stepBatches } from '../train/step-batches.js';
import { streams } from '../train/streams.js';
import { recordTrajectoryMatching, type TrajectoryGradient } from '../train/trajectory-matching.js';
import { strategyOf } from './by-class.js';
import { ExpertChoice, type ExpertStretches } from './expert-choice.js';
import { itemCount, oneHotLabels } from './items.js';
import type { Bars } from './learner.js';
import type { Process, Setting } from './method.js';
import { ratesOf, rateVariable, recordRates, slopeAt } from './rates.js';
import { beginRecorded } from './recorded.js';
import type { UpdateRule } from './variable.js';

/** What trajectory matching is told. */
export interface TrajectoryOptions extends ExpertStretches {
  /** Part of the parameters, from the first layer on, that is not matched. */
  readonly masked: number;
  /** Distilled images per inner step, at most; 0 for all. */
  readonly innerBatch: number;
  readonly augmentation: string;
  readonly gradient: TrajectoryGradient;
  readonly lr: number;
  readonly imageMomentum: number;
  readonly networkLr: number;
  readonly rateLr: number;
  /** An outer step whose loss is above this has gradients of 0; 0, or left out: none. */
  readonly mostLoss?: number;
  readonly keep: Keep;
  /** How the result is scored. */
  readonly protocol: string;
}

/** What is learned beside images and rate: labels, as the softmax of logits. */
export interface LearnedLabels {
  /** `[count, K]`: the first logits. */
  readonly first: Float32Array;
  readonly update: UpdateRule;
}

/** Labels as training reads them, and the way back from their gradient. */
function recordLabels(r: Recorder, shape: readonly number[], logits: View | undefined) {
  if (!logits) return { labels: r.external('labels', 1, shape), backward: (): Bars => ({}) };
  const { p, backward } = recordSoftmax(r, logits);
  const labelsBar = r.temporary('labelsBar', 1, shape);
  return { labels: p, labelsBar, backward: (): Bars => ({ logits: backward(labelsBar) }) };
}

/** Records gradients that are 0 where the loss `[1]` is above `most`, or no number: chosen, for 0 times what is not finite is not 0. */
function recordLimit(r: Recorder, loss: View, most: number, bars: Bars): Bars {
  const limit = elementwise.fill(r, most, r.temporary('limit', 1, [1]));
  const scale = elementwise.add(r, { a: limit, b: loss }, 1, -1);
  const limited = Object.entries(bars).map(([name, u]) => {
    const ones = elementwise.fill(r, 1, r.temporary('ones', 1, u.shape));
    return [name, relu.mask(r, { y: reduce.members(r, { x: ones, scale }), u })];
  });
  return Object.fromEntries(limited);
}

/** Trajectory matching as a process: hard labels, unless some are `learned`. */
export function beginTrajectories(
  name: string,
  setting: Setting,
  o: TrajectoryOptions,
  learned?: LearnedLabels,
): Promise<Process> {
  const { network, items } = setting;
  const { population: P, innerSteps } = o;
  const [count, K] = [itemCount(items), network.classes];
  const oneHot = oneHotLabels(items);
  const size = Math.min(o.innerBatch || count, count);

  const rule = (rate: number) => ({ kind: 'momentum', rate, momentum: o.imageMomentum }) as const;
  // The first steps of the inner rate are those of plain SGD on it at `rateLr`, as published; later ones keep it above 0.
  const rawRate = o.rateLr / slopeAt(o.networkLr) ** 2;
  const shape = [count, K];

  return beginRecorded(setting, {
    name: 'trajectory matching',
    itemRule: rule(o.lr),
    variables: [
      rateVariable([o.networkLr], rule(rawRate)),
      ...(learned ? [{ name: 'logits', shape, ...learned }] : []),
    ],

    record(r, { items: images, itemsBar, variables, loss }) {
      const theta = r.external('start', P, [network.count]);
      const target = r.external('target', P, [network.count]);
      const { labels, labelsBar, backward: labelBars } = recordLabels(r, shape, variables.logits);
      const { rates, backward } = recordRates(r, variables);
      const state = r.external('batches', 1, [4], 'u32');
      const numbers = size < count ? r.external('numbers', 1, [count], 'u32') : undefined;
      const augmentation = strategyOf(o.augmentation);
      const loop = {
        network,
        theta,
        images: reshape(images, [1, ...images.shape]),
        labels: reshape(labels, [1, ...shape]),
        rates,
        steps: 1,
        epochs: innerSteps,
        random: { state, stream: streams.dropout },
        change: stepBatches({ state, members: P, steps: innerSteps, size, numbers, augmentation }),
      };
      const losses = r.temporary('losses', P, [1]);
      const ratesBar = r.temporary('ratesBar', 1, [1]);
      const results = {
        ...{ losses, images: reshape(itemsBar, [1, ...images.shape]), rates: ratesBar },
        labels: labelsBar && reshape(labelsBar, [1, ...shape]),
      };
      const { gradient, keep, masked } = o;
      const from = Math.floor(masked * network.count);
      recordTrajectoryMatching(r, P, loop, target, results, { gradient, keep, from });
      reduce.members(r, { x: losses }, 1 / P, { into: loss });
      const bars = { ...backward(ratesBar), ...labelBars() };
      if (!o.mostLoss) return bars;
      const { items, ...others } = recordLimit(r, loss, o.mostLoss, { items: itemsBar, ...bars });
      copyInto(r, items, itemsBar);
      return others;
    },

    async prepare({ labels, numbers }) {
      await labels?.write(oneHot);
      await numbers?.write(Uint32Array.from({ length: count }, (_, i) => i));
    },

    beside: (tensors, owned) => ExpertChoice.create(setting, o, tensors, owned),

    async result(learner, tensors) {
      const [learningRate] = await ratesOf(learner, tensors);
      const use = { kind: 'minibatches', protocol: o.protocol, learningRate } as const;
      const labels = learned ? softmax(await learner.values(tensors, 'logits'), K) : oneHot;
      return learner.set(tensors, { method: name, labels, use });
    },
  });
}
