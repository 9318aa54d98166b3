import { describe, expect, test } from 'vitest';
import { crc32 } from '../src/util/crc32.js';
import { LimbeckError } from '../src/util/errors.js';
import { Stream } from '../src/util/random.js';
import { decodeSafetensors, encodeSafetensors } from '../src/util/safetensors.js';

const small = () =>
  encodeSafetensors(
    {
      labels: { shape: [3], data: Uint8Array.of(1, 2, 3) },
      images: { shape: [2, 1, 2], data: Float32Array.of(0.5, -1, 2, Number.NaN) },
      'learning rate': { shape: [], data: Float64Array.of(0.1) },
    },
    { format: 'limbeck', note: 'ä "quoted" \\ \u2028 \ud800' },
  );

/** A file with any header text and data. */
function file(header: string, data: readonly number[] = []): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

function entry(name: string, dtype: string, shape: unknown, offsets: unknown): string {
  return `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: offsets })}`;
}

describe('round trip', () => {
  test('every type, a scalar, an empty tensor, odd names', () => {
    const tensors = {
      bytes: { shape: [5], data: Uint8Array.of(0, 1, 127, 128, 255) },
      single: { shape: [2, 2], data: Float32Array.of(1, -0, 1e-40, Number.POSITIVE_INFINITY) },
      double: { shape: [1], data: Float64Array.of(Math.PI) },
      signed: { shape: [2], data: Int32Array.of(-(2 ** 31), 2 ** 31 - 1) },
      unsigned: { shape: [1, 1], data: Uint32Array.of(2 ** 32 - 1) },
      scalar: { shape: [], data: Float32Array.of(3) },
      nothing: { shape: [0, 7], data: new Float32Array(0) },
      ['long '.repeat(50)]: { shape: [1], data: Uint8Array.of(8) },
      ['__proto__']: { shape: [1], data: Uint8Array.of(9) },
    };
    const decoded = decodeSafetensors(encodeSafetensors(tensors, { a: 'b' }));
    expect(Object.keys(decoded.tensors)).toEqual(Object.keys(tensors));
    for (const [name, tensor] of Object.entries(tensors)) expect(decoded.tensors[name]).toEqual(tensor);
    expect(decoded.metadata).toEqual({ a: 'b' });
  });

  test('metadata survives quotes, separators and lone surrogates', () => {
    expect(decodeSafetensors(small()).metadata.note).toBe('ä "quoted" \\ \u2028 \ud800');
  });

  test('a view into a larger buffer is written, and a file inside a larger buffer is read', () => {
    const large = Float32Array.of(9, 1, 2, 9);
    const bytes = encodeSafetensors({ x: { shape: [2], data: large.subarray(1, 3) } }, {});
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(decodeSafetensors(shifted.subarray(3)).tensors.x.data).toEqual(Float32Array.of(1, 2));
  });

  test('a Buffer of Node is read like any bytes', () => {
    const { tensors } = decodeSafetensors(Buffer.from(small()));
    expect(tensors.labels).toEqual({ shape: [3], data: Uint8Array.of(1, 2, 3) });
    expect(tensors.images.data).toEqual(Float32Array.of(0.5, -1, 2, Number.NaN));
  });

  test('I64 is read as big integers', () => {
    const data = [1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255];
    const { tensors } = decodeSafetensors(file(`{${entry('y', 'I64', [2], [0, 16])}}`, data));
    expect(tensors.y.data).toEqual(BigInt64Array.of(1n, -1n));
  });
});

