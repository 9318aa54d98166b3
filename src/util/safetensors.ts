import { crc32 } from './crc32.js';
import { LimbeckError, shapeText } from './errors.js';
import { shown } from './expect.js';
import { floatToHalf, halfToFloat } from './half.js';
import {
  BYTES,
  brief,
  checkedBy,
  checkLayout,
  checksumText,
  type Dtype,
  type Entry,
  elementCount,
  encodeHeader,
  METADATA,
  NONE,
  readEntry,
  readHeader,
  readMetadata,
  setChecksum,
} from './safetensors-header.js';

/*
 * The safetensors format: an 8-byte little-endian header length, a JSON header
 * `{ "__metadata__": { string: string }, name: { dtype, shape, data_offsets: [begin, end] } }` that may end in
 * spaces, and the tensors' bytes without holes or overlaps. Typed arrays are in the machine's byte order; every
 * machine Node supports prebuilt is little-endian, as the format is.
 */

/** F16, and of what limbeck does not write BF16, are read as floats, BOOL as bytes, I64 and U64 as big integers. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

export interface StoredTensor<Data extends TensorData = TensorData> {
  /** `[]` is a scalar. */
  readonly shape: readonly number[];
  readonly data: Data;
  /** Of true and false, in bytes. */
  readonly truth?: boolean;
  /** Floats that are to be written as F16, each as the nearest one. */
  readonly half?: boolean;
}

export type WritableData = Exclude<
  TensorData,
  BigInt64Array | BigUint64Array | Int8Array | Uint16Array | Int16Array
>;

export interface SafetensorsContent {
  /** By name, in the order of the file's header; an object without prototype. */
  readonly tensors: Record<string, StoredTensor>;
  readonly metadata: Record<string, string>;
}

/**
 * The first of the metadata: the checksum of the file in hexadecimal, computed with zeros in its own place. The format has none;
 * other readers take it for a remark, and what they write has it elsewhere, where it says nothing.
 */
const CHECKSUM = 'limbeck.crc32';

/** What limbeck's own files say in `format`: these have the checksum. Experts are written in pieces, and have others. */
const ownFormat = /^limbeck-(?!expert)/;

/**
 * A safetensors file; the same input gives the same bytes. The header lists the tensors in the order given; their
 * data lies with the widest element type first, because readers that map the file need every tensor aligned. Its metadata gets
 * a checksum of the file beside what is given.
 *
 * @throws ERR_SHAPE when a shape does not match its data; ERR_OPTION for the reserved names `__metadata__` and, in the
 * metadata, `limbeck.crc32`, or a metadata value that is not a string
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, StoredTensor<WritableData>>>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const entries = placeTensors(tensors);
  const dataBytes = entries.reduce((sum, entry) => Math.max(sum, entry.end), 0);
  const header = encodeHeader(entries, metadata, CHECKSUM);
  const file = new Uint8Array(header.length + dataBytes);
  file.set(header);
  for (const { name, dtype, begin } of entries) {
    const { data } = tensors[name];
    const { buffer, byteOffset, byteLength } = dtype === 'F16' ? Uint16Array.from(data, floatToHalf) : data;
    file.set(new Uint8Array(buffer, byteOffset, byteLength), header.length + begin);
  }
  setChecksum(file, CHECKSUM, checksumOf(file, header.length));
  return file;
}

/** What the checksum of a file should be. */
function checksumOf(bytes: Uint8Array, dataStart: number): string {
  // A copy; slice() of a Buffer of Node would be a view.
  const header = new Uint8Array(bytes.subarray(0, dataStart));
  setChecksum(header, CHECKSUM, NONE);
  return checksumText(crc32(bytes.subarray(dataStart), crc32(header)));
}

/** Checks each tensor and gives it its place; in the order given. */
function placeTensors(tensors: Readonly<Record<string, StoredTensor<WritableData>>>): Entry[] {
  const checked = Object.entries(tensors).map(([name, { shape, data, half }]) => {
    if (name === METADATA) {
      throw new LimbeckError(
        'ERR_OPTION',
        `A tensor is named ${METADATA}, which the format reserves; rename it.`,
      );
    }
    const count = elementCount(shape);
    if (count !== data.length) {
      throw new LimbeckError(
        'ERR_SHAPE',
        `Tensor ${brief(name)}: shape ${shapeText(shape)} needs ${count ?? 'whole, non-negative'} ` +
          `values, its data has ${data.length}; correct the shape.`,
      );
    }
    const dtype: Dtype = half && data instanceof Float32Array ? 'F16' : dtypeOf(name, data);
    return { name, shape, dtype, bytes: data.length * BYTES[dtype] };
  });
  const begins = new Map<string, number>();
  let at = 0;
  for (const width of [8, 4, 2, 1]) {
    for (const { name, dtype, bytes } of checked) {
      if (BYTES[dtype] !== width) continue;
      begins.set(name, at);
      at += bytes;
    }
  }
  return checked.map(({ bytes, ...tensor }) => {
    const begin = begins.get(tensor.name)!;
    return { ...tensor, begin, end: begin + bytes };
  });
}

