import { LimbeckError } from '../util/errors.js';
import type { Tensor } from './device.js';
import type { Program } from './program.js';
import type { DType, Slot } from './view.js';

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

const largest = { u8: 0xff, u32: 0xffffffff } as const;

/** Arrays whose elements all fit the type: no need to check each. */
function holdsOnly(dtype: 'u8' | 'u32', values: ArrayLike<number>): boolean {
  if (values instanceof Uint8Array || values instanceof Uint8ClampedArray) return true;
  return dtype === 'u32' && (values instanceof Uint32Array || values instanceof Uint16Array);
}

/**
 * Checks a write from the host before an engine touches memory: it must fit, and values for integer types must be whole and
 * in range, where a typed array would round or wrap them silently.
 */
export function checkWrite(
  dtype: DType,
  length: number,
  values: ArrayLike<number>,
  given: number | undefined,
): void {
  const offset = given ?? 0;
  if (!Number.isSafeInteger(offset) || offset < 0 || offset + values.length > length)
    throw new LimbeckError(
      'ERR_SHAPE',
      `write of ${values.length} ${dtype} at element ${offset} does not fit in a tensor of ${length}`,
    );
  checkValues(dtype, values);
  // What is left from before would be taken for values that were meant.
  if (given === undefined && values.length !== length)
    throw new LimbeckError(
      'ERR_SHAPE',
      `write of ${values.length} ${dtype} to a tensor of ${length}, expected all of them, or an offset for a part`,
    );
}

function checkValues(dtype: DType, values: ArrayLike<number>): void {
  if (dtype === 'f32' || holdsOnly(dtype, values)) return;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isInteger(value) || value < 0 || value > largest[dtype])
      throw new LimbeckError(
        'ERR_DATA',
        `write to a tensor of ${dtype}: value ${i} is ${value}, expected a whole number from 0 to ${largest[dtype]}`,
      );
  }
}

/** Checks how often a program is to run. */
export function checkTimes(times: number): void {
  if (!Number.isSafeInteger(times) || times < 0)
    throw new LimbeckError('ERR_OPTION', `times is ${times}, expected a whole number of runs`);
}

/** The error for using a device after it was disposed. */
export const disposedDeviceError = (what: string): LimbeckError =>
  new LimbeckError('ERR_PROGRAM', `${what} was disposed; open a new device to go on`);

/** The error for using something after it was disposed. */
export function disposedError(what: string): LimbeckError {
  return new LimbeckError('ERR_PROGRAM', `${what} was disposed`);
}

/** Checks the size of a new tensor. */
export function checkLength(dtype: DType, length: number): void {
  if (!Number.isSafeInteger(length) || length < 1 || length > 0x7fffffff)
    throw new LimbeckError(
      'ERR_SHAPE',
      `a tensor of ${length} ${dtype}: expected a whole number from 1 to 2^31 - 1`,
    );
}
