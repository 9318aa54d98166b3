import type { Device, Tensor } from '../engine/device.js';
import * as gather from '../engine/ops/gather.js';
import * as random from '../engine/ops/random.js';
import type { Recorder } from '../engine/program.js';
import type { DType, View } from '../engine/view.js';
import { LimbeckError } from '../util/errors.js';
import { Owned, owning } from '../util/owned.js';
import { rowsByClass } from './classes.js';
import type { Dataset, Split } from './dataset.js';
import type { TextEncoding } from './text/encoding.js';

/**
 * A split that lives on a device, as bytes where it came as bytes; of texts the rows of their words, and the table of these. Normalisation `(pixel / 255 - mean) / std` is folded
 * into one multiplication and one addition per channel when a batch is gathered.
 */
export class SplitOnDevice {
  private constructor(
    readonly dataset: Dataset,
    readonly count: number,
    readonly tensors: Readonly<Record<string, Tensor>>,
    private readonly owned: Owned,
  ) {}

  /** With `byClass`, rows can be drawn class by class; ERR_DATA where a class has none. */
  static async upload(
    device: Device,
    dataset: Dataset,
    split: Split,
    { byClass = false } = {},
  ): Promise<SplitOnDevice> {
    if (split.count < 1)
      throw new LimbeckError('ERR_DATA', `${dataset.name}: a split has no images, expected at least one`);
    const { mean, std, text } = dataset;
    const bytes = split.images instanceof Uint8Array;
    const scale = bytes ? 255 : 1;
    const tables = byClass && rowsByClass(split.labels, dataset.classes, dataset.name);
    return owning(async (owned) => {
      const upload = async (dtype: DType, values: ArrayLike<number>) =>
        owned.own(await device.tensor(dtype, values.length, values));
      const tensors = {
        data: await upload(dtypeOf(split), split.images),
        classes: await upload('u32', split.labels),
        gain: await upload(
          'f32',
          std.map((deviation) => 1 / (scale * deviation)),
        ),
        shift: await upload(
          'f32',
          mean.map((value, c) => -value / std[c]),
        ),
        ...(text && { table: await upload('f32', text.table) }),
        ...(tables && {
          order: await upload('u32', tables.order),
          starts: await upload('u32', tables.starts),
        }),
      };
      return new SplitOnDevice(dataset, split.count, tensors, owned);
    });
  }

  /** A split of which nothing is on the device, for runs that read none of its images there. */
  static absent(dataset: Dataset, split: Split): SplitOnDevice {
    return new SplitOnDevice(dataset, split.count, {}, new Owned());
  }

  /** Records a normalised batch x `[B, C, H, W]` and its one-hot labels y `[B, K]` for `index` `[B]`. */
  batch(r: Recorder, externals: SplitViews, index: View): { x: View; y: View } {
    const { data, classes, gain, shift, table } = externals;
    return {
      x: table
        ? gather.words(r, { tokens: data, table, index })
        : gather.images(r, { data, index, gain, shift }),
      y: gather.oneHot(r, { labels: classes, index }, this.dataset.classes),
    };
  }

  /**
   * Records a batch as above per member, the next B images of one class each: member c of class c, or as `draw` says (see
   * `random.batchByClass`). `state` is the u32 `[4]` that the draws are addressed by.
   */
  batchByClass(
    r: Recorder,
    externals: SplitViews,
    { state, ...draw }: random.ClassDraw & { readonly state: View },
  ): { x: View; y: View } {
    const { order, starts } = externals;
    if (!order || !starts)
      throw new LimbeckError(
        'ERR_PROGRAM',
        `${this.dataset.name}: there are no tables of rows by class on the device, expected a split uploaded with byClass`,
      );
    return this.batch(r, externals, random.batchByClass(r, { state, order, starts }, draw));
  }

  /** Declares the split's tensors as external slots; bind `tensors` to them. ERR_PROGRAM where it is absent. */
  declare(r: Recorder): SplitViews {
    const { name, imageShape, mean, classes, text } = this.dataset;
    if (!this.tensors.data)
      throw new LimbeckError(
        'ERR_PROGRAM',
        `${name}: its images are not on the device, expected a method that reads them to say how many an outer step does (realImages)`,
      );
    return {
      data: r.external(
        'data',
        1,
        [this.count, ...(text ? [text.length] : imageShape)],
        this.tensors.data.dtype,
      ),
      ...(text && { table: r.external('table', 1, [text.words.length, text.width]) }),
      classes: r.external('classes', 1, [this.count], 'u32'),
      gain: r.external('gain', 1, [mean.length]),
      shift: r.external('shift', 1, [mean.length]),
      ...(this.tensors.order && {
        order: r.external('order', 1, [this.count], 'u32'),
        starts: r.external('starts', 1, [classes + 1], 'u32'),
      }),
    };
  }

  dispose(): void {
    this.owned.dispose();
  }
}

const dtypeOf = ({ images }: Split): DType =>
  images instanceof Uint8Array ? 'u8' : images instanceof Uint32Array ? 'u32' : 'f32';

export type SplitViews = Readonly<Record<'data' | 'classes' | 'gain' | 'shift', View>> &
  Readonly<Partial<Record<'order' | 'starts' | 'table', View>>>;

/** Normalised pixels `[rows.length, C, H, W]` of some images of a split, or as many embedded texts, on the host. */
export function normalisedImages(
  dataset: Pick<Dataset, 'imageShape' | 'mean' | 'std' | 'text'>,
  split: Pick<Split, 'images'>,
  rows: ArrayLike<number>,
): Float32Array {
  const [C, H, W] = dataset.imageShape;
  if (dataset.text) return embeddedTexts(dataset.text, split.images, rows);
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

function embeddedTexts(
  { table, length, width }: TextEncoding,
  words: Split['images'],
  rows: ArrayLike<number>,
): Float32Array {
  const out = new Float32Array(rows.length * length * width);
  for (let i = 0; i < rows.length; i++)
    for (let t = 0; t < length; t++) {
      const row = words[rows[i] * length + t];
      out.set(table.subarray(row * width, (row + 1) * width), (i * length + t) * width);
    }
  return out;
}
