import type { Operands } from './view.js';

/** The whole numbers that fix the geometry of a step: `P N C H W …`. */
export type Sizes = Readonly<Record<string, number>>;

/**
 * How a kernel uses an operand. `write` fills every element (or adds to it, when the step accumulates),
 * `update` reads and changes in place, `optional` is a read that may be left out.
 */
export type Access = 'read' | 'optional' | 'write' | 'update';

/** The elements of one member of an operand, as the reference engine holds them. */
export type Elements = Float64Array | Uint32Array | Uint8Array;

/** An operand of a reference kernel: member index to its elements. */
export type Members = (member: number) => Elements;

/**
 * How a kernel can be called with a part of its work: some images of a batch, or some planes (the maps of all images, one after
 * the other). Up to rounding, their results do not depend on which others are computed with them.
 * Operands not named here are cut: they begin with the axes `[images, ...]` or `[images, channels, ...map]`.
 */
export interface Cut {
  /** Sizes in proportion to the images or planes: `N`, or all elements of an elementwise kernel. */
  readonly sizes?: readonly string[];
  /** Sizes that are channels; planes only. */
  readonly channels?: readonly string[];
  /** Sizes that count images and become 1 where the planes of one image are taken; planes only. */
  readonly images?: readonly string[];
  /** Operands that all parts share: weights. */
  readonly whole?: readonly string[];
  /** Results that are sums over the images, added to what is there when the step accumulates. */
  readonly sums?: readonly string[];
  /** Results that are such sums with one row per channel; planes only. */
  readonly channelSums?: readonly string[];
  /** Operands with one row, or one element, per channel; planes only. */
  readonly perChannel?: readonly string[];
  /** Operands that begin with the axis of images and have other channels than the planes; planes only. */
  readonly perImage?: readonly string[];
  /** Operands that are passed whole and in which the kernel finds its planes itself; planes only. */
  readonly placed?: readonly string[];
}

/**
 * One entry point of an op: `conv2d.forward` and so on. The op's file defines it here with its float64
 * meaning; `shaders/<op>.wgsl` and `native/ops/<op>.cc` hold the same entry point for the other engines and
 * declare the operands, sizes and constants they read by these names.
 */
export interface Kernel {
  readonly name: string;
  /** In order: inputs, then outputs. */
  readonly operands: Readonly<Record<string, Access>>;
  readonly sizes: readonly string[];
  readonly constants: readonly string[];
  /** Left out where images, or planes, depend on each other or on their place in the batch. */
  readonly cuts?: { readonly images?: Cut; readonly planes?: Cut };
  /**
   * For a result, the operand of the same shape that it may overwrite on `cpu` if nothing reads that afterwards: the native
   * kernel reads an element for the last time before it writes the same element of the result.
   */
  readonly inPlaceOf?: Readonly<Record<string, string>>;
  /**
   * `multilinear` kernels are sums of products of operands and constants with nothing subtracted, so that running
   * them on absolute values bounds their rounding error; `exact` ones move or select values and round nothing;
   * `nonlinear` ones have rounding errors of a few units in the last place per operation.
   */
  readonly kind: 'multilinear' | 'exact' | 'nonlinear';
  /** Terms added up per output element: what the rounding error grows with. */
  reduction(sizes: Sizes, operands: Operands): number;
  flops(sizes: Sizes, operands: Operands): number;
  /** Elements that are read of an operand, where these are not all: rows of a table. */
  parts?(sizes: Sizes): Readonly<Record<string, number>>;
  /** The definition, in float64: loops over `sizes.P` members itself. */
  reference(
    operands: Readonly<Record<string, Members>>,
    sizes: Sizes,
    constants: Readonly<Record<string, number>>,
    accumulate: boolean,
  ): void;
}

/**
 * Bilinear kernels take one pair of factors or two, the second pair under the same names with a 2: `y = x w + x2 w2`
 * is a product's tangent in one step. How many there are:
 */
export const pairCount = ({ x2, yBar2 }: Operands): number => (x2 || yBar2 ? 2 : 1);

/** The pairs of factors that are there, of member `p`. */
export function pairsOf(
  p: number,
  ...pairs: readonly (readonly [Members | undefined, Members | undefined])[]
): [Elements, Elements][] {
  return pairs.flatMap(([a, b]): [Elements, Elements][] => (a && b ? [[a(p), b(p)]] : []));
}
