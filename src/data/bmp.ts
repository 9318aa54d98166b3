import { viewOf } from './bytes.js';
import type { Pixels } from './planes.js';

/** Windows bitmaps, which the decoder of all other images leaves out: uncompressed, of 1 to 32 bits a pixel. */
export const isBmp = (file: Uint8Array): boolean => file[0] === 0x42 && file[1] === 0x4d;

/** As they are laid out: the file's header of 14 bytes, that of the image with a size of its own, its colours, its rows from below. */
interface Header {
  readonly width: number;
  readonly height: number;
  readonly isUpsideDown: boolean;
  readonly bits: number;
  /** Where its rows begin, and how long one is. */
  readonly begin: number;
  readonly stride: number;
  /** Where the colours of a palette begin, and how many there are; none where pixels are colours. */
  readonly palette: number;
  readonly colours: number;
  /** The bits of red, green, blue and of how opaque a pixel is, where pixels are colours. */
  readonly masks: readonly number[];
}

const usualMasks: Readonly<Record<number, readonly number[]>> = {
  16: [0x7c00, 0x3e0, 0x1f],
  24: [0xff0000, 0xff00, 0xff],
  32: [0xff0000, 0xff00, 0xff],
};

/** @throws an Error that says what it lacks, or that it has more than `mostPixels` */
export function decodeBmp(file: Uint8Array, mostPixels: number): Pixels {
  const header = headerOf(file, mostPixels);
  const { width, height, isUpsideDown, begin, stride, colours, masks } = header;
  const channels = masks.length === 4 ? 4 : 3;
  const values = new Uint8Array(width * height * channels);
  const pixelAt = colours ? fromPalette(file, header) : fromMasks(file, header);
  for (let y = 0; y < height; y++) {
    const row = begin + stride * (isUpsideDown ? height - 1 - y : y);
    for (let x = 0; x < width; x++) pixelAt(row, x, values, (y * width + x) * channels);
  }
  return { width, height, channels, values };
}

function headerOf(file: Uint8Array, mostPixels: number): Header {
  if (file.length < 54) throw new Error('it is cut off');
  const view = viewOf(file);
  const size = view.getUint32(14, true);
  const [width, rows] = [view.getInt32(18, true), view.getInt32(22, true)];
  const [bits, compression] = [view.getUint16(28, true), view.getUint32(30, true)];
  const height = Math.abs(rows);
  const indexed = bits === 1 || bits === 4 || bits === 8;
  const hasMasks = compression === 3 && (bits === 16 || bits === 32);
  if (size < 40 || !(hasMasks || (compression === 0 && (indexed || usualMasks[bits]))))
    throw new Error(`it is a BMP of kind ${size}/${bits}/${compression}: convert it`);
  if (width < 1 || height < 1) throw new Error(`it has ${width} x ${rows} pixels`);
  if (width * height > mostPixels)
    throw new Error(`it has ${width} x ${height} pixels, too many for its size`);
  const begin = view.getUint32(10, true);
  const stride = 4 * Math.ceil((width * bits) / 32);
  if (begin + stride * height > file.length) throw new Error('it is cut off');
  const palette = 14 + size;
  const colours = indexed ? Math.min(view.getUint32(46, true) || 2 ** bits, 2 ** bits) : 0;
  if (palette + 4 * colours > file.length) throw new Error('it is cut off');
  return {
    ...{ width, height, isUpsideDown: rows > 0, bits, begin, stride, palette, colours },
    masks: hasMasks ? masksOf(view, size) : indexed ? [] : usualMasks[bits],
  };
}

/** Newer headers say how opaque pixels are, too. */
function masksOf(view: DataView, size: number): number[] {
  const places = size >= 56 ? [54, 58, 62, 66] : [54, 58, 62];
  if (view.byteLength < 70) throw new Error('it is cut off');
  const masks = places.map((at) => view.getUint32(at, true));
  if (masks[3] === 0) masks.pop();
  if (masks.includes(0)) throw new Error('it has a colour of no bits');
  return masks;
}

/** Writes the pixel at a place of a row to a place of the values. */
type PixelAt = (row: number, x: number, values: Uint8Array, to: number) => void;

function fromPalette(file: Uint8Array, { bits, palette, colours }: Header): PixelAt {
  return (row, x, values, to) => {
    const byte = file[row + ((x * bits) >> 3)];
    const colour = (byte >> (8 - bits - ((x * bits) & 7))) & (2 ** bits - 1);
    if (colour >= colours) throw new Error(`a pixel has colour ${colour} of ${colours}`);
    for (let c = 0; c < 3; c++) values[to + c] = file[palette + 4 * colour + 2 - c];
  };
}

function fromMasks(file: Uint8Array, { bits, masks }: Header): PixelAt {
  const bytes = bits / 8;
  const parts = masks.map((mask) => {
    const shift = 31 - Math.clz32(mask & -mask);
    return { mask, shift, most: mask >>> shift };
  });
  return (row, x, values, to) => {
    let pixel = 0;
    for (let byte = bytes - 1; byte >= 0; byte--) pixel = (pixel << 8) | file[row + x * bytes + byte];
    for (const [c, { mask, shift, most }] of parts.entries())
      values[to + c] = Math.round((255 * ((pixel & mask) >>> shift)) / most);
  };
}
