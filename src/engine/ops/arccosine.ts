import type { Kernel } from '../kernel.js';
import { destination, expectRank, expectShape, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * The kernel of an infinitely wide fully connected network with rectifiers, from the inner products of images (Cho & Saul 2009, arc-cosine kernels):
 * that of random networks (NNGP, Lee et al. 2018) or of their training by gradient descent (NTK, Jacot et al. 2018). The recursion over layers is
 * `kernelOf`.
 *
 *     cross          k `[N, M]` of two sets of images: inner products g `[N, M]`, squared norms a `[N]`, b `[M]`
 *     crossBackward  gBar `[N, M]`, and bBar `[M]` summed over the N images
 *     gram           k `[N, N]` of images among themselves: g `[N, N]`, symmetric, with the squared norms on its diagonal
 *     gramBackward   gBar `[N, N]`, on its diagonal with aBar `[N]` added
 */
export interface ArccosineKernel {
  /** Hidden layers, at least 1. */
  readonly layers: number;
  /** Variance of the weights of a layer, times its inputs. */
  readonly weight: number;
  /** The same over the pixels of an image. */
  readonly gain: number;
  /** Variance of the biases. */
  readonly bias: number;
  /** 1 for the tangent kernel, 0 for that of random networks. */
  readonly tangent: 0 | 1;
}

const constants = ['gain', 'weight', 'bias', 'tangent'] as const;
type Constants = Readonly<Record<string, number>>;

/**
 * Of one pair with inner product g and squared norms a and b: the kernel, and its derivatives by g and by b. From layer to layer go the covariance q of
 * both images, the variances qa and qb of each, and the tangent kernel t. Images that point the same way have no derivative of t by their angle; it is
 * taken as 0.
 */
function kernelOf(g: number, a: number, b: number, layers: number, c: Constants) {
  let [q, qa, qb] = [g, a, b].map((value) => c.gain * value + c.bias);
  // Derivatives of q and t by g and by b, and of qb by b.
  let [qg, qByB, norm] = [c.gain, 0, c.gain];
  let [t, tg, tb] = [q, qg, qByB];
  for (let l = 0; l < layers; l++) {
    const size = Math.sqrt(qa * qb);
    const cosine = Math.min(1, Math.max(-1, q / size));
    const sine = Math.sqrt((1 - cosine) * (1 + cosine));
    // Pi less the angle between the two.
    const angle = Math.acos(-cosine);
    const step = (c.weight * angle) / (2 * Math.PI);
    const ofStep = sine > 0 ? c.weight / (2 * Math.PI * size * sine) : 0;
    const ofSize = (norm * c.weight * size * sine) / (4 * Math.PI * qb);
    tg = step * tg + t * ofStep * qg + step * qg;
    tb = step * tb + t * ofStep * (qByB - (norm * q) / (2 * qb)) + step * qByB + ofSize;
    qg *= step;
    qByB = step * qByB + ofSize;
    q = (c.weight * size * (sine + angle * cosine)) / (2 * Math.PI) + c.bias;
    t = q + step * t;
    qa = (c.weight / 2) * qa + c.bias;
    qb = (c.weight / 2) * qb + c.bias;
    norm *= c.weight / 2;
  }
  return c.tangent ? { k: t, byProduct: tg, byNorm: tb } : { k: q, byProduct: qg, byNorm: qByB };
}

/** Of an image with itself: the kernel, and its derivative by the squared norm, which is the same everywhere. */
function kernelOfSame(a: number, layers: number, c: Constants) {
  let [q, qa] = [c.gain * a + c.bias, c.gain];
  let [t, ta] = [q, qa];
  for (let l = 0; l < layers; l++) {
    q = (c.weight / 2) * q + c.bias;
    qa *= c.weight / 2;
    t = q + (c.weight / 2) * t;
    ta = qa + (c.weight / 2) * ta;
  }
  return c.tangent ? { k: t, byNorm: ta } : { k: q, byNorm: qa };
}

/** d k(x, x) / d |x|², whatever x is. */
export const slopeOfSame = ({ layers, ...c }: ArccosineKernel): number =>
  kernelOfSame(0, layers, { ...c }).byNorm;

export const crossKernel: Kernel = {
  name: 'arccosine.cross',
  operands: { g: 'read', a: 'read', b: 'read', k: 'write' },
  sizes: ['P', 'N', 'M', 'layers'],
  constants,
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 20 * s.P * s.N * s.M * s.layers,
  reference({ g, a, b, k }, s, c) {
    for (let p = 0; p < s.P; p++)
      for (let i = 0; i < s.N * s.M; i++)
        k(p)[i] = kernelOf(g(p)[i], a(p)[Math.floor(i / s.M)], b(p)[i % s.M], s.layers, c).k;
  },
};

export const crossBackwardKernel: Kernel = {
  name: 'arccosine.crossBackward',
  operands: { g: 'read', a: 'read', b: 'read', kBar: 'read', gBar: 'write', bBar: 'write' },
  sizes: ['P', 'N', 'M', 'layers'],
  constants,
  kind: 'nonlinear',
  reduction: (s) => s.N,
  flops: (s) => 40 * s.P * s.N * s.M * s.layers,
  reference({ g, a, b, kBar, gBar, bBar }, s, c) {
    for (let p = 0; p < s.P; p++) {
      bBar(p).fill(0);
      for (let i = 0; i < s.N * s.M; i++) {
        const j = i % s.M;
        const { byProduct, byNorm } = kernelOf(g(p)[i], a(p)[Math.floor(i / s.M)], b(p)[j], s.layers, c);
        gBar(p)[i] = kBar(p)[i] * byProduct;
        bBar(p)[j] += kBar(p)[i] * byNorm;
      }
    }
  },
};

export const gramKernel: Kernel = {
  name: 'arccosine.gram',
  operands: { g: 'read', k: 'write' },
  sizes: ['P', 'N', 'layers'],
  constants,
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 20 * s.P * s.N ** 2 * s.layers,
  reference({ g, k }, { P, N, layers }, c) {
    for (let p = 0; p < P; p++) {
      const [gp, kp] = [g(p), k(p)];
      for (let i = 0; i < N; i++)
        for (let j = 0; j < N; j++)
          kp[i * N + j] =
            i === j
              ? kernelOfSame(gp[i * N + i], layers, c).k
              : kernelOf(gp[i * N + j], gp[j * N + j], gp[i * N + i], layers, c).k;
    }
  },
};

export const gramBackwardKernel: Kernel = {
  name: 'arccosine.gramBackward',
  operands: { g: 'read', kBar: 'read', aBar: 'read', gBar: 'write' },
  sizes: ['P', 'N', 'layers'],
  constants,
  kind: 'nonlinear',
  reduction: (s) => s.N + 1,
  flops: (s) => 40 * s.P * s.N ** 2 * s.layers,
  reference({ g, kBar, aBar, gBar }, { P, N, layers }, c) {
    for (let p = 0; p < P; p++) {
      const [gp, kp, out] = [g(p), kBar(p), gBar(p)];
      for (let i = 0; i < N; i++) {
        const own = gp[i * N + i];
        let sum = aBar(p)[i] + kp[i * N + i] * kernelOfSame(own, layers, c).byNorm;
        for (let j = 0; j < N; j++) {
          if (i === j) continue;
          const { byProduct, byNorm } = kernelOf(gp[i * N + j], gp[j * N + j], own, layers, c);
          out[i * N + j] = kp[i * N + j] * byProduct;
          sum += (kp[i * N + j] + kp[j * N + i]) * byNorm;
        }
        out[i * N + i] = sum;
      }
    }
  },
};

interface Products {
  /** `[N, M]` */
  readonly g: View;
  /** `[N]` */
  readonly a: View;
  /** `[M]` */
  readonly b: View;
}

function expectProducts(op: string, { g, a, b }: Products): void {
  expectRank(op, 'g', g, 'N M');
  const [N, M] = g.shape;
  expectShape(op, 'a', a, [N], 'because g has that many rows');
  expectShape(op, 'b', b, [M], 'because g has that many columns');
}

function expectGram(op: string, g: View): void {
  expectRank(op, 'g', g, 'N N');
  expectShape(op, 'g', g, [g.shape[0], g.shape[0]], '(N, N): inner products of images among themselves');
}

/** k `[N, M]` of the images of two sets. */
export function cross(r: Recorder, o: Products, { layers, ...c }: ArccosineKernel, to: Into = {}): View {
  const op = crossKernel.name;
  expectProducts(op, o);
  const { g, a, b } = o;
  const [N, M] = g.shape;
  const P = population(op, { g, a, b });
  const k = destination(r, op, 'k', P, [N, M], to);
  const sizes = { P, N, M, layers };
  r.push({ kernel: crossKernel, operands: { g, a, b, k }, sizes, constants: { ...c }, accumulate: false });
  return k;
}

/** gBar `[N, M]` and bBar `[M]` of kBar `[N, M]`. */
export function crossBackward(
  r: Recorder,
  o: Products & { readonly kBar: View },
  { layers, ...c }: ArccosineKernel,
  into: { gBar?: View; bBar?: View } = {},
): { gBar: View; bBar: View } {
  const op = crossBackwardKernel.name;
  expectProducts(op, o);
  const { g, a, b, kBar } = o;
  const [N, M] = g.shape;
  expectShape(op, 'kBar', kBar, [N, M], 'because g has that shape');
  const P = population(op, { g, a, b, kBar });
  const gBar = destination(r, op, 'gBar', P, [N, M], { into: into.gBar });
  const bBar = destination(r, op, 'bBar', P, [M], { into: into.bBar });
  const operands = { g, a, b, kBar, gBar, bBar };
  const sizes = { P, N, M, layers };
  r.push({ kernel: crossBackwardKernel, operands, sizes, constants: { ...c }, accumulate: false });
  return { gBar, bBar };
}

/** k `[N, N]` of images among themselves. */
export function gram(
  r: Recorder,
  { g }: { g: View },
  { layers, ...c }: ArccosineKernel,
  to: Into = {},
): View {
  const op = gramKernel.name;
  expectGram(op, g);
  const [N] = g.shape;
  const k = destination(r, op, 'k', g.members, [N, N], to);
  const sizes = { P: g.members, N, layers };
  r.push({ kernel: gramKernel, operands: { g, k }, sizes, constants: { ...c }, accumulate: false });
  return k;
}

/** gBar `[N, N]` of kBar `[N, N]`, which need not be symmetric, and of aBar `[N]`, the gradient of the squared norms from elsewhere. */
export function gramBackward(
  r: Recorder,
  { g, kBar, aBar }: { g: View; kBar: View; aBar: View },
  { layers, ...c }: ArccosineKernel,
  to: Into = {},
): View {
  const op = gramBackwardKernel.name;
  expectGram(op, g);
  const [N] = g.shape;
  expectShape(op, 'kBar', kBar, [N, N], 'because g has that shape');
  expectShape(op, 'aBar', aBar, [N], 'because g has that many rows');
  const P = population(op, { g, kBar, aBar });
  const gBar = destination(r, op, 'gBar', P, [N, N], to);
  const sizes = { P, N, layers };
  const operands = { g, kBar, aBar, gBar };
  r.push({ kernel: gramBackwardKernel, operands, sizes, constants: { ...c }, accumulate: false });
  return gBar;
}

/** Vector n of member p: none is a multiple of another one. */
const wave = (p: number, n: number) =>
  Float64Array.from({ length: 12 }, (_, d) => Math.sin((n + 1) * (d + p + 1) * 0.7) + 0.3);

const product = (x: Float64Array, y: Float64Array) => x.reduce((sum, value, d) => sum + value * y[d], 0);

/** Inner products `[P, N, M]` of the first N vectors with the M from number `first` on. */
const products = (P: number, N: number, M: number, first: number): number[] =>
  Array.from({ length: P * N * M }, (_, i) => {
    const p = Math.floor(i / (N * M));
    return product(wave(p, Math.floor(i / M) % N), wave(p, first + (i % M)));
  });

/** Squared norms `[P, N]` of the N vectors from number `first` on. */
const norms = (P: number, N: number, first: number): number[] =>
  Array.from({ length: P * N }, (_, i) => {
    const own = wave(Math.floor(i / N), first + (i % N));
    return product(own, own);
  });

export const cases: readonly OpCase[] = [
  { P: 1, N: 1, M: 1, layers: 1, tangent: 1 as const },
  { P: 2, N: 7, M: 5, layers: 3, tangent: 1 as const },
  { P: 1, N: 5, M: 300, layers: 1, tangent: 0 as const },
  { P: 1, N: 700, M: 9, layers: 2, tangent: 1 as const },
  { P: 1, N: 5000, M: 100, layers: 1, tangent: 1 as const, bench: true },
].flatMap(({ P, N, M, layers, tangent, bench }): OpCase[] => {
  const constants = { layers, weight: 1.8, gain: 0.15, bias: 0.05, tangent };
  const values = (of: () => number[]) => ({ kind: 'values', values: of }) as const;
  const fill = {
    g: values(() => products(P, N, M, N)),
    a: values(() => norms(P, N, 0)),
    b: values(() => norms(P, M, N)),
  };
  const own = { g: values(() => products(P, M, M, 0)) };
  const name = `P=${P} layers=${layers} tangent=${tangent}`;
  const declared = (r: Recorder) => ({
    g: r.external('g', P, [N, M]),
    a: r.external('a', P, [N]),
    b: r.external('b', P, [M]),
  });
  return [
    {
      name: `arccosine.cross ${name} ${N}x${M}`,
      ...{ bench, fill },
      record: (r) => void cross(r, declared(r), constants, { into: r.external('k', P, [N, M]) }),
    },
    {
      name: `arccosine.crossBackward ${name} ${N}x${M}`,
      ...{ bench, fill },
      record(r) {
        const into = { gBar: r.external('gBar', P, [N, M]), bBar: r.external('bBar', P, [M]) };
        crossBackward(r, { ...declared(r), kBar: r.external('kBar', P, [N, M]) }, constants, into);
      },
    },
    {
      name: `arccosine.gram ${name} ${M}`,
      ...{ bench, fill: own },
      record: (r) =>
        void gram(r, { g: r.external('g', P, [M, M]) }, constants, { into: r.external('k', P, [M, M]) }),
    },
    {
      name: `arccosine.gramBackward ${name} ${M}`,
      ...{ bench, fill: own },
      record(r) {
        const kBar = r.external('kBar', P, [M, M]);
        const operands = { g: r.external('g', P, [M, M]), kBar, aBar: r.external('aBar', P, [M]) };
        gramBackward(r, operands, constants, { into: r.external('gBar', P, [M, M]) });
      },
    },
  ];
});
