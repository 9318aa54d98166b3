import { LimbeckError } from '../util/errors.js';
import type { Values } from './arguments.js';
import { flagOf, type Option } from './options.js';
import { givenOf } from './with-sets.js';

/** Commands that do one of several things, the first of their words: what each of these is, and its options by name. */
export interface Kind {
  readonly summary: string;
  readonly options: readonly string[];
}

type Kinds<K extends Kind> = Readonly<Record<string, K>>;

/** `what a kind is (its name); …`, for the summary of a command. */
export const summaryOf = (kinds: Kinds<Kind>): string =>
  Object.entries(kinds)
    .map(([name, { summary }]) => `${summary} (${name})`)
    .join('; ');

/** Options with the kinds that have them. */
export const ofKinds = (kinds: Kinds<Kind>, options: readonly Option[]): Option[] =>
  options.map((option) => {
    const having = Object.keys(kinds).filter((name) => kinds[name].options.includes(option.name));
    return { ...option, help: `${option.help} (${having.join(', ')})` };
  });

/** A kind that was named, with the values of its options. */
export interface Chosen<K extends Kind> {
  readonly name: string;
  readonly kind: K;
  readonly given: Values;
}

/** Those that were named, each with the values of its own options and of those in `common`; ERR_OPTION for other options, and where `names` are not kinds. */
export function chosenKinds<K extends Kind>(
  command: { readonly name: string; readonly example: string; readonly needs: string },
  kinds: Kinds<K>,
  names: readonly string[],
  { own, common, values }: { own: readonly Option[]; common: readonly string[]; values: Values },
): Chosen<K>[] {
  if (!names.every((name, i) => Object.hasOwn(kinds, name) && names.indexOf(name) === i) || !names.length)
    throw new LimbeckError(
      'ERR_OPTION',
      `${command.name} needs ${command.needs.replace('KIND', Object.keys(kinds).join(', '))}: ${command.example}`,
    );
  const other = own.find(
    ({ name }) => name in values && !names.some((kind) => kinds[kind].options.includes(name)),
  );
  if (other)
    throw new LimbeckError(
      'ERR_OPTION',
      `${flagOf(other.name)} is ${values[other.name]}, which ${command.name} ${names.join(',')} does not have: leave it out`,
    );
  return names.map((name) => ({
    name,
    kind: kinds[name],
    given: givenOf(values, [...kinds[name].options, ...common]),
  }));
}
