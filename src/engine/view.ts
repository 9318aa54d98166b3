import { LimbeckError, shapeText } from '../util/errors.js';

/**
 * Every tensor has a leading population axis: `members` networks, each with a tensor of `shape`. A view with one member is
 * shared by the whole population (its member stride is 0).
 */

/** Type of the elements of a slot or tensor. */
export type DType = 'f32' | 'u32' | 'u8';

/** Bytes of one element on the `cpu` and `webgpu` engines (the reference engine holds f32 slots in float64). */
export const bytesOf: Record<DType, number> = { f32: 4, u32: 4, u8: 1 };

/** What a way back through training keeps: parameters and optimiser states of its steps, and what they made of their batches. */
export type Kept = 'trajectory' | 'batches';

/** A tensor that the steps of a program name. */
export interface Slot {
  readonly id: number;
  readonly name: string;
  readonly dtype: DType;
  /** Elements in all members together. */
  readonly length: number;
  /** External slots are bound to tensors the caller owns; temporaries are planned by the engine. */
  readonly external: boolean;
  /** What a temporary is kept for; left out, it is what a computation goes through. */
  readonly kept?: Kept;
  /** What an external slot holds as part of the program (a table); whoever makes its tensor writes them. */
  readonly values?: ArrayLike<number>;
}

/** Bytes of a slot, all members together. */
export const slotBytes = ({ length, dtype }: Slot): number => length * bytesOf[dtype];

/** A contiguous piece of every member of a slot. */
export interface View {
  readonly slot: Slot;
  /** First element of member 0. */
  readonly offset: number;
  readonly members: number;
  /** Elements from one member to the next; 0 when shared. */
  readonly stride: number;
  /** Shape of one member. */
  readonly shape: readonly number[];
}

/** The views of a step by name; an optional operand may be missing. */
export type Operands = Readonly<Record<string, View | undefined>>;

export function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Whether the parts of two views are the same pieces of memory, of one slot or of two alike. */
export function sameParts(a: View, b: View): boolean {
  return (
    a.offset === b.offset &&
    a.members === b.members &&
    a.stride === b.stride &&
    elements(a.shape) === elements(b.shape)
  );
}

/** Whether two views are the same elements, whatever their shapes. */
export const sameElements = (a: View, b: View): boolean => a.slot === b.slot && sameParts(a, b);

/** A piece of `shape` starting `offset` elements into every member of `view`. */
export function slice(view: View, offset: number, shape: readonly number[]): View {
  if (offset < 0 || offset + elements(shape) > elements(view.shape))
    throw new LimbeckError(
      'ERR_PROGRAM',
      `slice of ${view.slot.name}: ${shapeText(shape)} from element ${offset} does not fit in ${shapeText(view.shape)}`,
    );
  return { ...view, offset: view.offset + offset, shape };
}

/** The same elements under another shape. */
export function reshape(view: View, shape: readonly number[]): View {
  if (elements(shape) !== elements(view.shape))
    throw new LimbeckError(
      'ERR_SHAPE',
      `reshape of ${view.slot.name}: ${shapeText(view.shape)} has ${elements(view.shape)} elements, ${shapeText(shape)} has ${elements(shape)}`,
    );
  return { ...view, shape };
}
