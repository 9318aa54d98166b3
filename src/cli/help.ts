import { defaultMethod, methods } from '../methods/index.js';
import { optionText } from '../runs/options.js';
import { version } from '../util/version.js';
import { wrapped } from '../util/words.js';
import type { Command } from './command.js';
import { everyRun, flagOf, type Option } from './options.js';

/** Columns of text: no wider than this however wide the terminal, for long lines are hard to read. */
const widest = 110;
/** Where descriptions begin; what stands before them and is longer has a line of its own. */
const indent = 30;
/** Choices that are longer are told in the description. */
const longestValue = 24;

/** What `limbeck COMMAND --help` prints; `method` is the one whose options it shows. */
export function commandHelp(
  { name, summary, positionals, options, example }: Command,
  columns: number,
  method: string = defaultMethod,
): string {
  const width = Math.min(columns, widest);
  const shown = options.filter((option) => option.method === undefined || option.method === method);
  const groups = [...new Set(shown.map(({ group }) => group))].map((group) => {
    const rows = shown
      .filter((option) => option.group === group)
      .map((option) => rowOf(forMethod(option, method), width));
    return [...(group === undefined ? [] : wrapped(`${group}:`, width)), ...rows].join('\n');
  });
  const hasMethods = shown.length < options.length;
  return `${[
    [`limbeck ${[name, ...positionals].join(' ')} [options]`, ...wrapped(summary, width, 2)].join('\n'),
    ...groups,
    ...(hasMethods ? [methodsHelp(name, method, width)] : []),
    `Example: ${example}`,
  ].join('\n\n')}\n`;
}

/** What `limbeck --help` prints. */
export function generalHelp(commands: readonly Command[], columns: number): string {
  const width = Math.min(columns, widest);
  const rows = commands.map(({ name, positionals, summary }) =>
    row([name, ...positionals].join(' '), summary, width),
  );
  return `${[
    `limbeck ${version}: distils a data set into a few images that train a network`,
    `Commands:\n${rows.join('\n')}`,
    wrapped(
      'limbeck COMMAND --help shows the options of a command; limbeck --version the version.',
      width,
    ).join('\n'),
    `Example: ${commands[0].example}`,
  ].join('\n\n')}\n`;
}

/** The methods, and how to see the options of another one. */
function methodsHelp(command: string, shown: string, width: number): string {
  const rows = Object.values(methods).map(({ name, summary }) => row(name, summary, width));
  const others = `Methods (limbeck ${command} --method NAME --help shows the options of another than ${shown}):`;
  return [...wrapped(others, width), ...rows].join('\n');
}

/** With the default that the method has of an option of every run. */
function forMethod(option: Option, method: string): Option {
  const defaults = methods[method].defaults as Readonly<Record<string, unknown>>;
  const own = option.group === everyRun && Object.hasOwn(defaults, option.name);
  return own ? { ...option, fallback: optionText(defaults[option.name]) } : option;
}

function rowOf({ name, value, help, fallback }: Option, width: number): string {
  const long = value !== undefined && value.length > longestValue && value.includes('|');
  const flag = value === undefined ? flagOf(name) : `${flagOf(name)} ${long ? 'NAME' : value}`;
  const choices = long ? `: ${value.replaceAll('|', ', ')}` : '';
  return row(flag, `${help}${choices}${fallback === undefined ? '' : ` [${fallback}]`}`, width);
}

/** A term and its description beside it, wrapped. */
function row(term: string, description: string, width: number): string {
  const lines = wrapped(description, width, indent);
  const start = `  ${term}`;
  return start.length + 2 > indent
    ? [start, ...lines].join('\n')
    : [start.padEnd(indent) + lines[0].trimStart(), ...lines.slice(1)].join('\n');
}
