import { type LimbeckError, shapeText } from '../util/errors.js';
import { MAX_BYTES, readBytes, unreadable, viewOf } from './bytes.js';
import { gzipped, isGzip, unpack } from './unpack.js';

/** An IDX file's content: `data` has the elements of `shape`, last axis fastest. */
export interface IdxArray {
  /** Sizes of its axes, one to four. */
  readonly shape: number[];
  /** Its elements: bytes, or 32-bit integers where the file has such. */
  readonly data: Uint8Array | Int32Array;
}

const UNSIGNED_BYTE = 0x08;
const INTEGER = 0x0c;
const ELEMENT_TYPES: Readonly<Record<number, string>> = {
  8: 'unsigned byte',
  9: 'signed byte',
  11: '16-bit integer',
  12: '32-bit integer',
  13: '32-bit float',
  14: '64-bit float',
};
const MAX_DIMENSIONS = 4;

interface Header {
  readonly type: number;
  readonly shape: number[];
  /** Where the data begin, bytes. */
  readonly dataStart: number;
  readonly dataBytes: number;
}

/**
 * Reads an IDX file of unsigned bytes (the format of MNIST) or 32-bit integers (QMNIST's labels) with one to four dimensions, gzipped or not: the
 * content decides, not the name.
 *
 * @throws ERR_FILE_MISSING when it cannot be read; ERR_FILE_FORMAT when it is truncated, too long, or something else; ERR_DATA when
 * more comes out of its compression than `roomFor` allows
 */
export async function readIdx(path: string): Promise<IdxArray> {
  const bytes = await readBytes(path);
  return parseIdx(isGzip(bytes) ? await inflate(bytes, path) : bytes, path);
}

/**
 * The content of an IDX file; `data` is a view of `bytes`.
 *
 * @param path for messages
 * @throws ERR_FILE_FORMAT as `readIdx`
 */
export function parseIdx(bytes: Uint8Array, path: string): IdxArray {
  const header = parseHeader(bytes, path);
  if (header === undefined) {
    throw broken(path, `it ends after ${bytes.length} bytes, inside its header`);
  }
  const { type, shape, dataStart, dataBytes } = header;
  const given = bytes.length - dataStart;
  if (given !== dataBytes) {
    const what = given < dataBytes ? 'truncated' : 'followed by something else';
    throw broken(
      path,
      `it is ${what}: ${shapeText(shape)} promises ${dataBytes} bytes of data, there are ${given}`,
    );
  }
  if (type === INTEGER) {
    const view = viewOf(bytes.subarray(dataStart));
    return { shape, data: Int32Array.from({ length: dataBytes / 4 }, (_, i) => view.getInt32(4 * i)) };
  }
  // Plain bytes: the slice() of a Buffer, which is what files are read into, would not copy.
  return { shape, data: new Uint8Array(bytes.buffer, bytes.byteOffset + dataStart, dataBytes) };
}

/**
 * The header: bytes 0, 0, element type, dimensions, then each size as a big-endian u32. `undefined` while `bytes`
 * holds only a part of it.
 */
function parseHeader(bytes: Uint8Array, path: string): Header | undefined {
  if (bytes.length < 4) return undefined;
  const [zero0, zero1, type, dimensions] = bytes;
  if (zero0 !== 0 || zero1 !== 0) {
    throw broken(path, `it begins with bytes ${zero0}, ${zero1} where an IDX file has 0, 0`);
  }
  if (type !== UNSIGNED_BYTE && type !== INTEGER) {
    const name = ELEMENT_TYPES[type] ?? 'unknown';
    throw broken(
      path,
      `its element type is ${type} (${name}); 8 (unsigned byte) and 12 (32-bit integer) can be read`,
    );
  }
  if (dimensions < 1 || dimensions > MAX_DIMENSIONS) {
    throw broken(path, `it has ${dimensions} dimensions; 1 to ${MAX_DIMENSIONS} can be read`);
  }
  const dataStart = 4 + 4 * dimensions;
  if (bytes.length < dataStart) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: dimensions }, (_, axis) => view.getUint32(4 + 4 * axis));
  // Four u32 sizes can exceed exact numbers, but not be rounded to below the limit; zero sizes are no way around.
  const width = type === INTEGER ? 4 : 1;
  const volume = shape.reduce((product, size) => product * Math.max(size, 1), width);
  if (volume > MAX_BYTES) throw broken(path, `its sizes ${shapeText(shape)} are beyond 2 GiB`);
  return { type, shape, dataStart, dataBytes: shape.includes(0) ? 0 : volume };
}

/** Decompresses, but no further than the header promises: one byte too many tells that the file is too long. */
const inflate = (bytes: Uint8Array, path: string): Promise<Uint8Array> =>
  unpack({ ...gzipped(bytes, path), kind: 'IDX file' }, (start) => {
    const header = parseHeader(start, path);
    return header && header.dataStart + header.dataBytes;
  });

const broken = (path: string, what: string): LimbeckError => unreadable(path, 'IDX file', what);
