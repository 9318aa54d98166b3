import { crc32 } from './crc32.js';
import {
  BYTES,
  checksumText,
  type Entry,
  encodeHeader,
  METADATA,
  readHeader,
  readMetadata,
  setChecksum,
} from './safetensors-header.js';

/**
 * A safetensors file that is written and read in pieces: its header first, with a checksum of its own, then one tensor after the
 * other in the order of the header. Other readers take it for any safetensors file.
 */

/** The first of the metadata: the checksum of the header in hexadecimal, computed with zeros in its own place. */
const CHECKSUM = 'limbeck.header.crc32';

/** A tensor that will follow. */
export type StreamedTensor = Pick<Entry, 'name' | 'dtype' | 'shape'>;

/** The header of a file of these tensors; the same input gives the same bytes. Elements of one width keep all of them aligned. */
export function encodeStreamHeader(
  tensors: readonly StreamedTensor[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  let end = 0;
  const entries = tensors.map((tensor): Entry => {
    const begin = end;
    end += BYTES[tensor.dtype] * tensor.shape.reduce((a, b) => a * b, 1);
    return { ...tensor, begin, end };
  });
  const bytes = encodeHeader(entries, metadata, CHECKSUM);
  setChecksum(bytes, CHECKSUM, checksumText(crc32(bytes)));
  return bytes;
}

/**
 * The metadata in the bytes of a header. Nothing else in it is looked at: who knows which tensors belong to the metadata encodes the
 * header again and compares.
 *
 * @throws ERR_FILE_FORMAT where they are not those of a safetensors file
 */
export function readStreamMetadata(bytes: Uint8Array): Record<string, string> {
  const { header } = readHeader(bytes);
  const metadata = readMetadata(header[METADATA] ?? {});
  delete metadata[CHECKSUM];
  return metadata;
}
