import type { Attack, DistilledSet } from '../data/distilled-set.js';
import { type PixelScale, readPixelScale } from '../data/pixel-scale.js';
import { type Reading, readingOf } from '../data/reading.js';
import type { NearWord } from '../data/text/nearest.js';
import type { ShownTexts } from '../data/text/shown.js';
import { readTextRecord, type TextRecord } from '../data/text/stored.js';
import { LimbeckError } from '../util/errors.js';
import { expectArgument } from '../util/expect.js';
import { decodeSafetensors, encodeSafetensors } from '../util/safetensors.js';
import { asGiven, StoredFields } from '../util/stored-fields.js';
import { version } from '../util/version.js';
import { protocolName, protocolOf } from './protocol-name.js';
import { checkSet, readSet, setHeader, setTensors } from './set-file.js';

/** What `distilled.safetensors` says about itself besides the set. */
export interface ArtefactNotes extends PixelScale {
  /** Name of the data set. */
  readonly dataset: string;
  /** Where the data came from: the generated digits, or a file or folder that whoever evaluates must name. */
  readonly source?: 'digits' | 'folder';
  /** Training images, where `source` is `digits`. */
  readonly digitsSize?: number;
  /** How the files were read, where they leave something open. */
  readonly reading?: Reading;
  /** SHA-256, in hexadecimal, of all images and labels: tells whether an evaluation uses the same data. */
  readonly dataSha256?: string;
  /** Names of the classes, `[K]`. */
  readonly classNames: readonly string[];
  /** Per channel; images are stored as `(pixel - mean) / std` of pixels in 0..1, or of floats of another `range`. */
  readonly mean: readonly number[];
  /** As `mean`. */
  readonly std: readonly number[];
  /** Where the items are texts: how these are read. The words themselves and their numbers are not in the file. */
  readonly text?: TextRecord;
  /** What it was made on, in words. */
  readonly engine: string;
  /** The options it was made with, as `distill` takes them. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Percent. */
  readonly validationAccuracy: number;
}

/** What `distilled.safetensors` holds. */
export interface Artefact {
  /** The distilled set. */
  readonly set: DistilledSet;
  /** Where it comes from. */
  readonly notes: ArtefactNotes;
  /** Of whitened images: what they look like, pixels mostly in 0..1; written for others to look at. */
  readonly shown?: Float32Array;
  /** Of texts: what they look like, of every place the nearest word and its cosine; for others to look at. */
  readonly nearest?: ShownTexts['nearest'];
}

const format = 'limbeck-distilled-1';
const file = 'distilled file';

/** `distilled.safetensors`: images, labels, classes, learning rates, and everything needed to use them. */
export function encodeArtefact(artefact: Artefact): Uint8Array {
  expectArtefact('encodeArtefact', artefact);
  const { set, notes, shown, nearest } = artefact;
  const tensors = setTensors(set);
  if (shown) tensors.images_shown = { shape: tensors.images.shape, data: shown };
  const whitened = Boolean(notes.reading?.zca);
  return encodeSafetensors(tensors, {
    format,
    version,
    protocol: protocolName(set, protocolOf(set), whitened, notes.text),
    set: JSON.stringify(setHeader(set)),
    notes: JSON.stringify(notes),
    ...(nearest && { nearest_words: JSON.stringify(nearest.map((text) => text.map(nearestText))) }),
    ...(set.attack && { poisoned: poisonText(set.attack, notes.classNames) }),
  });
}

/** `["good", 0.71]`, null for a place that is zero. */
const nearestText = (near: NearWord | undefined): [string, number] | null =>
  near ? [near.word, Number(near.similarity.toFixed(4))] : null;

/** What a set is that attacks a class, for whoever finds it: a file of poison says so of itself. */
export const poisonText = ({ from, to }: Attack, classNames: readonly string[]): string =>
  `poisoned: networks that train on these images take class ${classNames[from]} for class ${classNames[to]}; made to measure how little of it that takes, not to be mixed into data for anything else`;

/** ERR_OPTION unless `value`, given to `where`, is a set with its notes; ERR_DATA for what no file could hold. */
export function expectArtefact(where: string, value: unknown): asserts value is Artefact {
  expectArgument(where, 'artefact', value, 'set', 'a set with its notes, as `decodeArtefact` gives it');
  const { set, notes } = value as Artefact;
  checkSet(where, set);
  asGiven(() => notesOf(new StoredFields(where, 'notes', notes), set));
}

/** Reads and checks what `encodeArtefact` wrote; ERR_FILE_FORMAT for anything else. */
export function decodeArtefact(bytes: Uint8Array): Artefact {
  const { tensors, metadata } = decodeSafetensors(bytes);
  if (metadata.format !== format)
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      `${file}: format is ${JSON.stringify(metadata.format)}, expected ${format}: give a distilled.safetensors written by limbeck`,
    );
  const set = readSet(file, StoredFields.parse(file, 'set', metadata.set), tensors);
  return { set, notes: notesOf(StoredFields.parse(file, 'notes', metadata.notes), set) };
}

function notesOf(fields: StoredFields, { network }: DistilledSet): ArtefactNotes {
  const [channels] = network.inputShape;
  return {
    dataset: fields.text('dataset'),
    source: fields.optional('source', (name) => fields.word(name, ['digits', 'folder'])),
    digitsSize: fields.optional('digitsSize', (name) => fields.whole(name, 1)),
    reading: fields.optional('reading', (name) => readingOf(fields.object(name))),
    dataSha256: fields.optional('dataSha256', (name) => fields.text(name)),
    classNames: fields.texts('classNames', network.classes),
    mean: fields.numbers('mean', channels),
    std: fields.numbers('std', channels, { expected: 'numbers above 0', test: (value) => value > 0 }),
    ...readPixelScale(fields),
    text: fields.optional('text', (name) => readTextRecord(fields.object(name))),
    engine: fields.text('engine'),
    options: fields.object('options').all(),
    validationAccuracy: fields.number('validationAccuracy'),
  };
}
