import type { Device } from '../engine/device.js';
import { type Bound, loadWithTensors, readFloats } from '../engine/load.js';
import { Recorder } from '../engine/program.js';
import { createNetwork, type Network } from '../networks/index.js';
import { copyInto } from '../train/groups.js';
import { argmax } from '../util/argmax.js';
import { type Owned, owning } from '../util/owned.js';
import { type Model, networksIn } from './model.js';

/** Images that go through a network together. */
const atOnce = 256;

/** A few networks of one architecture, `[networks, count]` and what batch norm normalises by. */
export interface NetworkValues {
  readonly parameters: Float32Array;
  /** `[networks, statisticsCount]`; left out, batch norm takes the statistics of the images that go through it. */
  readonly statistics?: Float32Array;
}

/** What networks of one architecture put out for images, which go through them a piece at a time. */
export class Outputs {
  private constructor(
    readonly network: Network,
    readonly networks: number,
    readonly rows: number,
    readonly bound: Bound,
    private readonly owned: Owned,
  ) {}

  /** For `networks` networks at once, and `count` images; `frozen`: batch norm is given what it normalises by. */
  static load(
    device: Device,
    network: Network,
    { networks, count, frozen = false }: { networks: number; count: number; frozen?: boolean },
  ): Promise<Outputs> {
    // Batch norm without frozen statistics takes those of all images together.
    const rows = network.statisticsCount && !frozen ? count : Math.min(count, atOnce);
    const r = new Recorder('outputs');
    const x = r.external('images', 1, [rows, ...network.inputShape]);
    const theta = r.external('theta', networks, [network.count]);
    const statistics =
      frozen && network.statisticsCount
        ? r.external('statistics', networks, [network.statisticsCount])
        : undefined;
    const { z } = network.forward(r, x, theta, { frozen: statistics });
    copyInto(r, z, r.external('outputs', networks, z.shape));
    return owning(
      async (owned) =>
        new Outputs(network, networks, rows, await loadWithTensors(device, r.program(), owned), owned),
    );
  }

  /** `[networks, count, K]`: of normalised images, of which `piece` gives those from `first` up to, not including, `end`. */
  async of(
    { parameters, statistics }: NetworkValues,
    count: number,
    piece: (first: number, end: number) => Float32Array,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const { network, networks: P, rows } = this;
    const { executable, tensors } = this.bound;
    const K = network.classes;
    await tensors.theta.write(parameters);
    if (statistics) await tensors.statistics?.write(statistics);
    const all = new Float32Array(P * count * K);
    // The last piece is filled up with what was in its place before.
    const images = new Float32Array(tensors.images.length);
    for (let first = 0; first < count; first += rows) {
      const end = Math.min(count, first + rows);
      images.set(piece(first, end));
      await tensors.images.write(images);
      await executable.run({ signal });
      const outputs = await readFloats(tensors.outputs);
      for (let p = 0; p < P; p++)
        all.set(outputs.subarray(p * rows * K, (p * rows + end - first) * K), (p * count + first) * K);
    }
    return all;
  }

  /** The class that each network takes each of normalised images `[count, C, H, W]` for, `[networks][count]`. */
  async classes(values: NetworkValues, images: Float32Array, signal?: AbortSignal): Promise<number[][]> {
    const { classes: K, inputShape } = this.network;
    const size = inputShape.reduce((a, b) => a * b, 1);
    const count = images.length / size;
    const piece = (first: number, end: number) => images.subarray(first * size, end * size);
    const outputs = await this.of(values, count, piece, signal);
    return Array.from({ length: this.networks }, (_, p) =>
      Array.from({ length: count }, (_, i) => {
        const at = (p * count + i) * K;
        return argmax(outputs.subarray(at, at + K));
      }),
    );
  }

  dispose(): void {
    this.owned.dispose();
  }
}

/** Asks all networks of a model about `count` images; batch norm has the model's statistics. Nothing stays on the device afterwards. */
export async function askModel<T>(
  device: Device,
  model: Model,
  count: number,
  ask: (outputs: Outputs) => Promise<T>,
): Promise<T> {
  const network = createNetwork(model.network);
  const networks = networksIn(model, network);
  const outputs = await Outputs.load(device, network, { networks, count, frozen: true });
  try {
    return await ask(outputs);
  } finally {
    outputs.dispose();
  }
}