describe('the bytes', () => {
  test('are the same every time, the header fills whole words, and every tensor is aligned', () => {
    const bytes = small();
    expect(small()).toEqual(bytes);
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    expect(Object.keys(header)).toEqual(['__metadata__', 'labels', 'images', 'learning rate']);
    expect(header['learning rate'].data_offsets).toEqual([0, 8]);
    expect(header.images.data_offsets).toEqual([8, 24]);
    expect(header.labels).toEqual({ dtype: 'U8', shape: [3], data_offsets: [24, 27] });
  });

  test('of the smallest file', () => {
    expect(Buffer.from(encodeSafetensors({}, {})).toString('latin1')).toBe(
      '0\0\0\0\0\0\0\0{"__metadata__":{"limbeck.crc32":"77ec0294"}}   ',
    );
  });

  test('with a checksum of all of it, which readers do not see', () => {
    const data = new TextEncoder().encode('123456789');
    const bytes = encodeSafetensors({ x: { shape: [9], data } }, { 'a"limbeck.crc32': 'hi', 1: 'ä' });
    const text = Buffer.from(bytes).toString('latin1');
    const [, sum] = /^.{8}{"__metadata__":{"limbeck.crc32":"([0-9a-f]{8})"/s.exec(text)!;
    const without = crc32(Buffer.from(text.replace(sum, '00000000'), 'latin1'));
    expect(without.toString(16).padStart(8, '0')).toBe(sum);
    expect({ ...decodeSafetensors(bytes).metadata }).toEqual({ 'a"limbeck.crc32': 'hi', 1: 'ä' });
  });
});

describe('writing refuses', () => {
  test.each([
    ['a shape that is not the data', { x: { shape: [2, 2], data: new Float32Array(3) } }, 'ERR_SHAPE'],
    ['a negative size', { x: { shape: [-1], data: new Float32Array(1) } }, 'ERR_SHAPE'],
    ['the reserved name', { __metadata__: { shape: [1], data: new Float32Array(1) } }, 'ERR_OPTION'],
    [
      'an unknown array',
      { x: { shape: [1], data: new Int16Array(1) as unknown as Int32Array } },
      'ERR_OPTION',
    ],
  ])('%s', (_what, tensors, code) => {
    expect(() => encodeSafetensors(tensors as Parameters<typeof encodeSafetensors>[0], {})).toThrow(
      expect.objectContaining({ code }),
    );
  });

  test('metadata that is not text', () => {
    expect(() => encodeSafetensors({}, { seed: 3 as unknown as string })).toThrow(/"seed" is a number/);
    expect(() => encodeSafetensors({}, { 'limbeck.crc32': '0' })).toThrow(/limbeck.crc32, which is computed/);
  });
});

describe('reading refuses', () => {
  const x = (shape: unknown, offsets: unknown, dtype = 'U8') => `{${entry('x', dtype, shape, offsets)}}`;
  test.each([
    ['an empty file', new Uint8Array(0), /has 0 bytes/],
    ['a header beyond the file', Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0, 123, 125), /only 2 follow/],
    ['a header beyond 100 MB', Uint8Array.of(1, 225, 245, 5, 0, 0, 0, 0), /100 MB/],
    ['an absurd header', new Uint8Array(20).fill(255), /100 MB/],
    ['what is not JSON', file('{"x"'), /not JSON/],
    ['broken UTF-8', Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0, 123, 34, 255, 125), /not JSON in UTF-8/],
    ['a JSON list', file('[]'), /not a JSON object/],
    ['null', file('null'), /not a JSON object/],
    ['a tensor that is a number', file('{"x":3}'), /not described/],
    ['an unknown type', file(x([1], [0, 1], 'F8'), [0]), /dtype "F8"; known are F32/],
    ['a type from the prototype', file(x([1], [0, 1], 'toString'), [0]), /dtype/],
    ['a fractional size', file(x([1.5], [0, 1]), [0]), /shape \[1.5\]/],
    ['a negative size', file(x([-1, -1], [0, 1]), [0]), /shape/],
    ['sizes beyond exact numbers', file(x([2 ** 40, 2 ** 40], [0, 1]), [0]), /shape/],
    ['offsets beyond exact numbers', file(x([1], [1e300, 1e300]), [0]), /data_offsets/],
    ['three offsets', file(x([1], [0, 1, 2]), [0]), /data_offsets/],
    ['offsets backwards', file(x([1], [1, 0]), [0]), /occupies -1 bytes/],
    ['a shape other than the offsets', file(x([2], [0, 1]), [0]), /occupies 1 bytes, but U8 \[2\] has 2/],
    ['missing data', file(x([2], [0, 2]), [0]), /take 2 bytes, but 1/],
    ['data left over', file(x([1], [0, 1]), [0, 0]), /take 1 bytes, but 2/],
    ['a hole', file(x([1], [1, 2]), [0, 0]), /hole/],
    [
      'an overlap',
      file(`{${entry('x', 'U8', [2], [0, 2])},${entry('y', 'U8', [2], [1, 3])}}`, [0, 0, 0]),
      /overlaps/,
    ],
    [
      'a name used twice',
      file(`{${entry('x', 'U8', [1], [0, 1])},${entry('x', 'U8', [1], [0, 1])}}`, [0]),
      /twice/,
    ],
    ['metadata that is a list', file('{"__metadata__":[]}'), /__metadata__ is not/],
    ['metadata that is not text', file('{"__metadata__":{"a":1}}'), /"a" is not a string/],
    [
      'what is nested very deep',
      file(
        `{"x":{"dtype":${'['.repeat(200_000)}${']'.repeat(200_000)},"shape":[],"data_offsets":[0,1]}}`,
        [0],
      ),
      /400000 lists|lists and objects in/,
    ],
  ])('%s', (_what, bytes, message) => {
    expect(() => decodeSafetensors(bytes)).toThrow(message);
    expect(() => decodeSafetensors(bytes)).toThrow(expect.objectContaining({ code: 'ERR_FILE_FORMAT' }));
  });

  test('a string of ten million characters is no trouble', () => {
    const text = `{"__metadata__":{"a":"${'\\n'.repeat(5_000_000)}"}}`;
    expect(decodeSafetensors(file(text)).metadata.a).toHaveLength(5_000_000);
  });

  test('nothing of a Buffer, which stays as it is', () => {
    const whole = encodeSafetensors({ x: { shape: [2], data: Float32Array.of(1, 2) } }, {});
    const buffer = Buffer.from(whole);
    decodeSafetensors(buffer);
    expect(buffer.equals(whole)).toBe(true);
  });

  test('every changed bit, where there is a checksum', () => {
    const whole = encodeSafetensors(
      { x: { shape: [5], data: Float32Array.of(1, 2, 3, 4, 5) } },
      { mean: '0.5' },
    );
    const key = Buffer.from(whole).indexOf('limbeck.crc32');
    for (let at = 0; at < whole.length; at++) {
      // Under another name it is no checksum.
      if (at >= key && at < key + 13) continue;
      for (let bit = 0; bit < 8; bit++) {
        const bytes = Uint8Array.from(whole);
        bytes[at] ^= 1 << bit;
        expect(() => decodeSafetensors(bytes), `bit ${bit} of byte ${at}`).toThrow(
          expect.objectContaining({ code: 'ERR_FILE_FORMAT' }),
        );
      }
    }
    const bytes = Uint8Array.from(whole);
    bytes[bytes.length - 1] ^= 1;
    expect(() => decodeSafetensors(bytes)).toThrow(/checksum is [0-9a-f]{8}, its metadata says [0-9a-f]{8}/);
  });

  test('a checksum that another program has carried on is no checksum', () => {
    const json = (sum: string) => `{"__metadata__":{"limbeck.crc32": "${sum}"}}`;
    for (const sum of ['', 'deadbeef', 'no'])
      expect({ ...decodeSafetensors(file(json(sum))).metadata }).toEqual({});
    for (const text of [
      '{"__metadata__":{"limbeck.crc32":""}}',
      '{"__metadata__":{"a":"b","limbeck.crc32":"deadbeef"}}',
    ])
      expect(Object.keys(decodeSafetensors(file(text)).tensors)).toEqual([]);
  });

  test('every truncation', () => {
    const bytes = small();
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeSafetensors(bytes.subarray(0, length)), `${length} bytes`).toThrow(LimbeckError);
    }
  });

  test('4,000 random mutations parse or raise a LimbeckError', () => {
    const original = small();
    const random = new Stream(1, 77);
    let parsed = 0;
    for (let mutation = 0; mutation < 4000; mutation++) {
      const bytes = original.slice();
      for (let flip = 0; flip <= mutation % 4; flip++) {
        const draw = mutation * 16 + flip * 2;
        bytes[random.u32(draw) % bytes.length] ^= 1 << (random.u32(draw + 1) & 7);
      }
      try {
        decodeSafetensors(bytes);
        parsed++;
      } catch (error) {
        expect(error).toBeInstanceOf(LimbeckError);
      }
    }
    expect(parsed).toBeGreaterThan(0);
    expect(parsed).toBeLessThan(4000);
  });
});
