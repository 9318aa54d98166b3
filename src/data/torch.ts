import { LimbeckError, shapeText } from '../util/errors.js';
import { unreadable } from './bytes.js';
import { type NumericArray, numericArray } from './npy.js';
import {
  nameOf,
  type Pickled,
  PickledObject,
  type PickleVocabulary,
  parsePickle,
  readPickle,
  textOf,
} from './pickle.js';
import { arrayVocabulary, PickledArray, sizesOf } from './pickle-arrays.js';
import { openZip } from './zip.js';

/** Element types of PyTorch's storages, as NumPy calls them; `bf2` are the upper halves of `f4`. */
const types: Readonly<Record<string, string>> = {
  'torch.FloatStorage': 'f4',
  'torch.DoubleStorage': 'f8',
  'torch.HalfStorage': 'f2',
  'torch.BFloat16Storage': 'bf2',
  'torch.LongStorage': 'i8',
  'torch.IntStorage': 'i4',
  'torch.ShortStorage': 'i2',
  'torch.CharStorage': 'i1',
  'torch.ByteStorage': 'u1',
  'torch.BoolStorage': 'b1',
};

/** A piece of memory that tensors are views of. */
class Storage extends PickledObject {
  constructor(
    readonly key: string,
    readonly type: string,
    /** Elements. */
    readonly count: number,
  ) {
    super();
  }
}

/** A tensor of a file, which `tensorArray` reads. */
export class PickledTensor extends PickledObject {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {
    super();
  }
}

const rebuilt = /^torch\._utils\._rebuild_tensor(_v2)?$/;
const parameter = 'torch._utils._rebuild_parameter';
const ordered = 'collections.OrderedDict';

/** What `torch.save` names for tensors, lists, dictionaries and numbers. */
const tensorVocabulary: PickleVocabulary = {
  kind: 'file of PyTorch tensors',

  knows: (name) =>
    rebuilt.test(name) ||
    name === parameter ||
    name === ordered ||
    Object.hasOwn(types, name) ||
    arrayVocabulary.knows(name),

  call(name, args) {
    if (rebuilt.test(name)) {
      const [storage, offset, sizes, steps] = args;
      const [shape, strides] = [sizesOf(sizes), sizesOf(steps)];
      return storage instanceof Storage && shape && strides?.length === shape.length && sizesOf([offset])
        ? new PickledTensor(storage, offset as number, shape, strides)
        : undefined;
    }
    if (name === parameter) return args[0] instanceof PickledTensor ? args[0] : undefined;
    if (name === ordered) return args.length ? undefined : new Map();
    return arrayVocabulary.call(name, args);
  },

  // An ordered dictionary may bring attributes, such as the versions of a network's layers.
  build: (target, state) => target instanceof Map || arrayVocabulary.build(target, state),

  refer(reference) {
    const [word, type, key, , count] = Array.isArray(reference) ? reference : [];
    const name = Object.hasOwn(types, nameOf(type) ?? '') ? types[nameOf(type)!] : undefined;
    const called = textOf(key);
    return textOf(word) === 'storage' && name && called !== undefined && sizesOf([count])
      ? new Storage(called, name, count as number)
      : undefined;
  },
};

/** What a file of PyTorch holds, with the bytes of its storages by key. */
export interface TorchFile {
  readonly content: Pickled;
  readonly storages: ReadonlyMap<string, Uint8Array>;
}

/**
 * A file that `torch.save` wrote, as a ZIP archive or in the older form. Tensors, NumPy arrays, lists, dictionaries, texts and numbers
 * are read as data; what names anything else is refused by that name, and nothing is executed.
 *
 * @param path for messages
 * @throws ERR_FILE_FORMAT; ERR_DATA where it would take far more memory than it has bytes
 */
export const parseTorch = (bytes: Uint8Array, path: string): Promise<TorchFile> =>
  bytes[0] === 0x50 && bytes[1] === 0x4b ? ofArchive(bytes, path) : ofStream(bytes, path);

async function ofArchive(bytes: Uint8Array, path: string): Promise<TorchFile> {
  const files = openZip(bytes, path);
  const pickled = [...files.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickled === undefined) throw broken(path, 'it has no data.pkl');
  const folder = pickled.slice(0, -'data.pkl'.length);
  const order = files.get(`${folder}byteorder`);
  if (order && new TextDecoder().decode(await order()) !== 'little')
    throw broken(path, 'its numbers are big-endian');
  const content = await parsePickle(await files.get(pickled)!(), `${path}: ${pickled}`, tensorVocabulary);
  const storages = new Map<string, Uint8Array>();
  for (const key of storagesIn(content)) {
    const file = files.get(`${folder}data/${key}`);
    if (!file) throw broken(path, `it lacks ${folder}data/${key.slice(0, 80)}`);
    storages.set(key, await file());
  }
  return { content, storages };
}

/** A large whole number that files of the older form begin with. */
const magic = '0x1950a86a20f9469cfc6c';

