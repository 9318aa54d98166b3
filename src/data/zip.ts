import { crc32 } from 'node:zlib';
import { inPieces } from '../util/breathe.js';
import type { LimbeckError } from '../util/errors.js';
import { bytesText } from '../util/words.js';
import { unreadable, viewOf } from './bytes.js';
import { roomFor, tooLarge, unpack } from './unpack.js';

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
/** Bytes whose checksum takes some hundredths of a second. */
const CHECKED = 2 ** 25;
/** Of the end record: 22 bytes and a comment of up to 65,535. */
const END_SEARCH = 22 + 65_535;

/** The files of an archive by name. */
export type ZipFiles = Map<string, () => Promise<Uint8Array>>;

/**
 * The files of a ZIP archive, stored or deflated; each is decompressed when it is asked for. No encryption and no archives
 * beyond 2 GiB.
 *
 * @throws ERR_FILE_FORMAT, also when a file is asked for; ERR_DATA then, where all that were unpacked take more than `roomFor` allows
 */
export function openZip(bytes: Uint8Array, path: string): ZipFiles {
  const view = viewOf(bytes);
  const room = { most: roomFor(bytes.length) };
  const end = findEnd(view, path);
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  const files: ZipFiles = new Map();
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== ENTRY)
      throw broken(path, `entry ${i} of its directory is damaged`);
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    if (at + 46 + nameLength > end) throw broken(path, `entry ${i} of its directory is cut`);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    if (files.has(name)) throw broken(path, `it holds ${JSON.stringify(name.slice(0, 80))} twice`);
    const entry = at;
    const what = `${path}: ${name.slice(0, 80)}`;
    checkName(bytes, view, entry, what);
    files.set(name, () => extract(bytes, view, entry, what, room));
    at += 46 + nameLength + extra + comment;
  }
  return files;
}

function findEnd(view: DataView, path: string): number {
  for (let at = view.byteLength - 22; at >= Math.max(0, view.byteLength - END_SEARCH); at--)
    if (view.getUint32(at, true) === END) return at;
  throw broken(path, 'it has no directory at its end; it may be cut short');
}

/** The directory has no checksum, but every name in it stands before its file once more. */
function checkName(bytes: Uint8Array, view: DataView, entry: number, what: string): void {
  const length = view.getUint16(entry + 28, true);
  const local = localOf(bytes, view, entry, what);
  const nameAt = (at: number) => bytes.subarray(at, at + length).join();
  if (view.getUint16(local + 26, true) !== length || nameAt(local + 30) !== nameAt(entry + 46))
    throw broken(what, 'the file there has another name');
}

/** Where what stands before a file begins. */
function localOf(bytes: Uint8Array, view: DataView, entry: number, what: string): number {
  const local = view.getUint32(entry + 42, true);
  if (local + 30 > bytes.length || view.getUint32(local, true) !== LOCAL)
    throw broken(what, 'the directory points to something else');
  return local;
}

async function extract(
  bytes: Uint8Array,
  view: DataView,
  entry: number,
  what: string,
  room: { most: number },
): Promise<Uint8Array> {
  const flags = view.getUint16(entry + 8, true);
  const method = view.getUint16(entry + 10, true);
  const [checksum, packed, size] = [16, 20, 24].map((at) => view.getUint32(entry + at, true));
  if (flags & 1) throw broken(what, 'it is encrypted');
  const local = localOf(bytes, view, entry, what);
  const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (start + packed > bytes.length) throw broken(what, 'it reaches beyond the end of the archive');
  const content = bytes.subarray(start, start + packed);
  let data: Uint8Array;
  if (method === 0) data = content;
  else if (method === 8) {
    if (size > room.most) throw tooLarge(what, bytesText(size), room.most);
    const packed = { bytes: content, compression: 'deflate', path: what, kind: 'ZIP archive' } as const;
    data = await unpack({ ...packed, most: room.most }, () => size);
    room.most -= size;
  } else throw broken(what, `it is compressed by method ${method}, expected 0 (stored) or 8 (deflate)`);
  if (data.length !== size) throw broken(what, `it has ${data.length} bytes, the directory says ${size}`);
  let computed = 0;
  const add = (from: number, to: number) => (computed = crc32(data.subarray(from, to), computed));
  await inPieces(data.length, add, CHECKED);
  if (computed !== checksum) throw broken(what, 'its checksum is wrong');
  return data;
}

const broken = (path: string, what: string): LimbeckError => unreadable(path, 'ZIP archive', what);
