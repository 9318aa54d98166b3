import type { Normalisation } from '../data/normalisation.js';
import type { Device } from '../engine/device.js';
import { type Bound, loadWithTensors, readFloats } from '../engine/load.js';
import { Recorder } from '../engine/program.js';
import type { Model } from '../eval/model.js';
import { createNetwork, type Network } from '../networks/index.js';
import { copyInto } from '../train/groups.js';
import { lossOf } from '../train/loss.js';
import { repeated } from '../util/joined.js';
import { type Owned, owning } from '../util/owned.js';
import { Stream } from '../util/random.js';

/** Pixels `[N, C, H, W]` in 0..1, changed in some way. */
export type Corruption = (pixels: Float32Array, shape: readonly [number, number, number]) => Float32Array;

/** What happens to pictures on their way: noise, blur, contrast, and a hidden part, at a strength that people see at once. */
export const corruptions: Readonly<Record<string, Corruption>> = {
  /** Gaussian noise of deviation 0.2. */
  noise: (pixels) => {
    const stream = new Stream(0, 0x6e6f_6973);
    return pixels.map((value, i) => clamped(value + 0.2 * stream.normal(i)));
  },
  /** The mean of 3 x 3 pixels, of those that there are. */
  blur: (pixels, [, H, W]) => {
    const out = new Float32Array(pixels.length);
    for (let map = 0; map < pixels.length / (H * W); map++)
      for (let y = 0; y < H; y++)
        for (let x = 0; x < W; x++) {
          let [sum, count] = [0, 0];
          for (let v = Math.max(0, y - 1); v <= Math.min(H - 1, y + 1); v++)
            for (let u = Math.max(0, x - 1); u <= Math.min(W - 1, x + 1); u++, count++)
              sum += pixels[map * H * W + v * W + u];
          out[map * H * W + y * W + x] = sum / count;
        }
    return out;
  },
  /** A third of the contrast, about the middle of the range. */
  contrast: (pixels) => pixels.map((value) => 0.5 + (value - 0.5) / 3),
  /** The middle, half as wide and high as the image, is black. */
  hidden: (pixels, [, H, W]) => {
    const out = pixels.slice();
    for (let map = 0; map < pixels.length / (H * W); map++)
      for (let y = Math.floor(H / 4); y < Math.floor((3 * H) / 4); y++)
        out.fill(0, map * H * W + y * W + Math.floor(W / 4), map * H * W + y * W + Math.floor((3 * W) / 4));
    return out;
  },
};

const clamped = (value: number): number => Math.max(0, Math.min(1, value));

/** Images that are attacked together. */
const atOnce = 64;

/** The gradient of each network's loss with respect to the pixels that it is shown, each network with pixels of its own. */
export class PixelGradient {
  private constructor(
    readonly network: Network,
    readonly networks: number,
    readonly rows: number,
    private readonly bound: Bound,
    private readonly owned: Owned,
  ) {}

  static load(device: Device, model: Model, count: number): Promise<PixelGradient> {
    const network = createNetwork(model.network);
    const networks = model.parameters.length / network.count;
    const rows = Math.min(count, atOnce);
    const r = new Recorder('gradient of pixels');
    const x = r.external('images', networks, [rows, ...network.inputShape]);
    const y = r.external('labels', 1, [rows, network.classes]);
    const theta = r.external('theta', networks, [network.count]);
    const frozen = network.statisticsCount
      ? r.external('statistics', networks, [network.statisticsCount])
      : undefined;
    const passes = network.forward(r, x, theta, { frozen });
    copyInto(r, passes.z, r.external('outputs', networks, passes.z.shape));
    const zBar = lossOf(model.loss).forward(r, passes.z, y).backward(1);
    copyInto(r, passes.backward(zBar, { wantX: true })!, r.external('imagesBar', networks, x.shape));
    return owning(async (owned) => {
      const bound = await loadWithTensors(device, r.program(), owned);
      await bound.tensors.theta.write(model.parameters);
      if (model.statistics) await bound.tensors.statistics?.write(model.statistics);
      return new PixelGradient(network, networks, rows, bound, owned);
    });
  }

  /** Of normalised images `[networks, rows, C, H, W]` with labels `[rows, K]`. */
  async at(
    images: Float32Array,
    labels: Float32Array,
    signal?: AbortSignal,
  ): Promise<{ imagesBar: Float32Array; outputs: Float32Array }> {
    const { tensors, executable } = this.bound;
    await tensors.images.write(images);
    await tensors.labels.write(labels);
    await executable.run({ signal });
    return { imagesBar: await readFloats(tensors.imagesBar), outputs: await readFloats(tensors.outputs) };
  }

  dispose(): void {
    this.owned.dispose();
  }
}

/** How strong an attack is, in pixels of 0..1. */
export interface AttackStrength {
  /** By how much a pixel may change. */
  readonly epsilon: number;
  /** Of each step. */
  readonly step: number;
  readonly steps: number;
}

/**
 * Images `[networks, rows, C, H, W]` that each network is most wrong about near `clean` `[rows, C, H, W]`: steps along the sign of the gradient, within
 * epsilon of the image and the range of pixels (Madry et al. 2018; one step of epsilon is that of Goodfellow et al. 2015).
 */
export async function attack(
  gradient: PixelGradient,
  { clean, labels }: { readonly clean: Float32Array; readonly labels: Float32Array },
  normalisation: Normalisation,
  { epsilon, step, steps }: AttackStrength,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const { networks, network } = gradient;
  const size = network.inputShape.reduce((a, b) => a * b, 1);
  const { low, high, unit } = boundsOf(normalisation, network.inputShape);
  const images = repeated(Float32Array, clean, networks);
  for (let t = 0; t < steps; t++) {
    const { imagesBar } = await gradient.at(images, labels, signal);
    for (let i = 0; i < images.length; i++) {
      const j = i % size;
      const from = clean[i % clean.length];
      const moved = images[i] + step * unit[j] * Math.sign(imagesBar[i]);
      const near = Math.max(from - epsilon * unit[j], Math.min(from + epsilon * unit[j], moved));
      images[i] = Math.max(low[j], Math.min(high[j], near));
    }
  }
  return images;
}

/** What black, white and one unit of a pixel are after normalisation, for each number of an image. */
function boundsOf({ mean, std }: Normalisation, [C, H, W]: readonly [number, number, number]) {
  const of = (value: (c: number) => number) =>
    Float32Array.from({ length: C * H * W }, (_, i) => value(Math.floor(i / (H * W))));
  return {
    low: of((c) => (0 - mean[c]) / std[c]),
    high: of((c) => (1 - mean[c]) / std[c]),
    unit: of((c) => 1 / std[c]),
  };
}
