/** What the fuzzers read: for every reader valid files, and a generator of files that claim anything. */
import { join } from 'node:path';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { loadDataset } from '../../src/data/load.js';
import { parsePickle } from '../../src/data/pickle.js';
import { arrayVocabulary } from '../../src/data/pickle-arrays.js';
import { openZip } from '../../src/data/zip.js';
import { encodePng } from '../../src/util/png.js';
import { decodeSafetensors } from '../../src/util/safetensors.js';
import { encodeBmp } from './bmp.js';
import * as files from './data-files.js';
import { type Draws, extremes, type Files, type FuzzedReader } from './fuzz.js';
import { ownFiles } from './fuzz-own-files.js';
import { textReaders } from './fuzz-texts.js';
import { torchFiles } from './fuzz-torch.js';

const text = (value: string) => Buffer.from(value, 'latin1');
const seeds =
  (...list: readonly Files[]) =>
  async () =>
    list;
/** A size that is small, or one that no file has. */
const size = (d: Draws) => (d.once(4) ? d.pick(extremes) : d.below(12));
/** Zeros, which compress a thousandfold, once in a while. */
const content = (d: Draws) =>
  d.once(50) ? new Uint8Array(d.pick([2 ** 14, 2 ** 16, 2 ** 18, 2 ** 20])) : d.bytes(d.below(60));
const u32 = (value: number, little = true) => {
  const bytes = Buffer.alloc(4);
  bytes[little ? 'writeUInt32LE' : 'writeUInt32BE'](value >>> 0);
  return bytes;
};

const idx = (shape: readonly number[], data: Uint8Array, type = 8) =>
  Buffer.concat([Buffer.from([0, 0, type, shape.length]), ...shape.map((one) => u32(one, false)), data]);

function npy(d: Draws): Uint8Array {
  const shape = Array.from({ length: d.below(6) }, () => size(d));
  const data = content(d);
  if (data.length < 100 && d.once(2))
    return files.npy(shape, data, d.pick(['u1', 'i2', 'i4', 'i8', 'f4', 'f8']));
  const header = `{'descr': '${d.pick(['<f4', '>f2', '|b1', '<u8', '|O', '<U9', "', "])}', 'fortran_order': ${d.pick(['True', 'False', '1'])}, 'shape': (${shape.map(String).join(', ')}${d.pick(['', ',', '.', ' ,,'])}), }\n`;
  return Buffer.concat([
    text('\x93NUMPY'),
    Buffer.from([1, 0, header.length & 255, header.length >> 8]),
    text(header),
    data,
  ]);
}

const arrayNames = ['x_train', 'y_train', 'x_test', 'y_test', 'images', 'labels', 'X_val', 'a'];
const arrays = (d: Draws, ending = '.npy'): Files =>
  Object.fromEntries(
    Array.from({ length: 1 + d.below(5) }, () => [`${d.pick(arrayNames)}${ending}`, npy(d)]),
  );

function matElement(d: Draws, depth = 0): Uint8Array {
  const data =
    depth < 3 && d.once(2) ? Buffer.concat([matElement(d, depth + 1), matElement(d, depth + 1)]) : content(d);
  const packed = d.once(3);
  const own = packed ? deflateSync(data) : data;
  return Buffer.concat([
    u32(packed ? 15 : d.pick([2, 5, 6, 9, 14, 1, 0x40001])),
    u32(d.once(3) ? size(d) : own.length),
    own,
  ]);
}

