import type { Executable, Tensor } from '../engine/device.js';
import { loadWithTensors } from '../engine/load.js';
import { type Program, Recorder } from '../engine/program.js';
import { recordInitialise } from '../train/initialise.js';
import {
  batchesOf,
  declareMinibatches,
  gatherRows,
  type MinibatchTraining,
  startMinibatches,
} from '../train/minibatch.js';
import { streams } from '../train/streams.js';
import type { Owned } from '../util/owned.js';
import { Stream } from '../util/random.js';
import { strategyOf } from './by-class.js';
import { itemCount } from './items.js';
import type { Setting } from './method.js';
import type { Beside } from './recorded.js';

/** How a network is trained on the distilled set between outer steps. */
export interface TrainingAlong {
  /** Outer steps that one network is for. */
  readonly outerLoop: number;
  /** Epochs on the distilled set between two of them. */
  readonly innerLoop: number;
  /** Its rate, by SGD. */
  readonly networkLr: number;
  /** Of the distilled images in that training, every image with its own draw. */
  readonly augmentation: string;
}

/** Images per step of that training, at most. */
const batch = 256;

type Tensors = Readonly<Record<string, Tensor>>;

/**
 * A network beside a run that is drawn afresh every `outerLoop` outer steps and trained on the current set in between (the
 * source of networks of gradient matching).
 */
export class TrainedAlong implements Beside {
  private constructor(
    private readonly setting: Setting,
    private readonly options: TrainingAlong,
    private readonly training: MinibatchTraining,
    readonly programs: readonly Program[],
    readonly executables: readonly Executable[],
    private readonly fresh: Tensors,
    private readonly along: Tensors,
    readonly tensors: Tensors,
  ) {}

  /** `tensors` are those of the outer step: its `theta` and the variables that items are decoded from. */
  static async create(
    setting: Setting,
    options: TrainingAlong,
    labels: Float32Array,
    tensors: Tensors,
    owned: Owned,
  ): Promise<TrainedAlong> {
    const { device, network, items } = setting;
    const { theta } = tensors;
    const training: MinibatchTraining = {
      optimizer: { kind: 'sgd' },
      loss: 'cross-entropy',
      batch,
      // One more than is ever taken, so that a table of rates is never empty.
      epochs: Math.max(1, (options.outerLoop - 1) * options.innerLoop),
      schedule: { kind: 'constant' },
    };

    const draw = new Recorder('fresh network');
    const state = draw.external('state', 1, [4], 'u32');
    const drawn = draw.external('theta', 1, [network.count]);
    recordInitialise(draw, network, state, drawn, { firstStream: streams.trainingNetworks });

    const step = new Recorder('train on the distilled images');
    const { variables } = items.decoder;
    const views = Object.entries(variables).map(([name, shape]) => [name, step.external(name, 1, shape)]);
    const { items: images } = items.decoder.decode(step, Object.fromEntries(views));
    const rows = itemCount(items);
    const y = step.external('labels', 1, [rows, network.classes]);
    declareMinibatches(step, 1, {
      network,
      training,
      rows,
      augmentation: strategyOf(options.augmentation),
      gather: (r, index) => gatherRows(r, { images, labels: y, index }),
    });

    const programs = [draw.program(), step.program()];
    const fresh = await loadWithTensors(device, programs[0], owned, { theta });
    const given = Object.fromEntries(Object.keys(variables).map((name) => [name, tensors[name]]));
    const along = await loadWithTensors(device, programs[1], owned, { ...given, theta });
    await along.tensors.labels.write(labels);
    const executables = [fresh.executable, along.executable];
    const own = [fresh.tensors, along.tensors, { theta }] as const;
    return new TrainedAlong(setting, options, training, programs, executables, ...own);
  }

  /** Brings the network to where outer step `step` finds it, from where the step before left it. */
  async before(step: number, signal?: AbortSignal): Promise<void> {
    const { outerLoop, innerLoop } = this.options;
    const { seed } = this.setting.options;
    const position = step % outerLoop;
    if (position === 0) {
      await this.fresh.state.write(stateOf(seed, 0, Math.floor(step / outerLoop)));
      await this.executables[0].run({ signal });
      return;
    }
    if (position === 1 || !this.#started) await this.#start(step, position);
    const { perEpoch } = batchesOf(this.training, itemCount(this.setting.items));
    await this.executables[1].run({ times: innerLoop * perEpoch, signal });
  }

  /** After `theta` was written from elsewhere. */
  forget(): void {
    this.#started = false;
  }

  #started = false;

  /** Rates, and random numbers of this network's own from its first training on. */
  async #start(step: number, position: number): Promise<void> {
    const { outerLoop, innerLoop, networkLr } = this.options;
    const { seed } = this.setting.options;
    const rows = itemCount(this.setting.items);
    await startMinibatches(this.along, this.training, { rows, rate: networkLr, seed });
    const { perEpoch } = batchesOf(this.training, rows);
    const done = (position - 1) * innerLoop * perEpoch;
    await this.along.state.write(stateOf(seed, 1 + Math.floor(step / outerLoop), done));
    this.#started = true;
  }
}

/** The state of random numbers: those of the run for `number` 0, and independent ones for each other number. */
function stateOf(seed: number, number: number, draw: number): number[] {
  if (number === 0) return [seed >>> 0, Math.floor(seed / 2 ** 32), draw, 0];
  const source = new Stream(seed, streams.trainedAlong);
  return [source.u32(2 * number), source.u32(2 * number + 1), draw, 0];
}
