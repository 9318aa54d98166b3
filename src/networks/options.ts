import { LimbeckError } from '../util/errors.js';
import { written } from '../util/expect.js';
import type { NetworkOptions } from './network.js';

/** What an option of a network may be; `undefined` from `read` means that the value does not do. */
export interface Rule<T> {
  readonly fallback: T;
  readonly expected: string;
  read(value: unknown): T | undefined;
}

/** A whole number of at least `least`. */
export const whole = (fallback: number, least = 1): Rule<number> => ({
  fallback,
  expected: `a whole number of at least ${least}`,
  read: (value) =>
    Number.isSafeInteger(value) && (value as number) >= least ? (value as number) : undefined,
});

/** A number of at least 0. */
export const real = (fallback: number): Rule<number> => ({
  fallback,
  expected: 'a number of at least 0',
  read: (value) => (Number.isFinite(value) && (value as number) >= 0 ? (value as number) : undefined),
});

/** A number from 0 to below 1. */
export const share = (fallback: number): Rule<number> => ({
  fallback,
  expected: 'a number from 0 to below 1',
  read: (value) =>
    real(0).read(value) !== undefined && (value as number) < 1 ? (value as number) : undefined,
});

export const flag = (fallback: boolean): Rule<boolean> => ({
  fallback,
  expected: 'true or false',
  read: (value) => (typeof value === 'boolean' ? value : undefined),
});

/** One of some names, the first unless something else is asked for. */
export const oneOf = <T extends string>(...names: readonly T[]): Rule<T> => ({
  fallback: names[0],
  expected: `one of ${names.join(', ')}`,
  read: (value) => names.find((name) => name === value),
});

type Rules = Readonly<Record<string, Rule<unknown>>>;
type Values<R extends Rules> = { readonly [Name in keyof R]: R[Name] extends Rule<infer T> ? T : never };

/** Options that every network takes besides its own. */
const common = ['name', 'inputShape', 'classes', 'weights', 'gain', 'logits'];

/** A network's own options with defaults; throws ERR_OPTION for one that is unknown or out of range. */
export function readOptions<R extends Rules>(options: NetworkOptions, rules: R): Values<R> {
  const own = Object.keys(rules);
  const unknown = Object.keys(options).find((name) => !common.includes(name) && !own.includes(name));
  if (unknown !== undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      `network ${options.name} has no option ${unknown}; it has: ${[...own, ...common.slice(3)].join(', ')}`,
    );
  const values = Object.entries(rules).map(([name, { fallback, expected, read }]) => {
    const given = options[name];
    const value = given === undefined ? fallback : read(given);
    if (value === undefined)
      throw new LimbeckError(
        'ERR_OPTION',
        `network ${options.name}: ${name} is ${written(given)}, expected ${expected}`,
      );
    return [name, value];
  });
  return Object.fromEntries(values);
}
