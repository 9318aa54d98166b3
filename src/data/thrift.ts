import { viewOf } from './bytes.js';

/** Types of Thrift's compact protocol, in which the headers of Parquet are written. */
const TRUE = 1;
const FALSE = 2;
const BYTE = 3;
const [I16, I32, I64] = [4, 5, 6];
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;
const MOST_LEVELS = 32;

/**
 * Looks through a struct before a reader makes objects of it that believes every length in it.
 */
export class ThriftStruct {
  /** The whole numbers in it and in the structs in it, not in lists: `2`, `5.1`; true is 1, false 0. */
  readonly numbers = new Map<string, number>();
  /** Where it ends. */
  readonly end: number;
  /** Structs and lists in it. */
  containers = 0;
  #at: number;

  /** @throws an Error where lengths in it go beyond `bytes` */
  constructor(
    readonly bytes: Uint8Array,
    /** Where it begins. */
    readonly begin: number,
  ) {
    this.#at = begin;
    this.#struct('', 0);
    this.end = this.#at;
  }

  #struct(path: string | undefined, depth: number): void {
    if (depth > MOST_LEVELS) throw new Error(`its header has more than ${MOST_LEVELS} levels`);
    this.containers++;
    for (let field = 0; ; ) {
      const header = this.#byte();
      const type = header & 15;
      if (type === 0) return;
      field = header >> 4 ? field + (header >> 4) : this.#zigzag();
      this.#value(type, path === undefined ? undefined : `${path}${field}`, depth);
    }
  }

  #value(type: number, path: string | undefined, depth: number): void {
    if (type === TRUE || type === FALSE) {
      if (path !== undefined) this.numbers.set(path, type === TRUE ? 1 : 0);
      return;
    }
    if (type === BYTE) this.#skip(1);
    else if (type === I16 || type === I32 || type === I64) {
      const value = this.#zigzag();
      if (path !== undefined) this.numbers.set(path, value);
    } else if (type === DOUBLE) this.#skip(8);
    else if (type === BINARY) this.#skip(this.#varint());
    else if (type === LIST) this.#list(depth + 1);
    else if (type === STRUCT) this.#struct(path === undefined ? undefined : `${path}.`, depth + 1);
    else throw new Error(`its header has an element of type ${type}`);
  }

  #list(depth: number): void {
    if (depth > MOST_LEVELS) throw new Error(`its header has more than ${MOST_LEVELS} levels`);
    this.containers++;
    const header = this.#byte();
    const count = header >> 4 === 15 ? this.#varint() : header >> 4;
    // Every element takes a byte at least.
    if (count > this.bytes.length - this.#at)
      throw new Error(`its header promises a list of ${count}, and ends before`);
    const type = header & 15;
    for (let i = 0; i < count; i++)
      this.#value(type === TRUE || type === FALSE ? BYTE : type, undefined, depth);
  }

  #skip(count: number): void {
    if (count > this.bytes.length - this.#at)
      throw new Error(`its header promises ${count} bytes, and ends before`);
    this.#at += count;
  }

  #byte(): number {
    this.#skip(1);
    return this.bytes[this.#at - 1];
  }

  /** Unsigned, seven bits in each byte. */
  #varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      if (scale > 2 ** 63) throw new Error('its header has a number of more than 64 bits');
    }
  }

  /** Signed: the lowest bit is the sign. */
  #zigzag(): number {
    const value = this.#varint();
    return value % 2 ? -(value + 1) / 2 : value / 2;
  }
}

/** The struct at the end of a Parquet file: its length and the magic number follow it. */
export function footerOf(bytes: Uint8Array): ThriftStruct {
  const length =
    bytes.length < 12 ? Number.POSITIVE_INFINITY : viewOf(bytes).getUint32(bytes.length - 8, true);
  if (length > bytes.length - 8) throw new Error('it has no footer');
  return new ThriftStruct(bytes.subarray(0, bytes.length - 8), bytes.length - 8 - length);
}
