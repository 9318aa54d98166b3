import { crc32 } from './crc32.js';
import { LimbeckError, shapeText } from './errors.js';
import { shown } from './expect.js';
import { halfToFloat } from './half.js';

/*
 * The safetensors format: an 8-byte little-endian header length, a JSON header
 * `{ "__metadata__": { string: string }, name: { dtype, shape, data_offsets: [begin, end] } }` that may end in
 * spaces, and the tensors' bytes without holes or overlaps. Typed arrays are in the machine's byte order; every
 * machine Node supports prebuilt is little-endian, as the format is.
 */

/** Of what limbeck does not write, F16 and BF16 are read as floats, BOOL as bytes, I64 as big integers. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array;

export interface StoredTensor<Data extends TensorData = TensorData> {
  /** `[]` is a scalar. */
  readonly shape: readonly number[];
  readonly data: Data;
}

export type WritableData = Exclude<TensorData, BigInt64Array | Int8Array | Uint16Array | Int16Array>;

export interface SafetensorsContent {
  /** By name, in the order of the file's header; an object without prototype. */
  readonly tensors: Record<string, StoredTensor>;
  readonly metadata: Record<string, string>;
}

const BYTES = {
  F32: 4,
  F64: 8,
  U8: 1,
  I32: 4,
  U32: 4,
  I64: 8,
  F16: 2,
  BF16: 2,
  U16: 2,
  I16: 2,
  I8: 1,
  BOOL: 1,
} as const;
type Dtype = keyof typeof BYTES;
const PREFIX_BYTES = 8;
/** The reference reader's own limit. */
const MAX_HEADER_BYTES = 100_000_000;
const METADATA = '__metadata__';
/**
 * The first of the metadata: the checksum of the file in hexadecimal, computed with zeros in its own place. The format has none;
 * other readers take it for a remark, and what they write has it elsewhere, where it says nothing.
 */
const CHECKSUM = 'limbeck.crc32';
const CHECKED = `{"${METADATA}":{"${CHECKSUM}":"`;
const NONE = '00000000';

interface Entry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

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
  if (Object.hasOwn(metadata, CHECKSUM))
    throw new LimbeckError('ERR_OPTION', `Metadata has ${CHECKSUM}, which is computed; leave it out.`);
  const entries = placeTensors(tensors);
  const dataBytes = entries.reduce((sum, entry) => Math.max(sum, entry.end), 0);
  const header = new TextEncoder().encode(headerText(entries, metadata));
  const headerBytes = Math.ceil(header.length / 8) * 8;

  const file = new Uint8Array(PREFIX_BYTES + headerBytes + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.set(header, PREFIX_BYTES);
  file.fill(0x20, PREFIX_BYTES + header.length, PREFIX_BYTES + headerBytes);
  for (const { name, begin } of entries) {
    const { buffer, byteOffset, byteLength } = tensors[name].data;
    file.set(new Uint8Array(buffer, byteOffset, byteLength), PREFIX_BYTES + headerBytes + begin);
  }
  const checksum = checksumOf(file, PREFIX_BYTES + headerBytes);
  file.set(new TextEncoder().encode(checksum), PREFIX_BYTES + CHECKED.length);
  return file;
}

/** What the checksum of a file should be. */
function checksumOf(bytes: Uint8Array, dataStart: number): string {
  // A copy; slice() of a Buffer of Node would be a view.
  const header = new Uint8Array(bytes.subarray(0, dataStart));
  header.set(new TextEncoder().encode(NONE), PREFIX_BYTES + CHECKED.length);
  const computed = crc32(bytes.subarray(dataStart), crc32(header));
  return computed.toString(16).padStart(NONE.length, '0');
}

