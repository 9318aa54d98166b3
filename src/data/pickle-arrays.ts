import type { ArrayForm } from './npy.js';
import { type Pickled, PickledObject, type PickleVocabulary, textOf } from './pickle.js';

/** A NumPy array, which `numericArray` reads when it is asked for: a pickle may name the same bytes any number of times. */
export class PickledArray extends PickledObject {
  stored?: { readonly bytes: Uint8Array; readonly form: ArrayForm };
}

/** A type of elements: `u1`, and its byte order. */
class Dtype extends PickledObject {
  order = '|';
  constructor(readonly name: string) {
    super();
  }
}

const array = /^numpy\._?core\.multiarray\._reconstruct$/;
const buffer = /^numpy\._?core\.numeric\._frombuffer$/;
const scalar = /^numpy\._?core\.multiarray\.scalar$/;
const others = /^numpy\.(dtype|ndarray)$|^_codecs\.encode$/;
const mostDimensions = 64;

/** What pickles of NumPy arrays name. */
export const arrayVocabulary: PickleVocabulary = {
  kind: 'pickle of arrays',

  knows: (name) => [array, buffer, scalar, others].some((pattern) => pattern.test(name)),

  call(name, args) {
    if (array.test(name)) return new PickledArray();
    if (name === 'numpy.dtype') return new Dtype(textOf(args[0]) ?? '');
    if (name === '_codecs.encode')
      return typeof args[0] === 'string' ? Buffer.from(args[0], 'latin1') : undefined;
    if (scalar.test(name)) return numberOf(args[0], args[1]);
    const [data, dtype, shape, order] = args;
    return buffer.test(name)
      ? filled(new PickledArray(), shape, dtype, textOf(order) === 'F', data)
      : undefined;
  },

  /** The state of an array is (version, shape, type, Fortran order, bytes), that of a type (version, byte order, …). */
  build(target, state) {
    const list = Array.isArray(state) ? state : [];
    if (target instanceof Dtype) target.order = textOf(list[1]) ?? '|';
    else if (target instanceof PickledArray)
      return filled(target, list[1], list[2], list[3] === true, list[4]) !== undefined;
    else return false;
    return true;
  },
};

function filled(
  target: PickledArray,
  shape: Pickled | undefined,
  dtype: Pickled | undefined,
  fortran: boolean,
  data: Pickled | undefined,
): PickledArray | undefined {
  const sizes = sizesOf(shape);
  if (!sizes || !(dtype instanceof Dtype) || !(data instanceof Uint8Array)) return undefined;
  target.stored = {
    bytes: data,
    form: { dtype: `${dtype.order}${dtype.name}`, fortran, shape: sizes },
  };
  return target;
}

/** A list of sizes; undefined where it is none. */
export function sizesOf(value: Pickled | undefined): number[] | undefined {
  const sizes = Array.isArray(value) && value.length <= mostDimensions ? value : undefined;
  return sizes?.every((size) => Number.isSafeInteger(size) && (size as number) >= 0)
    ? (sizes as number[])
    : undefined;
}

/** A number of NumPy, as floats and whole numbers of Python are. */
function numberOf(dtype: Pickled, data: Pickled): number | undefined {
  if (!(dtype instanceof Dtype) || !(data instanceof Uint8Array)) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const little = dtype.order !== '>';
  if (dtype.name === 'f8' && data.length === 8) return view.getFloat64(0, little);
  if (dtype.name === 'f4' && data.length === 4) return view.getFloat32(0, little);
  if (dtype.name === 'i8' && data.length === 8) return Number(view.getBigInt64(0, little));
  if (dtype.name === 'i4' && data.length === 4) return view.getInt32(0, little);
  return undefined;
}
