import { LimbeckError, shapeText } from './errors.js';

/** The header of a safetensors file: see `safetensors.ts`. */

/** Bytes of an element. */
export const BYTES = {
  F32: 4,
  F64: 8,
  U8: 1,
  I32: 4,
  U32: 4,
  I64: 8,
  U64: 8,
  F16: 2,
  BF16: 2,
  U16: 2,
  I16: 2,
  I8: 1,
  BOOL: 1,
} as const;
export type Dtype = keyof typeof BYTES;
/** The length of the header. */
export const PREFIX_BYTES = 8;
/** The reference reader's own limit. */
const MAX_HEADER_BYTES = 100_000_000;
/** The entry that is no tensor. */
export const METADATA = '__metadata__';
/** A checksum that is not known yet. */
export const NONE = '00000000';
/** What a header begins with whose first metadata is a checksum of that name; its value follows. */
export const checkedBy = (checksum: string): string => `{"${METADATA}":{"${checksum}":"`;

/** A tensor in a file. */
export interface Entry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Its first byte, and the one behind its last, counted from the end of the header. */
  readonly begin: number;
  readonly end: number;
}

/**
 * The header of a file with its length before it and spaces behind it, up to a multiple of eight bytes. The first of its metadata is
 * named `checksum` and holds zeros.
 *
 * @throws ERR_OPTION for metadata of that name, or that is not a string
 */
export function encodeHeader(
  entries: readonly Entry[],
  metadata: Readonly<Record<string, string>>,
  checksum: string,
): Uint8Array {
  const text = new TextEncoder().encode(headerText(entries, metadata, checksum));
  const length = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(PREFIX_BYTES + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(text, PREFIX_BYTES);
  return bytes;
}

/** Writes a checksum into the place that a header has for it. */
export function setChecksum(bytes: Uint8Array, name: string, value: string): void {
  bytes.set(new TextEncoder().encode(value), PREFIX_BYTES + checkedBy(name).length);
}

/** A checksum as it is written. */
export const checksumText = (value: number): string => value.toString(16).padStart(NONE.length, '0');

function headerText(
  entries: readonly Entry[],
  metadata: Readonly<Record<string, string>>,
  checksum: string,
): string {
  if (Object.hasOwn(metadata, checksum))
    throw new LimbeckError('ERR_OPTION', `Metadata has ${checksum}, which is computed; leave it out.`);
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
  return `${checkedBy(checksum)}${NONE}"${others && `,${others}`}}${fields.map((field) => `,${field}`).join('')}}`;
}

export interface Header {
  readonly text: string;
  readonly header: Record<string, unknown>;
  readonly dataStart: number;
}

export function readHeader(bytes: Uint8Array): Header {
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
  checkContainers(bytes.subarray(PREFIX_BYTES, dataStart));
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

/** A tensor takes three in more than fifty bytes. An empty list takes three bytes here and fifty in memory. */
function checkContainers(header: Uint8Array): void {
  let count = 0;
  for (const byte of header) if (byte === 0x5b || byte === 0x7b) count++;
  if (count > 1000 + header.length / 8)
    throw broken(`its header has ${count} lists and objects in ${header.length} bytes`);
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

export function readMetadata(value: unknown): Record<string, string> {
  if (!isObject(value)) throw broken(`its ${METADATA} is not a JSON object`);
  const metadata: Record<string, string> = Object.create(null);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw broken(`its ${METADATA} ${brief(key)} is not a string`);
    metadata[key] = text;
  }
  return metadata;
}

export function readEntry(name: string, value: unknown): Entry {
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
export function checkLayout(entries: readonly Entry[], dataBytes: number): void {
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

/** The product of a shape, or `undefined` when a size is not a whole number or the product is not exact. */
export function elementCount(shape: readonly number[]): number | undefined {
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
export function brief(value: unknown): string {
  if (isNumberList(value)) return `[${value.slice(0, 8).join(', ')}${value.length > 8 ? ', …' : ''}]`;
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : String(value);
}

export function broken(what: string, cause?: unknown): LimbeckError {
  return new LimbeckError(
    'ERR_FILE_FORMAT',
    `Not a valid safetensors file: ${what}. Was it copied completely, and is it a safetensors file?`,
    { cause },
  );
}
