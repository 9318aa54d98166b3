import type { TextEncoding } from './text/encoding.js';

/** Class labels: bytes where they suffice. */
export type Labels = Uint8Array | Uint16Array;

/** One part of a data set: images in their stored values and one class label each. */
export interface Split {
  /**
   * `[count, C, H, W]`; bytes 0..255 where they came as bytes, floats otherwise. Of texts, `[count, length]`: for every word its row in
   * the table of the data set's `text`.
   */
  readonly images: Uint8Array | Float32Array | Uint32Array;
  /** `[count]`, each in `0 .. classes - 1`. */
  readonly labels: Labels;
  /** How many images. */
  readonly count: number;
}

/** ZCA and its inverse: z = transform (picture - mean), a picture is mean + inverse z; see zca.ts. */
export interface Whitening {
  /** What was added to the diagonal of the covariance C. */
  readonly epsilon: number;
  /** `[C * H * W]`, of pixels in 0..1. */
  readonly mean: Float64Array;
  /** `[C * H * W, C * H * W]`: (C + epsilon I)^(-1/2), symmetric. */
  readonly transform: Float32Array;
  /** As `transform`: (C + epsilon I)^(1/2). */
  readonly inverse: Float32Array;
  /** As they were read: what tells whether data is the same, because whitening rounds differently on other processors. */
  readonly source: Readonly<Record<'train' | 'validation' | 'test', Split>>;
}

/** The splits of a data set. */
export const splitNames = ['train', 'validation', 'test'] as const;
/** One of them. */
export type SplitName = (typeof splitNames)[number];

/**
 * A set of labelled images, or of texts, with its splits kept apart: methods see `train` and `validation` only; `test` is
 * opened by `eval` alone.
 */
export interface Dataset {
  /** For people: what the set is called in reports. */
  readonly name: string;
  /** `[C, H, W]` of one image. */
  readonly imageShape: readonly [number, number, number];
  /** The same before the images were brought to another shape, where they were. */
  readonly originalShape?: readonly [number, number, number];
  /** How many classes, K. */
  readonly classes: number;
  /** Shown beside the images; `['0', '1', …]` when the set has no better names. */
  readonly classNames: readonly string[];
  /** What the files call the classes, where `classNames` has words for it: WordNet's numbers. */
  readonly classIds?: readonly string[];
  /** Per channel, of pixel values scaled to 0..1 (bytes / 255; floats are taken as they are). */
  readonly mean: readonly number[];
  /** Standard deviations, as `mean`. */
  readonly std: readonly number[];
  /** Present where the images are ZCA-whitened; `mean` and `std` are then 0 and 1. */
  readonly zca?: Whitening;
  /** Present where the items are texts: of `[1, length, width]`, for every word a row of numbers; `mean` and `std` are then 0 and 1. */
  readonly text?: TextEncoding;
  /** Of image files of 16 bits and arrays of larger whole numbers: what their values were divided by, to floats in 0..1. */
  readonly divisor?: number;
  /** Of images with transparent pixels: the colour that they were laid on, where it was said. */
  readonly background?: string;
  /** What was decided where the files leave something open, and what looks wrong: for people. */
  readonly notes?: readonly string[];
  /** What is distilled. */
  readonly train: Split;
  /** What results are chosen on. */
  readonly validation: Split;
  /** What the final number is measured on, once; may be empty. */
  readonly test: Split;
}
