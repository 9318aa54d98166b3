import { breathe } from '../util/breathe.js';
import { LimbeckError } from '../util/errors.js';
import type { Owned } from '../util/owned.js';
import type { Device, Executable, Tensor } from './device.js';
import type { Program } from './program.js';

/** A loaded program and the tensors bound to its external slots, by name. */
export interface Bound {
  readonly executable: Executable;
  readonly tensors: Readonly<Record<string, Tensor>>;
}

/**
 * Loads a program with a tensor for every external slot that `given` has none for, of zeros or of what the program says it holds;
 * `owned` gets what is made here, `given` stays the caller's.
 */
export async function loadWithTensors(
  device: Device,
  program: Program,
  owned: Owned,
  given: Readonly<Record<string, Tensor>> = {},
): Promise<Bound> {
  // The program has often just been recorded, and loading begins with planning it: let the event loop run in between.
  await breathe();
  const tensors: Record<string, Tensor> = { ...given };
  for (const { external, name, dtype, length, values } of program.slots)
    if (external)
      tensors[name] ??= owned.own(await named(program, name, device.tensor(dtype, length, values)));
  return { tensors, executable: owned.own(await device.load(program, tensors)) };
}

/** All elements of a tensor of numbers as float32, rounded where the engine holds more; a copy, the caller's own. */
export async function readFloats(tensor: Tensor): Promise<Float32Array> {
  const values = await tensor.read();
  return values instanceof Float32Array ? values : new Float32Array(values);
}

/** Adds to an error which tensor it was about. */
async function named<T>(program: Program, name: string, making: Promise<T>): Promise<T> {
  try {
    return await making;
  } catch (error) {
    if (!(error instanceof LimbeckError)) throw error;
    throw new LimbeckError(error.code, `${program.name}: ${name}: ${error.message}`, { cause: error });
  }
}
