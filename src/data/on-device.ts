import type { Device, Tensor } from '../engine/device.js';
import * as gather from '../engine/ops/gather.js';
import type { Recorder } from '../engine/program.js';
import type { DType, View } from '../engine/view.js';
import { LimbeckError } from '../util/errors.js';
import { type Owned, owning } from '../util/owned.js';
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
    private readonly owned: Owned,
  ) {}

  static async upload(device: Device, dataset: Dataset, split: Split): Promise<SplitOnDevice> {
    if (split.count < 1)
      throw new LimbeckError('ERR_DATA', `${dataset.name}: a split has no images, expected at least one`);
    const { mean, std } = dataset;
    const bytes = split.images instanceof Uint8Array;
    const scale = bytes ? 255 : 1;
    return owning(async (owned) => {
      const upload = async (dtype: DType, values: ArrayLike<number>) =>
        owned.own(await device.tensor(dtype, values.length, values));
      const tensors = {
        data: await upload(bytes ? 'u8' : 'f32', split.images),
        classes: await upload('u8', split.labels),
        gain: await upload(
          'f32',
          std.map((deviation) => 1 / (scale * deviation)),
        ),
        shift: await upload(
          'f32',
          mean.map((value, c) => -value / std[c]),
        ),
      };
      return new SplitOnDevice(dataset, split.count, tensors, owned);
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
    this.owned.dispose();
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
