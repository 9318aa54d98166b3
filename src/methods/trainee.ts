import type { Executable, Tensor } from '../engine/device.js';
import { loadWithTensors } from '../engine/load.js';
import * as elementwise from '../engine/ops/elementwise.js';
import { type Program, Recorder } from '../engine/program.js';
import { recordInitialise } from '../train/initialise.js';
import { optimizerOf } from '../train/inner-optimizer.js';
import {
  batchesOf,
  declareMinibatches,
  gatherRows,
  type MinibatchTraining,
  rateTable,
} from '../train/minibatch.js';
import { randomState, streams } from '../train/streams.js';
import type { Owned } from '../util/owned.js';
import { Stream } from '../util/random.js';
import { strategyOf } from './by-class.js';
import { itemCount } from './items.js';
import type { Setting } from './method.js';

/** How a network beside a run is trained on the distilled set. */
export interface TraineeOptions {
  /** Its epochs: at least as many as are ever taken. */
  readonly training: MinibatchTraining;
  readonly rate: number;
  /** Of the distilled images in that training, every image with its own draw. */
  readonly augmentation: string;
}

type Tensors = Readonly<Record<string, Tensor>>;

/** A network beside a run: the program that draws it afresh, and that of a step of its training on the current set. */
export class Trainee {
  private constructor(
    private readonly seed: number,
    /** Steps of an epoch. */
    readonly perEpoch: number,
    readonly programs: readonly Program[],
    readonly executables: readonly Executable[],
    private readonly fresh: Tensors,
    private readonly along: Tensors,
  ) {}

  /** `tensors` are `theta`, the `labels` of the items and the variables that items are decoded from. */
  static async create(
    { device, network, items, options: { seed } }: Setting,
    { training, rate, augmentation }: TraineeOptions,
    tensors: Tensors,
    owned: Owned,
  ): Promise<Trainee> {
    const { theta, labels } = tensors;
    const rows = itemCount(items);
    const step = new Recorder('train on the distilled images');
    const { variables } = items.decoder;
    const views = Object.entries(variables).map(([name, shape]) => [name, step.external(name, 1, shape)]);
    const { items: images } = items.decoder.decode(step, Object.fromEntries(views));
    const y = step.external('labels', 1, [rows, network.classes]);
    declareMinibatches(step, 1, {
      network,
      training,
      rows,
      augmentation: strategyOf(augmentation),
      gather: (r, index) => gatherRows(r, { images, labels: y, index }),
    });

    const draw = new Recorder('fresh network');
    const state = draw.external('state', 1, [4], 'u32');
    const drawn = draw.external('theta', 1, [network.count]);
    recordInitialise(draw, network, state, drawn, { firstStream: streams.trainingNetworks });
    const shape = optimizerOf(training.optimizer).stateShape?.(network.count);
    if (shape) elementwise.fill(draw, 0, draw.external('moments', 1, shape));

    const programs = [draw.program(), step.program()];
    const given = Object.fromEntries(Object.keys(variables).map((name) => [name, tensors[name]]));
    const along = await loadWithTensors(device, programs[1], owned, { ...given, labels, theta });
    await along.tensors.rates.write(rateTable(training, rows, rate));
    const { moments } = along.tensors;
    const fresh = await loadWithTensors(device, programs[0], owned, { theta, ...(shape && { moments }) });
    const { perEpoch } = batchesOf(training, rows);
    const executables = [fresh.executable, along.executable];
    return new Trainee(seed, perEpoch, programs, executables, fresh.tensors, along.tensors);
  }

  /** What it is, and what its optimiser remembers. */
  get tensors(): Tensors {
    const { theta, moments } = this.along;
    return { theta, ...(moments && { moments }) };
  }

  /** Draws network `number` of the run. */
  async draw(number: number, signal?: AbortSignal): Promise<void> {
    await this.fresh.state.write(randomState(this.seed, number));
    await this.executables[0].run({ signal });
  }

  /** Trains it, as network `number`, by so many steps after the first `done`: with random numbers of its own. */
  async train(number: number, done: number, steps: number, signal?: AbortSignal): Promise<void> {
    const source = new Stream(this.seed, streams.trainedAlong);
    const own = [2, 3].map((word) => source.u32(2 * number + word));
    await this.along.state.write([...own, done, 0]);
    await this.executables[1].run({ times: steps, signal });
  }
}
