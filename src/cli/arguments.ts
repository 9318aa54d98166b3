import { parseArgs } from 'node:util';
import { suggestion } from '../util/closest.js';
import { LimbeckError } from '../util/errors.js';
import { written } from '../util/expect.js';
import { flagOf, type Option } from './options.js';

export type Values = Record<string, unknown>;

export interface Arguments {
  /** By camelCase name; only what was given. */
  readonly values: Values;
  readonly positionals: readonly string[];
}

/**
 * Reads a command line. Node's parser splits it; what is unknown, doubled, or not a number is refused here, so that
 * every mistake gets the same kind of message.
 */
export function parseArguments(
  command: string,
  args: readonly string[],
  options: readonly Option[],
  positionalNames: readonly string[],
): Arguments {
  const byFlag = new Map(options.map((option) => [flagOf(option.name), option]));
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      options.map(({ name, kind }) => [
        flagOf(name).slice(2),
        kind === 'switch' ? { type: 'boolean' as const } : { type: 'string' as const },
      ]),
    ),
  });
  const values: Values = {};
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      positionals.push(token.value);
      continue;
    }
    const option = byFlag.get(token.rawName);
    if (!option) throw unknownOption(command, token.rawName, [...byFlag.keys()]);
    if (Object.hasOwn(values, option.name))
      throw new LimbeckError(
        'ERR_OPTION',
        `${token.rawName} is given twice, expected once: remove one of them`,
      );
    values[option.name] = readValue(option, token.rawName, token.value);
  }
  const anyNumber = positionalNames.at(-1)?.endsWith('…');
  if (!anyNumber && positionals.length > positionalNames.length)
    throw new LimbeckError(
      'ERR_OPTION',
      `${JSON.stringify(positionals[positionalNames.length])} is one argument too many; limbeck ${command} takes ` +
        `${positionalNames.length ? positionalNames.join(' ') : 'options only'} (see limbeck ${command} --help)`,
    );
  return { values, positionals };
}

function unknownOption(command: string, flag: string, known: readonly string[]): LimbeckError {
  const otherwise = `see limbeck ${command} --help`;
  return new LimbeckError('ERR_OPTION', `${flag} is unknown; ${suggestion(flag, known, otherwise)}`);
}

function readValue(option: Option, flag: string, text: string | undefined): unknown {
  if (option.kind === 'switch') {
    if (text !== undefined)
      throw new LimbeckError('ERR_OPTION', `${flag} takes no value, got ${JSON.stringify(text)}`);
    return true;
  }
  // Node's parser takes whatever follows, even the next option.
  if (text === undefined || text === '' || text.startsWith('--'))
    throw new LimbeckError('ERR_OPTION', `${flag} has no value, expected ${option.value}: ${option.help}`);
  if (option.kind === 'text') return text;
  if (option.kind === 'numbers') {
    const numbers = text.split(',').map((part) => checkNumber(option, flag, toNumber(part)));
    return numbers.length === 1 ? numbers[0] : numbers;
  }
  return checkNumber(option, flag, toNumber(text));
}

/** A number in full, or the text as it was. */
function toNumber(text: string): unknown {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;
}

/** Checks a number from the command line or a configuration file; `where` names it. */
export function checkNumber(option: Option, where: string, value: unknown): number {
  const isNumber = typeof value === 'number' && Number.isFinite(value);
  if (option.kind === 'whole') {
    const { least = 0 } = option;
    if (isNumber && Number.isSafeInteger(value) && value >= least) return value;
    throw new LimbeckError(
      'ERR_OPTION',
      `${where} is ${written(value)}, expected a whole number of at least ${least}${Number(value) > least ? ' and below 2^53' : ''}`,
    );
  }
  if (isNumber) return value;
  throw new LimbeckError('ERR_OPTION', `${where} is ${written(value)}, expected a number`);
}
