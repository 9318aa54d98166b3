import type { Device, Tensor } from '../engine/device.js';
import * as gather from '../engine/ops/gather.js';
import type { Recorder, View } from '../engine/program.js';
import { LimbeckError } from '../util/errors.js';
import type { Dataset, Split } from './dataset.js';

/**
 * A split that lives on a device, as bytes where it came as bytes. Normalisation `(pixel / 255 - mean) / std` is folded
 * into one multiplication and one addition per channel when a batch is gathered.
 */
export class SplitOnDevice {
  private constructor(
    readonly dataset: Dataset,
    readonly count: number,
    readonly tensors: Readonly<Record<'data' | 'classes' | 'gain' | 'shift', Tensor>>,
  ) {}

  static async upload(device: Device, dataset: Dataset, split: Split): Promise<SplitOnDevice> {
    if (split.count < 1)
      throw new LimbeckError('ERR_DATA', `${dataset.name}: a split has no images, expected at least one`);
    const bytes = split.images instanceof Uint8Array;
    const scale = bytes ? 255 : 1;
    return new SplitOnDevice(dataset, split.count, {
      data: await device.tensor(bytes ? 'u8' : 'f32', split.images.length, split.images),
      classes: await device.tensor('u8', split.labels.length, split.labels),
      gain: await device.tensor(
        'f32',
        dataset.mean.length,
        dataset.std.map((std) => 1 / (scale * std)),
      ),
      shift: await device.tensor(
        'f32',
        dataset.mean.length,
        dataset.mean.map((mean, c) => -mean / dataset.std[c]),
      ),
    });
  }

  /** Records a normalised batch x `[B, C, H, W]` and its one-hot labels y `[B, K]` for `index` `[B]`. */
  batch(r: Recorder, externals: SplitViews, index: View): { x: View; y: View } {
    const { data, classes, gain, shift } = externals;
    return {
      x: gather.images(r, { data, index, gain, shift }),
      y: gather.oneHot(r, { labels: classes, index }, this.dataset.classes),
    };
  }

  /** Declares the split's tensors as external slots; bind `tensors` to them. */
  declare(r: Recorder): SplitViews {
    const { imageShape, mean } = this.dataset;
    return {
      data: r.external('data', 1, [this.count, ...imageShape], this.tensors.data.dtype),
      classes: r.external('classes', 1, [this.count], 'u8'),
      gain: r.external('gain', 1, [mean.length]),
      shift: r.external('shift', 1, [mean.length]),
    };
  }

  dispose(): void {
    for (const tensor of Object.values(this.tensors)) tensor.dispose();
  }
}

export type SplitViews = Readonly<Record<'data' | 'classes' | 'gain' | 'shift', View>>;

/** Normalised pixels `[rows.length, C, H, W]` of some images of a split, on the host. */
export function normalisedImages(dataset: Dataset, split: Split, rows: ArrayLike<number>): Float32Array {
  const [C, H, W] = dataset.imageShape;
  const map = H * W;
  const scale = split.images instanceof Uint8Array ? 255 : 1;
  const out = new Float32Array(rows.length * C * map);
  for (let i = 0; i < rows.length; i++)
    for (let c = 0; c < C; c++)
      for (let s = 0; s < map; s++)
        out[(i * C + c) * map + s] =
          (split.images[(rows[i] * C + c) * map + s] / scale - dataset.mean[c]) / dataset.std[c];
  return out;
}
