import { LimbeckError, shapeText } from '../util/errors.js';
import { elements, type Recorder, type Sizes, type Step, type View } from './program.js';

/**
 * How a kernel uses an operand. `write` fills every element (or adds to it, when the step accumulates),
 * `update` reads and changes in place, `optional` is a read that may be left out.
 */
export type Access = 'read' | 'optional' | 'write' | 'update';

/** The elements of one member of an operand, as the reference engine holds them. */
export type Elements = Float64Array | Uint32Array | Uint8Array;

/** Operands of a reference kernel: member index to its elements. */
export type Members = (member: number) => Elements;

/**
 * How a kernel can be called with a part of its work: some images of a batch, or some channels of an image (planes: the
 * maps of all images, one after the other). What it computes for them is, up to rounding, what it computes
 * for them with all.
 * Operands not named here are cut: they begin with the axes `[images, ...]` or `[images, channels, ...map]`.
 */
export interface Cut {
  /** Sizes in proportion to the images or planes: `N`, or all elements of an elementwise kernel. */
  readonly sizes?: readonly string[];
  /** Sizes that are channels; planes only. */
  readonly channels?: readonly string[];
  /** Sizes that are images where channels of one image are taken; planes only. */
  readonly images?: readonly string[];
  /** Operands that all parts share: weights. */
  readonly whole?: readonly string[];
  /** Results that are sums over the images, added to what is there when the step accumulates. */
  readonly sums?: readonly string[];
  /** Operands with one element per channel; planes only. */
  readonly perChannel?: readonly string[];
  /** Operands in which the kernel finds the place of its planes itself; planes only. */
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
   * For a result, the operand of the same shape whose memory it may have on `cpu` where nobody reads that afterwards: the
   * native kernel has read an element of it, for the last time, when it writes that of the result.
   */
  readonly inPlaceOf?: Readonly<Record<string, string>>;
  /**
   * `multilinear` kernels are sums of products of operands and constants with nothing subtracted, so that running
   * them on absolute values bounds their rounding error; `exact` ones move or select values and round nothing;
   * `nonlinear` ones have rounding errors of a few units in the last place per operation.
   */
  readonly kind: 'multilinear' | 'exact' | 'nonlinear';
  /** Terms added up per output element: what the rounding error grows with. */
  reduction(sizes: Sizes, operands: Step['operands']): number;
  flops(sizes: Sizes, operands: Step['operands']): number;
  /** How many elements are touched of operands of which only some are: rows of a table. */
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
export const pairCount = ({ x2, yBar2 }: Step['operands']): number => (x2 || yBar2 ? 2 : 1);

/** The pairs of factors that are there, of member `p`. */
export function pairsOf(
  p: number,
  ...pairs: readonly (readonly [Members | undefined, Members | undefined])[]
): [Elements, Elements][] {
  return pairs.flatMap(([a, b]): [Elements, Elements][] => (a && b ? [[a(p), b(p)]] : []));
}

/** Members of the result of a kernel: the population of its inputs. Checks that they agree. */
export function population(kernel: string, views: Readonly<Record<string, View | undefined>>): number {
  let members = 1;
  for (const [name, view] of Object.entries(views)) {
    if (!view || view.members === 1) continue;
    if (members !== 1 && view.members !== members)
      throw new LimbeckError(
        'ERR_SHAPE',
        `${kernel}: ${name} has ${view.members} members, the others ${members}`,
      );
    members = view.members;
  }
  return members;
}

/** Throws a teaching error unless `view` has exactly `shape`. */
export function expectShape(
  kernel: string,
  name: string,
  view: View,
  shape: readonly number[],
  why: string,
): void {
  if (view.shape.length !== shape.length || view.shape.some((size, axis) => size !== shape[axis]))
    throw new LimbeckError(
      'ERR_SHAPE',
      `${kernel}: ${name} is ${shapeText(view.shape)}, expected ${shapeText(shape)} ${why}`,
    );
}

/** Throws unless the second pair of factors, where it is there, has the shapes of the first. */
export function expectLike(
  kernel: string,
  first: Readonly<Record<string, View>>,
  second: Readonly<Record<string, View | undefined>>,
): void {
  for (const [name, view] of Object.entries(second))
    if (view) expectShape(kernel, `${name}2`, view, first[name].shape, `because ${name} has that shape`);
}

/** Throws unless `view` has `rank` axes, named in `axes` for the message. */
export function expectRank(kernel: string, name: string, view: View, axes: string): void {
  const rank = axes.split(' ').length;
  if (view.shape.length !== rank)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${kernel}: ${name} is ${shapeText(view.shape)}, expected ${rank} axes (${axes})`,
    );
}

/** Throws unless the whole population shares `view`: kernels read its first member only. */
export function expectShared(kernel: string, name: string, view: View): void {
  if (view.members !== 1)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${kernel}: ${name} has ${view.members} members, expected 1: the population shares it`,
    );
}

/** Throws unless `view` has one tensor for each of `members`: kernels change them in place. */
export function expectMembers(kernel: string, name: string, view: View, members: number): void {
  if (view.members !== members)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${kernel}: ${name} has ${view.members} members, expected ${members}: it is changed in place`,
    );
}

/** Throws unless the two views have the same number of elements per member. */
export function expectSameLength(kernel: string, name: string, view: View, other: string, like: View): void {
  if (elements(view.shape) !== elements(like.shape))
    throw new LimbeckError(
      'ERR_SHAPE',
      `${kernel}: ${name} is ${shapeText(view.shape)}, expected as many elements as ${other} ${shapeText(like.shape)}`,
    );
}

/** The destination of a step: `into` when given (adding to it if `accumulate`), else a new temporary. */
export interface Into {
  readonly into?: View;
  readonly accumulate?: boolean;
}

export function destination(
  r: Recorder,
  kernel: string,
  name: string,
  members: number,
  shape: readonly number[],
  to: Into,
  dtype: 'f32' | 'u32' = 'f32',
): View {
  if (!to.into) {
    if (to.accumulate)
      throw new LimbeckError('ERR_PROGRAM', `${kernel}: accumulate needs a destination to add to (into)`);
    return r.temporary(name, members, shape, dtype);
  }
  expectShape(kernel, name, to.into, shape, '(the shape of the result)');
  if (to.into.members !== members)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${kernel}: ${name} has ${to.into.members} members, the result has ${members}; sum a shared gradient with reduce.members`,
    );
  return to.into;
}

/** An example of a kernel at work: drives value tests, poisoned outputs, shader validation and the benchmark. */
export interface OpCase {
  readonly name: string;
  /** Records one or more steps on external slots; those that are written are the results that are compared. */
  record(r: Recorder): void;
  /** How to fill external slots that may not be standard normal numbers, by name. */
  readonly fill?: Readonly<Record<string, Fill>>;
  /** Part of the benchmark: a shape people run. */
  readonly bench?: boolean;
}

export type Fill =
  | { readonly kind: 'below'; readonly limit: number } // whole numbers 0 .. limit - 1
  | { readonly kind: 'positive' } // absolute values of standard normal numbers
  | { readonly kind: 'sparse' } // standard normal numbers, of which three out of four are zero
  | { readonly kind: 'simplex' } // rows of K numbers that add up to 1
  | { readonly kind: 'values'; readonly values: readonly number[] };
