import { describe, expect, test } from 'vitest';
import type { DistilledSet } from '../src/data/distilled-set.js';
import { storedNumbers } from '../src/data/stored-numbers.js';
import { readSet, setHeader, setTensors } from '../src/eval/set-file.js';
import { setOfImages } from '../src/eval/set-of-images.js';
import { fitsHalf, floatToHalf, halfToFloat, roundedToHalf } from '../src/util/half.js';
import { decodeSafetensors, encodeSafetensors } from '../src/util/safetensors.js';
import { StoredFields } from '../src/util/stored-fields.js';
import { normals } from './harness/augment.js';
import { smallNetwork, twoClasses } from './harness/made-data.js';

describe('half precision', () => {
  test('every number of it comes back, and what lies between two goes to the nearer, of both to the even', () => {
    for (let bits = 0; bits < 0x7c00; bits++) {
      const [here, next] = [halfToFloat(bits), bits === 0x7bff ? 65536 : halfToFloat(bits + 1)];
      const middle = (here + next) / 2;
      const even = bits % 2 ? bits + 1 : bits;
      const near = [
        [here, bits],
        [middle * (1 - 2 ** -40), bits],
        [middle, even],
        [middle * (1 + 2 ** -40), bits + 1],
      ];
      for (const [value, wanted] of near)
        if (floatToHalf(value) !== wanted || floatToHalf(-value) !== (wanted | 0x8000))
          throw new Error(`${value} is ${floatToHalf(value)}, expected ${wanted}`);
    }
    const special = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e30, Number.NaN, 1e-40, -0];
    expect(special.map(floatToHalf)).toEqual([0x7c00, 0xfc00, 0x7c00, 0x7e00, 0, 0x8000]);
  });

  test('numbers that are rounded to it fit, others do not', () => {
    const values = normals(100, 5);
    expect(fitsHalf(values)).toBe(false);
    expect(fitsHalf(roundedToHalf(values))).toBe(true);
    for (const [i, value] of roundedToHalf(values).entries())
      expect(Math.abs(value - values[i])).toBeLessThanOrEqual(Math.abs(values[i]) * 2 ** -11);
    expect(fitsHalf(Float32Array.of(Number.NaN))).toBe(false);
  });
});

test('labels of a teacher take two bytes in a file where they are of half precision, and come back as they were', () => {
  const data = twoClasses();
  const { images, count } = data.train;
  const labels = Float32Array.from({ length: 2 * count }, (_, i) => 1 / (i + 3));
  const options = { values: 'pixels', network: smallNetwork, protocol: 'soft-labels' } as const;
  const plain = setOfImages(data, { images, labels }, options);
  const teacher = { network: 'mlp', checksum: '00000000', temperature: 4 };
  const rounded = { ...plain, labels: roundedToHalf(plain.labels), teacher };
  const bytesOf = (set: DistilledSet) => {
    const file = encodeSafetensors(setTensors(set), { format: 'limbeck-test' });
    const header = JSON.parse(
      new TextDecoder().decode(file.subarray(8, 8 + new DataView(file.buffer).getUint32(0, true))),
    );
    const { tensors } = decodeSafetensors(file);
    const fields = new StoredFields('file', 'set', JSON.parse(JSON.stringify(setHeader(set))));
    expect(readSet('file', fields, tensors)).toEqual(set);
    const [begin, end] = header.labels.data_offsets;
    return [header.labels.dtype, end - begin];
  };
  expect(bytesOf(rounded)).toEqual(['F16', 2 * 2 * count]);
  expect(bytesOf({ ...plain, teacher })).toEqual(['F32', 4 * 2 * count]);
  expect(bytesOf(plain)).toEqual(['F32', 4 * 2 * count]);
  const items = 6 * count;
  expect(storedNumbers(rounded)).toEqual({ items, labels: 2 * count, bytes: 4 * items + 2 * 2 * count });
  expect(storedNumbers(plain).bytes).toBe(4 * (items + 2 * count));
});
