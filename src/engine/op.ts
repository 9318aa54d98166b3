import { LimbeckError, shapeText } from '../util/errors.js';
import type { Recorder } from './program.js';
import { elements, type Operands, type View } from './view.js';

/** What an op's file needs to record its kernels (shape rules, where results go) and to show them at work (cases). */

/** Members of the result of a kernel: the population of its inputs. Checks that they agree. */
export function population(kernel: string, views: Operands): number {
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

/** Throws unless `view` has exactly `shape`; `why` ends the message. */
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

/** Throws unless the second pair of factors, if any, has the shapes of the first. */
export function expectLike(kernel: string, first: Readonly<Record<string, View>>, second: Operands): void {
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
  /** Whether it is part of the benchmark: a shape that is common in practice. */
  readonly bench?: boolean;
}

export type Fill =
  | { readonly kind: 'below'; readonly limit: number } // whole numbers 0 .. limit - 1
  | { readonly kind: 'positive' } // absolute values of standard normal numbers
  | { readonly kind: 'sparse' } // standard normal numbers, of which three out of four are zero
  | { readonly kind: 'simplex' } // rows of K numbers that add up to 1
  | { readonly kind: 'values'; readonly values: () => readonly number[] }; // made when a case is filled, not on import
