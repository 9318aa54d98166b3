import type { DistilledSet } from '../data/distilled-set.js';
import type { Executable, Tensor } from '../engine/device.js';
import { loadWithTensors } from '../engine/load.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as random from '../engine/ops/random.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Program, Recorder } from '../engine/program.js';
import { reshape, type View } from '../engine/view.js';
import { augment } from '../train/augmentation.js';
import type { Keep } from '../train/hypergradient.js';
import type { InnerLoop } from '../train/inner-loop.js';
import { optimizerOf } from '../train/inner-optimizer.js';
import { batchesOf, type MinibatchTraining } from '../train/minibatch.js';
import { stepBatches } from '../train/step-batches.js';
import { randomState, streams } from '../train/streams.js';
import type { Training } from '../train/training.js';
import { recordUnrolled } from '../train/unrolled.js';
import { type Owned, owning } from '../util/owned.js';
import { strategyOf } from './by-class.js';
import { itemCount, oneHotLabels } from './items.js';
import { type Bars, Learner, type OuterStep } from './learner.js';
import type { Measures, Process, Setting } from './method.js';
import { Pool } from './pool.js';
import type { Starts, Windows } from './starts.js';
import { TrainOnItems } from './train-on-items.js';
import type { UpdateRule, Variable } from './variable.js';

/** What training through windows is told. */
export interface TruncatedOptions extends Windows {
  /** Networks per outer step. */
  readonly population: number;
  /** Real images per outer step. */
  readonly batch: number;
  /** Distilled images per inner step, at most; 0 for all. */
  readonly innerBatch: number;
  readonly networkLr: number;
  /** Of real images and of those of every inner step, each by its own draw. */
  readonly augmentation: string;
  readonly keep: Keep;
  /** How the result is scored. */
  readonly protocol: string;
}

/** What follows from options, and is not one. */
export interface TruncatedRules {
  readonly training: Training;
  readonly items: UpdateRule;
  /** Of soft labels; hard ones are not learned. */
  readonly labels?: UpdateRule;
}

type Tensors = Readonly<Record<string, Tensor>>;

/** The inner training as one in minibatches, of as many steps as a network is ever trained. */
function minibatchesOf({ items }: Setting, o: TruncatedOptions, training: Training): MinibatchTraining {
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
    change: stepBatches({ state, members: o.population, size, numbers, augmentation }),
  };
}

/** Records one outer step: a window of training from where `theta` and `moments` stand, and the way back through it. */
function recordWindow(
  r: Recorder,
  setting: Setting,
  { state, items: images, itemsBar, variables, loss }: OuterStep,
  o: TruncatedOptions,
  { training, labels: soft }: TruncatedRules,
): Bars {
  const { network, real, items } = setting;
  const [P, count, K] = [o.population, itemCount(items), network.classes];
  const index = random.batch(r, { state }, { B: o.batch, rows: real.count, stream: streams.batch });
  const drawn = real.batch(r, real.declare(r), index);
  const strategy = strategyOf(o.augmentation);
  const x = strategy ? augment(r, drawn.x, { strategy, state, stream: streams.augmentation }).y : drawn.x;
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
  };
  recordUnrolled(r, P, loop, { x, y: drawn.y }, results, { keep: o.keep });
  reduce.members(r, { x: losses }, 1 / P, { into: loss });
  return labelsBar ? { labels: labelsBar } : {};
}

/**
 * Unrolled training through a window of a longer training as a process: networks are brought to where `starts` has the window of an
 * outer step begin, and the loss after it is differentiated through the window alone.
 */
export const beginTruncated = (
  name: string,
  setting: Setting,
  o: TruncatedOptions,
  rules: TruncatedRules,
  starts: Starts,
): Promise<Process> =>
  owning(async (owned) => {
    const { device, real, items, options, network } = setting;
    const { labels: soft, training } = rules;
    const oneHot = oneHotLabels(items);
    const count = itemCount(items);
    const labels: readonly Variable[] = soft
      ? [{ name: 'labels', shape: [count, network.classes], first: oneHot, update: soft }]
      : [];
    const learner = new Learner(setting, rules.items, labels);
    const program = learner.record('window of training', (r, step) =>
      recordWindow(r, setting, step, o, rules),
    );
    const { tensors, executable } = await loadWithTensors(device, program, owned, real.tensors);
    await learner.start(tensors, owned);
    await tensors.state.write(randomState(options.seed, 0));
    await tensors.numbers?.write(Uint32Array.from({ length: count }, (_, i) => i));
    if (!soft) await tensors.labels.write(oneHot);
    const how = {
      ...{ members: o.population, rate: o.networkLr, augmentation: o.augmentation },
      training: minibatchesOf(setting, o, training),
    };
    const networks = await TrainOnItems.create(setting, how, tensors, owned);
    const pool = o.pool > 0 ? await createPool(setting, o, tensors, owned) : undefined;
    return new TruncatedProcess(
      name,
      setting,
      o,
      learner,
      networks,
      pool,
      starts,
      program,
      executable,
      tensors,
      owned,
    );
  });

function createPool({ device }: Setting, { pool }: TruncatedOptions, tensors: Tensors, owned: Owned) {
  const { theta, moments, nextTheta, nextMoments } = tensors;
  const ends = moments
    ? { from: { theta: nextTheta, moments: nextMoments }, to: { theta, moments } }
    : { from: { theta: nextTheta } as Tensors, to: { theta } as Tensors };
  return Pool.create(device, pool, ends, owned);
}

class TruncatedProcess implements Process {
  step = 0;
  readonly programs: readonly Program[];
  readonly executables: readonly Executable[];
  readonly tensors: Tensors;

  constructor(
    private readonly name: string,
    private readonly setting: Setting,
    private readonly o: TruncatedOptions,
    private readonly learner: Learner,
    private readonly networks: TrainOnItems,
    private readonly pool: Pool | undefined,
    private readonly starts: Starts,
    program: Program,
    executable: Executable,
    private readonly all: Tensors,
    private readonly owned: Owned,
  ) {
    this.programs = [program, ...networks.programs, ...(pool ? [pool.program] : [])];
    this.executables = [executable, ...networks.executables];
    this.tensors = { ...learner.state(all), ...pool?.tensors };
  }

  async goTo(step: number): Promise<void> {
    await this.all.state.write(randomState(this.setting.options.seed, step));
    this.step = step;
  }

  async advance(steps: number, signal?: AbortSignal): Promise<Measures> {
    for (let i = 0; i < steps; i++) {
      const { number, place, age, fresh } = this.starts.at(this.step);
      if (fresh) await this.networks.draw(number, signal);
      else await this.pool!.take(place, signal);
      await this.networks.at(number, fresh ? 0 : age);
      if (fresh) await this.networks.train(age, signal);
      await this.executables[0].run({ signal });
      await this.pool?.put(place, signal);
      this.step++;
    }
    const [loss] = await this.all.loss.read();
    return { loss };
  }

  async result(): Promise<DistilledSet> {
    const { learner, all, name, o } = this;
    const labels = await learner.values(all, 'labels');
    const use = { kind: 'minibatches', protocol: o.protocol } as const;
    return learner.set(all, { method: name, labels, use });
  }

  dispose(): void {
    this.owned.dispose();
  }
}
