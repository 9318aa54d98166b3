import { readFile } from 'node:fs/promises';
import { checkRecord } from '../runs/record-file.js';
import { suggestion } from '../util/closest.js';
import { fileReason, LimbeckError } from '../util/errors.js';
import { isDeeper, mostLevels, written } from '../util/expect.js';
import { count } from '../util/words.js';
import { checkNumber, type Values } from './arguments.js';
import { digitsSize, flagOf, type Option, readingOptions } from './options.js';
import { placeOf } from './sources.js';

/**
 * Reads a configuration file: the names of the options in camelCase, with values as JSON; or the `run.json` of a run, which has every
 * option that it was made with.
 */
export async function readConfig(
  path: string,
  options: readonly Option[],
  warn: (text: string) => void = () => {},
): Promise<Values> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      (cause as NodeJS.ErrnoException).code === 'EISDIR'
        ? `${path} is a folder, expected a configuration file in JSON: if it holds the data, say --dataset ${path}`
        : `${path} cannot be read: ${fileReason(cause)}; expected a configuration file in JSON`,
      { cause },
    );
  }
  let content: unknown;
  try {
    // Some editors begin a file with a byte order mark.
    content = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new LimbeckError('ERR_FILE_FORMAT', `${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (isDeeper(content, mostLevels))
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      `${path} has more than ${mostLevels} levels of objects and lists in each other, expected an object such as {"steps": 10}`,
    );
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      `${path} holds ${Array.isArray(content) ? 'a list' : written(content)}, expected an object such as {"steps": 10}`,
    );
  const byName = new Map(options.map((option) => [option.name, option]));
  const values = 'format' in content ? valuesOfRun(path, content, warn) : content;
  for (const [name, value] of Object.entries(values)) {
    const option = byName.get(name);
    const where = `${path}: ${name}`;
    if (!option) {
      const names = [...byName.keys()];
      throw new LimbeckError(
        'ERR_OPTION',
        `${where} is unknown; ${suggestion(name, names, `there are: ${names.join(', ')}`)}`,
      );
    }
    if (option.kind === 'whole' || option.kind === 'number') checkNumber(option, where, value);
    else if (option.kind === 'numbers') for (const one of [value].flat()) checkNumber(option, where, one);
    else if (option.kind === 'switch') {
      if (typeof value !== 'boolean')
        throw new LimbeckError('ERR_OPTION', `${where} is ${written(value)}, expected true or false`);
    }
    // These may say more than a word: {"kind": "step", "factor": 0.5}, {"name": "custom", "layers": [...]}.
    else if (typeof value !== 'string' && !(option.full && typeof value === 'object'))
      throw new LimbeckError('ERR_OPTION', `${where} is ${written(value)}, expected text: ${option.value}`);
  }
  return { ...values };
}

/**
 * The same without what is said of the file's own data set, and how that is read, where another is named beside it; what was left out
 * is said. A file that names none has options of reading for any.
 */
export function withoutData(path: string, values: Values, dataset: string): Values {
  if ((values.dataset ?? 'digits') === placeOf({ dataset })) return values;
  const read = values.dataset === undefined ? [] : readingOptions.map(({ name }) => name);
  const own = new Set(['dataset', digitsSize.name, ...read]);
  const left = Object.keys(values).filter((name) => own.has(name) && name !== 'dataset');
  if (left.length)
    process.stderr.write(
      `Note: --dataset is ${dataset}, which is not what ${path} is for: its ${left.map(flagOf).join(', ')} ${left.length > 1 ? 'are' : 'is'} left out\n`,
    );
  return Object.fromEntries(Object.entries(values).filter(([name]) => !own.has(name)));
}

/** The options of a run, as a configuration file has them. */
function valuesOfRun(path: string, record: unknown, warn: (text: string) => void): Values {
  checkRecord(path, record);
  const { options, preset, fitted, continued, reading, ...origin } = record.config;
  if (origin.dataset === undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      `the run of ${path} was made by a program on data of its own: name its data with --dataset, and its options one by one`,
    );
  if (continued?.length) {
    const [{ iteration, iterations }] = continued;
    warn(
      `the run of ${path} was begun with ${count(iterations)} outer steps, and went on with more after ${count(iteration)}; begun anew with ` +
        `${count(options.iterations)} it makes other images where rates follow from that number`,
    );
  }
  return { ...origin, ...reading, ...options };
}