/** Checks each tensor and gives it its place; in the order given. */
function placeTensors(tensors: Readonly<Record<string, StoredTensor<WritableData>>>): Entry[] {
  const checked = Object.entries(tensors).map(([name, { shape, data }]) => {
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
    return { name, shape, dtype: dtypeOf(name, data) };
  });
  const begins = new Map<string, number>();
  let at = 0;
  for (const width of [8, 4, 1]) {
    for (const { name, dtype } of checked) {
      if (BYTES[dtype] !== width) continue;
      begins.set(name, at);
      at += tensors[name].data.byteLength;
    }
  }
  return checked.map((tensor) => {
    const begin = begins.get(tensor.name)!;
    return { ...tensor, begin, end: begin + tensors[tensor.name].data.byteLength };
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

function headerText(entries: readonly Entry[], metadata: Readonly<Record<string, string>>): string {
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') {
      throw new LimbeckError(
        'ERR_OPTION',
        `Metadata ${brief(key)} is a ${typeof value}, expected a string; use JSON.stringify for others.`,
      );
    }
  }
  // Entry by entry: a plain object would drop a tensor named __proto__.
  const fields = entries.map(({ name, dtype, shape, begin, end }) => {
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`;
  });
  const others = JSON.stringify(metadata).slice(1, -1);
  return `${CHECKED}${NONE}"${others && `,${others}`}}${fields.map((field) => `,${field}`).join('')}}`;
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
    tensors[name] = { shape, data: viewOf(dtype, copy.buffer) };
  }
  return { tensors, metadata };
}

/** Whether a header begins with a checksum. */
const isChecked = (text: string): boolean =>
  text.startsWith(CHECKED) && text[CHECKED.length + NONE.length] === '"';

interface Header {
  readonly text: string;
  readonly header: Record<string, unknown>;
  readonly dataStart: number;
}

function readHeader(bytes: Uint8Array): Header {
  if (bytes.length < PREFIX_BYTES) {
    throw broken(`it has ${bytes.length} bytes, but the header length alone takes ${PREFIX_BYTES}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES) {
    throw broken(`its first 8 bytes announce a header of ${length} bytes, and 100 MB is the limit`);
  }
  if (length > bytes.length - PREFIX_BYTES) {
    throw broken(`its header should have ${length} bytes, but only ${bytes.length - PREFIX_BYTES} follow`);
  }
  const dataStart = PREFIX_BYTES + length;
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      bytes.subarray(PREFIX_BYTES, dataStart),
    );
    header = JSON.parse(text);
  } catch (cause) {
    throw broken('its header is not JSON in UTF-8', cause);
  }
  if (!isObject(header)) throw broken('its header is not a JSON object');
  const twice = repeatedKey(text);
  if (twice !== undefined) throw broken(`its header names ${brief(twice)} twice`);
  return { text, header, dataStart };
}

/**
 * The first key that occurs twice at the top level of a valid JSON object; `JSON.parse` keeps only the last. A
 * scanner rather than a regular expression, whose backtracking a long string could exhaust.
 */
function repeatedKey(json: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  let latest = ''; // the string token just passed: a key if a colon comes next
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') depth--;
    else if (character === '"') {
      const begin = at++;
      while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
      if (depth === 1) latest = json.slice(begin, at + 1);
    } else if (character === ':' && depth === 1) {
      const key: string = JSON.parse(latest);
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return undefined;
}

function readMetadata(value: unknown): Record<string, string> {
  if (!isObject(value)) throw broken(`its ${METADATA} is not a JSON object`);
  const metadata: Record<string, string> = Object.create(null);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw broken(`its ${METADATA} ${brief(key)} is not a string`);
    metadata[key] = text;
  }
  return metadata;
}

function readEntry(name: string, value: unknown): Entry {
  const label = `tensor ${brief(name)}`;
  if (!isObject(value)) throw broken(`${label} is not described by a JSON object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !Object.hasOwn(BYTES, dtype)) {
    throw broken(`${label} has dtype ${brief(dtype)}; known are ${Object.keys(BYTES).join(', ')}`);
  }
  const count = isNumberList(shape) ? elementCount(shape) : undefined;
  if (count === undefined) {
    throw broken(`${label} has shape ${brief(shape)}, which is not a list of sizes`);
  }
  if (!isNumberList(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw broken(`${label} has data_offsets ${brief(offsets)}, expected [begin, end]`);
  }
  const [begin, end] = offsets;
  const expected = count * BYTES[dtype as Dtype];
  if (end - begin !== expected) {
    throw broken(
      `${label} occupies ${end - begin} bytes, but ${dtype} ${shapeText(shape as number[])} has ${expected}`,
    );
  }
  return { name, dtype: dtype as Dtype, shape: shape as number[], begin, end };
}

/** The tensors must tile the data section: no holes, no overlaps, nothing left over. */
function checkLayout(entries: readonly Entry[], dataBytes: number): void {
  let at = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at) {
      const what = begin > at ? 'leaves a hole before it' : 'overlaps another tensor';
      throw broken(`tensor ${brief(name)} begins at byte ${begin} and ${what} (expected ${at})`);
    }
    at = end;
  }
  if (at !== dataBytes) {
    throw broken(`its tensors take ${at} bytes, but ${dataBytes} bytes of data follow the header`);
  }
}

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

/** The product of a shape, or `undefined` when a size is not a whole number or the product is not exact. */
function elementCount(shape: readonly number[]): number | undefined {
  let count = 1;
  for (const size of shape) {
    if (!isSize(size)) return undefined;
    count *= size;
    if (!Number.isSafeInteger(count * 8)) return undefined;
  }
  return count;
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isNumberList(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((element) => typeof element === 'number');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value from a file for a message: short, and without recursion into what may be nested very deep. */
function brief(value: unknown): string {
  if (isNumberList(value)) return `[${value.slice(0, 8).join(', ')}${value.length > 8 ? ', …' : ''}]`;
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : String(value);
}

function broken(what: string, cause?: unknown): LimbeckError {
  return new LimbeckError(
    'ERR_FILE_FORMAT',
    `Not a valid safetensors file: ${what}. Was it copied completely, and is it a safetensors file?`,
    { cause },
  );
}
