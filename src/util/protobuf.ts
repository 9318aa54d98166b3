/**
 * Messages in the encoding of protocol buffers: fields one after the other, each a tag and a number of variable length, four bytes,
 * or bytes with their length in front. Fields that are left out or empty are not written.
 */
export class Message {
  readonly #parts: Uint8Array[] = [];

  /** A whole number from 0 on (or, of 64 bits, below), or several, each with its tag. */
  whole(field: number, ...values: readonly number[]): this {
    for (const value of values) this.#parts.push(varint(8 * field), varint(value));
    return this;
  }

  /** A float of 32 bits. */
  float(field: number, value: number): this {
    this.#parts.push(varint(8 * field + 5), new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#parts.push(varint(8 * field + 2), varint(value.length), value);
    return this;
  }

  text(field: number, ...values: readonly string[]): this {
    for (const value of values) this.bytes(field, new TextEncoder().encode(value));
    return this;
  }

  /** Messages inside this one. */
  message(field: number, ...values: readonly Message[]): this {
    for (const value of values) this.bytes(field, value.encode());
    return this;
  }

  encode(): Uint8Array {
    const out = new Uint8Array(this.#parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of this.#parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }
}

/** Seven bits a byte, the lowest first; a negative number is one of 64 bits. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Uint8Array.of(...bytes, Number(rest));
}
