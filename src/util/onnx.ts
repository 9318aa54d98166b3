import { Message } from './protobuf.js';
import { version } from './version.js';

/** Attributes of an operator: lists and numbers that are whole are integers, `{ float }` is a float, `{ text }` a string. */
export type Attributes = Readonly<
  Record<string, number | readonly number[] | { readonly float: number } | { readonly text: string }>
>;

/** A tensor that a graph takes or gives: sizes, of which the first may be `N`, any number. */
export interface OnnxValue {
  readonly name: string;
  readonly shape: readonly (number | 'N')[];
}

/** Understood by every runtime since 2021; no operator here has become another since. */
const operatorSet = 13;
const fileVersion = 7;

/** Numbers of the types of tensors and attributes in ONNX's schema (onnx.proto). */
const tensorTypes = { f32: 1, i64: 7 };
const attributeTypes = { float: 1, int: 2, text: 3, ints: 7 };

/** A graph of ONNX operators, put together one after the other. Tensors are known by their names. */
export class OnnxGraph {
  readonly #nodes: Message[] = [];
  readonly #constants: Message[] = [];

  /**
   * Adds an operator and returns the name of its output: of the first unless `output` is the number of another, the only one then; `as`
   * where it has to be known by that.
   */
  add(
    operator: string,
    inputs: readonly string[],
    attributes: Attributes = {},
    { as, output: place = 0 }: { as?: string; output?: number } = {},
  ): string {
    const output = as ?? `${operator.toLowerCase()}_${this.#nodes.length}`;
    const node = new Message()
      .text(1, ...inputs)
      .text(2, ...Array<string>(place).fill(''), output)
      .text(3, output)
      .text(4, operator);
    this.#nodes.push(node.message(5, ...Object.entries(attributes).map(attribute)));
    return output;
  }

  /** Adds a constant tensor and returns its name. */
  constant(shape: readonly number[], values: ArrayLike<number>, as?: string): string {
    return this.#constant('f32', shape, Float32Array.from(values), as);
  }

  /** The same shape with other sizes: 0 keeps the size there, -1 takes what is left. */
  reshape(x: string, shape: readonly number[]): string {
    return this.add('Reshape', [x, this.integers(shape)]);
  }

  /** Adds a list of whole numbers and returns its name. */
  integers(values: readonly number[]): string {
    return this.#constant('i64', [values.length], BigInt64Array.from(values, BigInt));
  }

  /** The bytes of an `.onnx` file. */
  encode(
    inputs: readonly OnnxValue[],
    outputs: readonly OnnxValue[],
    metadata: Readonly<Record<string, string>>,
  ): Uint8Array {
    const graph = new Message()
      .message(1, ...this.#nodes)
      .text(2, 'network')
      .message(5, ...this.#constants)
      .message(11, ...inputs.map(valueInfo))
      .message(12, ...outputs.map(valueInfo));
    return new Message()
      .whole(1, fileVersion)
      .text(2, 'limbeck')
      .text(3, version)
      .message(7, graph)
      .message(8, new Message().text(1, '').whole(2, operatorSet))
      .message(
        14,
        ...Object.entries(metadata).map(([key, value]) => new Message().text(1, key).text(2, value)),
      )
      .encode();
  }

  #constant(
    type: keyof typeof tensorTypes,
    shape: readonly number[],
    { buffer, byteOffset, byteLength }: Float32Array | BigInt64Array,
    as = `constant_${this.#constants.length}`,
  ): string {
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    this.#constants.push(
      new Message()
        .whole(1, ...shape)
        .whole(2, tensorTypes[type])
        .text(8, as)
        .bytes(9, bytes),
    );
    return as;
  }
}

function attribute([name, value]: [string, Attributes[string]]): Message {
  const message = new Message().text(1, name);
  if (typeof value === 'number') return message.whole(3, value).whole(20, attributeTypes.int);
  if ('text' in value) return message.text(4, value.text).whole(20, attributeTypes.text);
  if ('float' in value) return message.float(2, value.float).whole(20, attributeTypes.float);
  return message.whole(8, ...value).whole(20, attributeTypes.ints);
}

function valueInfo({ name, shape }: OnnxValue): Message {
  const sizes = shape.map((size) =>
    size === 'N' ? new Message().text(2, size) : new Message().whole(1, size),
  );
  const tensor = new Message().whole(1, tensorTypes.f32).message(2, new Message().message(1, ...sizes));
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}
