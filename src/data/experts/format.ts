import { createNetwork, type Network, type NetworkOptions } from '../../networks/index.js';
import { storedNetwork } from '../../networks/stored.js';
import { expectedSchedule, type Schedule } from '../../train/schedule.js';
import { storedTraining } from '../../train/stored.js';
import { crc32 } from '../../util/crc32.js';
import { LimbeckError } from '../../util/errors.js';
import {
  encodeStreamHeader,
  readStreamMetadata,
  type StreamedTensor,
} from '../../util/safetensors-stream.js';
import { damaged, StoredFields } from '../../util/stored-fields.js';
import { version } from '../../util/version.js';
import type { ExpertData, ExpertsDescription, ExpertTraining } from './experts.js';

/**
 * The file of one expert, `expert-0007.safetensors`. Behind the header lie the snapshots in their order, each with its checksum
 * behind it:
 *
 *     epoch.0        F32 [count]   theta before training, in forward order, weight then bias, in PyTorch's layouts
 *     epoch.0.crc32  I32 [1]       the checksum of those bytes
 *     epoch.1        F32 [count]   theta after the first epoch, or its mean over that
 *     …
 *
 * A snapshot and its checksum, together a record, are so read by one call, and a file that is being written only grows. The
 * metadata:
 *
 *     format     limbeck-expert-1
 *     version    of limbeck, that began it
 *     protocol   how it was trained, in words
 *     expert     { number, seed, processor }: which one, of which random numbers, begun on what
 *     experts    { network, parameters, dataset, training }: what all experts of a folder have in common; `parameters` are name
 *                and shape of each tensor in theta
 */
const format = 'limbeck-expert-1';

/** What tells an expert from others that were trained alike. */
export interface ExpertIdentity {
  /** From 0 on. */
  readonly number: number;
  /** Of its random numbers, together with `number`. */
  readonly seed: number;
  /** What it was begun on: its bits may be others elsewhere. */
  readonly processor: string;
}

/** What the header of an expert says. */
export interface ExpertHeader {
  readonly description: ExpertsDescription;
  readonly identity: ExpertIdentity;
  /** Of limbeck, that wrote it. */
  readonly version: string;
}

/** The same as read, with what was made of it. */
export interface ReadHeader extends ExpertHeader {
  readonly network: Network;
}

/** `expert-0007.safetensors` */
export const expertFileName = (number: number): string =>
  `expert-${String(number).padStart(4, '0')}.safetensors`;

/** The number in such a name; undefined for other names. */
export function expertNumber(name: string): number | undefined {
  const digits = /^expert-(\d{4,})\.safetensors$/.exec(name)?.[1];
  return digits !== undefined && expertFileName(Number(digits)) === name ? Number(digits) : undefined;
}

/** Bytes of a snapshot of `count` parameters and its checksum. */
export const recordBytes = (count: number): number => 4 * (count + 1);

/** The bytes before the first snapshot; the same header gives the same bytes. */
export function encodeExpertHeader({ description, identity, version }: ExpertHeader): Uint8Array {
  const { networkOptions, dataset, training, protocol } = description;
  const network = createNetwork(networkOptions);
  const parameters = network.parameters.map(({ name, shape }) => ({ name, shape }));
  return encodeStreamHeader(snapshots(network, training.epochs), {
    format,
    version,
    protocol,
    expert: JSON.stringify(identity),
    experts: JSON.stringify({ network: networkOptions, parameters, dataset, training }),
  });
}

/** The same text for the same value, in whatever order somebody wrote its fields. */
const inOrder = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;

/** Whether two networks were described alike. */
export const sameNetwork = (a: NetworkOptions, b: NetworkOptions): boolean =>
  JSON.stringify(a, inOrder) === JSON.stringify(b, inOrder);

/** What one description has that another has not, for people; undefined where they are the same. */
export function differenceOf(given: ExpertsDescription, expected: ExpertsDescription): string | undefined {
  const parts = { network: 'networkOptions', 'data set': 'dataset', training: 'training' } as const;
  for (const [what, part] of Object.entries(parts)) {
    const texts = [given, expected].map((one) => JSON.stringify(one[part], inOrder));
    if (texts[0] !== texts[1]) return `another ${what}: ${texts[0]}, expected ${texts[1]}`;
  }
  return undefined;
}

