import { crc32, deflateRawSync, deflateSync } from 'node:zlib';
import { encodeSafetensors } from '../../src/util/safetensors.js';

/** Small valid files of every format that data sets come in, for tests to read, cut and damage. */

type Dtype = 'u1' | 'u2' | 'i2' | 'i4' | 'i8' | 'f4' | 'f8';

/** A NumPy array; `big` for big-endian. */
export function npy(
  shape: readonly number[],
  values: ArrayLike<number>,
  dtype: Dtype = 'u1',
  { big = false, fortran = false, version = 1 } = {},
): Uint8Array {
  const order = dtype === 'u1' ? '|' : big ? '>' : '<';
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${order}${dtype}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${sizes}), }`;
  const prefix = version === 1 ? 10 : 12;
  const header = text.padEnd(Math.ceil((prefix + text.length + 1) / 64) * 64 - prefix - 1).concat('\n');
  const width = Number(dtype[1]);
  const bytes = new Uint8Array(prefix + header.length + values.length * width);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  const view = new DataView(bytes.buffer);
  if (version === 1) view.setUint16(8, header.length, true);
  else view.setUint32(8, header.length, true);
  bytes.set(new TextEncoder().encode(header), prefix);
  for (let i = 0; i < values.length; i++) {
    const at = prefix + header.length + i * width;
    if (dtype === 'u1') view.setUint8(at, values[i]);
    else if (dtype === 'u2') view.setUint16(at, values[i], !big);
    else if (dtype === 'i2') view.setInt16(at, values[i], !big);
    else if (dtype === 'i4') view.setInt32(at, values[i], !big);
    else if (dtype === 'i8') view.setBigInt64(at, BigInt(values[i]), !big);
    else if (dtype === 'f4') view.setFloat32(at, values[i], !big);
    else view.setFloat64(at, values[i], !big);
  }
  return bytes;
}

/** `extra`: bytes of extra fields before each file, which the directory has none of; NumPy writes 20 of them. */
export function zip(files: Readonly<Record<string, Uint8Array>>, deflated = true, extra = 0): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const [name, content] of Object.entries(files)) {
    const data = deflated ? deflateRawSync(content) : content;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(deflated ? 8 : 0, 4);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const own = Buffer.from(common);
    own.writeUInt16LE(extra, 24);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), own, Buffer.from(name), Buffer.alloc(extra, 1)]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\0'), common, tail, Buffer.from(name)]));
    parts.push(local, data);
    at += local.length + data.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, entries, end]);
}

/** `kind` says that they are regular files: a zero byte in archives of before POSIX. */
export function tar(files: Readonly<Record<string, Uint8Array>>, kind = '0'): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const [name, content] of Object.entries(files)) {
    const header = Buffer.alloc(512);
    header.write(`cifar-10-batches-bin/${name}`);
    header.write('0000644\0', 100);
    header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write(`        ${kind}`, 148);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    blocks.push(header, content, Buffer.alloc((512 - (content.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** Records of CIFAR: image i has pixels i, i + 1, … and class i mod `classes` (coarse labels count down). */
export function cifar(count: number, classes: number, labelBytes: 1 | 2 = 1, first = 0): Uint8Array {
  const record = labelBytes + 3072;
  return Uint8Array.from({ length: count * record }, (_, i) => {
    const [image, at] = [first + Math.floor(i / record), i % record];
    if (at === labelBytes - 1) return image % classes;
    return at < labelBytes ? 19 - (image % 20) : (image + at - labelBytes) & 255;
  });
}

export const cifar10Files = (perBatch = 4): Record<string, Uint8Array> => ({
  ...Object.fromEntries(
    [1, 2, 3, 4, 5].map((batch) => [`data_batch_${batch}.bin`, cifar(perBatch, 10, 1, batch * perBatch)]),
  ),
  'test_batch.bin': cifar(2, 10),
  'batches.meta.txt': new TextEncoder().encode(
    'airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n',
  ),
});

/** `count` grey images of 2 x 2 pixels, image i full of i, of classes 0 and 1 in turn. */
export const tiny = (count: number) => ({
  images: Uint8Array.from({ length: 4 * count }, (_, i) => Math.floor(i / 4)),
  labels: Uint8Array.from({ length: count }, (_, i) => i % 2),
});

export function tinyNpz(deflated = true, extra = 0): Uint8Array {
  const [train, test] = [tiny(20), tiny(4)];
  return zip(
    {
      'x_train.npy': npy([20, 2, 2], train.images),
      'y_train.npy': npy([20], train.labels, 'i8'),
      'x_test.npy': npy([4, 2, 2], test.images),
      'y_test.npy': npy([4, 1], test.labels, 'i4'),
    },
    deflated,
    extra,
  );
}

export function tinySafetensors(): Uint8Array {
  const [train, test] = [tiny(20), tiny(4)];
  return encodeSafetensors(
    {
      images: { shape: [20, 1, 2, 2], data: train.images },
      labels: { shape: [20], data: Int32Array.from(train.labels) },
      test_images: { shape: [4, 1, 2, 2], data: test.images },
      test_labels: { shape: [4], data: test.labels },
    },
    {},
  );
}

export function tinyCsv(count = 20, header = true): Uint8Array {
  const { images, labels } = tiny(count);
  const rows = Array.from(labels, (label, i) => [label, ...images.subarray(4 * i, 4 * i + 4)].join(','));
  return new TextEncoder().encode(`${header ? 'label,p0,p1,p2,p3\n' : ''}${rows.join('\n')}\n`);
}

/** A MATLAB file of version 5 with arrays of bytes, first axis fastest. */
export function mat(
  arrays: Readonly<Record<string, { shape: readonly number[]; data: Uint8Array }>>,
  compressed = true,
): Uint8Array {
  const element = (type: number, data: Uint8Array) => {
    const padded = type === 15 ? data.length : Math.ceil(data.length / 8) * 8;
    const bytes = Buffer.alloc(8 + padded);
    bytes.writeUInt32LE(type, 0);
    bytes.writeUInt32LE(data.length, 4);
    bytes.set(data, 8);
    return bytes;
  };
  const header = Buffer.alloc(128, 0x20);
  header.writeUInt16LE(0x0100, 124);
  header.write('IM', 126);
  const matrices = Object.entries(arrays).map(([name, { shape, data }]) => {
    const flags = Buffer.from([9, 0, 0, 0, 0, 0, 0, 0]);
    const sizes = Buffer.from(Int32Array.from(shape).buffer);
    // A short name takes the form that fits in eight bytes.
    const small = Buffer.alloc(8);
    small.writeUInt16LE(1, 0);
    small.writeUInt16LE(name.length, 2);
    small.write(name, 4);
    const matrix = element(
      14,
      Buffer.concat([element(6, flags), element(5, sizes), small, element(2, data)]),
    );
    return compressed ? element(15, deflateSync(matrix)) : matrix;
  });
  return Buffer.concat([header, ...matrices]);
}

/** SVHN's arrays: pixel (row, column, colour) of image i is row + 2 column + 3 colour + i; classes 1 to 10 in turn. */
export function svhn(count: number, compressed = true): Uint8Array {
  const data = Uint8Array.from({ length: count * 3072 }, (_, at) => {
    const [row, column, colour, image] = [
      at % 32,
      (at >> 5) % 32,
      Math.floor(at / 1024) % 3,
      Math.floor(at / 3072),
    ];
    return row + 2 * column + 3 * colour + image;
  });
  const labels = Uint8Array.from({ length: count }, (_, i) => 1 + (i % 10));
  return mat({ X: { shape: [32, 32, 3, count], data }, y: { shape: [count, 1], data: labels } }, compressed);
}
