import type { FileHandle } from 'node:fs/promises';
import { PREFIX_BYTES } from '../../util/safetensors-header.js';
import { damaged } from '../../util/stored-fields.js';
import { decodeExpertHeader, type ReadHeader, recordBytes } from './format.js';

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

/** What an expert says of itself, and where its snapshots begin. */
export interface ExpertStart {
  readonly header: ReadHeader;
  /** Bytes before the first snapshot. */
  readonly dataStart: number;
}

/** The header of the expert in an open file; ERR_FILE_FORMAT, naming the file, where it is none. */
export async function readExpertHeader(path: string, handle: FileHandle): Promise<ExpertStart> {
  const prefix = await readBytes(handle, 0, PREFIX_BYTES);
  if (prefix.length < PREFIX_BYTES)
    throw damaged(path, `it has ${prefix.length} bytes, expected a header and snapshots`);
  const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
  if (length > mostHeaderBytes)
    throw damaged(path, `its first 8 bytes announce a header of ${length} bytes, expected an expert`);
  const bytes = await readBytes(handle, 0, PREFIX_BYTES + length);
  return { header: decodeExpertHeader(path, bytes), dataStart: bytes.length };
}

/** The same of a finished expert, whose file is as long as its header says. */
export async function readFinishedHeader(path: string, handle: FileHandle): Promise<ExpertStart> {
  const start = await readExpertHeader(path, handle);
  const { description, network } = start.header;
  const expected = start.dataStart + (description.training.epochs + 1) * recordBytes(network.count);
  const { size } = await handle.stat();
  if (size !== expected) throw damaged(path, `it has ${size} bytes, expected ${expected}`);
  return start;
}
