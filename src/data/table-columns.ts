import { LimbeckError } from '../util/errors.js';
import { count } from '../util/words.js';
import { MAX_CLASSES } from './classes.js';

/** What the rows of a table come to, kept in little memory while they are read. */

export const isByte = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 255;

/** Room for so many more values than there are, so that few copies are made. */
const grown = (length: number): number => Math.ceil(1.5 * length) + 1024;

/** Numbers: bytes until one is none, float32 from then on. */
export class Values {
  #values: Uint8Array | Float32Array = new Uint8Array(0);
  #length = 0;

  add(value: number): void {
    if (this.#values instanceof Uint8Array && !isByte(value)) this.#values = Float32Array.from(this.#values);
    if (this.#length === this.#values.length) {
      const length = grown(this.#length);
      const more = this.#values instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length);
      more.set(this.#values);
      this.#values = more;
    }
    this.#values[this.#length++] = value;
  }

  all(): Uint8Array | Float32Array {
    return this.#values.subarray(0, this.#length);
  }
}

/** One class may be spelt in several ways. */
const MOST_NAMES = 4 * MAX_CLASSES;

/** The labels of all rows, each different one once. */
export class LabelColumn {
  readonly names: string[] = [];
  readonly #numbers = new Map<string, number>();
  #rows = new Uint16Array(0);
  length = 0;

  /** @param path for messages */
  constructor(readonly path: string) {}

  /** @throws ERR_DATA for more different labels than classes can have */
  add(label: string): void {
    if (this.length === this.#rows.length) {
      const more = new Uint16Array(grown(this.length));
      more.set(this.#rows);
      this.#rows = more;
    }
    this.#rows[this.length++] = this.#numbers.get(label) ?? this.#addName(label);
  }

  /** The place in `names` of the label of every row. */
  rows(): Uint16Array {
    return this.#rows.subarray(0, this.length);
  }

  #addName(label: string): number {
    if (this.names.length === MOST_NAMES)
      throw new LimbeckError(
        'ERR_DATA',
        `${this.path}: more than ${count(MOST_NAMES)} different labels, expected the names of at most ${MAX_CLASSES} classes; if another column ` +
          'holds the classes, say --label-column.',
      );
    // A copy: a part of a text keeps all of it in memory.
    const name = Buffer.from(label).toString();
    this.#numbers.set(name, this.names.length);
    return this.names.push(name) - 1;
  }
}
