/** The command lines of `bench/` and `scripts/`. Plain Node: the set-up reads one before anything is installed. */
import { parseArgs } from 'node:util';

const help = { help: 'shows this' };

/**
 * Reads the command line of this process. A mistake is one line that names the option, with status 2; `--help` shows the table.
 *
 * @param usage what stands before the options, as in `npm run bench -- [options]`
 * @param options by name, each `{ help, value?, default?, least? }`: one without `value` is a switch, one with `least` a number
 * @param given.most how many arguments that are no options are taken; `given.args`: the command line of another
 */
export function readArguments(usage, options, { most = 0, args = process.argv.slice(2) } = {}) {
  const known = { ...options, help };
  const { tokens } = parseArgs({
    args,
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(known).map(([name, { value }]) => [name, { type: value ? 'string' : 'boolean' }]),
    ),
  });
  const flags = Object.fromEntries(Object.entries(options).map(([name, option]) => [name, option.default]));
  const positionals = [];
  const seen = new Set();
  for (const token of tokens)
    if (token.kind === 'positional') positionals.push(token.value);
    else if (token.kind === 'option') {
      if (seen.has(token.name)) refuse(`${token.rawName} is given twice`);
      seen.add(token.name);
      flags[token.name] = checked(token, known);
    }
  if (flags.help) {
    console.log([`usage: ${usage}`, ...Object.entries(known).map(rowOf)].join('\n'));
    process.exit(0);
  }
  if (positionals.length > most) refuse(`${JSON.stringify(positionals[most])} is one argument too many`);
  return { flags, positionals };
}

/** Ends the process for a mistake on its command line. */
export function refuse(message) {
  console.error(`${message} (see --help)`);
  process.exit(2);
}

function checked({ name, rawName, value, inlineValue }, options) {
  if (!Object.hasOwn(options, name) || rawName !== `--${name}`) refuse(`${rawName} is unknown`);
  const option = options[name];
  if (!option.value) return value === undefined || refuse(`${rawName} takes no value, got ${value}`);
  // Node's parser takes whatever follows, even the next option.
  if (value === undefined || (!inlineValue && value.startsWith('--')))
    refuse(`${rawName} has no value, expected ${option.value}: ${option.help}`);
  if (option.least === undefined) return value;
  const number = value.trim() === '' ? Number.NaN : Number(value);
  if (number >= option.least && number < Number.POSITIVE_INFINITY) return number;
  return refuse(`${rawName} is ${value}, expected a number of at least ${option.least}`);
}

function rowOf([name, { value, help: text, default: fallback }]) {
  const usual = fallback === undefined || fallback === '' ? '' : ` [${fallback}]`;
  return `  ${`--${name}${value ? ` ${value}` : ''}`.padEnd(22)} ${text}${usual}`;
}
