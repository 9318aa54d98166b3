import { deflateSync } from 'node:zlib';
import { crc32 } from './crc32.js';
import { LimbeckError } from './errors.js';
import { expectArgument, shown } from './expect.js';

/** Pixels of a picture. */
export interface PngImage {
  /** Pixels, 1 .. 2^31 - 1. */
  readonly width: number;
  /** As `width`. */
  readonly height: number;
  /** 1 is grey, 3 is red, green, blue. */
  readonly channels: 1 | 3;
  /** `[height, width, channels]`, 0..255. */
  readonly data: Uint8Array;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const GREY = 0;
const RGB = 2;

/**
 * A PNG file with 8 bits per channel. Rows are not filtered: distilled images look like noise, and filters make
 * noise larger.
 *
 * @throws ERR_SHAPE when width, height or channels are impossible or do not match the length of `data`
 */
export function encodePng(image: PngImage): Uint8Array {
  expectArgument('encodePng', 'image', image, 'data', 'a picture: { width, height, channels, data }');
  checkImage(image);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, image.width);
  view.setUint32(4, image.height);
  header[8] = 8; // bits per channel
  header[9] = image.channels === 1 ? GREY : RGB;
  const parts = [
    Uint8Array.from(SIGNATURE),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(unfilteredRows(image), { level: 9 })),
    chunk('IEND', new Uint8Array(0)),
  ];
  const png = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    png.set(part, at);
    at += part.length;
  }
  return png;
}

function checkImage({ width, height, channels, data }: PngImage): void {
  for (const [name, size] of [
    ['width', width],
    ['height', height],
  ] as const) {
    if (!Number.isInteger(size) || size < 1 || size > 2 ** 31 - 1) {
      throw new LimbeckError(
        'ERR_SHAPE',
        `encodePng: ${name} is ${shown(size)}, expected a whole number from 1 on.`,
      );
    }
  }
  if (channels !== 1 && channels !== 3) {
    throw new LimbeckError(
      'ERR_SHAPE',
      `encodePng: channels is ${shown(channels)}, expected 1 (grey) or 3 (RGB).`,
    );
  }
  if (!(data instanceof Uint8Array))
    throw new LimbeckError('ERR_SHAPE', `encodePng: data is ${shown(data)}, expected a Uint8Array`);
  if (data.length !== width * height * channels) {
    throw new LimbeckError(
      'ERR_SHAPE',
      `encodePng: data has ${data.length} bytes, expected height x width x channels = ` +
        `${height} x ${width} x ${channels} = ${width * height * channels}; give one byte per value.`,
    );
  }
}

/** Every row preceded by its filter type, 0 for none. */
function unfilteredRows({ width, height, channels, data }: PngImage): Uint8Array {
  const stride = width * channels;
  const rows = new Uint8Array(height * (stride + 1));
  for (let row = 0; row < height; row++) {
    rows.set(data.subarray(row * stride, (row + 1) * stride), row * (stride + 1) + 1);
  }
  return rows;
}

/** Length, type, data, and the CRC-32 of type and data. */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}