function dtypeOf(name: string, data: WritableData): Dtype {
  if (data instanceof Float32Array) return 'F32';
  if (data instanceof Float64Array) return 'F64';
  if (data instanceof Uint8Array) return 'U8';
  if (data instanceof Int32Array) return 'I32';
  if (data instanceof Uint32Array) return 'U32';
  throw new LimbeckError(
    'ERR_OPTION',
    `Tensor ${brief(name)}: data is a ${Object.prototype.toString.call(data).slice(8, -1)}, expected a ` +
      'Float32Array, Float64Array, Uint8Array, Int32Array or Uint32Array.',
  );
}

/**
 * Reads a safetensors file of floats of 16, 32 and 64 bits, integers up to 64 bits and booleans; the tensors are copies. Where the metadata has the checksum
 * that `encodeSafetensors` writes, the file is held to it.
 *
 * @throws ERR_FILE_FORMAT for every other content, naming what is wrong with it
 */
export function decodeSafetensors(bytes: Uint8Array): SafetensorsContent {
  if (!ArrayBuffer.isView(bytes) || bytes.BYTES_PER_ELEMENT !== 1)
    throw new LimbeckError(
      'ERR_OPTION',
      `The file is ${shown(bytes)}, expected its bytes: await readFile(path)`,
    );
  const { text, header, dataStart } = readHeader(bytes);
  const metadata: Record<string, string> = Object.create(null);
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === METADATA) Object.assign(metadata, readMetadata(value));
    else entries.push(readEntry(name, value));
  }
  checkLayout(entries, bytes.length - dataStart);
  const { [CHECKSUM]: expected } = metadata;
  delete metadata[CHECKSUM];
  // What damaged the checksum's own name, or the place that it has, would switch the check off.
  if (!isChecked(text) && ownFormat.test(metadata.format ?? ''))
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      `This safetensors file says it is a ${metadata.format}, which begins with a checksum, and has none: it was changed or damaged. Take ` +
        'another copy of it.',
    );
  const computed = isChecked(text) ? checksumOf(bytes, dataStart) : expected;
  if (computed !== expected)
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      `This safetensors file was changed or damaged: its checksum is ${computed}, its metadata says ${expected}. Take another copy ` +
        `of it; a program that changes it on purpose leaves ${CHECKSUM} out of the metadata.`,
    );

  const tensors: Record<string, StoredTensor> = Object.create(null);
  for (const { name, dtype, shape, begin, end } of entries) {
    // A copy, because the file's offsets need not be aligned for a typed array; not by slice(), which in a Buffer
    // of Node makes a view.
    const copy = new Uint8Array(end - begin);
    copy.set(bytes.subarray(dataStart + begin, dataStart + end));
    const data = viewOf(dtype, copy.buffer);
    tensors[name] = { shape, data, ...(dtype === 'BOOL' && { truth: true }) };
  }
  return { tensors, metadata };
}

/** Whether a header begins with a checksum. */
const isChecked = (text: string): boolean =>
  text.startsWith(checkedBy(CHECKSUM)) && text[checkedBy(CHECKSUM).length + NONE.length] === '"';

function viewOf(dtype: Dtype, buffer: ArrayBuffer): TensorData {
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer);
    case 'F64':
      return new Float64Array(buffer);
    case 'U8':
      return new Uint8Array(buffer);
    case 'I32':
      return new Int32Array(buffer);
    case 'U32':
      return new Uint32Array(buffer);
    case 'I64':
      return new BigInt64Array(buffer);
    case 'U64':
      return new BigUint64Array(buffer);
    case 'F16':
      return Float32Array.from(new Uint16Array(buffer), halfToFloat);
    case 'BF16':
      return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer);
    case 'U16':
      return new Uint16Array(buffer);
    case 'I16':
      return new Int16Array(buffer);
    case 'I8':
      return new Int8Array(buffer);
    case 'BOOL':
      return new Uint8Array(buffer);
  }
}
