/** The checksum of files, against its definition bit by bit. */
import { expect, test } from 'vitest';
import { crc32 } from '../src/util/crc32.js';

/** The remainder of a division of polynomials, the lowest bit of every byte first. */
function byDefinition(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes)
    for (let bit = 0; bit < 8; bit++)
      crc = ((crc ^ (byte >>> bit)) & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1) >>> 0;
  return (crc ^ 0xffffffff) >>> 0;
}

const bytes = Uint8Array.from({ length: 67 }, (_, i) => (i * i * 37 + 11) & 255);

test('is the published one of the digits', () => {
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
});

test('is the same for every length and every place in memory', () => {
  for (let from = 0; from < 9; from++)
    for (let to = from; to <= bytes.length; to++) {
      const part = bytes.subarray(from, to);
      expect(crc32(part), `${from} to ${to}`).toBe(byDefinition(part));
    }
});

test('goes on from that of the bytes before', () => {
  for (let at = 0; at <= bytes.length; at++)
    expect(crc32(bytes.subarray(at), crc32(bytes.subarray(0, at)))).toBe(byDefinition(bytes));
});
