import * as reduce from '../engine/ops/reduce.js';
import { reshape } from '../engine/view.js';
import type { Keep } from '../train/hypergradient.js';
import { stepBatches } from '../train/step-batches.js';
import { streams } from '../train/streams.js';
import { recordTrajectoryMatching, type TrajectoryGradient } from '../train/trajectory-matching.js';
import { strategyOf } from './by-class.js';
import { ExpertChoice, type ExpertStretches } from './expert-choice.js';
import { itemCount, oneHotLabels } from './items.js';
import type { Process, Setting } from './method.js';
import { ratesOf, rateVariable, recordRates, slopeAt } from './rates.js';
import { beginRecorded } from './recorded.js';

/** What trajectory matching is told. */
export interface TrajectoryOptions extends ExpertStretches {
  /** Part of the parameters, from the first layer on, that is not matched. */
  readonly masked: number;
  /** Distilled images per inner step, at most. */
  readonly innerBatch: number;
  readonly augmentation: string;
  readonly gradient: TrajectoryGradient;
  readonly lr: number;
  readonly imageMomentum: number;
  readonly networkLr: number;
  readonly rateLr: number;
  readonly keep: Keep;
  /** How the result is scored. */
  readonly protocol: string;
}

/** Trajectory matching as a process. */
export function beginTrajectories(name: string, setting: Setting, o: TrajectoryOptions): Promise<Process> {
  const { network, items } = setting;
  const { population: P, innerSteps } = o;
  const [count, K] = [itemCount(items), network.classes];
  const oneHot = oneHotLabels(items);
  const size = Math.min(o.innerBatch, count);

  const rule = (rate: number) => ({ kind: 'momentum', rate, momentum: o.imageMomentum }) as const;
  // The first steps of the inner rate are those of plain SGD on it at `rateLr`, as published; later ones keep it above 0.
  const rawRate = o.rateLr / slopeAt(o.networkLr) ** 2;

  return beginRecorded(setting, {
    name: 'trajectory matching',
    itemRule: rule(o.lr),
    variables: [rateVariable([o.networkLr], rule(rawRate))],

    record(r, { items: images, itemsBar, variables, loss }) {
      const theta = r.external('start', P, [network.count]);
      const target = r.external('target', P, [network.count]);
      const labels = r.external('labels', 1, [count, K]);
      const { rates, backward } = recordRates(r, variables);
      const state = r.external('batches', 1, [4], 'u32');
      const numbers = size < count ? r.external('numbers', 1, [count], 'u32') : undefined;
      const augmentation = strategyOf(o.augmentation);
      const loop = {
        network,
        theta,
        images: reshape(images, [1, ...images.shape]),
        labels: reshape(labels, [1, count, K]),
        rates,
        steps: 1,
        epochs: innerSteps,
        random: { state, stream: streams.dropout },
        change: stepBatches({ state, members: P, size, numbers, augmentation }),
      };
      const losses = r.temporary('losses', P, [1]);
      const ratesBar = r.temporary('ratesBar', 1, [1]);
      const results = { losses, images: reshape(itemsBar, [1, ...images.shape]), rates: ratesBar };
      const { gradient, keep, masked } = o;
      const from = Math.floor(masked * network.count);
      recordTrajectoryMatching(r, P, loop, target, results, { gradient, keep, from });
      reduce.members(r, { x: losses }, 1 / P, { into: loss });
      return backward(ratesBar);
    },

    async prepare({ labels, numbers }) {
      await labels.write(oneHot);
      await numbers?.write(Uint32Array.from({ length: count }, (_, i) => i));
    },

    beside: (tensors, owned) => ExpertChoice.create(setting, o, tensors, owned),

    async result(learner, tensors) {
      const [learningRate] = await ratesOf(learner, tensors);
      const use = { kind: 'minibatches', protocol: o.protocol, learningRate } as const;
      return learner.set(tensors, { method: name, labels: oneHot, use });
    },
  });
}
