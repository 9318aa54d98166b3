import { LimbeckError } from './errors.js';
import { expectOptions, written } from './expect.js';

/**
 * One option: what it may be, what it is unless given, what to say about it. Types, the command line, configuration
 * files, records and `docs/options.md` all read this.
 */
export interface Option<T = unknown> {
  /** How the text of a command line becomes a value. */
  readonly kind: 'text' | 'whole' | 'number' | 'numbers' | 'switch';
  /** Its value unless given. */
  readonly default: T;
  /** What stands for the value in the help: `N`, `X`, `hard|soft`. */
  readonly value: string;
  readonly help: string;
  /** For the help, where the default follows from other options: in words. */
  readonly fallback?: string;
  /** Version that brought it. */
  readonly since: string;
  /** What the value should have been; undefined when it is fine. */
  expected(value: unknown): string | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: an option of any type; `unknown` would refuse them all.
export type OptionTable = Readonly<Record<string, Option<any>>>;

/** The values of a table's options. */
export type ValuesOf<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Option<infer T> ? T : never;
};

/** What a user gives: any of them. */
export type GivenOf<Table extends OptionTable> = { readonly [Name in keyof Table]?: ValuesOf<Table>[Name] };

/** What an option may say beyond its value and help. */
interface More {
  readonly value?: string;
  readonly fallback?: string;
  readonly since?: string;
}

const option = <T>(
  kind: Option['kind'],
  value: string,
  fallbackValue: T,
  help: string,
  expected: (value: unknown) => string | undefined,
  more: More = {},
): Option<T> => ({ kind, value, default: fallbackValue, help, since: '0.1.0', expected, ...more });

/** A whole number of at least `least`. */
export const whole = (
  value: number,
  help: string,
  { least = 1, ...more }: More & { least?: number } = {},
): Option<number> =>
  option(
    'whole',
    'N',
    value,
    help,
    (given) =>
      Number.isSafeInteger(given) && (given as number) >= least
        ? undefined
        : `a whole number of at least ${least}`,
    more,
  );

const number = (
  value: number,
  help: string,
  text: string,
  test: (given: number) => boolean,
  more?: More,
): Option<number> =>
  option(
    'number',
    'X',
    value,
    help,
    (given) => (typeof given === 'number' && Number.isFinite(given) && test(given) ? undefined : text),
    more,
  );

export const positive = (value: number, help: string, more?: More): Option<number> =>
  number(value, help, 'a number above 0', (given) => given > 0, more);

export const notNegative = (value: number, help: string, more?: More): Option<number> =>
  number(value, help, 'a number of at least 0', (given) => given >= 0, more);

/** From 0 up to, not including, 1. */
export const fraction = (value: number, help: string, more?: More): Option<number> =>
  number(value, help, 'a number from 0 up to, not including, 1', (given) => given >= 0 && given < 1, more);

/** One of a few words. */
export const oneOf = <const Word extends string>(
  words: readonly Word[],
  value: NoInfer<Word>,
  help: string,
  more?: More,
): Option<Word> =>
  option(
    'text',
    words.join('|'),
    value,
    help,
    (given) => (words.includes(given as Word) ? undefined : `one of ${words.join(', ')}`),
    more,
  );

/** A text, or something that a configuration file writes in full, which `expected` judges. */
export const text = <T>(
  value: T,
  help: string,
  expected: (given: unknown) => string | undefined,
  more: More & { value: string },
): Option<T> => option('text', more.value, value, help, expected, more);

/** One number above 0, or several. */
export const positives = <T extends number | readonly number[] | undefined>(
  value: T,
  help: string,
  more?: More,
): Option<T> =>
  option(
    'numbers',
    'X,…',
    value,
    help,
    (given) =>
      [given].flat().every((one) => typeof one === 'number' && Number.isFinite(one) && one > 0) &&
      [given].flat().length > 0
        ? undefined
        : 'a number above 0, or several',
    more,
  );

export const flag = (help: string): Option<boolean> =>
  option('switch', '', false, help, (given) => (typeof given === 'boolean' ? undefined : 'true or false'));

/** What is wrong with a value, as an error that names the option as `name`. */
export function checkOption(name: string, { expected }: Option, value: unknown): void {
  const wanted = expected(value);
  if (wanted !== undefined)
    throw new LimbeckError('ERR_OPTION', `${name} is ${written(value)}, expected ${wanted}`);
}

/**
 * The values of all options of a table: what was `given` to `where`, else what `presets` say, else the defaults. Throws
 * ERR_OPTION naming the first option that is unknown or out of range.
 */
export function resolveTable<Table extends OptionTable>(
  where: string,
  table: Table,
  given: object,
  preset: object = {},
): ValuesOf<Table> {
  expectOptions(where, given, table);
  const defined = Object.entries(given).filter(([, value]) => value !== undefined);
  for (const [name, value] of defined)
    checkOption(`${where && `${where}: `}option ${name}`, table[name], value);
  const defaults = Object.entries(table).map(([name, { default: value }]) => [name, value]);
  return Object.fromEntries([...defaults, ...Object.entries(preset), ...defined]) as ValuesOf<Table>;
}
