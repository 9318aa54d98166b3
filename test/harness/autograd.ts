/**
 * A small float64 reverse-mode automatic differentiation that can be differentiated again, written for the tests
 * alone: it shares no code and no formulas with the library. Every derivative is itself made of these operations,
 * so a gradient of a gradient through a whole training run is plain reverse over reverse.
 */
export class Node {
  constructor(
    readonly value: Float64Array,
    readonly parents: readonly Node[] = [],
    /** Cotangents of the parents, as nodes; undefined where the parent needs none. */
    readonly pull: (bar: Node) => (Node | undefined)[] = () => [],
  ) {}
}

export const constant = (values: ArrayLike<number>): Node => new Node(new Float64Array(values));

/** Loops, here and below: `map` and `from` call a function for each number, and the oracle has millions. */
export function add(a: Node, b: Node): Node {
  const value = new Float64Array(a.value.length);
  for (let i = 0; i < value.length; i++) value[i] = a.value[i] + b.value[i];
  return new Node(value, [a, b], (bar) => [bar, bar]);
}

export function multiply(a: Node, b: Node): Node {
  const value = new Float64Array(a.value.length);
  for (let i = 0; i < value.length; i++) value[i] = a.value[i] * b.value[i];
  return new Node(value, [a, b], (bar) => [multiply(bar, b), multiply(bar, a)]);
}

export function scale(a: Node, factor: number): Node {
  const value = new Float64Array(a.value.length);
  for (let i = 0; i < value.length; i++) value[i] = a.value[i] * factor;
  return new Node(value, [a], (bar) => [scale(bar, factor)]);
}

export function exp(a: Node): Node {
  const out: Node = new Node(a.value.map(Math.exp), [a], (bar) => [multiply(bar, out)]);
  return out;
}

export function log(a: Node): Node {
  return new Node(a.value.map(Math.log), [a], (bar) => [multiply(bar, reciprocal(a))]);
}

/** The slope at 0 is taken as 0 (it is infinite): whoever divides by a root of zeros has multiplied by zeros before. */
export function sqrt(a: Node): Node {
  const out: Node = new Node(a.value.map(Math.sqrt), [a], (bar) => {
    const inverse = reciprocal(add(out, constant(out.value.map((v) => (v === 0 ? 1 : 0)))));
    return [multiply(bar, multiply(inverse, constant(out.value.map((v) => (v === 0 ? 0 : 0.5)))))];
  });
  return out;
}

export function reciprocal(a: Node): Node {
  const out: Node = new Node(
    a.value.map((v) => 1 / v),
    [a],
    (bar) => [scale(multiply(bar, multiply(out, out)), -1)],
  );
  return out;
}

export function acos(a: Node): Node {
  const ones = constant(a.value.map(() => 1));
  return new Node(a.value.map(Math.acos), [a], (bar) => [
    scale(multiply(bar, reciprocal(sqrt(add(ones, scale(multiply(a, a), -1))))), -1),
  ]);
}

export function cosine(a: Node): Node {
  return new Node(a.value.map(Math.cos), [a], (bar) => [scale(multiply(bar, sine(a)), -1)]);
}

export function sine(a: Node): Node {
  return new Node(a.value.map(Math.sin), [a], (bar) => [multiply(bar, cosine(a))]);
}

/** a to the power of a constant; a above 0. */
export function power(a: Node, exponent: number): Node {
  return new Node(
    a.value.map((v) => v ** exponent),
    [a],
    (bar) => [scale(multiply(bar, power(a, exponent - 1)), exponent)],
  );
}

/** The error function, by its Maclaurin series: for |a| below 5. */
export function erf(a: Node): Node {
  const series = (x: number) => {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-18; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  };
  return new Node(a.value.map(series), [a], (bar) => [
    scale(multiply(bar, exp(scale(multiply(a, a), -1))), 2 / Math.sqrt(Math.PI)),
  ]);
}

/** out[i] = a[index[i]], or 0 where the index is -1. */
export function gather(a: Node, index: Int32Array): Node {
  const { length } = a.value;
  const value = new Float64Array(index.length);
  for (let i = 0; i < index.length; i++) value[i] = index[i] < 0 ? 0 : a.value[index[i]];
  return new Node(value, [a], (bar) => [scatter(bar, index, length)]);
}

/** out[index[i]] += a[i]. */
export function scatter(a: Node, index: Int32Array, length: number): Node {
  const value = new Float64Array(length);
  for (let i = 0; i < index.length; i++) if (index[i] >= 0) value[index[i]] += a.value[i];
  return new Node(value, [a], (bar) => [gather(bar, index)]);
}

/** `[m, k]` times `[k, n]`. */
export function matmul(a: Node, b: Node, m: number, k: number, n: number): Node {
  const value = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < k; j++) {
      const left = a.value[i * k + j];
      if (left !== 0) for (let l = 0; l < n; l++) value[i * n + l] += left * b.value[j * n + l];
    }
  return new Node(value, [a, b], (bar) => [
    matmul(bar, transpose(b, k, n), m, n, k),
    matmul(transpose(a, m, k), bar, k, m, n),
  ]);
}

export function transpose(a: Node, rows: number, columns: number): Node {
  const index = new Int32Array(rows * columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) index[j * rows + i] = i * columns + j;
  return gather(a, index);
}

/** Row sums of `[rows, columns]`. */
export function rowSums(a: Node, rows: number, columns: number): Node {
  const index = Int32Array.from({ length: rows * columns }, (_, i) => Math.floor(i / columns));
  return scatter(a, index, rows);
}

/** Gradients of the scalar `of` with respect to each of `inputs`, as nodes. */
export function gradients(of: Node, inputs: readonly Node[]): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  // Iterative depth-first search: a whole training run is a deep graph.
  const stack: [Node, number][] = [[of, 0]];
  seen.add(of);
  while (stack.length) {
    const top = stack[stack.length - 1];
    const [node, next] = top;
    if (next < node.parents.length) {
      top[1]++;
      const parent = node.parents[next];
      if (!seen.has(parent)) {
        seen.add(parent);
        stack.push([parent, 0]);
      }
    } else {
      order.push(node);
      stack.pop();
    }
  }
  const needed = new Set<Node>(inputs);
  for (const node of order) if (node.parents.some((parent) => needed.has(parent))) needed.add(node);
  const bars = new Map<Node, Node>([[of, constant([1])]]);
  for (let i = order.length - 1; i >= 0; i--) {
    const node = order[i];
    const bar = bars.get(node);
    if (!bar || !needed.has(node)) continue;
    const pulled = node.pull(bar);
    node.parents.forEach((parent, j) => {
      const cotangent = pulled[j];
      if (!cotangent || !needed.has(parent)) return;
      const before = bars.get(parent);
      bars.set(parent, before ? add(before, cotangent) : cotangent);
    });
  }
  return inputs.map((input) => bars.get(input) ?? constant(new Float64Array(input.value.length)));
}
