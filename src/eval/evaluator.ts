import type { Dataset, Split } from '../data/dataset.js';
import { SplitOnDevice } from '../data/on-device.js';
import type { Device, Executable, Tensor } from '../engine/device.js';
import * as accuracy from '../engine/ops/accuracy.js';
import { Recorder, slice } from '../engine/program.js';
import { drawNetworks } from '../methods/outer-loop.js';
import type { Network } from '../networks/network.js';
import { recordInnerLoop } from '../train/inner-loop.js';
import { streams } from '../train/streams.js';

/** What networks are trained on; `members` of 1 means the whole population gets the same. */
export interface TrainingSet {
  /** `[members, steps, n, C, H, W]` */
  readonly images: ArrayLike<number>;
  readonly imageMembers: number;
  /** `[steps, n, K]` */
  readonly labels: ArrayLike<number>;
  /** `[members, steps * epochs]` */
  readonly learningRates: ArrayLike<number>;
  readonly rateMembers: number;
}

export interface EvaluatorGeometry {
  readonly network: Network;
  /** Networks trained at once. */
  readonly members: number;
  readonly imageMembers: number;
  readonly rateMembers: number;
  readonly steps: number;
  readonly epochs: number;
  /** Images per step. */
  readonly n: number;
}

/** Images scored in one piece: bounds the activations of a whole population. */
const imagesInFlight = 2048;

/** Trains a population on a small set, exactly as the inner loop does, and counts its right answers on a split. */
export class Evaluator {
  private constructor(
    private readonly count: number,
    private readonly split: SplitOnDevice,
    private readonly tensors: Readonly<Record<string, Tensor>>,
    private readonly executables: readonly Executable[],
  ) {}

  static async create(
    device: Device,
    dataset: Dataset,
    split: Split,
    geometry: EvaluatorGeometry,
  ): Promise<Evaluator> {
    const { network, members, imageMembers, rateMembers, steps, epochs, n } = geometry;
    const uploaded = await SplitOnDevice.upload(device, dataset, split);

    const train = new Recorder('train on distilled images');
    const inputs = {
      theta: train.external('theta', members, [network.count]),
      images: train.external('images', imageMembers, [steps, n, ...network.inputShape]),
      labels: train.external('labels', 1, [steps, n, network.classes]),
      rates: train.external('rates', rateMembers, [steps * epochs]),
    };
    recordInnerLoop(
      train,
      members,
      { network, steps, epochs, ...inputs },
      train.external('trained', members, [network.count]),
    );

    const score = new Recorder('count right answers');
    const externals = uploaded.declare(score);
    const order = score.external('order', 1, [split.count], 'u32');
    const trained = score.external('trained', members, [network.count]);
    const correct = score.external('correct', members, [1]);
    const piece = Math.max(1, Math.floor(imagesInFlight / members));
    for (let start = 0; start < split.count; start += piece) {
      const index = slice(order, start, [Math.min(piece, split.count - start)]);
      const { x, y } = uploaded.batch(score, externals, index);
      const { z } = network.forward(score, x, trained);
      accuracy.count(score, { z, y }, { into: correct, accumulate: start > 0 });
    }

    const tensors: Record<string, Tensor> = {};
    const programs = [train.program(), score.program()];
    for (const { slots } of programs)
      for (const slot of slots)
        if (slot.external && !Object.hasOwn(uploaded.tensors, slot.name))
          tensors[slot.name] ??= await device.tensor(slot.dtype, slot.length);
    await tensors.order.write(Uint32Array.from({ length: split.count }, (_, i) => i));
    const executables = [];
    for (const program of programs) {
      const bindings: Record<string, Tensor> = {};
      for (const { external, name } of program.slots)
        if (external)
          bindings[name] = tensors[name] ?? uploaded.tensors[name as keyof typeof uploaded.tensors];
      executables.push(await device.load(program, bindings));
    }
    return new Evaluator(split.count, uploaded, tensors, executables);
  }

  /** Accuracy in percent of each member, trained from the given parameters `[members, count]`. */
  async run(
    { images, labels, learningRates }: TrainingSet,
    parameters: ArrayLike<number>,
    signal?: AbortSignal,
  ): Promise<number[]> {
    const { tensors } = this;
    await tensors.theta.write(parameters);
    await tensors.images.write(images);
    await tensors.labels.write(labels);
    await tensors.rates.write(learningRates);
    for (const executable of this.executables) await executable.run({ signal });
    const correct = await tensors.correct.read();
    return Array.from(correct, (right) => (100 * right) / this.count);
  }

  dispose(): void {
    for (const executable of this.executables) executable.dispose();
    for (const tensor of Object.values(this.tensors)) tensor.dispose();
    this.split.dispose();
  }
}

/** Parameters `[members, count]` of networks that are never used in distillation; every draw gives others. */
export async function heldOutNetworks(
  device: Device,
  network: Network,
  members: number,
  seed: number,
  draw: number,
): Promise<Float32Array> {
  const theta = await device.tensor('f32', members * network.count);
  try {
    await drawNetworks(device, network, theta, seed, streams.heldOutNetworks, draw);
    return Float32Array.from(await theta.read());
  } finally {
    theta.dispose();
  }
}
