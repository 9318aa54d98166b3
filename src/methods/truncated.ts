import type { DistilledSet } from '../data/distilled-set.js';
import type { Executable, Tensor } from '../engine/device.js';
import { loadWithTensors } from '../engine/load.js';
import type { Program } from '../engine/program.js';
import { randomState } from '../train/streams.js';
import { type Owned, owning } from '../util/owned.js';
import { itemCount, oneHotLabels } from './items.js';
import { Learner } from './learner.js';
import type { Measures, Process, Setting } from './method.js';
import { Pool } from './pool.js';
import type { Starts } from './starts.js';
import { TrainOnItems } from './train-on-items.js';
import type { Variable } from './variable.js';
import { minibatchesOf, recordWindow, type TruncatedOptions, type TruncatedRules } from './window.js';

type Tensors = Readonly<Record<string, Tensor>>;

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
    return new TruncatedProcess({
      ...{ name, setting, learner, networks, pool, starts, program, executable, tensors, owned },
      protocol: o.protocol,
    });
  });

function createPool({ device }: Setting, { pool }: TruncatedOptions, tensors: Tensors, owned: Owned) {
  const { theta, moments, nextTheta, nextMoments } = tensors;
  const ends = moments
    ? { from: { theta: nextTheta, moments: nextMoments }, to: { theta, moments } }
    : { from: { theta: nextTheta } as Tensors, to: { theta } as Tensors };
  return Pool.create(device, pool, ends, owned);
}

/** What a process is made of. */
interface Parts {
  readonly name: string;
  readonly protocol: string;
  readonly setting: Setting;
  readonly learner: Learner;
  readonly networks: TrainOnItems;
  readonly pool?: Pool;
  readonly starts: Starts;
  readonly program: Program;
  readonly executable: Executable;
  readonly tensors: Tensors;
  readonly owned: Owned;
}

class TruncatedProcess implements Process {
  step = 0;
  readonly programs: readonly Program[];
  readonly executables: readonly Executable[];
  readonly tensors: Tensors;

  constructor(private readonly parts: Parts) {
    const { learner, networks, pool, program, executable, tensors } = parts;
    this.programs = [program, ...networks.programs, ...(pool ? [pool.program] : [])];
    this.executables = [executable, ...networks.executables];
    this.tensors = { ...learner.state(tensors), ...pool?.tensors };
  }

  async goTo(step: number): Promise<void> {
    const { setting, tensors } = this.parts;
    await tensors.state.write(randomState(setting.options.seed, step));
    this.step = step;
  }

  async advance(steps: number, signal?: AbortSignal): Promise<Measures> {
    const { starts, networks, pool, executable, tensors } = this.parts;
    for (let i = 0; i < steps; i++) {
      const { number, place, age, fresh } = starts.at(this.step);
      if (fresh) await networks.draw(number, signal);
      else await pool!.take(place, signal);
      await networks.at(number, fresh ? 0 : age);
      if (fresh) await networks.train(age, signal);
      await executable.run({ signal });
      await pool?.put(place, signal);
      this.step++;
    }
    const [loss] = await tensors.loss.read();
    return { loss };
  }

  async result(): Promise<DistilledSet> {
    const { name, protocol, learner, tensors } = this.parts;
    const labels = await learner.values(tensors, 'labels');
    return learner.set(tensors, { method: name, labels, use: { kind: 'minibatches', protocol } });
  }

  dispose(): void {
    this.parts.owned.dispose();
  }
}
