import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import { recordBatchStatistics } from '../train/batch-statistics.js';
import { type Distance, recordGradientMatching } from '../train/gradient-matching.js';
import { streams } from '../train/streams.js';
import { labelsByClass, mixedBatch, recordClassBatches } from './by-class.js';
import { oneHotLabels } from './items.js';
import type { OuterStep } from './learner.js';
import type { Process, Setting } from './method.js';
import { beginRecorded } from './recorded.js';
import { type TrainingAlong, trainedAlong } from './trained-along.js';

/** What gradient matching is told. */
export interface MatchingOptions extends TrainingAlong {
  /** Real images of each class per outer step. */
  readonly batch: number;
  readonly lr: number;
  readonly imageMomentum: number;
  readonly distance: Distance;
  /** How the result is scored. */
  readonly protocol: string;
}

/** Real images of each class whose statistics stand for those of batch norm, as in the program of DC. */
const imagesForStatistics = 16;

/** Records one outer step: the distance of gradients under `theta`, summed over classes, and its gradient. */
function recordMatching(r: Recorder, setting: Setting, step: OuterStep, o: MatchingOptions): void {
  const { network, items } = setting;
  const theta = r.external('theta', 1, [network.count]);
  const count = step.items.shape[0];
  const labels = labelsByClass(r.external('labels', 1, [count, items.classes]), items.classes);
  const { images, real, realLabels, backward } = recordClassBatches(r, setting, step, o);
  const mode = {
    frozen: network.statisticsCount ? recordStatistics(r, setting, real, theta) : undefined,
    random: { state: step.state, stream: streams.dropout },
  };
  const matched = recordGradientMatching(r, {
    ...{ network, theta, images, labels, mode, distance: o.distance },
    real: { images: real, labels: realLabels },
  });
  backward(matched.images);
  reduce.members(r, { x: matched.distances }, 1, { into: step.loss });
}

/** The statistics of a few real images of all classes together, in the place of those of every batch. */
function recordStatistics(r: Recorder, { network }: Setting, real: View, theta: View): View {
  const perClass = Math.min(imagesForStatistics, real.shape[0]);
  const frozen = r.temporary('statistics', 1, [network.statisticsCount]);
  recordBatchStatistics(r, 1, network, [mixedBatch(r, real, perClass)], theta, frozen);
  return frozen;
}

/** Gradient matching as a process: an outer step, then training of its network on what it made. */
export const beginMatching = (name: string, setting: Setting, o: MatchingOptions): Promise<Process> =>
  beginRecorded(setting, {
    name: 'gradient matching',
    itemRule: { kind: 'momentum', rate: o.lr, momentum: o.imageMomentum },

    record(r, step) {
      recordMatching(r, setting, step, o);
      return {};
    },

    prepare: ({ labels }) => labels.write(oneHotLabels(setting.items)),
    beside: (tensors, owned) => trainedAlong(setting, o, tensors, owned),
    result: (learner, tensors) => learner.trainingSet(tensors, name, o.protocol),
  });
