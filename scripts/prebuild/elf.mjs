/** What a Linux library asks of the system: read from its bytes, so that any machine can judge the file of any other. */

const tags = { needed: 1, stringTable: 5, versions: 0x6ffffffe, versionCount: 0x6fffffff };

/**
 * `{ machine, needed, versions }` of a 64-bit little-endian shared library: the processor, the libraries it loads, and
 * the versions of symbols it asks of them, such as GLIBC_2.27. Throws where it is something else.
 */
export function requirements(bytes) {
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1)
    throw new Error('expected a 64-bit little-endian ELF file');
  const machine = { 62: 'x64', 183: 'arm64' }[bytes.readUInt16LE(18)];
  const segments = programHeaders(bytes);
  const dynamic = segments.find(({ type }) => type === 2);
  if (!dynamic) throw new Error('expected a shared library, which has a dynamic section');
  const entries = [];
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16)
    entries.push({ tag: Number(bytes.readBigUInt64LE(at)), value: Number(bytes.readBigUInt64LE(at + 8)) });
  const entryOf = (tag) => entries.find((entry) => entry.tag === tag)?.value;
  const fileOffset = (address) => {
    const segment = segments.find(
      ({ type, address: from, size }) => type === 1 && address >= from && address < from + size,
    );
    return address - segment.address + segment.offset;
  };
  const strings = fileOffset(entryOf(tags.stringTable));
  const text = (index) => bytes.toString('latin1', strings + index, bytes.indexOf(0, strings + index));
  const needed = entries.filter(({ tag }) => tag === tags.needed).map(({ value }) => text(value));
  const table = entryOf(tags.versions);
  const versions =
    table === undefined ? [] : versionNames(bytes, fileOffset(table), entryOf(tags.versionCount), text);
  return { machine, needed, versions };
}

function programHeaders(bytes) {
  const [offset, size, count] = [
    Number(bytes.readBigUInt64LE(32)),
    bytes.readUInt16LE(54),
    bytes.readUInt16LE(56),
  ];
  return Array.from({ length: count }, (_, i) => {
    const at = offset + i * size;
    return {
      type: bytes.readUInt32LE(at),
      offset: Number(bytes.readBigUInt64LE(at + 8)),
      address: Number(bytes.readBigUInt64LE(at + 16)),
      size: Number(bytes.readBigUInt64LE(at + 32)),
    };
  });
}

/** The linked lists of Elf64_Verneed and Elf64_Vernaux: a library, then the versions asked of it. */
function versionNames(bytes, at, count, text) {
  const names = [];
  for (let library = 0; library < count; library++) {
    let version = at + bytes.readUInt32LE(at + 8);
    for (let i = bytes.readUInt16LE(at + 2); i > 0; i--) {
      names.push(text(bytes.readUInt32LE(version + 8)));
      version += bytes.readUInt32LE(version + 12);
    }
    at += bytes.readUInt32LE(at + 12);
  }
  return names;
}
