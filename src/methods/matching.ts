import type { DistilledSet } from '../data/distilled-set.js';
import type { Executable, Tensor } from '../engine/device.js';
import { loadWithTensors } from '../engine/load.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Program, Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import { recordBatchStatistics } from '../train/batch-statistics.js';
import { type Distance, recordGradientMatching } from '../train/gradient-matching.js';
import { randomState, streams } from '../train/streams.js';
import { type Owned, owning } from '../util/owned.js';
import { labelsByClass, mixedBatch, recordClassBatches } from './by-class.js';
import { oneHotLabels } from './items.js';
import { Learner, type OuterStep } from './learner.js';
import type { Measures, Process, Setting } from './method.js';
import { TrainedAlong, type TrainingAlong } from './trained-along.js';

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

type Tensors = Readonly<Record<string, Tensor>>;

/** Records one outer step: the distance of gradients under `theta`, summed over classes, and its gradient. */
function recordMatching(r: Recorder, setting: Setting, step: OuterStep, o: MatchingOptions): void {
  const { network, items } = setting;
  const theta = r.external('theta', 1, [network.count]);
  const count = step.items.shape[0];
  const labels = labelsByClass(r.external('itemLabels', 1, [count, items.classes]), items.classes);
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
  owning(async (owned) => {
    const { device, real, options } = setting;
    const rule = { kind: 'momentum', rate: o.lr, momentum: o.imageMomentum } as const;
    const learner = new Learner(setting, rule);
    const program = learner.record('gradient matching', (r, step) => {
      recordMatching(r, setting, step, o);
      return {};
    });
    const { tensors, executable } = await loadWithTensors(device, program, owned, real.tensors);
    await tensors.itemLabels.write(oneHotLabels(setting.items));
    await learner.start(tensors, owned);
    await tensors.state.write(randomState(options.seed, 0));
    const along = await TrainedAlong.create(setting, o, { ...tensors, labels: tensors.itemLabels }, owned);
    return new MatchingProcess(name, learner, along, program, executable, tensors, o.protocol, owned);
  });

class MatchingProcess implements Process {
  step = 0;
  readonly programs: readonly Program[];
  readonly executables: readonly Executable[];
  readonly tensors: Tensors;

  constructor(
    private readonly name: string,
    private readonly learner: Learner,
    private readonly along: TrainedAlong,
    program: Program,
    executable: Executable,
    private readonly all: Tensors,
    private readonly protocol: string,
    private readonly owned: Owned,
  ) {
    this.programs = [program, ...along.networks.programs];
    this.executables = [executable, ...along.networks.executables];
    this.tensors = { ...learner.state(all), theta: all.theta };
  }

  async goTo(step: number): Promise<void> {
    await this.all.state.write(randomState(this.learner.setting.options.seed, step));
    this.along.forget();
    this.step = step;
  }

  async advance(steps: number, signal?: AbortSignal): Promise<Measures> {
    for (let i = 0; i < steps; i++) {
      await this.along.before(this.step, signal);
      await this.executables[0].run({ signal });
      this.step++;
    }
    const [loss] = await this.all.loss.read();
    return { loss };
  }

  result(): Promise<DistilledSet> {
    return this.learner.trainingSet(this.all, this.name, this.protocol);
  }

  dispose(): void {
    this.owned.dispose();
  }
}