const opcodes = '(.NKMJGUCTBX}])ates0quhjcRb\x80\x85\x86\x87\x88\x89\x8a\x8c\x8d\x8e\x93\x94\x95\x96';
/** Instructions with arguments of the right form, more often than not. */
function pickle(d: Draws): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from([0x80, d.pick([2, 3, 4, 5])])];
  const repeated = d.once(30) ? d.pick([1000, 30_000]) : 1;
  const one = (): Uint8Array => {
    const code = d.pick([...opcodes]);
    const lengths = d.once(6) ? u32(d.pick(extremes)) : Buffer.from([d.below(4), 0, 0, 0]);
    if (code === 'c')
      return text(
        `c${d.pick(['numpy.core.multiarray\n_reconstruct', 'numpy\ndtype', 'numpy\nndarray', '_codecs\nencode', 'os\nsystem'])}\n`,
      );
    if ('UC\x8c'.includes(code))
      return Buffer.concat([
        text(code),
        text(d.pick(['\x02u1', '\x02i8', '\x04data', '\x06labels', '\x00'])),
      ]);
    if ('TBX'.includes(code)) return Buffer.concat([text(code), lengths, d.bytes(d.below(4))]);
    if ('\x8d\x8e\x96'.includes(code))
      return Buffer.concat([text(code), lengths, u32(0), d.bytes(d.below(4))]);
    return Buffer.concat([
      text(code),
      'Kqh'.includes(code) ? Buffer.from([d.below(3)]) : d.bytes(d.below(3)),
    ]);
  };
  for (let i = 0; i < 1 + d.below(30); i++) {
    const part = one();
    parts.push(d.once(5) ? Buffer.concat(Array.from({ length: repeated }, () => part)) : part);
  }
  return Buffer.concat([...parts, text('.')]);
}
/** Images full of their number, of classes 0 to 9 in turn. */
const cifarPython = (pixels = 3072, count = 10): Uint8Array =>
  Buffer.concat([
    text(
      '\x80\x02}q\x00(U\x04datacnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01',
    ),
    Buffer.from([0x4b, count, 0x4d, pixels & 255, pixels >> 8]),
    text(
      '\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T',
    ),
    u32(pixels * count),
    ...Array.from({ length: count }, (_, i) => Buffer.alloc(pixels, i)),
    text('tbU\x06labels]('),
    ...Array.from({ length: 10 }, (_, i) => Buffer.from([0x4b, i])),
    text('eu.'),
  ]);
const wholeBatch = cifarPython();
const cifarFiles = (one: () => Uint8Array): Files =>
  Object.fromEntries([1, 2, 3, 4, 5].map((i) => [`data_batch_${i}`, one()]).concat([['test_batch', one()]]));

const cells = [
  '0',
  '1',
  '255',
  '256',
  '-1',
  '1.5',
  '1e400',
  'x',
  '',
  '"',
  '"a,b"',
  '""',
  '\xff',
  '\0',
  'NaN',
  ' ',
  '9'.repeat(400),
];
function csv(d: Draws): Uint8Array {
  const between = d.pick([',', ';', '\t', ' ']);
  const columns = 1 + d.below(9);
  const cell = () => (d.once(5) ? d.pick(cells) : String(d.below(256)));
  const rows = Array.from({ length: d.below(30) }, () =>
    Array.from({ length: d.once(12) ? d.below(9) : columns }, cell).join(between),
  );
  if (d.once(20)) rows.push(d.pick(['1,', '1 ', '"', '\n', ',']).repeat(d.pick([1000, 10_000, 2 ** 20])));
  return text((d.once(3) ? ['label,p0,p1,p2,p3', ...rows] : rows).join(d.pick(['\n', '\r\n', '\r'])));
}

const png = (d?: Draws): Uint8Array => {
  const [width, height] = d ? [1 + d.below(9), 1 + d.below(9)] : [3, 2];
  const data = Uint8Array.from({ length: width * height }, (_, i) => (d ? d.below(256) : 40 * i));
  return encodePng({ width, height, channels: 1, data });
};
const bitmap = (d?: Draws): Uint8Array => {
  if (!d) return encodeBmp({ width: 2, height: 1, bits: 24, rows: [[1, 2, 3, 4, 5, 6, 0, 0]] });
  const numbers = (most: number) => Array.from({ length: d.below(most) }, () => d.below(2 ** 32));
  return encodeBmp({
    ...{ width: size(d) | 0, height: size(d) | 0, bits: d.pick([1, 4, 8, 16, 24, 32, 0, 64]) },
    ...{ compression: d.pick([0, 0, 1, 3, 6]), header: d.pick([40, 56, 108, 124]) },
    ...{ masks: numbers(5), palette: numbers(300), rows: [Array.from(d.bytes(d.below(600)))] },
  });
};
const imageFolder = (one: () => Uint8Array): Files =>
  Object.fromEntries(
    ['train/a/1', 'train/a/2', 'train/b/1', 'train/b/2', 'test/a/1', 'test/b/1'].map((name) => [
      `${name}.png`,
      one(),
    ]),
  );