/** The tensors of a file. */
const snapshots = ({ count }: Network, epochs: number): StreamedTensor[] =>
  Array.from({ length: epochs + 1 }, (_, epoch): StreamedTensor[] => [
    { name: `epoch.${epoch}`, dtype: 'F32', shape: [count] },
    { name: `epoch.${epoch}.crc32`, dtype: 'I32', shape: [1] },
  ]).flat();

/** A new header by this version. */
export const newHeader = (description: ExpertsDescription, identity: ExpertIdentity): ExpertHeader => ({
  description,
  identity,
  version,
});

/**
 * Reads the bytes before the first snapshot of `file`.
 *
 * @throws ERR_FILE_FORMAT, naming the file, where they are not what `encodeExpertHeader` writes
 */
export function decodeExpertHeader(file: string, bytes: Uint8Array): ReadHeader {
  const metadata = metadataOf(file, bytes);
  const texts = new StoredFields(file, 'metadata', metadata);
  if (metadata.format !== format)
    throw damaged(file, `format is ${JSON.stringify(metadata.format)}, expected ${format}`);
  const identity = StoredFields.parse(file, 'expert', metadata.expert);
  const common = StoredFields.parse(file, 'experts', metadata.experts);
  const { network, options } = storedNetwork(common);
  const training = trainingOf(file, common.object('training'));
  if (training.epochs > bytes.length)
    throw damaged(file, `it says ${training.epochs} epochs, more than its header has room for`);
  // Where each snapshot lies follows from what was read, and the checksum of the header is compared with it.
  const expected = encodeStreamHeader(snapshots(network, training.epochs), metadata);
  if (expected.length !== bytes.length || expected.some((byte, i) => byte !== bytes[i]))
    throw damaged(file, 'its header is not the one that belongs to its metadata');
  return {
    description: {
      networkOptions: options,
      dataset: dataOf(common.object('dataset'), network),
      training,
      protocol: texts.text('protocol'),
    },
    identity: {
      number: identity.whole('number', 0),
      seed: identity.whole('seed', 0),
      processor: identity.text('processor'),
    },
    version: texts.text('version'),
    network,
  };
}

function metadataOf(file: string, bytes: Uint8Array): Record<string, string> {
  try {
    return readStreamMetadata(bytes);
  } catch (cause) {
    if (!(cause instanceof LimbeckError)) throw cause;
    throw new LimbeckError(cause.code, `${file}: ${cause.message}`, { cause });
  }
}

function dataOf(fields: StoredFields, { inputShape }: Network): ExpertData {
  const channels = (name: string) => fields.numbers(name, inputShape[0]);
  const zca = fields.optional('zca', (name) => ({ epsilon: fields.object(name).number('epsilon') }));
  return {
    name: fields.text('name'),
    sha256: fields.text('sha256'),
    mean: channels('mean'),
    std: channels('std'),
    ...(zca && { zca }),
  };
}

function trainingOf(file: string, fields: StoredFields): ExpertTraining {
  const schedule = fields.object('schedule').all() as unknown as Schedule;
  const expected = expectedSchedule(schedule);
  if (expected) throw damaged(file, `${fields.name}.schedule is none, expected ${expected}`);
  return {
    ...storedTraining(fields),
    batch: fields.whole('batch', 1),
    epochs: fields.whole('epochs', 1),
    schedule,
    restart: fields.all().restart === true,
    learningRate: fields.number('learningRate'),
    augmentation: fields.text('augmentation'),
    flat: fields.number('flat'),
    gap: fields.number('gap'),
    mean: fields.all().mean === true,
  };
}

/** A snapshot as it is written, its checksum behind it: `[count + 1]` words. */
export function encodeRecord(theta: Float32Array): Uint8Array {
  const bytes = new Uint8Array(recordBytes(theta.length));
  bytes.set(new Uint8Array(theta.buffer, theta.byteOffset, theta.byteLength));
  new DataView(bytes.buffer).setUint32(theta.byteLength, crc32(bytes.subarray(0, theta.byteLength)), true);
  return bytes;
}

/** The snapshot in a record; undefined where its checksum is another. It shares the memory of `bytes`, whose buffer is theirs alone. */
export function decodeRecord(bytes: Uint8Array<ArrayBuffer>): Float32Array | undefined {
  const length = bytes.length - 4;
  const expected = new DataView(bytes.buffer).getUint32(length, true);
  return crc32(bytes.subarray(0, length)) === expected
    ? new Float32Array(bytes.buffer, 0, length / 4)
    : undefined;
}
