import type { Executable, Tensor } from '../engine/device.js';
import { loadWithTensors } from '../engine/load.js';
import * as elementwise from '../engine/ops/elementwise.js';
import { type Program, Recorder } from '../engine/program.js';
import { gatherRows } from '../train/gather-rows.js';
import { optimizerOf } from '../train/inner-optimizer.js';
import {
  batchesOf,
  declareMinibatches,
  type MinibatchTraining,
  startMinibatches,
} from '../train/minibatch.js';
import { randomState, streams } from '../train/streams.js';
import type { Owned } from '../util/owned.js';
import { Stream } from '../util/random.js';
import { strategyOf } from './by-class.js';
import { itemCount } from './items.js';
import type { Setting } from './method.js';
import { pretrainedTensors, recordNetworks } from './networks.js';

/** How networks are trained on the distilled set as it is at the moment. */
export interface OnItems {
  /** Networks that are drawn and trained together. */
  readonly members: number;
  /** Its steps are as many as any network is ever trained, or more. */
  readonly training: MinibatchTraining;
  readonly rate: number;
  /** Of the images of each step, every image with its own draw. */
  readonly augmentation: string;
}

type Tensors = Readonly<Record<string, Tensor>>;

/** Shape of the optimiser's state; none where it has none. */
const momentsShape = ({ network }: Setting, { training }: OnItems) =>
  optimizerOf(training.optimizer).stateShape?.(network.count);

/** Networks before their training, and an optimiser that has not made a step. */
function recordDrawing(setting: Setting, how: OnItems): Program {
  const { network } = setting;
  const r = new Recorder('networks before their training');
  const state = r.external('state', 1, [4], 'u32');
  const theta = r.external('theta', how.members, [network.count]);
  recordNetworks(r, setting, state, theta);
  const shape = momentsShape(setting, how);
  if (shape) elementwise.fill(r, 0, r.external('moments', how.members, shape));
  return r.program();
}

/** A step of training on the items as they are decoded now. */
function recordTraining({ network, items }: Setting, { members, training, augmentation }: OnItems): Program {
  const r = new Recorder('train on the distilled images');
  const rows = itemCount(items);
  const { variables } = items.decoder;
  const views = Object.entries(variables).map(([name, shape]) => [name, r.external(name, 1, shape)]);
  const { items: images } = items.decoder.decode(r, Object.fromEntries(views));
  const labels = r.external('labels', 1, [rows, network.classes]);
  // All images need no gathering: a batch of them is the set in its own order.
  const whole = batchesOf(training, rows).perEpoch === 1;
  declareMinibatches(r, members, {
    ...{ network, training, rows, augmentation: strategyOf(augmentation) },
    gather: (r, index) => (whole ? { x: images, y: labels } : gatherRows(r, { images, labels, index })),
  });
  return r.program();
}

/**
 * Draws networks and trains them on the distilled set as it is. Networks are told apart by a number: each has random numbers
 * of its own, for weights and for every step of its training.
 */
export class TrainOnItems {
  private constructor(
    private readonly seed: number,
    readonly perEpoch: number,
    readonly programs: readonly Program[],
    readonly executables: readonly Executable[],
    /** `theta` and, where the optimiser has any, `moments`. */
    readonly tensors: Tensors,
    private readonly drawing: Tensor,
    private readonly state: Tensor,
  ) {}

  /**
   * `tensors` holds `theta`, the `labels` of the items and the variables that items are decoded from; `moments` of the optimiser and
   * `trainingState`, which the steps draw by, are made where it has none.
   */
  static async create(setting: Setting, how: OnItems, tensors: Tensors, owned: Owned): Promise<TrainOnItems> {
    const { device, items, options } = setting;
    const rows = itemCount(items);
    const programs = [recordDrawing(setting, how), recordTraining(setting, how)];
    const hasMoments = momentsShape(setting, how) !== undefined;
    const ofNetwork = hasMoments ? ['theta', 'moments'] : ['theta'];
    const pick = (names: readonly string[], from: Tensors) =>
      Object.fromEntries(names.map((name) => [name, from[name]]));
    const training = await loadWithTensors(device, programs[1], owned, {
      ...pick([...ofNetwork, 'labels', ...Object.keys(items.decoder.variables)], tensors),
      state: tensors.trainingState,
    });
    const drawing = await loadWithTensors(device, programs[0], owned, {
      ...pick(ofNetwork, training.tensors),
      ...(await pretrainedTensors(setting, owned)),
    });
    const { rate } = how;
    await startMinibatches(training.tensors, how.training, { rows, rate, seed: options.seed });
    return new TrainOnItems(
      options.seed,
      batchesOf(how.training, rows).perEpoch,
      programs,
      [drawing.executable, training.executable],
      pick(ofNetwork, training.tensors),
      drawing.tensors.state,
      training.tensors.state,
    );
  }

  /** Draws the networks of a number, with an optimiser that has not made a step. */
  async draw(number: number, signal?: AbortSignal): Promise<void> {
    await this.drawing.write(randomState(this.seed, number));
    await this.executables[0].run({ signal });
  }

  /** Goes on with the random numbers of those networks where they have been trained for `steps` steps. */
  async at(number: number, steps: number): Promise<void> {
    const source = new Stream(this.seed, streams.trainedAlong);
    await this.state.write([source.u32(2 * number + 2), source.u32(2 * number + 3), steps, 0]);
  }

  /** Trains on for `steps` steps. */
  async train(steps: number, signal?: AbortSignal): Promise<void> {
    if (steps > 0) await this.executables[1].run({ times: steps, signal });
  }
}
