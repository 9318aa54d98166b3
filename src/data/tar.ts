import type { LimbeckError } from '../util/errors.js';
import { unreadable } from './bytes.js';

const BLOCK = 512;

/**
 * The regular files of a tar archive by the last part of their names; their contents are views of `bytes`.
 *
 * @throws ERR_FILE_FORMAT
 */
export function readTar(bytes: Uint8Array, path: string): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  let at = 0;
  while (at + BLOCK <= bytes.length && bytes[at] !== 0) {
    const header = bytes.subarray(at, at + BLOCK);
    // The checksum counts itself as eight spaces.
    let sum = 8 * 0x20;
    for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += header[i];
    if (sum !== octal(header, 148, 8)) throw broken(path, `the header at byte ${at} is damaged`);
    const size = octal(header, 124, 12);
    const begin = at + BLOCK;
    if (!(size >= 0) || begin + size > bytes.length)
      throw broken(path, `the file at byte ${at} reaches beyond its end; it is cut short`);
    const regular = header[156] === 0x30 || header[156] === 0;
    if (regular) files.set(text(header, 0, 100).split('/').at(-1)!, bytes.subarray(begin, begin + size));
    at = begin + Math.ceil(size / BLOCK) * BLOCK;
  }
  if (files.size === 0) throw broken(path, 'it holds no files');
  return files;
}

function text(header: Uint8Array, begin: number, length: number): string {
  const field = header.subarray(begin, begin + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** NaN for what is no number. */
function octal(header: Uint8Array, begin: number, length: number): number {
  const digits = text(header, begin, length).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

const broken = (path: string, what: string): LimbeckError => unreadable(path, 'tar archive', what);
