import { suggestion } from './closest.js';
import { LimbeckError } from './errors.js';

const shown = (value: unknown): string =>
  value === null || typeof value !== 'object' ? String(value) : Array.isArray(value) ? 'a list' : 'an object';

/**
 * ERR_OPTION unless an argument of `where` is what it is taken for, told by a property that all such things have.
 * `expected` says in words what it should be and where one comes from.
 */
export function expectArgument(
  where: string,
  name: string,
  value: unknown,
  property: string,
  expected: string,
): void {
  if (typeof value !== 'object' || value === null || !(property in value))
    throw new LimbeckError('ERR_OPTION', `${where}: ${name} is ${shown(value)}, expected ${expected}`);
}

export const aDevice = 'a device, as `await openDevice()` gives it';
export const aDataset = 'a data set, as `await loadDataset(name)` or `datasetFromArrays` gives it';

/**
 * ERR_OPTION unless `options` is an object with none but `known` properties: a misspelt one would be left out silently. `known` has
 * every property of an interface, such as `{ ... } satisfies Record<keyof Options, true>`.
 */
export function expectOptions(where: string, options: unknown, known: object): void {
  if (typeof options !== 'object' || options === null)
    throw new LimbeckError('ERR_OPTION', `${where}: options is ${shown(options)}, expected an object`);
  const names = Object.keys(known);
  for (const name of Object.keys(options))
    if (!Object.hasOwn(known, name))
      throw new LimbeckError(
        'ERR_OPTION',
        `${where}: option ${name} is unknown; ${suggestion(name, names, `there are: ${names.join(', ')}`)}`,
      );
}
