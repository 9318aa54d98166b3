import { inPieces } from '../util/breathe.js';
import { type LimbeckError, shapeText } from '../util/errors.js';
import { unreadable, viewOf } from './bytes.js';
import { type NumericArray, rowMajorPlaces } from './npy.js';
import { roomFor, unpack } from './unpack.js';

/** An array of a MATLAB file: its FIRST axis is the fastest. */
export interface MatArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array | Float64Array;
}

const HEADER = 128;
/** Far more than those of any image set. */
const MOST_ELEMENTS = 1000;
const MOST_DIMENSIONS = 32;
const MOST_NAME = 64;
const COMPRESSED = 15;
const MATRIX = 14;
const UINT8 = 2;
const DOUBLE = 9;

interface Element {
  readonly type: number;
  readonly data: Uint8Array;
  /** Where the next one begins. */
  readonly next: number;
}

/**
 * The arrays of bytes and of doubles in a MATLAB file of version 5 (little-endian, compressed or not), by name; others
 * are left out.
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
    const found = readMatrix(element.data, path);
    if (found) arrays.set(...found);
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
export async function rowMajor({ shape, data }: MatArray): Promise<NumericArray> {
  const place = rowMajorPlaces(shape);
  const values = data instanceof Uint8Array ? new Uint8Array(data.length) : new Float64Array(data.length);
  await inPieces(data.length, (from, to) => {
    for (let i = from; i < to; i++) values[place()] = data[i];
  });
  return { shape: shape.length === 2 && shape[0] === 1 ? [shape[1]] : shape, data: values };
}

/** Flags, dimensions, name, values. */
function readMatrix(bytes: Uint8Array, path: string): [string, MatArray] | undefined {
  const flags = readElement(bytes, 0, path);
  const dimensions = readElement(bytes, flags.next, path);
  const name = readElement(bytes, dimensions.next, path);
  const values = readElement(bytes, name.next, path);
  if (dimensions.data.length % 4 || (values.type !== UINT8 && values.type !== DOUBLE)) return undefined;
  if (dimensions.data.length > 4 * MOST_DIMENSIONS)
    throw broken(path, `an array has more than ${MOST_DIMENSIONS} dimensions`);
  const sizes = viewOf(dimensions.data);
  const shape = Array.from({ length: dimensions.data.length / 4 }, (_, i) => sizes.getInt32(4 * i, true));
  const width = values.type === UINT8 ? 1 : 8;
  const count = shape.reduce((product, size) => product * size, 1);
  if (shape.some((size) => size < 0) || values.data.length !== count * width)
    throw broken(path, `an array of ${shapeText(shape)} has ${values.data.length} bytes of data`);
  const data = width === 1 ? values.data : new Float64Array(new Uint8Array(values.data).buffer);
  return [new TextDecoder().decode(name.data.subarray(0, MOST_NAME)), { shape, data }];
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
