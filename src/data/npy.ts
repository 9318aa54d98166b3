import { inPieces } from '../util/breathe.js';
import { type LimbeckError, shapeText } from '../util/errors.js';
import { halfToFloat } from '../util/half.js';
import { unreadable, viewOf } from './bytes.js';

export type NumberArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** An array of any rank, last axis fastest. */
export interface NumericArray {
  readonly shape: readonly number[];
  readonly data: NumberArray;
  /** Of whole numbers, though in a floating-point array: 64-bit integers. */
  readonly whole?: boolean;
  /** Of true and false. */
  readonly truth?: boolean;
}

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY
const MAX_HEADER = 1 << 16;
/** NumPy's own. */
const MAX_DIMENSIONS = 64;

interface NumberArrayConstructor {
  new (content: number | ArrayBuffer): NumberArray;
  readonly BYTES_PER_ELEMENT: number;
}
type Read = (view: DataView, at: number, little: boolean) => number;
interface Type {
  readonly bytes: number;
  readonly whole?: boolean;
  readonly truth?: boolean;
  readonly array: NumberArrayConstructor;
  readonly read: Read;
}
/** 64-bit integers become float64; labels and pixels are far below what that can hold. */
const TYPES: Readonly<Record<string, Type>> = {
  b1: { bytes: 1, truth: true, array: Uint8Array, read: (view, at) => view.getUint8(at) },
  u1: { bytes: 1, array: Uint8Array, read: (view, at) => view.getUint8(at) },
  i1: { bytes: 1, array: Int8Array, read: (view, at) => view.getInt8(at) },
  u2: { bytes: 2, array: Uint16Array, read: (view, at, little) => view.getUint16(at, little) },
  i2: { bytes: 2, array: Int16Array, read: (view, at, little) => view.getInt16(at, little) },
  u4: { bytes: 4, array: Uint32Array, read: (view, at, little) => view.getUint32(at, little) },
  i4: { bytes: 4, array: Int32Array, read: (view, at, little) => view.getInt32(at, little) },
  u8: {
    bytes: 8,
    array: Float64Array,
    whole: true,
    read: (view, at, little) => Number(view.getBigUint64(at, little)),
  },
  i8: {
    bytes: 8,
    array: Float64Array,
    whole: true,
    read: (view, at, little) => Number(view.getBigInt64(at, little)),
  },
  f2: { bytes: 2, array: Float32Array, read: (view, at, little) => halfToFloat(view.getUint16(at, little)) },
  f4: { bytes: 4, array: Float32Array, read: (view, at, little) => view.getFloat32(at, little) },
  f8: { bytes: 8, array: Float64Array, read: (view, at, little) => view.getFloat64(at, little) },
};

/**
 * A NumPy array file (versions 1 to 3): integers, booleans and floats of either byte order, in C or Fortran order.
 *
 * @param what the file, for messages
 * @throws ERR_FILE_FORMAT
 */
export async function parseNpy(bytes: Uint8Array, what: string): Promise<NumericArray> {
  if (bytes.length < 12 || MAGIC.some((byte, i) => bytes[i] !== byte))
    throw broken(what, 'it does not begin as a NumPy array');
  const view = viewOf(bytes);
  const wide = bytes[6] >= 2;
  if (bytes[6] < 1 || bytes[6] > 3) throw broken(what, `its version is ${bytes[6]}, expected 1 to 3`);
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = (wide ? 12 : 10) + length;
  if (length > MAX_HEADER || start > bytes.length)
    throw broken(what, `its header should have ${length} bytes, but the file has ${bytes.length}`);
  const { dtype, fortran, shape } = parseHeader(
    String.fromCharCode(...bytes.subarray(start - length, start)),
    what,
  );
  return numericArray(bytes.subarray(start), { dtype, fortran, shape }, what);
}

/** How the bytes of an array are to be read. */
export interface ArrayForm {
  /** As NumPy writes it: `<f4`, `|u1`. */
  readonly dtype: string;
  /** Whether the first axis is the fastest. */
  readonly fortran: boolean;
  readonly shape: readonly number[];
}

/**
 * @param what the file, for messages
 * @throws ERR_FILE_FORMAT where the bytes are not those of such an array
 */
export async function numericArray(
  bytes: Uint8Array,
  { dtype, fortran, shape }: ArrayForm,
  what: string,
): Promise<NumericArray> {
  const [, order, name] = /^([<>|=]?)(\w\d+)$/.exec(dtype) ?? [];
  if (!name || !Object.hasOwn(TYPES, name))
    throw broken(
      what,
      `its element type is ${dtype.slice(0, 40)}, expected one of ${Object.keys(TYPES).join(', ')}; ${
        /^[<>|=]?[USO]/.test(dtype)
          ? 'give names of classes as numbers: names, labels = numpy.unique(labels, return_inverse=True)'
          : 'convert it with astype'
      }`,
    );
  const type = TYPES[name];
  if (shape.length > MAX_DIMENSIONS) throw broken(what, `it has ${shape.length} dimensions`);
  // A size of zero times a huge one must not pass either.
  if (!Number.isSafeInteger(8 * shape.reduce((product, size) => product * Math.max(size, 1), 1)))
    throw broken(what, `its shape is ${shapeText(shape)}, which no file can hold`);
  const count = shape.reduce((product, size) => product * size, 1);
  if (bytes.length !== count * type.bytes)
    throw broken(
      what,
      `${shapeText(shape)} promises ${count * type.bytes} bytes of data, there are ${bytes.length}`,
    );
  if (type.array === Uint8Array && !fortran)
    return { shape, data: new Uint8Array(bytes.buffer, bytes.byteOffset, count), truth: type.truth };
  if (!fortran && order !== '>' && type.array.BYTES_PER_ELEMENT === type.bytes && !type.whole)
    // A copy, which is aligned; slice() of a Buffer of Node would be a view.
    return { shape, data: new type.array(new Uint8Array(bytes).buffer) };
  const view = viewOf(bytes);
  const data = new type.array(count);
  const place = fortran ? rowMajorPlaces(shape) : (i: number) => i;
  await inPieces(count, (from, to) => {
    for (let i = from; i < to; i++) data[place(i)] = type.read(view, i * type.bytes, order !== '>');
  });
  return { shape, data, whole: type.whole, truth: type.truth };
}

/** Where the i-th element in Fortran order stands in C order; to be called for 0, 1, 2, … */
export function rowMajorPlaces(shape: readonly number[]): () => number {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const index = shape.map(() => 0);
  let at = 0;
  return () => {
    const here = at;
    for (let axis = 0; axis < shape.length; axis++) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
    return here;
  };
}

/** `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }` */
function parseHeader(text: string, what: string): ArrayForm {
  const dtype = /'descr':\s*'([^']{0,40})'/.exec(text)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  const sizes = /'shape':\s*\(([\d,\s]*)\)/.exec(text)?.[1];
  if (dtype === undefined || order === undefined || sizes === undefined)
    throw broken(what, 'its header has no simple element type, no order or no shape');
  const shape = sizes
    .split(',')
    .filter((size) => size.trim())
    .map(Number);
  return { dtype, fortran: order === 'True', shape };
}

const broken = (path: string, what: string): LimbeckError => unreadable(path, 'NumPy array', what);
