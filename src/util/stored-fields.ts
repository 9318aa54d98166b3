import { LimbeckError } from './errors.js';
import { isDeeper, mostLevels } from './expect.js';
import type { Option } from './option.js';

/**
 * What a file says about itself, read field by field: the file may be damaged or of another program, and nothing in
 * it is believed unchecked. Every complaint is ERR_FILE_FORMAT and names the file's kind and the field.
 */
export class StoredFields {
  readonly #fields: Readonly<Record<string, unknown>>;

  /** `file` is its kind, for messages; `name` the place of `value` in it. */
  constructor(
    readonly file: string,
    readonly name: string,
    value: unknown,
  ) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw damaged(file, `${name} is ${brief(value)}, expected an object`);
    this.#fields = value as Readonly<Record<string, unknown>>;
  }

  static parse(file: string, name: string, json: string | undefined): StoredFields {
    let value: unknown;
    try {
      value = JSON.parse(json ?? '');
    } catch (cause) {
      throw damaged(file, `${name} is ${json === undefined ? 'missing' : 'not JSON'}`, cause);
    }
    if (isDeeper(value, mostLevels))
      throw damaged(file, `${name} has more than ${mostLevels} levels of objects and lists in each other`);
    return new StoredFields(file, name, value);
  }

  /** Reads a field that may be left out. */
  optional<T>(name: string, read: (name: string) => T): T | undefined {
    return Object.hasOwn(this.#fields, name) && this.#fields[name] !== undefined ? read(name) : undefined;
  }

  text(name: string): string {
    return this.#take(name, 'text', (value) => typeof value === 'string');
  }

  /** What an option takes. */
  option(name: string, { expected }: Pick<Option, 'expected'>): unknown {
    return this.#take(name, expected(this.#fields[name]) ?? '', (value) => expected(value) === undefined);
  }

  /** Text out of a few words. */
  word<Word extends string>(name: string, words: readonly Word[]): Word {
    return this.#take(name, `one of ${words.join(', ')}`, (value) => words.includes(value as Word));
  }

  truth(name: string): boolean {
    return this.#take(name, 'true or false', (value) => typeof value === 'boolean');
  }

  number(name: string): number {
    return this.#take(name, 'a finite number', Number.isFinite);
  }

  /** A finite number above 0. */
  positive(name: string): number {
    return this.#take(name, 'a number above 0', (value) => Number.isFinite(value) && (value as number) > 0);
  }

  whole(name: string, least: number): number {
    return this.#take(
      name,
      `a whole number of at least ${least}`,
      (value) => Number.isSafeInteger(value) && (value as number) >= least,
    );
  }

  texts(name: string, length?: number): string[] {
    return this.#take(
      name,
      `a list of ${length === undefined ? '' : `${length} `}texts`,
      (value) =>
        Array.isArray(value) &&
        (length === undefined || value.length === length) &&
        value.every((one) => typeof one === 'string'),
    );
  }

  /** A list of finite numbers, of any length unless one is given. */
  numbers(
    name: string,
    length?: number,
    { expected, test }: { expected: string; test: (value: number) => boolean } = {
      expected: 'numbers',
      test: () => true,
    },
  ): number[] {
    return this.#take(
      name,
      `a list of ${length === undefined ? '' : `${length} `}${expected}`,
      (value) =>
        Array.isArray(value) &&
        (length === undefined || value.length === length) &&
        value.every((one) => Number.isFinite(one) && test(one)),
    );
  }

  /** A list of finite numbers and of nulls where there is none. */
  numbersOrNull(name: string, length: number): (number | null)[] {
    return this.#take(
      name,
      `a list of ${length} numbers or null`,
      (value) =>
        Array.isArray(value) &&
        value.length === length &&
        value.every((one) => one === null || Number.isFinite(one)),
    );
  }

  /** Lists of finite numbers, `[size][size]`. */
  square(
    name: string,
    size: number,
    { expected, test }: { expected: string; test: (value: number) => boolean },
  ): number[][] {
    const isList = (value: unknown): value is unknown[] => Array.isArray(value) && value.length === size;
    const isRow = (row: unknown) => isList(row) && row.every((one) => test(one as number));
    return this.#take(
      name,
      `${size} lists of ${size} ${expected}`,
      (value) => isList(value) && value.every(isRow),
    );
  }

  object(name: string): StoredFields {
    return new StoredFields(this.file, this.#path(name), this.#fields[name]);
  }

  objects(name: string): StoredFields[] {
    const list = this.#take<unknown[]>(name, 'a list', Array.isArray);
    return list.map((value, i) => new StoredFields(this.file, `${this.#path(name)}[${i}]`, value));
  }

  /** Everything as it is, for what others wrote and will check. */
  all(): Record<string, unknown> {
    return { ...this.#fields };
  }

  #path(name: string): string {
    return `${this.name}.${name}`;
  }

  #take<T>(name: string, expected: string, test: (value: unknown) => boolean): T {
    const value = Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
    if (test(value)) return value as T;
    throw damaged(this.file, `${this.#path(name)} is ${brief(value)}, expected ${expected}`);
  }
}

const notOurs = '; the file is damaged, or limbeck did not write it';

export function damaged(file: string, what: string, cause?: unknown): LimbeckError {
  return new LimbeckError('ERR_FILE_FORMAT', `${file}: ${what}${notOurs}`, { cause });
}

/** Does what reads a file with what a program gave in its place: the same complaints, as ERR_DATA. */
export function asGiven<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof LimbeckError) || error.code !== 'ERR_FILE_FORMAT') throw error;
    throw new LimbeckError('ERR_DATA', error.message.replace(notOurs, ''), { cause: error });
  }
}

/** Checks that a tensor holds finite numbers (64-bit integers, which limbeck never writes, are none). */
export function checkFinite(file: string, name: string, data: ArrayLike<number | bigint>): void {
  for (let i = 0; i < data.length; i++)
    if (!Number.isFinite(data[i]))
      throw damaged(file, `tensor ${name} holds ${data[i]} at place ${i}, expected finite numbers`);
}

/** A value for a message, without what may be long or nested deep. */
function brief(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : String(value);
}
