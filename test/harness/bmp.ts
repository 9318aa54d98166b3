/** Windows bitmaps, field by field. */

interface Bitmap {
  readonly width: number;
  /** Negative where the first row is the top one. */
  readonly height: number;
  readonly bits: number;
  readonly compression?: number;
  /** Bytes of the image's header. */
  readonly header?: number;
  /** Of red, green, blue and how opaque. */
  readonly masks?: readonly number[];
  /** `0xrrggbb`. */
  readonly palette?: readonly number[];
  /** Rows as they lie in the file, with what fills them up. */
  readonly rows: readonly (readonly number[])[];
}

export function encodeBmp({ header = 40, masks = [], palette = [], rows, ...given }: Bitmap): Uint8Array {
  const { width, height, bits, compression = 0 } = given;
  const beside = header === 40 ? 4 * masks.length : 0;
  const begin = 14 + header + beside + 4 * palette.length;
  const bytes = Buffer.alloc(begin + rows.flat().length);
  bytes.write('BM');
  bytes.writeUInt32LE(bytes.length, 2);
  for (const [at, value] of Object.entries({ 10: begin, 14: header, 30: compression, 46: palette.length }))
    bytes.writeUInt32LE(value, Number(at));
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(height, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(bits, 28);
  for (const [i, mask] of masks.entries()) bytes.writeUInt32LE(mask, 54 + 4 * i);
  for (const [i, colour] of palette.entries()) bytes.writeUInt32LE(colour, 14 + header + beside + 4 * i);
  bytes.set(rows.flat(), begin);
  return bytes;
}
