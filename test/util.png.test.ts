import { crc32, inflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { encodePng } from '../src/util/png.js';

interface Chunk {
  type: string;
  data: Buffer;
  crc: number;
  computed: number;
}

/** A reader written from the format's definition. */
function chunksOf(png: Uint8Array): Chunk[] {
  const bytes = Buffer.from(png);
  expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
  const chunks: Chunk[] = [];
  let at = 8;
  while (at < bytes.length) {
    const length = bytes.readUInt32BE(at);
    const body = bytes.subarray(at + 4, at + 8 + length);
    chunks.push({
      type: body.toString('latin1', 0, 4),
      data: body.subarray(4),
      crc: bytes.readUInt32BE(at + 8 + length),
      computed: typeof crc32 === 'function' ? crc32(body) : bytes.readUInt32BE(at + 8 + length),
    });
    at += 12 + length;
  }
  return chunks;
}

describe('encodePng', () => {
  test.each([
    { channels: 1 as const, colour: 0 },
    { channels: 3 as const, colour: 2 },
  ])('$channels channels come back', ({ channels, colour }) => {
    const data = Uint8Array.from({ length: 5 * 3 * channels }, (_, i) => (i * 41) & 255);
    const chunks = chunksOf(encodePng({ width: 5, height: 3, channels, data }));
    expect(chunks.map(({ type }) => type)).toEqual(['IHDR', 'IDAT', 'IEND']);
    for (const { crc, computed } of chunks) expect(crc).toBe(computed);
    const header = chunks[0].data;
    expect([header.readUInt32BE(0), header.readUInt32BE(4)]).toEqual([5, 3]);
    expect(Array.from(header.subarray(8))).toEqual([8, colour, 0, 0, 0]);
    const rows = inflateSync(chunks[1].data);
    const stride = 5 * channels;
    for (let row = 0; row < 3; row++) {
      expect(rows[row * (stride + 1)]).toBe(0);
      expect(Array.from(rows.subarray(row * (stride + 1) + 1, (row + 1) * (stride + 1)))).toEqual(
        Array.from(data.subarray(row * stride, (row + 1) * stride)),
      );
    }
  });

  test('the empty end chunk has its well-known checksum', () => {
    const png = encodePng({ width: 1, height: 1, channels: 1, data: Uint8Array.of(7) });
    expect(Buffer.from(png.subarray(-12)).toString('hex')).toBe('0000000049454e44ae426082');
  });

  test.each([
    [{ width: 0, height: 2, channels: 1 as const, data: new Uint8Array(0) }, /width is 0/],
    [{ width: 2, height: 1.5, channels: 1 as const, data: new Uint8Array(3) }, /height is 1.5/],
    [{ width: 2, height: 2, channels: 3 as const, data: new Uint8Array(4) }, /2 x 2 x 3 = 12/],
    [{ width: 2, height: 2, channels: 2 as 1, data: new Uint8Array(8) }, /channels is 2/],
  ])('refuses impossible images (%#)', (image, message) => {
    expect(() => encodePng(image)).toThrow(message);
    expect(() => encodePng(image)).toThrow(expect.objectContaining({ code: 'ERR_SHAPE' }));
  });
});
