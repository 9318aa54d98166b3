/** What networks for sequences are made of, on the tests' own automatic differentiation. */
import { add, constant, gather, matmul, multiply, type Node, scatter, transpose } from './autograd.js';
import { count, functions, type Maps, range } from './oracle-maps.js';

/** Parameters taken in their order, for N samples. */
interface Walk {
  readonly N: number;
  take(length: number): Node;
}

/** The largest of every run of `length` neighbours that do not overlap; winners are constants of the derivative. */
function largest(x: Node, runs: number, start: (run: number) => number, length: number): Node {
  return gather(
    x,
    range(runs, (run) => {
      let best = start(run);
      for (let i = best; i < start(run) + length; i++) if (x.value[i] > x.value[best]) best = i;
      return best;
    }),
  );
}

export function maxOverTime({ N }: Walk, { x, shape: [C, H] }: Maps): Maps {
  return { x: largest(x, N * C, (run) => run * H, H), shape: [C] };
}

/** Along the last axis. */
export function maxPoolRows({ N }: Walk, { x, shape: [C, H, W] }: Maps, K: number): Maps {
  const OW = Math.floor(W / K);
  const start = (run: number) => Math.floor(run / OW) * W + (run % OW) * K;
  return { x: largest(x, N * C * H * OW, start, K), shape: [C, H, OW] };
}

/** Features of several maps, one behind the other. */
export function concat({ N }: Walk, maps: readonly Maps[]): Maps {
  const width = maps.reduce((sum, { shape }) => sum + count(shape), 0);
  let from = 0;
  const placed = maps.map(({ x, shape }) => {
    const own = count(shape);
    const first = from;
    from += own;
    const to = range(N * own, (i) => Math.floor(i / own) * width + first + (i % own));
    return scatter(x, to, N * width);
  });
  return { x: placed.reduce(add), shape: [width] };
}

/** PyTorch's nn.RNN or nn.LSTM over the rows of a map; the last states of the last layer. */
export function recurrent(
  o: Walk,
  { x, shape: [C, L, I] }: Maps,
  gates: 1 | 4,
  H: number,
  layers: number,
  both: boolean,
): Maps {
  const { N } = o;
  const T = C * L;
  const { sigmoid, tanh } = functions;
  /** Columns from .. from + H of rows `[N, columns]`. */
  const part = (z: Node, gate: number) =>
    gather(
      z,
      range(N * H, (i) => Math.floor(i / H) * gates * H + gate * H + (i % H)),
    );
  let inputs = Array.from({ length: T }, (_, t): Maps => {
    const of = range(N * I, (i) => (Math.floor(i / I) * T + t) * I + (i % I));
    return { x: gather(x, of), shape: [I] };
  });
  let last: Maps[] = [];
  for (let layer = 0; layer < layers; layer++) {
    const outputs: Maps[][] = [];
    last = [];
    for (const reverse of both ? [false, true] : [false]) {
      const width = inputs[0].shape[0];
      const [wIh, wHh] = [width, H].map((rows) => transpose(o.take(gates * H * rows), gates * H, rows));
      const biases = [0, 1].map(() =>
        gather(
          o.take(gates * H),
          range(N * gates * H, (i) => i % (gates * H)),
        ),
      );
      const states: Maps[] = [];
      let h = constant(new Float64Array(N * H));
      let c = h;
      for (let k = 0; k < T; k++) {
        const t = reverse ? T - 1 - k : k;
        const products = [matmul(inputs[t].x, wIh, N, width, gates * H), matmul(h, wHh, N, H, gates * H)];
        const z = [...products, ...biases].reduce(add);
        if (gates === 1) h = tanh(z);
        else {
          const [i, f, o] = [0, 1, 3].map((gate) => sigmoid(part(z, gate)));
          c = add(multiply(f, c), multiply(i, tanh(part(z, 2))));
          h = multiply(o, tanh(c));
        }
        states[t] = { x: h, shape: [H] };
      }
      outputs.push(states);
      last.push({ x: h, shape: [H] });
    }
    inputs = inputs.map((_, t) =>
      concat(
        o,
        outputs.map((states) => states[t]),
      ),
    );
  }
  return concat(o, last);
}
