import { suggestion } from './closest.js';
import { LimbeckError } from './errors.js';

const mostShown = 200;

/** What fits into a message: a file may hold a text of any length. */
const cut = (text: string): string => (text.length > mostShown ? `${text.slice(0, mostShown)}…` : text);

/** A value for a message: strings in quotes, so that '3' is not 3. */
export function shown(value: unknown): string {
  if (typeof value === 'bigint') return cut(`${value}n`);
  if (value === null || typeof value !== 'object')
    return cut(typeof value === 'string' ? JSON.stringify(value) : String(value));
  if ('then' in value) return 'a promise (await it)';
  return Array.isArray(value) ? 'a list' : 'another object';
}

/** The same with objects as JSON: for values that were written by hand. */
export function written(value: unknown): string {
  if (typeof value !== 'object' || isDeeper(value, mostLevels)) return shown(value);
  try {
    return cut(JSON.stringify(value) ?? shown(value));
  } catch {
    // JSON has no big integers, and a `toJSON` may fail.
    return shown(value);
  }
}

/** Of JSON that people write: far more than the layers of any network need. */
export const mostLevels = 100;

/** Whether objects and lists lie in each other more than so many levels deep; never looks deeper than that. */
export const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (levels === 0 || Object.values(value).some((part) => isDeeper(part, levels - 1)));

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

/** The same for what every call on a device begins with: an object with an engine alone, such as options, is none. */
export function expectDevice(where: string, value: unknown): void {
  const expected = 'a device, as `await openDevice()` gives it';
  for (const property of ['engine', 'tensor', 'load'])
    expectArgument(where, 'device', value, property, expected);
}

/** ERR_OPTION unless `options`, given to `where` if that is not empty, is an object. */
export function expectObject(where: string, options: unknown): asserts options is object {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new LimbeckError(
      'ERR_OPTION',
      `${where && `${where}: `}options is ${shown(options)}, expected an object`,
    );
}

/** Whether something has all of an AbortSignal that is used: it may be of another realm, or somebody's own. */
const isSignal = (value: unknown): boolean => {
  const signal = value as AbortSignal | null | undefined;
  return (
    typeof signal?.aborted === 'boolean' &&
    [signal.addEventListener, signal.removeEventListener, signal.throwIfAborted].every(
      (one) => typeof one === 'function',
    )
  );
};

/**
 * The same, and unless it has none but `known` properties, listeners that can be called and a signal: a misspelt one would be left out
 * silently. `known` has every property of an interface, such as `{ ... } satisfies Record<keyof Options, true>`.
 */
export function expectOptions(where: string, options: unknown, known: object): void {
  const prefix = where && `${where}: `;
  expectObject(where, options);
  const names = Object.keys(known);
  for (const name of Object.keys(options))
    if (!Object.hasOwn(known, name))
      throw new LimbeckError(
        'ERR_OPTION',
        `${prefix}option ${name} is unknown; ${suggestion(name, names, `there are: ${names.join(', ')}`)}`,
      );
  for (const [name, value] of Object.entries(options)) {
    const listens = /^on[A-Z]/.test(name) && typeof value !== 'function';
    const stops = name === 'signal' && !isSignal(value);
    if (value !== undefined && value !== null && (listens || stops))
      throw new LimbeckError(
        'ERR_OPTION',
        `${prefix}${name} is ${shown(value)}, expected ${listens ? 'a function' : 'the signal of an AbortController'}`,
      );
  }
}
