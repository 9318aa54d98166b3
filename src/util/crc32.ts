// node:zlib has crc32 only from Node 20.15 and 22.2 on, and browsers have none.

/** Table k: what a byte does to the checksum from k bytes before its end on. */
const tables = Array.from({ length: 8 }, () => new Uint32Array(256));
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  tables[0][byte] = crc;
}
for (let k = 1; k < 8; k++)
  for (let byte = 0; byte < 256; byte++) {
    const before = tables[k - 1][byte];
    tables[k][byte] = (before >>> 8) ^ tables[0][before & 255];
  }
const [one, two, three, four, five, six, seven, eight] = tables;

/** The checksum of PNG, zip and gzip; `previous` is that of the bytes before these. Eight bytes at a time, by tables. */
export function crc32(bytes: Uint8Array, previous = 0): number {
  let crc = ~previous;
  let i = 0;
  for (; i + 8 <= bytes.length; i += 8) {
    crc ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    crc =
      eight[crc & 255] ^
      seven[(crc >>> 8) & 255] ^
      six[(crc >>> 16) & 255] ^
      five[crc >>> 24] ^
      four[bytes[i + 4]] ^
      three[bytes[i + 5]] ^
      two[bytes[i + 6]] ^
      one[bytes[i + 7]];
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ one[(crc ^ bytes[i]) & 255];
  return ~crc >>> 0;
}
