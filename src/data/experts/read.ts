import type { FileHandle } from 'node:fs/promises';
import { PREFIX_BYTES } from '../../util/safetensors-header.js';
import { damaged } from '../../util/stored-fields.js';
import { decodeExpertHeader, type ReadHeader } from './format.js';

/** No header of an expert is longer: a file that announces more is another. */
const mostHeaderBytes = 16 * 2 ** 20;

/** `length` bytes of a file from `position` on, fewer where it ends before. */
export async function readBytes(
  handle: FileHandle,
  position: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await handle.read(bytes, at, length - at, position + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return at === length ? bytes : bytes.slice(0, at);
}

/** The header of the expert in an open file, and where its snapshots begin; ERR_FILE_FORMAT, naming the file, where it is none. */
export async function readExpertHeader(
  path: string,
  handle: FileHandle,
): Promise<{ header: ReadHeader; dataStart: number }> {
  const prefix = await readBytes(handle, 0, PREFIX_BYTES);
  if (prefix.length < PREFIX_BYTES)
    throw damaged(path, `it has ${prefix.length} bytes, expected a header and snapshots`);
  const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
  if (length > mostHeaderBytes)
    throw damaged(path, `its first 8 bytes announce a header of ${length} bytes, expected an expert`);
  const bytes = await readBytes(handle, 0, PREFIX_BYTES + length);
  return { header: decodeExpertHeader(path, bytes), dataStart: bytes.length };
}
