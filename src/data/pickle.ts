import { breathe } from '../util/breathe.js';
import { LimbeckError } from '../util/errors.js';
import { bytesText } from '../util/words.js';
import { unreadable, viewOf } from './bytes.js';

/** What a pickle holds; a dictionary's keys are texts. */
export type Pickled =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | PickledObject
  | Pickled[]
  | Map<string, Pickled>;

/** What functions and classes make that a pickle names. */
export abstract class PickledObject {}

/** The functions, classes and references that pickles of a kind may name; all others are refused. */
export interface PickleVocabulary {
  /** For messages: `pickle of arrays`. */
  readonly kind: string;
  /** Whether a function or class of this full name is one of them. */
  knows(name: string): boolean;
  /** What a call of it makes; undefined for arguments that are not its own. */
  call(name: string, args: readonly Pickled[]): Pickled | undefined;
  /** Gives an object its state; false for what has none. */
  build(target: Pickled, state: Pickled): boolean;
  /** What stands outside of the pickle under this reference; left out where there are none. */
  refer?(reference: Pickled): Pickled | undefined;
}

/** A function or class that the pickle names. */
class Global extends PickledObject {
  constructor(readonly name: string) {
    super();
  }
}
/** The name of a class that an argument is; undefined for anything else. */
export const nameOf = (value: Pickled | undefined): string | undefined =>
  value instanceof Global ? value.name : undefined;

const MARK = Symbol('mark');
type Item = Pickled | typeof MARK | undefined;

/** Bytes that an instruction may take in the lists and maps here, and an object that it makes besides. */
const COST = { instruction: 32, object: 200 } as const;
/** Bytes of memory that a pickle of `size` bytes may take beside its arrays. */
const roomFor = (size: number): number => 8 * size + 2 ** 25;
/** Instructions between which other work of this thread may run. */
const PIECE = 2 ** 16;

/**
 * The content of a pickle (protocols 2 to 5) of numbers, texts, lists, dictionaries and what the vocabulary has. It is read as data: what
 * the vocabulary does not know is refused by name, and nothing is executed.
 *
 * @param path for messages
 * @throws ERR_FILE_FORMAT; ERR_DATA for objects that would take far more memory than the file has bytes
 */
export const parsePickle = async (
  bytes: Uint8Array,
  path: string,
  vocabulary: PickleVocabulary,
): Promise<Pickled> => (await readPickle(bytes, path, vocabulary, 0)).value;

/** The same from a place in a file that goes on after it; `end` is where. */
export async function readPickle(
  bytes: Uint8Array,
  path: string,
  vocabulary: PickleVocabulary,
  at: number,
): Promise<{ readonly value: Pickled; readonly end: number }> {
  return new Reader(bytes, path, vocabulary, at).read();
}

/** A text, of Python 2 or 3. */
export const textOf = (value: Pickled | undefined): string | undefined =>
  typeof value === 'string' ? value : value instanceof Uint8Array ? latin1(value) : undefined;

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

class Reader {
  readonly #view: DataView;
  readonly #stack: Item[] = [];
  readonly #memo = new Map<number, Item>();
  #at: number;
  #room: number;

  constructor(
    readonly bytes: Uint8Array,
    readonly path: string,
    readonly vocabulary: PickleVocabulary,
    at: number,
  ) {
    this.#view = viewOf(bytes);
    this.#room = roomFor(bytes.length);
    this.#at = at;
  }