/** Pickles one after the other: a magic number, a version, the system, the content, the keys of its storages; then their bytes. */
async function ofStream(bytes: Uint8Array, path: string): Promise<TorchFile> {
  let at = 0;
  const next = async () => {
    const { value, end } = await readPickle(bytes, path, tensorVocabulary, at);
    at = end;
    return value;
  };
  if ((await next()) !== Number(magic)) throw broken(path, `it does not begin as one`);
  const version = await next();
  if (version !== 1001) throw broken(path, `its version is ${JSON.stringify(version)}, expected 1001`);
  const system = await next();
  if (system instanceof Map && system.get('little_endian') === false)
    throw broken(path, 'its numbers are big-endian');
  const content = await next();
  const keys = await next();
  const found = new Map([...storagesOf(content)].map((storage) => [storage.key, storage]));
  const storages = new Map<string, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const key of Array.isArray(keys) ? keys.map(textOf) : []) {
    const storage = key === undefined ? undefined : found.get(key);
    if (!storage || at + 8 > bytes.length) throw broken(path, 'its storages are not those of its tensors');
    const count = Number(view.getBigInt64(at, true));
    const size = storage.count * bytesOf(storage);
    if (count !== storage.count || at + 8 + size > bytes.length)
      throw broken(path, `storage ${storage.key.slice(0, 40)} should have ${storage.count} numbers`);
    storages.set(storage.key, bytes.subarray(at + 8, at + 8 + size));
    at += 8 + size;
  }
  return { content, storages };
}

const bytesOf = ({ type }: Storage): number => Number(type.slice(-1));

const storagesIn = (content: Pickled): Set<string> => new Set([...storagesOf(content)].map(({ key }) => key));

/** Every storage that a tensor of the content lies in; each object is looked at once, for lists may hold themselves. */
function storagesOf(content: Pickled): Set<Storage> {
  const found = new Set<Storage>();
  const seen = new Set<Pickled>();
  const left = [content];
  for (let value = left.pop(); value !== undefined; value = left.pop()) {
    if (seen.has(value)) continue;
    if (value instanceof PickledTensor) found.add(value.storage);
    if (Array.isArray(value) || value instanceof Map) {
      seen.add(value);
      for (const one of value.values()) left.push(one);
    }
  }
  return found;
}

/**
 * A tensor, or an array of NumPy, as an array with its last axis fastest.
 *
 * @param what the tensor, for messages
 * @throws ERR_FILE_FORMAT where it reaches beyond its storage; ERR_DATA where it repeats its numbers to many times the file's size
 */
export async function tensorArray(
  tensor: PickledTensor | PickledArray,
  storages: TorchFile['storages'],
  what: string,
): Promise<NumericArray> {
  if (tensor instanceof PickledArray) {
    if (!tensor.stored) throw broken(what, 'an array in it has no numbers');
    return numericArray(tensor.stored.bytes, tensor.stored.form, what);
  }
  const { storage, offset, shape, strides } = tensor;
  const bytes = storages.get(storage.key);
  const size = bytesOf(storage);
  const count = shape.reduce((a, b) => a * b, 1);
  const last = shape.reduce((sum, length, axis) => sum + Math.max(0, length - 1) * strides[axis], offset);
  if (!bytes || (count > 0 && (last + 1) * size > bytes.length))
    throw broken(what, `a tensor ${shapeText(shape)} reaches beyond its storage of ${storage.count} numbers`);
  if (count > bytes.length / size)
    throw new LimbeckError(
      'ERR_DATA',
      `${what}: a tensor ${shapeText(shape)} repeats the ${storage.count} numbers that are stored: save it with .contiguous()`,
    );
  const dense = gathered(bytes, { size, offset, shape, strides, count });
  const form = { dtype: size > 1 ? `<${storage.type}` : `|${storage.type}`, fortran: false, shape };
  return storage.type === 'bf2' ? { shape, data: widened(dense) } : numericArray(dense, form, what);
}

/** The bytes of a view, its last axis fastest. */
function gathered(
  bytes: Uint8Array,
  {
    size,
    offset,
    shape,
    strides,
    count,
  }: { size: number; offset: number; shape: readonly number[]; strides: readonly number[]; count: number },
): Uint8Array {
  const out = new Uint8Array(count * size);
  const place = new Array<number>(shape.length).fill(0);
  let from = offset;
  for (let i = 0; i < count; i++) {
    for (let b = 0; b < size; b++) out[i * size + b] = bytes[from * size + b];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++place[axis] < shape[axis]) break;
      from -= place[axis] * strides[axis];
      place[axis] = 0;
    }
  }
  return out;
}

/** `bfloat16` as `float32`. */
function widened(bytes: Uint8Array): Float32Array {
  const wide = new Uint8Array(2 * bytes.length);
  for (let i = 0; i < bytes.length; i += 2) wide.set(bytes.subarray(i, i + 2), 2 * i + 2);
  return new Float32Array(wide.buffer);
}

const broken = (path: string, what: string): LimbeckError => unreadable(path, tensorVocabulary.kind, what);
