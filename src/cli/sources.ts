import { isAbsolute, relative, resolve } from 'node:path';
import type { Dataset } from '../data/dataset.js';
import type { DigitsOptions } from '../data/digits.js';
import { type LoadOptions, loadDataset } from '../data/load.js';
import { downloadedTo } from '../data/published.js';
import { type Reading, readingTable } from '../data/reading.js';
import type { Device } from '../engine/device.js';
import { chooseDevice, type DeviceChoice, openDevice } from '../engine/open.js';
import { checkPrecision, type Precision } from '../engine/precision.js';
import { parseInit } from '../methods/networks.js';
import { readModel } from '../runs/network-folder.js';
import type { EngineChoice } from '../runs/record.js';
import { LimbeckError } from '../util/errors.js';
import { checkOption } from '../util/option.js';
import { count } from '../util/words.js';
import type { Values } from './arguments.js';
import { device as deviceOption, flagOf } from './options.js';
import { Terminal } from './progress.js';

/** Where data comes from, as a run remembers it. */
export interface DataSource {
  /** `digits`, or the absolute path of a file or folder. */
  readonly dataset: string;
  readonly digitsSize?: number;
  readonly reading?: Reading;
}

export function dataSource({ dataset = 'digits', digitsSize, reading }: Partial<DataSource>): DataSource {
  if (dataset === 'digits') return { dataset, digitsSize, reading };
  if (reading?.embeddings !== undefined && reading.embeddings !== 'wink')
    reading = { ...reading, embeddings: resolve(reading.embeddings) };
  if (digitsSize !== undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      `--digits-size is ${digitsSize}, but the data set is ${dataset}: it applies to the generated digits only`,
    );
  // The loader's message for a bare word is better when it sees the word itself.
  return { dataset: /^[\w-]+$/.test(dataset) ? dataset : resolve(dataset), reading };
}

/** Where they lie, for a record: `digits`, or a path that holds in any folder. */
export const placeOf = ({ dataset }: DataSource): string =>
  dataset === 'digits' ? dataset : resolve(downloadedTo(dataset) ?? dataset);

/** ERR_OPTION where a folder for results lies among the data, which would be read with them from then on. */
export function refuseAmongData(folder: string, source: DataSource): void {
  const place = placeOf(source);
  const within = relative(place, resolve(folder));
  if (source.dataset === 'digits' || /^\.\.($|[/\\])/.test(within) || isAbsolute(within)) return;
  throw new LimbeckError(
    'ERR_OPTION',
    `the folder ${folder} for the results lies within the data, ${place}, and would be read with them from then on: name one elsewhere with --out`,
  );
}

/** A source whose images are brought to the shape of the networks in the folder that `init` names, unless another shape was asked for. */
export async function sourceForNetworks(source: DataSource, init: unknown): Promise<DataSource> {
  const folder = parseInit(init)?.folder;
  if (folder === undefined || source.reading?.shape) return source;
  const { inputShape } = (await readModel(folder)).network;
  return { ...source, reading: { ...source.reading, shape: inputShape } };
}

/** The options of `readingOptions` that were given, as the loader takes them; undefined when there are none. */
export function readingGiven(given: Values): Reading | undefined {
  const reading: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(readingTable)) {
    const sizes = sizesOf[name];
    const value = sizes ? sizes(given[name]) : given[name];
    if (value === undefined || value === false) continue;
    checkOption(flagOf(name), option, value);
    reading[name] = value;
  }
  return Object.keys(reading).length ? reading : undefined;
}

/** The options by which a source is named on a command line, as a shell takes them. */
export function sourceText({ dataset, digitsSize, reading = {} }: DataSource): string {
  const given = Object.entries({ dataset, digitsSize, ...reading }).filter(
    ([, value]) => value !== undefined && value !== false,
  );
  return given
    .map(([name, value]) =>
      value === true
        ? flagOf(name)
        : `${flagOf(name)} ${quoted(Array.isArray(value) ? value.join('x') : String(value))}`,
    )
    .join(' ');
}

/** A word for a shell. */
const quoted = (word: string): string =>
  /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** `32` or `32x48` (height first), and `1x28x28`; anything else as it is. */
const sizesOf: Readonly<Record<string, (given: unknown) => unknown>> = {
  imageSize(given) {
    const sizes = typeof given === 'string' ? /^(\d+)(?:x(\d+))?$/.exec(given) : null;
    return sizes ? [Number(sizes[1]), Number(sizes[2] ?? sizes[1])] : given;
  },
  shape: (given) =>
    typeof given === 'string' && /^\d+x\d+x\d+$/.test(given) ? given.split('x').map(Number) : given,
};

/** Reads it, and says what was decided where the files leave something open; not of data that whoever began with them was `told` about. */
export async function openData(
  source: DataSource,
  quiet = true,
  told: (data: Dataset) => boolean | undefined = () => false,
): Promise<Dataset> {
  const { dataset, digitsSize, reading } = source;
  const terminal = new Terminal(quiet);
  const onProgress: LoadOptions['onProgress'] = ({ done, total }) =>
    terminal.passing(`Reading images (${count(done)}/${count(total)})`);
  try {
    const data = await loadDataset(dataset, { ...reading, onProgress, digits: digitsOf(digitsSize) });
    terminal.clear();
    if (!told(data)) for (const note of data.notes ?? []) terminal.say(`Note on ${data.name}: ${note}`);
    return data;
  } finally {
    terminal.clear();
  }
}

function digitsOf(train: number | undefined): DigitsOptions | undefined {
  if (train === undefined) return undefined;
  const [validation, test] = [10, 5].map((part) => Math.max(1, Math.round(train / part)));
  return { train, validation, test };
}

/** What an engine is opened with beside its name. */
export interface EngineOptions {
  readonly threads?: number;
  readonly precision?: Precision;
}

/** What can be known to be wrong before any data is read. */
export function checkEngine(
  choice: string,
  { threads, precision }: EngineOptions = {},
): asserts choice is EngineChoice {
  const known = deviceOption.value!.split('|');
  if (!known.includes(choice) && !choice.startsWith('webgpu:'))
    throw new LimbeckError(
      'ERR_DEVICE',
      `device ${JSON.stringify(choice)} is unknown; there are: ${known.join(', ')}, webgpu:ADAPTER (limbeck devices shows what works here)`,
    );
  if (threads !== undefined && choice !== 'cpu' && choice !== 'auto')
    throw new LimbeckError(
      'ERR_OPTION',
      `--threads is ${threads}, but the device is ${choice}: it applies to cpu only, leave it out`,
    );
  checkPrecision(choice.split(':')[0] as DeviceChoice, precision, `the device is ${choice}`);
}

/** An engine, and why this one where it was not named. */
export async function openEngine(
  choice: EngineChoice,
  given: EngineOptions = {},
): Promise<{ device: Device; reason?: string }> {
  const [named, ...adapter] = choice.split(':') as [DeviceChoice, ...string[]];
  const { engine, reason } = named === 'auto' ? await chooseDevice() : { engine: named, reason: undefined };
  if (named === 'auto') checkPrecision(engine, given.precision, `auto takes ${engine}: ${reason}`);
  const options = { ...given, adapter: adapter.length ? adapter.join(':') : undefined };
  return { device: await openDevice(engine, options), reason };
}
