import type { Dataset, Split } from '../data/dataset.js';
import { SplitOnDevice } from '../data/on-device.js';
import type { Device, Executable, Tensor } from '../engine/device.js';
import * as accuracy from '../engine/ops/accuracy.js';
import { type Program, Recorder, slice } from '../engine/program.js';
import type { Network } from '../networks/network.js';
import { drawNetworks } from '../train/initialise.js';
import { recordInnerLoop } from '../train/inner-loop.js';
import { streams } from '../train/streams.js';
import { type Owned, owning } from '../util/owned.js';

/** What networks are trained on: the same for the whole population, or one set after another for its members. */
export interface TrainingSet {
  /** `[steps, n, C, H, W]` or `[members, steps, n, C, H, W]` */
  readonly images: ArrayLike<number>;
  /** `[steps, n, K]`, always shared. */
  readonly labels: ArrayLike<number>;
  /** `[steps * epochs]` or `[members, steps * epochs]` */
  readonly learningRates: ArrayLike<number>;
}

export interface EvaluatorGeometry {
  readonly network: Network;
  /** Networks trained at once. */
  readonly members: number;
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
    private readonly tensors: Readonly<Record<string, Tensor>>,
    private readonly executables: readonly Executable[],
    private readonly owned: Owned,
  ) {}

  static create(
    device: Device,
    dataset: Dataset,
    split: Split,
    geometry: EvaluatorGeometry,
  ): Promise<Evaluator> {
    return owning(async (owned) => {
      const uploaded = owned.own(await SplitOnDevice.upload(device, dataset, split));
      const programs = [recordTraining(geometry), recordScoring(geometry, uploaded)];
      const tensors: Record<string, Tensor> = { ...uploaded.tensors };
      for (const { slots } of programs)
        for (const { external, name, dtype, length } of slots)
          if (external) tensors[name] ??= owned.own(await device.tensor(dtype, length));
      await tensors.order.write(Uint32Array.from({ length: split.count }, (_, i) => i));
      const executables: Executable[] = [];
      for (const program of programs) {
        const names = program.slots.filter(({ external }) => external).map(({ name }) => name);
        const bindings = Object.fromEntries(names.map((name) => [name, tensors[name]]));
        executables.push(owned.own(await device.load(program, bindings)));
      }
      return new Evaluator(split.count, tensors, executables, owned);
    });
  }

  /** Accuracy in percent of each member, trained from the given parameters `[members, count]`. */
  async run(
    { images, labels, learningRates }: TrainingSet,
    parameters: ArrayLike<number>,
    signal?: AbortSignal,
  ): Promise<number[]> {
    const { tensors } = this;
    await tensors.theta.write(parameters);
    await tensors.images.write(repeated(images, tensors.images.length));
    await tensors.labels.write(labels);
    await tensors.rates.write(repeated(learningRates, tensors.rates.length));
    for (const executable of this.executables) await executable.run({ signal });
    const correct = await tensors.correct.read();
    return Array.from(correct, (right) => (100 * right) / this.count);
  }

  dispose(): void {
    this.owned.dispose();
  }
}

/** `values` over and over, up to `length`. */
function repeated(values: ArrayLike<number>, length: number): ArrayLike<number> {
  return values.length === length
    ? values
    : Float32Array.from({ length }, (_, i) => values[i % values.length]);
}

function recordTraining({ network, members, steps, epochs, n }: EvaluatorGeometry): Program {
  const r = new Recorder('train on distilled images');
  const inputs = {
    theta: r.external('theta', members, [network.count]),
    images: r.external('images', members, [steps, n, ...network.inputShape]),
    labels: r.external('labels', 1, [steps, n, network.classes]),
    rates: r.external('rates', members, [steps * epochs]),
  };
  const trained = r.external('trained', members, [network.count]);
  recordInnerLoop(r, members, { network, steps, epochs, ...inputs }, trained);
  return r.program();
}

function recordScoring({ network, members }: EvaluatorGeometry, split: SplitOnDevice): Program {
  const r = new Recorder('count right answers');
  const externals = split.declare(r);
  const order = r.external('order', 1, [split.count], 'u32');
  const trained = r.external('trained', members, [network.count]);
  const correct = r.external('correct', members, [1]);
  const piece = Math.max(1, Math.floor(imagesInFlight / members));
  for (let start = 0; start < split.count; start += piece) {
    const index = slice(order, start, [Math.min(piece, split.count - start)]);
    const { x, y } = split.batch(r, externals, index);
    const { z } = network.forward(r, x, trained);
    accuracy.count(r, { z, y }, { into: correct, accumulate: start > 0 });
  }
  return r.program();
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
