import { version } from '../util/version.js';
import type { Arguments } from './arguments.js';
import { flagOf, type Option } from './options.js';

/** One command of the command line; each has a file of its own. */
export interface Command {
  readonly name: string;
  /** One line for `limbeck --help`. */
  readonly summary: string;
  readonly positionals: readonly string[];
  readonly options: readonly Option[];
  readonly example: string;
  /** Returns the exit status; throws LimbeckError for what the user can mend. */
  run(args: Arguments): Promise<number>;
}

const columns = (rows: readonly (readonly [string, string])[]): string => {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
};

export function commandHelp({ name, summary, positionals, options, example }: Command): string {
  const rowOf = ({ name, value, help, fallback }: Option) =>
    [
      value ? `${flagOf(name)} ${value}` : flagOf(name),
      fallback === undefined ? help : `${help} [${fallback}]`,
    ] as const;
  const groups = [...new Set(options.map(({ group }) => group))].map((group) => {
    const rows = columns(options.filter((option) => option.group === group).map(rowOf));
    return group === undefined ? rows : `${group}\n${rows}`;
  });
  return [
    `limbeck ${[name, ...positionals].join(' ')} [options]`,
    `  ${summary}`,
    '',
    ...groups.flatMap((group) => [group, '']),
    `Example: ${example}`,
    '',
  ].join('\n');
}

export function generalHelp(commands: readonly Command[]): string {
  return [
    `limbeck ${version}: distils a data set into a few images that train a network`,
    '',
    'Commands:',
    columns(commands.map(({ name, positionals, summary }) => [[name, ...positionals].join(' '), summary])),
    '',
    'limbeck <command> --help shows the options of a command; limbeck --version the version.',
    '',
    `Example: ${commands[0].example}`,
    '',
  ].join('\n');
}