function parquet(d?: Draws): Uint8Array {
  const count = d ? 1 + d.below(6) : 4;
  const one = d?.once(3) ? png() : undefined;
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: 'image', data: Array.from({ length: count }, () => ({ bytes: one ?? png(d), path: null })) },
        {
          name: 'label',
          data: Array.from({ length: count }, (_, i) =>
            d?.once(9) ? null : BigInt(d?.once(9) ? d.pick(extremes) : i % 2),
          ),
        },
      ],
      schema: [
        { name: 'root', num_children: 2 },
        { name: 'image', num_children: 2, repetition_type: 'OPTIONAL' },
        { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
        { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
        { name: 'label', type: 'INT64', repetition_type: 'OPTIONAL' },
      ],
      codec: d?.pick(['SNAPPY', 'UNCOMPRESSED', 'GZIP', 'BROTLI'] as const) ?? 'SNAPPY',
      compressors: { GZIP: (bytes) => gzipSync(bytes), BROTLI: (bytes) => brotliCompressSync(bytes) },
    }),
  );
}

function safetensors(d: Draws): Uint8Array {
  const value = (): unknown =>
    d.pick([0, -1, 1e300, null, '', 'F32', [], {}, [[[]]], [size(d), size(d)], d.pick(extremes)]);
  const tensor = () => ({
    dtype: d.once(8) ? value() : d.pick(['F32', 'U8', 'I64', 'F16', 'BF16', 'BOOL', 'I8', 'F64']),
    shape: d.once(8) ? value() : Array.from({ length: d.below(5) }, () => size(d)),
    data_offsets: d.once(8) ? value() : [size(d), size(d)],
  });
  const header = Object.fromEntries(
    Array.from({ length: d.below(4) }, () => [d.pick(arrayNames), d.once(9) ? value() : tensor()]),
  );
  if (d.once(3)) header.__metadata__ = d.once(3) ? value() : { format: 'limbeck-distilled-1', a: 'b' };
  const json = d.once(30)
    ? d.pick(['{},', '[', '{"a":', '1,']).repeat(d.pick([10, 1e5]))
    : JSON.stringify(header);
  return Buffer.concat([u32(d.once(9) ? size(d) : json.length), u32(0), text(json), content(d)]);
}

const load = (name: string) => (folder: string) => loadDataset(join(folder, name));
const idxFiles = (images: Uint8Array, labels: Uint8Array): Files => ({
  'train-images-idx3-ubyte.gz': gzipSync(images),
  'train-labels-idx1-ubyte.gz': gzipSync(labels),
  't10k-images-idx3-ubyte': images,
  't10k-labels-idx1-ubyte': labels,
});
const small = files.tiny(20);
const cifarBinary = files.cifar10Files(2);
const tested = files.svhn(2);
/** Batches of one to three images. */
const batches = [1, 2, 3].map((count) => files.cifar(count, 10));

