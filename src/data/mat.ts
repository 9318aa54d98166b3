import { inPieces } from '../util/breathe.js';
import { type LimbeckError, shapeText } from '../util/errors.js';
import { bytesText } from '../util/words.js';
import { unreadable, viewOf } from './bytes.js';
import { type NumberArray, type NumericArray, rowMajorPlaces } from './npy.js';
import { roomFor, tooLarge, unpack } from './unpack.js';

/** An array of a MATLAB file: its FIRST axis is the fastest. */
export interface MatArray {
  readonly shape: readonly number[];
  readonly data: NumberArray;
  /** Of whole numbers, though in a floating-point array: 64-bit integers. */
  readonly whole?: boolean;
  /** Of true and false. */
  readonly truth?: boolean;
}

const HEADER = 128;
/** Far more than those of any image set. */
const MOST_ELEMENTS = 1000;
const MOST_DIMENSIONS = 32;
const MOST_NAME = 64;
const COMPRESSED = 15;
const MATRIX = 14;
const COMPLEX = 0x800;
const LOGICAL = 0x200;

interface ArrayConstructor {
  new (length: number): NumberArray;
  readonly BYTES_PER_ELEMENT: number;
}
interface Stored {
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number;
}
/** How numbers are stored, by the type of their element. */
const STORED: Readonly<Record<number, Stored>> = {
  1: { bytes: 1, read: (view, at) => view.getInt8(at) },
  2: { bytes: 1, read: (view, at) => view.getUint8(at) },
  3: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  4: { bytes: 2, read: (view, at) => view.getUint16(at, true) },
  5: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  6: { bytes: 4, read: (view, at) => view.getUint32(at, true) },
  7: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  9: { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
  12: { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)) },
  13: { bytes: 8, read: (view, at) => Number(view.getBigUint64(at, true)) },
};
/** What numbers are, by the class of their array: MATLAB stores doubles that are whole in fewer bytes. */
const CLASSES: Readonly<Record<number, { readonly array: ArrayConstructor; readonly whole?: boolean }>> = {
  6: { array: Float64Array },
  7: { array: Float32Array },
  8: { array: Int8Array },
  9: { array: Uint8Array },
  10: { array: Int16Array },
  11: { array: Uint16Array },
  12: { array: Int32Array },
  13: { array: Uint32Array },
  14: { array: Float64Array, whole: true },
  15: { array: Float64Array, whole: true },
};

interface Element {
  readonly type: number;
  readonly data: Uint8Array;
  /** Where the next one begins. */
  readonly next: number;
}

/**
 * The arrays of numbers in a MATLAB file of version 5 (little-endian, compressed or not), by name. Texts, structures, cells,
 * sparse and complex arrays are left out.
 *
 * @param path for messages
 * @throws ERR_FILE_FORMAT; ERR_DATA where more comes out of its compression than `roomFor` allows
 */
export async function parseMat(bytes: Uint8Array, path: string): Promise<Map<string, MatArray>> {
  if (bytes.length < HEADER || bytes[126] !== 0x49 || bytes[127] !== 0x4d)
    throw broken(path, 'it has no header of version 5 in little-endian order');
  const arrays = new Map<string, MatArray>();
  let left = roomFor(bytes.length);
  for (let at = HEADER, count = 1; at < bytes.length; count++) {
    if (count > MOST_ELEMENTS) throw broken(path, `it has more than ${MOST_ELEMENTS} elements`);
    let element = readElement(bytes, at, path);
    at = element.next;
    if (element.type === COMPRESSED) {
      const packed = {
        bytes: element.data,
        compression: 'zlib',
        path,
        kind: 'MATLAB file',
        most: left,
      } as const;
      const content = await unpack(packed, promisedBytes);
      left -= content.length;
      element = readElement(content, 0, path);
    }
    if (element.type !== MATRIX) continue;
    const found = await readMatrix(element.data, path, left);
    if (!found) continue;
    const [name, array] = found;
    arrays.set(name, array);
    left -= Math.max(0, array.data.byteLength - element.data.length);
  }
  return arrays;
}

