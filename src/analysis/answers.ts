import type { Device } from '../engine/device.js';
import { loadWithTensors, readFloats } from '../engine/load.js';
import { Recorder } from '../engine/program.js';
import type { Network } from '../networks/network.js';
import { copyInto } from '../train/groups.js';
import { Owned } from '../util/owned.js';

/** Asks networks of one architecture what they take normalised images for. */
export class Answers {
  readonly #owned = new Owned();

  private constructor(
    readonly network: Network,
    readonly bound: Awaited<ReturnType<typeof loadWithTensors>>,
    owned: Owned,
  ) {
    this.#owned = owned;
  }

  /** Of `networks` networks at once, on images `[count, C, H, W]`. */
  static async of(
    device: Device,
    network: Network,
    networks: number,
    images: Float32Array,
  ): Promise<Answers> {
    const { inputShape, count } = network;
    const rows = images.length / inputShape.reduce((a, b) => a * b, 1);
    const r = new Recorder('answers');
    const x = r.external('images', 1, [rows, ...inputShape]);
    const theta = r.external('theta', networks, [count]);
    copyInto(r, network.forward(r, x, theta).z, r.external('logits', networks, [rows, network.classes]));
    const owned = new Owned();
    try {
      const bound = await loadWithTensors(device, r.program(), owned);
      await bound.tensors.images.write(images);
      return new Answers(network, bound, owned);
    } catch (error) {
      owned.dispose();
      throw error;
    }
  }

  /** The class that each network takes each image for, `[networks][count]`. */
  async ask(parameters: Float32Array, signal?: AbortSignal): Promise<number[][]> {
    const { tensors, executable } = this.bound;
    const { classes: K, count } = this.network;
    await tensors.theta.write(parameters);
    await executable.run({ signal });
    const logits = await readFloats(tensors.logits);
    const networks = parameters.length / count;
    const rows = logits.length / K;
    const of = Array.from({ length: rows }, (_, row) => {
      const one = logits.subarray(row * K, (row + 1) * K);
      return one.indexOf(one.reduce((a, b) => Math.max(a, b)));
    });
    return Array.from({ length: networks }, (_, p) =>
      of.slice((p * rows) / networks, ((p + 1) * rows) / networks),
    );
  }

  dispose(): void {
    this.#owned.dispose();
  }
}
