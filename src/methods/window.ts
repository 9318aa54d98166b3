import * as elementwise from '../engine/ops/elementwise.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import { reshape, type View } from '../engine/view.js';
import type { Keep } from '../train/hypergradient.js';
import type { InnerLoop } from '../train/inner-loop.js';
import { optimizerOf } from '../train/inner-optimizer.js';
import { batchesOf, type MinibatchTraining } from '../train/minibatch.js';
import { stepBatches } from '../train/step-batches.js';
import { streams } from '../train/streams.js';
import type { Training } from '../train/training.js';
import { recordUnrolled } from '../train/unrolled.js';
import { strategyOf } from './by-class.js';
import { itemCount } from './items.js';
import type { Bars, OuterStep } from './learner.js';
import type { Setting } from './method.js';
import type { Windows } from './starts.js';
import { recordUniformBatch } from './uniform-batch.js';
import type { UpdateRule } from './variable.js';

/** What training through windows is told. */
export interface TruncatedOptions extends Windows {
  /** Networks per outer step. */
  readonly population: number;
  /** Real images per outer step. */
  readonly batch: number;
  /** What learned labels begin as. */
  readonly firstLabels: string;
  /** Distilled images per inner step, at most; 0 for all. */
  readonly innerBatch: number;
  readonly networkLr: number;
  /** Of real images and of those of every inner step, each by its own draw. */
  readonly augmentation: string;
  readonly keep: Keep;
  /** How the result is scored. */
  readonly protocol: string;
  /** Steps of the widest window, where the norms of gradients are wanted. */
  readonly widest?: number;
}

/** What follows from options, and is not one. */
export interface TruncatedRules {
  readonly training: Training;
  readonly items: UpdateRule;
  /** Of soft labels; hard ones are not learned. */
  readonly labels?: UpdateRule;
}

/** The inner training as one in minibatches, of as many steps as a network is ever trained. */
export function minibatchesOf(
  { items }: Setting,
  o: TruncatedOptions,
  training: Training,
): MinibatchTraining {
  const batch = o.innerBatch || itemCount(items);
  return { ...training, batch, epochs: o.total, schedule: { kind: 'constant' } };
}

/** What the steps of the window do to the set, and where dropout draws; declared where there is any of it. */
function recordRandomness(
  r: Recorder,
  { network, items }: Setting,
  o: TruncatedOptions,
  training: MinibatchTraining,
): Pick<InnerLoop, 'random' | 'change'> {
  const count = itemCount(items);
  const { perEpoch, size } = batchesOf(training, count);
  const augmentation = strategyOf(o.augmentation);
  if (!network.draws && !augmentation && perEpoch === 1) return {};
  const state = r.external('trainingState', 1, [4], 'u32');
  const numbers = perEpoch > 1 ? r.external('numbers', 1, [count], 'u32') : undefined;
  return {
    random: { state, stream: streams.dropout },
    change: stepBatches({ state, members: o.population, steps: o.window, size, numbers, augmentation }),
  };
}

/**
 * Records one outer step: a window of training from where `theta` and `moments` stand, and the way back through it. With a pool
 * `nextTheta` and `nextMoments` receive where it ends, and `squaredNorms`, where they are wanted, those of its gradients. Its steps draw by `trainingState`, and choose among `numbers`, where they draw or choose at
 * all.
 */
export function recordWindow(
  r: Recorder,
  setting: Setting,
  { state, items: images, itemsBar, variables, loss }: OuterStep,
  o: TruncatedOptions,
  { training, labels: soft }: TruncatedRules,
): Bars {
  const { network, items } = setting;
  const [P, count, K] = [o.population, itemCount(items), network.classes];
  const batch = recordUniformBatch(r, setting, state, o);
  const labels = variables.labels ?? r.external('labels', 1, [count, K]);
  const labelsBar = soft && r.temporary('labelsBar', 1, [count, K]);
  const losses = r.temporary('losses', P, [1]);
  const whole = (view: View) => reshape(view, [1, ...view.shape]);
  const shape = optimizerOf(training.optimizer).stateShape?.(network.count);
  const ofNetworks = (theta: string, moments: string) => ({
    theta: r.external(theta, P, [network.count]),
    state: shape && r.external(moments, P, shape),
  });
  const loop: InnerLoop = {
    ...ofNetworks('theta', 'moments'),
    ...recordRandomness(r, setting, o, minibatchesOf(setting, o, training)),
    ...{ network, training, steps: 1, epochs: o.window },
    images: whole(images),
    labels: whole(labels),
    rates: elementwise.fill(r, o.networkLr, r.temporary('rate', 1, [1])),
  };
  const results = {
    losses,
    images: whole(itemsBar),
    labels: labelsBar && whole(labelsBar),
    trained: o.pool > 0 ? ofNetworks('nextTheta', 'nextMoments') : undefined,
    squaredNorms: o.widest === undefined ? undefined : r.external('squaredNorms', P, [o.widest]),
  };
  recordUnrolled(r, P, loop, batch, results, { keep: o.keep });
  reduce.members(r, { x: losses }, 1 / P, { into: loss });
  return labelsBar ? { labels: labelsBar } : {};
}
