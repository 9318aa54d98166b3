import type { Numbers } from '../engine/device.js';
import type { Method, Process } from '../methods/method.js';
import { LimbeckError } from '../util/errors.js';

/** A place that a run went back to when its numbers stopped being finite. */
export interface Rollback {
  /** Outer steps done there. */
  readonly iteration: number;
  /** What the outer rates that were asked for are multiplied by from there on. */
  readonly factor: number;
}

/** Where a run stands: what it takes to go on from there. */
export interface SavedState {
  /** Outer steps done. */
  readonly iteration: number;
  /** Outer loss of the last of them; undefined before the first. */
  readonly loss?: number;
  /** Tensors of the method's work. */
  readonly state: Readonly<Record<string, Numbers>>;
}

/** How often a run goes back before it gives up. */
export const mostRollbacks = 5;

/** Where no pixel is unless the run diverges: images are normalised, so that a deviation is 1. */
export const mostDeviations = 1e6;

/** The outer rates after so many times, as a share of those that were asked for. */
export const rateFactor = (rollbacks: number): number => 0.5 ** rollbacks;

/** The state of a process on the host; ERR_DIVERGED where it is not finite, for it is of no use to anyone. */
export async function soundState({ tensors, step }: Process): Promise<SavedState['state']> {
  const read = Object.entries(tensors).map(async ([name, tensor]) => [name, await tensor.read()] as const);
  const state = await Promise.all(read);
  for (const [name, values] of state) {
    const wrong = values.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0) throw diverged(`${name} holds ${values[wrong]} at place ${wrong}`, step);
  }
  return Object.fromEntries(state);
}

/** ERR_DIVERGED, as it is said when the run can go back no more. */
export const diverged = (what: string, step: number): LimbeckError =>
  new LimbeckError('ERR_DIVERGED', `${what} after ${step} outer steps, expected finite numbers`);

/** The same of a run that gives up. */
export function givenUp(
  { message }: LimbeckError,
  rollbacks: readonly Rollback[],
  { options }: Pick<Method, 'options'>,
): LimbeckError {
  const { iteration, factor } = rollbacks.at(-1)!;
  return new LimbeckError(
    'ERR_DIVERGED',
    `${message}, although the run went back ${rollbacks.length} times, the last time to step ${iteration} at ${factor} of its outer rates: ` +
      `start again with ${calmer(Object.keys(options))}`,
  );
}

/** What keeps numbers small, of the options that a method has. */
function calmer(names: readonly string[]): string {
  const rates = names.filter((name) => /^lr$|Lr$/.test(name));
  const clip = names.find((name) => name.startsWith('clip'));
  return `a smaller ${rates.join(' or ')}${clip ? `, or with a ${clip}` : ''}`;
}

/** ERR_DATA where a saved state is not one of this process. */
export function checkFits({ tensors }: Process, { iteration, state }: SavedState, iterations: number): void {
  for (const [name, { length }] of Object.entries(tensors))
    if (state[name]?.length !== length)
      throw new LimbeckError(
        'ERR_DATA',
        `saved state: ${name} has ${state[name]?.length ?? 'no'} values, expected ${length}; it is of another run`,
      );
  if (!Number.isInteger(iteration) || iteration < 0 || iteration > iterations)
    throw new LimbeckError(
      'ERR_DATA',
      `saved state: iteration is ${iteration}, expected a whole number from 0 to ${iterations}`,
    );
}
