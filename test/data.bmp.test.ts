/** Windows bitmaps; those that Pillow writes are in `data.tools.test.ts`. */
import { describe, expect, test } from 'vitest';
import { decodeBmp } from '../src/data/bmp.js';
import { encodeBmp } from './harness/bmp.js';

const most = 1000;
/** Two pixels above one another, or beside each other: red and blue. */
const red = [255, 0, 0];
const blue = [0, 0, 255];

describe('a bitmap', () => {
  test.each<[string, Parameters<typeof encodeBmp>[0], number[]]>([
    [
      'of 24 bits, rows from below, each filled up to four bytes',
      {
        ...{ width: 1, height: 2, bits: 24 },
        rows: [
          [255, 0, 0, 9],
          [0, 0, 255, 9],
        ],
      },
      [...red, ...blue],
    ],
    [
      'with its rows from above',
      {
        ...{ width: 1, height: -2, bits: 24 },
        rows: [
          [255, 0, 0, 9],
          [0, 0, 255, 9],
        ],
      },
      [...blue, ...red],
    ],
    [
      'of 32 bits, whose last byte says nothing',
      { width: 2, height: 1, bits: 32, rows: [[0, 0, 255, 0, 255, 0, 0, 7]] },
      [...red, ...blue],
    ],
    [
      'of 8 bits, with a palette of fewer colours',
      { width: 2, height: 1, bits: 8, palette: [0x0000ff, 0xff0000], rows: [[1, 0, 9, 9]] },
      [...red, ...blue],
    ],
    [
      'of 4 bits',
      { width: 3, height: 1, bits: 4, palette: [0x0000ff, 0xff0000, 0x010203], rows: [[0x12, 0x0f, 9, 9]] },
      [...red, 1, 2, 3, ...blue],
    ],
    [
      'of 1 bit',
      { width: 9, height: 1, bits: 1, palette: [0, 0xff0000], rows: [[0b01000001, 0b10000000, 9, 9]] },
      [...[0, 1, 0, 0, 0, 0, 0, 1, 1].flatMap((bit) => [255 * bit, 0, 0])],
    ],
    [
      'of 16 bits, five a colour',
      { width: 2, height: 1, bits: 16, rows: [[0, 0x7c, 0x1f, 0]] },
      [...red, ...blue],
    ],
    [
      'of 16 bits, six of them green',
      {
        ...{ width: 2, height: 1, bits: 16, compression: 3, masks: [0xf800, 0x7e0, 0x1f] },
        rows: [[0x20, 0, 0x1f, 0]],
      },
      [0, Math.round(255 / 63), 0, ...blue],
    ],
  ])('%s', (_what, bitmap, values) => {
    const { width, height, channels, ...decoded } = decodeBmp(encodeBmp(bitmap), most);
    expect({ width, height, channels }).toEqual({
      ...{ width: bitmap.width, height: Math.abs(bitmap.height), channels: 3 },
    });
    expect([...decoded.values]).toEqual(values);
  });

  test('of 32 bits with masks says how opaque it is', () => {
    const masks = [0xff0000, 0xff00, 0xff, 0xff000000];
    const bitmap = { width: 2, height: 1, bits: 32, compression: 3, header: 124, masks };
    const { channels, values } = decodeBmp(
      encodeBmp({ ...bitmap, rows: [[0, 0, 255, 128, 255, 0, 0, 255]] }),
      most,
    );
    expect([channels, ...values]).toEqual([4, ...red, 128, ...blue, 255]);
  });
});

describe('refused is', () => {
  const whole = { width: 2, height: 1, bits: 8, palette: [0, 1], rows: [[0, 1, 0, 0]] };
  test.each<[string, Uint8Array, RegExp]>([
    ['one that is cut off', encodeBmp(whole).subarray(0, -1), /it is cut off/],
    ['one without pixels', encodeBmp({ ...whole, width: 0 }), /it has 0 x 1 pixels/],
    ['one that claims too many', encodeBmp({ ...whole, width: 2 ** 30 }), /too many for its size/],
    ['a compressed one', encodeBmp({ ...whole, compression: 1 }), /a BMP of kind 40\/8\/1: convert it/],
    ['one of an old kind', encodeBmp(whole).with(14, 12), /a BMP of kind 12/],
    ['a colour that is none', encodeBmp({ ...whole, rows: [[0, 2, 0, 0]] }), /colour 2 of 2/],
    [
      'a colour of no bits',
      encodeBmp({
        ...whole,
        bits: 32,
        compression: 3,
        header: 56,
        masks: [1, 0, 2],
        rows: [[0, 0, 0, 0, 0, 0, 0, 0]],
      }),
      /a colour of no bits/,
    ],
  ])('%s', (_what, file, message) => {
    expect(() => decodeBmp(file, most)).toThrow(message);
  });
});
