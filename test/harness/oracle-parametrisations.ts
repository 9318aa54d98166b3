/** Items of stored variables in float64, by automatic differentiation: shares no code and no formulas with the library. */
import { add, constant, exp, gather, matmul, multiply, type Node, scale, scatter } from './autograd.js';

export type Stored = Readonly<Record<string, Node>>;
type Shape = readonly [C: number, H: number, W: number];

const repeated = (length: number, at: (i: number) => number) => Int32Array.from({ length }, (_, i) => at(i));

/** Waves cos(pi i (h + 1/2) / H) cos(pi j (w + 1/2) / W) of length 1, by (i / H)² + (j / W)². */
export function dct({ coefficients }: Stored, [C, H, W]: Shape, N: number): Node {
  const waves: { far: number; values: number[] }[] = [];
  for (let i = 0; i < H; i++)
    for (let j = 0; j < W; j++) {
      const values: number[] = [];
      for (let h = 0; h < H; h++)
        for (let w = 0; w < W; w++)
          values.push(
            Math.cos((Math.PI * i * (2 * h + 1)) / (2 * H)) * Math.cos((Math.PI * j * (2 * w + 1)) / (2 * W)),
          );
      const length = Math.hypot(...values);
      waves.push({ far: i ** 2 * W ** 2 + j ** 2 * H ** 2, values: values.map((value) => value / length) });
    }
  waves.sort((a, b) => a.far - b.far);
  const kept = coefficients.value.length / (N * C);
  const table = constant(waves.slice(0, kept).flatMap(({ values }) => values));
  return matmul(coefficients, table, N * C, kept, H * W);
}

/** Two places of an axis of n pixels and their shares, for pixel `to` of the part that is zoomed to all of it (n even, two parts). */
function taps(n: number, part: number, to: number): [number, number][] {
  const half = n / 2;
  const place = Math.min(Math.max((to + 0.5) / 2 - 0.5, 0), half - 1);
  const low = Math.floor(place);
  return [
    [part * half + low, 1 - (place - low)],
    [part * half + Math.min(low + 1, half - 1), place - low],
  ];
}

/** Four bases in each stored picture. */
export function bases({ bases, coefficients }: Stored, [C, H, W]: Shape, N: number): Node {
  const D = C * H * W;
  const sheets = bases.value.length / D;
  const K = 4 * sheets;
  let zoomed = constant(new Float64Array(K * D));
  for (const a of [0, 1])
    for (const b of [0, 1]) {
      const from = new Int32Array(K * D);
      const share = new Float64Array(K * D);
      for (let i = 0; i < K * D; i++) {
        const [w, h, map] = [i % W, Math.floor(i / W) % H, Math.floor(i / (H * W))];
        const [c, k] = [map % C, Math.floor(map / C)];
        const [row, down] = taps(H, Math.floor((k % 4) / 2), h)[a];
        const [column, right] = taps(W, k % 2, w)[b];
        from[i] = ((Math.floor(k / 4) * C + c) * H + row) * W + column;
        share[i] = down * right;
      }
      zoomed = add(zoomed, multiply(gather(bases, from), constant(share)));
    }
  return scale(matmul(coefficients, zoomed, N, K, D), (N * D) ** -0.5);
}

export function gaussians({ gaussians }: Stored, [C, H, W]: Shape, N: number): Node {
  const numbers = 5 + C;
  const M = gaussians.value.length / (N * numbers);
  const width = 0.6 * Math.sqrt((H * W) / M);
  const count = N * M * H * W;
  const number = (q: number) =>
    gather(
      gaussians,
      repeated(count, (i) => Math.floor(i / (H * W)) * numbers + q),
    );
  const from = (q: number, place: (pixel: number) => number) =>
    add(constant(Array.from({ length: count }, (_, i) => place(i % (H * W)))), scale(number(q), -1));
  const right = from(0, (pixel) => pixel % W);
  const down = from(1, (pixel) => Math.floor(pixel / W));
  const u = add(multiply(number(2), right), multiply(number(3), down));
  const v = multiply(number(4), down);
  const squared = add(multiply(u, u), multiply(v, v));
  const bell = scale(exp(scale(squared, -0.5 / width ** 4)), 1 / width);
  let items = constant(new Float64Array(N * C * H * W));
  for (let c = 0; c < C; c++) {
    const to = repeated(count, (i) => (Math.floor(i / (H * W * M)) * C + c) * H * W + (i % (H * W)));
    items = add(items, scatter(multiply(bell, number(5 + c)), to, N * C * H * W));
  }
  return items;
}

/** Maps of all items: `[N, channels, H, W]`. */
interface Maps {
  readonly x: Node;
  readonly shape: Shape;
}

/** The products that a convolution, or a transposed one, adds up: places in x, in the weights and in y. */
function convolved(
  { x, shape: [C, H, W] }: Maps,
  weights: Node,
  { N, OC, K, transposed }: { N: number; OC: number; K: number; transposed: boolean },
): Maps {
  const [OH, OW] = transposed ? [2 * H, 2 * W] : [H, W];
  const at: number[][] = [[], [], []];
  for (let n = 0; n < N; n++)
    for (let c = 0; c < C; c++)
      for (let o = 0; o < OC; o++)
        for (let h = 0; h < H; h++)
          for (let w = 0; w < W; w++)
            for (let a = 0; a < K; a++)
              for (let b = 0; b < K; b++) {
                const [row, column] = transposed ? [2 * h + a - 1, 2 * w + b - 1] : [h - a + 1, w - b + 1];
                if (row < 0 || row >= OH || column < 0 || column >= OW) continue;
                at[0].push(((n * C + c) * H + h) * W + w);
                at[1].push(((transposed ? c * OC + o : o * C + c) * K + a) * K + b);
                at[2].push(((n * OC + o) * OH + row) * OW + column);
              }
  const products = multiply(gather(x, Int32Array.from(at[0])), gather(weights, Int32Array.from(at[1])));
  return { x: scatter(products, Int32Array.from(at[2]), N * OC * OH * OW), shape: [OC, OH, OW] };
}

/** The usual decoder of maps that divide by four, with `width` channels between. */
export function decoder({ latents, weights }: Stored, [C, H, W]: Shape, N: number, width: number): Node {
  const [h, w] = [H / 4, W / 4];
  const L = latents.value.length / (N * h * w);
  const scaled = scale(weights, (N * C * H * W) ** -0.5);
  let next = 0;
  const take = (length: number) => {
    const from = next;
    next += length;
    return gather(
      scaled,
      repeated(length, (i) => from + i),
    );
  };
  const bent = (maps: Maps): Maps => ({
    ...maps,
    x: multiply(maps.x, constant(maps.x.value.map((value) => (value > 0 ? 1 : 0.2)))),
  });
  const first = bent(
    convolved({ x: latents, shape: [L, h, w] }, take(L * width * 16), {
      N,
      OC: width,
      K: 4,
      transposed: true,
    }),
  );
  const second = bent(convolved(first, take(width * width * 16), { N, OC: width, K: 4, transposed: true }));
  const { x } = convolved(second, take(width * C * 9), { N, OC: C, K: 3, transposed: false });
  return add(
    x,
    gather(
      take(C),
      repeated(N * C * H * W, (i) => Math.floor(i / (H * W)) % C),
    ),
  );
}