/** What an element takes with its beginning, by that. */
function promisedBytes(start: Uint8Array): number | undefined {
  if (start.length < 8) return undefined;
  const view = viewOf(start);
  return view.getUint16(2, true) ? 8 : 8 + view.getUint32(4, true);
}

/** The same with its last axis the fastest; a row is a vector, for MATLAB has none. */
export async function rowMajor({ shape, data, whole, truth }: MatArray): Promise<NumericArray> {
  const place = rowMajorPlaces(shape);
  const values = new (data.constructor as ArrayConstructor)(data.length);
  await inPieces(data.length, (from, to) => {
    for (let i = from; i < to; i++) values[place()] = data[i];
  });
  return { shape: shape.length === 2 && shape[0] === 1 ? [shape[1]] : shape, data: values, whole, truth };
}

/** Flags, dimensions, name, values. */
async function readMatrix(
  bytes: Uint8Array,
  path: string,
  room: number,
): Promise<[string, MatArray] | undefined> {
  const flags = readElement(bytes, 0, path);
  if (flags.data.length < 4) throw broken(path, 'an array of it does not say its class');
  const flagged = viewOf(flags.data).getUint32(0, true);
  const { array, whole } = CLASSES[flagged & 0xff] ?? {};
  if (array === undefined || flagged & COMPLEX) return undefined;
  const dimensions = readElement(bytes, flags.next, path);
  const name = readElement(bytes, dimensions.next, path);
  const values = readElement(bytes, name.next, path);
  const stored = STORED[values.type];
  if (dimensions.data.length % 4 || stored === undefined) return undefined;
  if (dimensions.data.length > 4 * MOST_DIMENSIONS)
    throw broken(path, `an array has more than ${MOST_DIMENSIONS} dimensions`);
  const sizes = viewOf(dimensions.data);
  const shape = Array.from({ length: dimensions.data.length / 4 }, (_, i) => sizes.getInt32(4 * i, true));
  const count = shape.reduce((product, size) => product * size, 1);
  if (shape.some((size) => size < 0) || values.data.length !== count * stored.bytes)
    throw broken(path, `an array of ${shapeText(shape)} has ${values.data.length} bytes of data`);
  // Doubles may be stored in a byte each.
  const more = count * array.BYTES_PER_ELEMENT - values.data.length;
  if (more > room) throw tooLarge(path, bytesText(more), room);
  const data = await numbersOf(values.data, stored, array, count);
  const truth = (flagged & LOGICAL) !== 0;
  return [new TextDecoder().decode(name.data.subarray(0, MOST_NAME)), { shape, data, whole, truth }];
}

async function numbersOf(
  bytes: Uint8Array,
  { bytes: width, read }: Stored,
  array: ArrayConstructor,
  count: number,
): Promise<NumberArray> {
  if (array === Uint8Array && width === 1) return new Uint8Array(bytes.buffer, bytes.byteOffset, count);
  const view = viewOf(bytes);
  const data = new array(count);
  await inPieces(count, (from, to) => {
    for (let i = from; i < to; i++) data[i] = read(view, i * width);
  });
  return data;
}

/** A type, a length and data up to a multiple of 8 bytes; or all three in 8 bytes. */
function readElement(bytes: Uint8Array, at: number, path: string): Element {
  if (at + 8 > bytes.length) throw broken(path, `it ends inside an element, after ${bytes.length} bytes`);
  const view = viewOf(bytes);
  const first = view.getUint32(at, true);
  const small = first >>> 16;
  const length = small || view.getUint32(at + 4, true);
  const begin = at + (small ? 4 : 8);
  if (small > 4 || begin + length > bytes.length)
    throw broken(path, `an element promises ${length} bytes, but the file ends before`);
  const type = first & 0xffff;
  // Compressed elements are not padded.
  const padded = type === COMPRESSED ? length : Math.ceil(length / 8) * 8;
  return { type, data: bytes.subarray(begin, begin + length), next: small ? at + 8 : begin + padded };
}

const broken = (path: string, what: string): LimbeckError => unreadable(path, 'MATLAB file', what);