  async read(): Promise<{ value: Pickled; end: number }> {
    for (let count = 1; ; count++) {
      if (count % PIECE === 0) await breathe();
      const code = this.#byte();
      if (code === 0x2e) return { value: this.#value(this.#pop()), end: this.#at };
      this.#charge(COST.instruction);
      this.#step(code);
    }
  }

  #charge(bytes: number): void {
    this.#room -= bytes;
    if (this.#room < 0)
      throw new LimbeckError(
        'ERR_DATA',
        `${this.path} is too large: its objects take more than ${bytesText(roomFor(this.bytes.length))} of memory, expected a few lists ` +
          'and arrays; give the arrays as .npz.',
      );
  }

  #step(code: number): void {
    const stack = this.#stack;
    switch (String.fromCharCode(code)) {
      case '\x80': // PROTO
        this.#skip(1);
        return;
      case '\x95': // FRAME
        this.#skip(8);
        return;
      case '(':
        stack.push(MARK);
        return;
      case 'N':
        stack.push(null);
        return;
      case '\x88':
        stack.push(true);
        return;
      case '\x89':
        stack.push(false);
        return;
      case 'K':
        stack.push(this.#byte());
        return;
      case 'M':
        stack.push(this.#number('getUint16', 2));
        return;
      case 'J':
        stack.push(this.#number('getInt32', 4));
        return;
      case 'G':
        stack.push(this.#view.getFloat64(this.#skip(8)));
        return;
      case '\x8a': // LONG1
        stack.push(this.#long(this.#take(this.#byte())));
        return;
      case 'U': // texts of Python 2, and bytes
      case 'C':
        stack.push(this.#take(this.#byte()));
        return;
      case 'T':
      case 'B':
        stack.push(this.#take(this.#number('getUint32', 4)));
        return;
      case '\x8e':
      case '\x96':
        stack.push(this.#take(this.#size()));
        return;
      case '\x8c':
        stack.push(this.#text(this.#byte()));
        return;
      case 'X':
        stack.push(this.#text(this.#number('getUint32', 4)));
        return;
      case '\x8d':
        stack.push(this.#text(this.#size()));
        return;
      case '}':
        this.#charge(COST.object);
        stack.push(new Map());
        return;
      case ']':
      case ')':
        this.#charge(COST.object);
        stack.push([]);
        return;
      case '\x85':
      case '\x86':
      case '\x87': {
        this.#charge(COST.object);
        const items = Array.from({ length: code - 0x84 }, () => this.#value(this.#pop())).reverse();
        stack.push(items);
        return;
      }
      case 't':
        this.#charge(COST.object);
        stack.push(this.#toMark());
        return;
      case 'a':
        this.#append([this.#value(this.#pop())]);
        return;
      case 'e':
        this.#append(this.#toMark());
        return;
      case 's': {
        const value = this.#value(this.#pop());
        this.#set([this.#value(this.#pop()), value]);
        return;
      }
      case 'u':
        this.#set(this.#toMark());
        return;
      case 'q':
        this.#memo.set(this.#byte(), this.#top());
        return;
      case 'r':
        this.#memo.set(this.#number('getUint32', 4), this.#top());
        return;
      case '\x94':
        this.#memo.set(this.#memo.size, this.#top());
        return;
      case 'h':
        stack.push(this.#memo.get(this.#byte()));
        return;
      case 'j':
        stack.push(this.#memo.get(this.#number('getUint32', 4)));
        return;
      case 'c':
        stack.push(this.#global(this.#line(), this.#line()));
        return;
      case '\x93': {
        const name = textOf(this.#value(this.#pop()));
        stack.push(this.#global(textOf(this.#value(this.#pop())), name));
        return;
      }
      case 'R': {
        const args = this.#value(this.#pop());
        stack.push(this.#call(this.#pop(), args));
        return;
      }
      case 'b': {
        const state = this.#value(this.#pop());
        if (!this.vocabulary.build(this.#value(this.#top()), state))
          throw this.#broken('it changes what has no state; nothing of it is executed');
        return;
      }
      case 'Q': {
        this.#charge(COST.object);
        const found = this.vocabulary.refer?.(this.#value(this.#pop()));
        if (found === undefined) throw this.#broken('it refers to what is not in the file');
        stack.push(found);
        return;
      }
      default:
        throw this.#broken(
          `it has instruction ${code} at byte ${this.#at - 1}, which a ${this.vocabulary.kind} does not need; nothing of it is executed`,
        );
    }
  }

  #global(module: string | undefined, name: string | undefined): Global {
    const full = `${module}.${name}`;
    if (this.vocabulary.knows(full)) return new Global(full);
    throw this.#broken(
      `it names ${full.slice(0, 80)}, which a ${this.vocabulary.kind} does not need; nothing of it is executed`,
    );
  }

  #call(called: Item, args: Pickled): Item {
    this.#charge(COST.object);
    if (called instanceof Global && Array.isArray(args)) {
      if (called.name === '_codecs.encode' && typeof args[0] === 'string') this.#charge(args[0].length);
      const made = this.vocabulary.call(called.name, args);
      if (made !== undefined) return made;
    }
    throw this.#broken('it calls what is no function of it in this way; nothing of it is executed');
  }

  #append(items: Pickled[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw this.#broken('it appends to what is no list');
    for (const item of items) list.push(item);
  }

  #set(pairs: Pickled[]): void {
    const map = this.#top();
    if (!(map instanceof Map)) throw this.#broken('it sets what is no dictionary');
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const key = textOf(pairs[i]) ?? String(typeof pairs[i] === 'number' ? pairs[i] : i);
      map.set(key, pairs[i + 1]);
    }
  }

  #toMark(): Pickled[] {
    const at = this.#stack.lastIndexOf(MARK);
    if (at < 0) throw this.#broken('its lists do not begin');
    const items = this.#stack.splice(at).slice(1);
    return items.map((item) => this.#value(item));
  }

  #pop(): Item {
    if (this.#stack.length === 0) throw this.#broken('it takes what is not there');
    return this.#stack.pop();
  }

  #top(): Item {
    return this.#stack.at(-1);
  }

  /** Types of elements and functions stand in lists of arguments only; whoever looks for a value finds none there. */
  #value(item: Item): Pickled {
    if (item === undefined || item === MARK) throw this.#broken('it takes what is not there');
    return item as Pickled;
  }

  #skip(count: number): number {
    const at = this.#at;
    if (at + count > this.bytes.length) throw this.#broken(`it ends after ${this.bytes.length} bytes`);
    this.#at += count;
    return at;
  }

  #byte(): number {
    return this.bytes[this.#skip(1)];
  }

  #take(count: number): Uint8Array {
    this.#charge(COST.object);
    const at = this.#skip(count);
    return this.bytes.subarray(at, at + count);
  }

  #number(read: 'getUint16' | 'getUint32' | 'getInt32', width: number): number {
    return this.#view[read](this.#skip(width), true);
  }

  #size(): number {
    return Number(this.#view.getBigUint64(this.#skip(8), true));
  }

  #text(length: number): string {
    const bytes = this.#take(length);
    this.#charge(2 * length);
    return new TextDecoder().decode(bytes);
  }

  #line(): string {
    const end = this.bytes.indexOf(10, this.#at);
    if (end < 0) throw this.#broken('a name in it does not end');
    const line = latin1(this.bytes.subarray(this.#at, end));
    this.#at = end + 1;
    return line;
  }

  /** Little-endian, in two's complement. */
  #long(bytes: Uint8Array): number {
    let value = 0;
    for (let i = bytes.length - 1; i >= 0; i--) value = 256 * value + bytes[i];
    return bytes.length && bytes[bytes.length - 1] > 127 ? value - 256 ** bytes.length : value;
  }

  #broken(what: string): LimbeckError {
    return unreadable(this.path, this.vocabulary.kind, what);
  }
}