/** By name. */
export const fuzzedReaders: Readonly<Record<string, FuzzedReader>> = {
  idx: {
    seeds: seeds(idxFiles(idx([20, 2, 2], small.images), idx([20], small.labels))),
    make: (d) =>
      idxFiles(
        idx(
          Array.from({ length: d.below(5) }, () => size(d)),
          content(d),
          d.pick([8, 8, 12, 13]),
        ),
        idx([size(d)], content(d), d.pick([8, 8, 12])),
      ),
    read: load(''),
  },
  npy: {
    seeds: seeds({
      'x_train.npy': files.npy([20, 2, 2], small.images),
      'y_train.npy': files.npy([20], small.labels, 'i8'),
    }),
    make: (d) => ({ 'x_train.npy': npy(d), 'y_train.npy': npy(d), ...arrays(d) }),
    read: load(''),
  },
  npz: {
    seeds: seeds({ 'x.npz': files.tinyNpz() }, { 'x.npz': files.tinyNpz(false, 20) }),
    make: (d) => ({ 'x.npz': files.zip({ 'x_train.npy': npy(d), ...arrays(d) }, d.once(2)) }),
    read: load('x.npz'),
  },
  zip: {
    seeds: seeds({ 'x.zip': files.zip({ a: text('alpha'), 'b/c': new Uint8Array(1000) }) }),
    make: (d) => ({
      'x.zip': files.zip(
        Object.fromEntries(
          Array.from({ length: d.below(5) }, () => [
            d.pick(['a', '', '..', '__proto__', 'b'.repeat(300)]),
            content(d),
          ]),
        ),
        d.once(2),
      ),
    }),
    async read(_folder, { 'x.zip': bytes }) {
      for (const open of openZip(bytes, 'x.zip').values()) await open();
    },
  },
  mat: {
    seeds: seeds(
      { 'train_32x32.mat': files.svhn(20), 'test_32x32.mat': tested },
      { 'train_32x32.mat': files.svhn(20, false), 'test_32x32.mat': tested },
    ),
    make: (d) => ({
      'train_32x32.mat': d.once(2)
        ? files.mat(
            {
              X: { shape: [32, 32, 3, size(d)], data: content(d) },
              y: { shape: [size(d), 1], data: content(d) },
            },
            d.once(2),
          )
        : Buffer.concat([files.mat({}), ...Array.from({ length: d.below(4) }, () => matElement(d))]),
      'test_32x32.mat': tested,
    }),
    read: load(''),
  },
  tar: {
    seeds: seeds({ 'x.tar': files.tar(cifarBinary) }),
    make: (d) => ({
      'x.tar': files.tar(
        Object.fromEntries(
          Object.keys(cifarBinary).map((name) => [name, d.once(3) ? content(d) : d.pick(batches)]),
        ),
        d.pick(['0', '\0', '5', 'L']),
      ),
    }),
    read: load('x.tar'),
  },
  'tar.gz': {
    seeds: seeds({ 'x.tar.gz': gzipSync(files.tar(cifarBinary)) }),
    make: (d) => {
      const whole = files.tar({ 'data_batch_1.bin': content(d), 'test_batch.bin': content(d) });
      return {
        'x.tar.gz': gzipSync(
          d.once(2) ? whole : Buffer.concat([whole.subarray(0, d.below(whole.length)), content(d)]),
        ),
      };
    },
    read: load('x.tar.gz'),
  },
  csv: {
    seeds: seeds(
      { 'x.csv': files.tinyCsv() },
      {
        'x.csv': text(
          'label,a,b,c,d\n"a",1,2,3,4\n"b",4,3,2,1\n'.concat('"a",5,6,7,8\n"b",9,9,8,7\n'.repeat(5)),
        ),
      },
    ),
    make: (d) => ({ 'x.csv': csv(d) }),
    read: load('x.csv'),
  },
  'csv.gz': {
    seeds: seeds({ 'x.csv.gz': gzipSync(files.tinyCsv()) }),
    make: (d) => ({
      'x.csv.gz': gzipSync(
        d.once(100) ? text(d.pick(['1,1,1,1,1\n', '\n', '-1,2.5\n']).repeat(d.pick([1e4, 1e5]))) : csv(d),
      ),
    }),
    read: load('x.csv.gz'),
  },
  pickle: {
    seeds: seeds(
      { x: cifarPython() },
      { x: text('\x80\x02}q\x00(U\x01aK\x07X\x02\0\0\0\xc3\xa4]q\x01(M\x01\x01J\xff\xff\xff\xffNeu.') },
    ),
    make: (d) => ({ x: pickle(d) }),
    read: (_folder, { x }) => parsePickle(x, 'x', arrayVocabulary),
  },
  'CIFAR for Python': {
    seeds: seeds(cifarFiles(() => wholeBatch)),
    make: (d) =>
      cifarFiles(() =>
        d.once(4) ? pickle(d) : d.once(2) ? wholeBatch : cifarPython(d.pick([3072, 12]), d.pick([1, 10])),
      ),
    read: load(''),
  },
  parquet: {
    seeds: async () => [{ 'train-0.parquet': parquet() }],
    make: (d) => ({ 'train-0.parquet': parquet(d) }),
    read: load(''),
  },
  images: {
    seeds: seeds(imageFolder(png), imageFolder(bitmap)),
    make: (d) => imageFolder(() => (d.once(2) ? png(d) : bitmap(d))),
    read: load(''),
  },
  safetensors: {
    seeds: seeds({ 'x.safetensors': files.tinySafetensors() }),
    make: (d) => ({ 'x.safetensors': safetensors(d) }),
    async read(folder, { 'x.safetensors': bytes }) {
      decodeSafetensors(bytes);
      await loadDataset(join(folder, 'x.safetensors'));
    },
  },
  ...textReaders,
  ...ownFiles,
  ...torchFiles,
};
