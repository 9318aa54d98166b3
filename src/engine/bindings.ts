import { LimbeckError } from '../util/errors.js';
import type { Tensor } from './device.js';
import type { DType, Program, Slot } from './program.js';

/** Resolves the external slots of a program to tensors; every engine checks with this one function. */
export function bindExternals<T extends Tensor>(
  program: Program,
  bindings: Readonly<Record<string, Tensor>>,
  isOwn: (tensor: Tensor) => tensor is T,
): Map<Slot, T> {
  const bound = new Map<Slot, T>();
  for (const slot of program.slots) {
    if (!slot.external) continue;
    const tensor = bindings[slot.name];
    if (!tensor)
      throw new LimbeckError(
        'ERR_PROGRAM',
        `${program.name}: nothing is bound to the external slot ${slot.name}`,
      );
    if (!isOwn(tensor))
      throw new LimbeckError(
        'ERR_PROGRAM',
        `${program.name}: ${slot.name} is bound to a tensor of another device`,
      );
    if (tensor.dtype !== slot.dtype || tensor.length !== slot.length)
      throw new LimbeckError(
        'ERR_SHAPE',
        `${program.name}: ${slot.name} is bound to ${tensor.length} ${tensor.dtype}, expected ${slot.length} ${slot.dtype}`,
      );
    bound.set(slot, tensor);
  }
  for (const name of Object.keys(bindings))
    if (!program.slots.some((slot) => slot.external && slot.name === name))
      throw new LimbeckError(
        'ERR_PROGRAM',
        `${program.name}: there is no external slot named ${name} to bind`,
      );
  return bound;
}

/** Checks the range and type of a host write; every engine calls it before touching memory. */
export function checkWrite(dtype: DType, length: number, values: ArrayLike<number>, offset: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0 || offset + values.length > length)
    throw new LimbeckError(
      'ERR_SHAPE',
      `write of ${values.length} ${dtype} at element ${offset} does not fit in a tensor of ${length}`,
    );
}

/** Checks the size of a new tensor. */
export function checkLength(dtype: DType, length: number): void {
  if (!Number.isSafeInteger(length) || length < 1 || length > 0x7fffffff)
    throw new LimbeckError(
      'ERR_SHAPE',
      `a tensor of ${length} ${dtype}: expected a whole number from 1 to 2^31 - 1`,
    );
}
