import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Artefact, decodeArtefact } from '../eval/artefact.js';
import { findProtocol, type ProtocolChanges } from '../eval/find-protocol.js';
import { checkPreprocessing, labelKinds, type Protocol } from '../eval/protocol.js';
import { protocols } from '../eval/protocols.js';
import { RunFolder } from '../report/run-folder.js';
import { strategies } from '../train/augmentation.js';
import { LimbeckError } from '../util/errors.js';
import { readNamedFile } from '../util/read-file.js';
import type { Values } from './arguments.js';
import type { Option } from './options.js';
import { type DataSource, dataSource } from './sources.js';

/** What commands that train on a distilled set share: reading it, the data it was made from, the protocol. */

export const protocolOptions: readonly Option[] = [
  {
    name: 'protocol',
    kind: 'text',
    value: protocols.map(({ name }) => name).join('|'),
    help: 'how the networks are trained',
    fallback: 'that of the method it was made by',
  },
  {
    name: 'augmentation',
    kind: 'text',
    value: `${Object.keys(strategies).join('|')}|FAMILY_…|none`,
    help: 'what is done to the images of a minibatch; dsa mirrors them, dsa-digits does not; +cutmix behind it mixes them',
    fallback: 'as the protocol says',
  },
  {
    name: 'labels',
    kind: 'text',
    value: labelKinds.join('|'),
    help: 'labels as they were learned, 1 for the largest, or (evaluate alone) what the teacher says of every batch',
    fallback: 'as the protocol says',
  },
];

/** What was asked for; ERR_OPTION for a protocol that is unknown, before any file is read. */
export function protocolAsked(values: Values): { name?: string; changes: ProtocolChanges } {
  const {
    augmentation,
    labels,
    epochs,
    batch,
    lr: learningRate,
  } = values as ProtocolChanges & { lr?: number };
  const changes = { augmentation, labels, epochs, batch, learningRate };
  const name = values.protocol as string | undefined;
  if (name !== undefined) findProtocol(name, changes);
  return { name, changes };
}

/** The file of a set: in the folder of a run, where that is what was named. */
export function setFile(path: string): string {
  const inside = join(path, 'distilled.safetensors');
  return existsSync(inside) ? inside : path;
}

/** Where the data lie that a run was made from, for a set in its folder; undefined where they are gone. */
async function datasetOfRun(path: string): Promise<string | undefined> {
  const run = new RunFolder(dirname(path));
  const record = run.owns(path) ? await run.readRecord().catch(() => undefined) : undefined;
  const dataset = record?.config.dataset;
  return dataset !== undefined && existsSync(dataset) ? dataset : undefined;
}

/** The data asked for, or those that the file or the run around it says it was made from; read as they were then. */
export async function sourceFor(
  path: string,
  { notes }: Artefact,
  asked: Partial<DataSource>,
): Promise<DataSource> {
  const { digitsSize } = asked;
  const dataset = asked.dataset ?? (notes.source === 'digits' ? undefined : await datasetOfRun(path));
  const fromDigits = notes.source === 'digits';
  if (dataset === undefined && !fromDigits)
    throw new LimbeckError(
      'ERR_OPTION',
      `${path} was made from ${notes.dataset}: say where that lies with --dataset PATH` +
        (notes.source === undefined && notes.dataset === 'digits' ? ', or --dataset digits' : ''),
    );
  const digits = dataset === undefined || dataset === 'digits';
  // What was said of files does not apply to the digits, nor the other way round.
  const reading = digits === fromDigits ? notes.reading : undefined;
  return dataSource({
    dataset,
    digitsSize: digitsSize ?? (digits && fromDigits ? notes.digitsSize : undefined),
    reading: asked.reading || reading ? { ...reading, ...asked.reading } : undefined,
  });
}

/** Whether the data will be whitened like that which the file was made from, and as the protocol asks for. */
export function checkWhitening(
  path: string,
  { notes }: Artefact,
  source: DataSource,
  protocol: Protocol,
): void {
  const made = Boolean(notes.reading?.zca);
  if (made !== Boolean(source.reading?.zca))
    throw new LimbeckError(
      'ERR_OPTION',
      made
        ? `${path} was made from ZCA-whitened images, and these would not be whitened: add --zca`
        : `${path} was made from images that were not whitened: leave --zca out, or distil with it`,
    );
  checkPreprocessing(protocol, made);
}

export async function readArtefact(path: string): Promise<Artefact> {
  const bytes = await readNamedFile(
    path,
    (reason) => `${path} cannot be read: ${reason}; expected a file such as runs/first/distilled.safetensors`,
  );
  try {
    return decodeArtefact(bytes);
  } catch (error) {
    if (!(error instanceof LimbeckError)) throw error;
    throw new LimbeckError(error.code, `${path}: ${error.message}`, { cause: error });
  }
}
