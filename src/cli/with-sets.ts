import { basename, dirname } from 'node:path';
import type { Dataset } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import type { Device } from '../engine/device.js';
import type { Precision } from '../engine/precision.js';
import type { Artefact } from '../eval/artefact.js';
import { findProtocol } from '../eval/find-protocol.js';
import type { Model } from '../eval/model.js';
import { protocolOf } from '../eval/protocol-name.js';
import { isSameData } from '../runs/describe-data.js';
import { checkWritable, writeFileAtomic } from '../util/atomic-file.js';
import { LimbeckError } from '../util/errors.js';
import { printable } from '../util/words.js';
import type { Values } from './arguments.js';
import { checkWhitening, readArtefact, setFile, sourceFor } from './artefact.js';
import { listenForStop } from './interrupt.js';
import { openTestSplit } from './open-test-split.js';
import * as shared from './options.js';
import { pretrainedFor } from './pretrained.js';
import { Terminal } from './progress.js';
import { checkEngine, openData, openEngine, readingGiven } from './sources.js';

/** Stops, and says how far it is. */
export interface Follow {
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/** Distilled sets, the data that they were made from, and an engine. */
export interface OpenedSets {
  readonly device: Device;
  /** Normalised as the first set is. */
  readonly data: Dataset;
  /** By the folders of their runs. */
  readonly sets: readonly {
    readonly name: string;
    readonly set: DistilledSet;
    readonly artefact: Artefact;
    /** The networks that it is for, where they were trained before and were asked for. */
    readonly pretrained?: Model;
  }[];
  readonly follow: Follow;
}

/** What was found: for programs, for a terminal, and, where there is one, on a page. */
export interface Found {
  readonly found: object;
  readonly table: string;
  readonly page?: () => string;
}

/** A file of a set. */
interface Read {
  readonly path: string;
  readonly artefact: Artefact;
}

/** ERR_OPTION for sets that are normalised otherwise: the same images are put to all of them. */
function checkAlike(first: Read, other: Read): void {
  const numbers = ({ artefact: { notes } }: Read) => [...notes.mean, ...notes.std];
  const own = numbers(other);
  if (numbers(first).every((value, i) => Math.abs(value - own[i]) <= 1e-5)) return;
  const words = ({ path, artefact: { notes } }: Read) =>
    `${path} is of images of mean ${notes.mean.join(', ')} and deviation ${notes.std.join(', ')}`;
  throw new LimbeckError(
    'ERR_OPTION',
    `${words(other)}, and ${words(first)}: expected sets of the same; look at them one at a time`,
  );
}

/** Options of every command that looks at files of sets. */
export const setsOptions: readonly shared.Option[] = [
  {
    ...shared.dataset,
    fallback: 'digits, if the file was made from them; else the data of the run it lies in',
  },
  shared.digitsSize,
  ...shared.readingOptions.map((option) => ({ ...option, fallback: 'as the file was made' })),
  shared.device,
  shared.threads,
  shared.precision,
  shared.json,
  shared.debug,
  shared.help,
];

/**
 * Opens everything, looks, and prints what was found; the status of the command. `pretrained`: also the networks that sets are for;
 * `tests`: the test split is asked, which is counted in the runs of the sets.
 */
export async function withSets(
  values: Values,
  paths: readonly string[],
  look: (opened: OpenedSets) => Promise<Found>,
  { pretrained = false, tests = false } = {},
): Promise<number> {
  const {
    device: choice = 'auto',
    threads,
    precision,
    out,
    dataset,
    digitsSize,
    protocol,
    init,
  } = values as {
    device?: string;
    threads?: number;
    precision?: Precision;
    out?: string;
    dataset?: string;
    digitsSize?: number;
    protocol?: string;
    init?: string;
  };
  checkEngine(choice, { threads, precision });
  if (out !== undefined) await checkWritable(out);
  const artefacts: Read[] = [];
  for (const path of paths.map(setFile)) artefacts.push({ path, artefact: await readArtefact(path) });
  const [first] = artefacts;
  const source = await sourceFor(first.path, first.artefact, {
    dataset,
    digitsSize,
    reading: readingGiven(values),
  });
  for (const { path, artefact } of artefacts)
    checkWhitening(path, artefact, source, findProtocol(protocol ?? protocolOf(artefact.set).name));
  const sets: OpenedSets['sets'][number][] = [];
  for (const { path, artefact } of artefacts)
    sets.push({
      ...{ name: titleOf(path, paths), set: artefact.set, artefact },
      pretrained: pretrained ? await pretrainedFor(path, artefact, init) : undefined,
    });
  for (const one of artefacts) checkAlike(first, one);
  const { mean, std } = first.artefact.notes;
  const opened = await openData(source, Boolean(values.json), (data) =>
    artefacts.every(({ artefact }) => isSameData(data, artefact.notes)),
  );
  const data = { ...opened, mean, std };
  const { device, reason } = await openEngine(choice, { threads, precision });
  try {
    return await showing(values, async (follow, terminal) => {
      terminal.say(`Engine: ${device.description}${reason ? `: ${reason}` : ''}`);
      if (tests)
        for (const { path, artefact } of artefacts)
          await openTestSplit(path, isSameData(opened, artefact.notes), terminal);
      const { found, ...shown } = await look({ device, data, sets, follow });
      return { found: { dataset: data.name, ...found }, ...shown };
    });
  } finally {
    await device.dispose();
  }
}

/** Looks, and prints what was found: as JSON or as a table, and on a page where `--out` names one; the status of the command. */
export async function showing(
  values: Values,
  look: (follow: Follow, terminal: Terminal) => Promise<Found>,
): Promise<number> {
  const out = values.out as string | undefined;
  const terminal = new Terminal(Boolean(values.json));
  using stop = listenForStop(() => terminal.say('Stopping.'));
  try {
    const follow = { signal: stop.signal, say: (text: string) => terminal.passing(text) };
    const { found, table, page } = await look(follow, terminal);
    terminal.clear();
    if (out !== undefined && page) await writeFileAtomic(out, page());
    process.stdout.write(values.json ? `${JSON.stringify(found, plainNumbers)}\n` : printable(`${table}\n`));
    if (out !== undefined) terminal.say(`Wrote ${out}`);
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return stop.status;
    throw error;
  } finally {
    terminal.clear();
  }
}

/** The values that were given of these options. */
export const givenOf = (values: Values, names: readonly string[]): Values =>
  Object.fromEntries(names.filter((name) => name in values).map((name) => [name, values[name]]));

/** The folder of a run, or the file; the whole path where that does not tell them apart. */
function titleOf(path: string, all: readonly string[]): string {
  const short = (one: string) => basename(basename(one) === 'distilled.safetensors' ? dirname(one) : one);
  return all.filter((one) => short(one) === short(path)).length > 1 ? path : short(path);
}

/** For JSON, in which typed arrays would be objects. */
const plainNumbers = (_: string, value: unknown): unknown =>
  value instanceof Float64Array ? [...value] : value;
