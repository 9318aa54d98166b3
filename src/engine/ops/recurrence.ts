import { type CellName, cellOf, cells } from '../cells.js';
import type { Elements, Kernel, Members, Sizes } from '../kernel.js';
import { destination, expectRank, expectShape, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * All steps of a recurrent layer in one direction. What its input adds to the gates is the same for any h, so it comes in as `a`, one
 * matrix product over all steps; here is what has to wait for the step before. With t - 1 for that step (t + 1 in the `reverse`
 * direction, which walks from the last to the first; t + 1 then is t - 1 below):
 *
 *     forward           z[t] = a[t] + h[t-1] wᵀ + b                      h, kept = cell(z, kept[t-1])
 *     tangent           zDot[t] = aDot[t] + hDot[t-1] wᵀ + bDot          hDot, keptDot = its tangent
 *     backward          hBar[t] += zBar[t+1] w                           zBar, bars = its way back
 *     tangentBackward   hBarDot[t] += zBarDot[t+1] w                     zBarDot, barsDot = the tangent of that
 *
 * The other halves of the tangents, h[t-1] wDotᵀ and zBar[t+1] wDot, are products over all steps as well: they are part of what
 * is given as aDot and hBarDot. `engine/cells.ts` has the cells, of G gates a unit.
 *
 * Time is the first axis, so that a shift by one step is a slice: h, hBar `[T, N, H]`, a, zBar `[T, N, G H]` with the units of a gate side
 * by side, kept and bars likewise, w `[G H, H]`, its transpose wT `[H, G H]`, b `[G H]`. hBar may also be that of the last step walked
 * alone, `[1, N, H]`; it is zero for the others.
 */
const sizes = ['P', 'N', 'T', 'H', 'G', 'given', 'reverse'] as const;

/** One sample: its numbers of a unit, at a step of the walk; zeros beyond both ends. */
function sample(s: Sizes, n: number) {
  const row = (k: number) => (s.reverse ? s.T - 1 - k : k) * s.N + n;
  const inside = (k: number) => k >= 0 && k < s.T;
  return {
    read: (values: Elements, k: number, unit: number, count: number): number[] =>
      Array.from({ length: count }, (_, g) => (inside(k) ? values[(row(k) * count + g) * s.H + unit] : 0)),
    write(values: Elements, k: number, unit: number, numbers: readonly number[]) {
      numbers.forEach((value, g) => {
        values[(row(k) * numbers.length + g) * s.H + unit] = value;
      });
    },
    /** Sum over j of x[j] w[j, column] at a step. */
    product(x: Elements, k: number, w: Elements, column: number, rows: number, columns: number): number {
      let sum = 0;
      if (inside(k)) for (let j = 0; j < rows; j++) sum += x[row(k) * rows + j] * w[j * columns + column];
      return sum;
    },
    /** What is given of hBar. */
    given(hBar: Elements, k: number, unit: number): number {
      if (s.given === s.T) return hBar[row(k) * s.H + unit];
      return k === s.T - 1 ? hBar[n * s.H + unit] : 0;
    },
  };
}

/** Calls visit(member, sample, unit, step of the walk), steps in the order of the walk or against it. */
function forEachStep(
  s: Sizes,
  back: boolean,
  visit: (p: number, o: ReturnType<typeof sample>, unit: number, k: number) => void,
): void {
  for (let p = 0; p < s.P; p++)
    for (let n = 0; n < s.N; n++) {
      const o = sample(s, n);
      for (let step = 0; step < s.T; step++)
        for (let unit = 0; unit < s.H; unit++) visit(p, o, unit, back ? s.T - 1 - step : step);
    }
}

const flopsOf =
  (pointwise: number): Kernel['flops'] =>
  (s) =>
    s.P * s.N * s.G * s.H * (2 * (s.T - 1) * s.H + pointwise * s.T);

const common = { sizes, constants: [], kind: 'nonlinear', reduction: (s: Sizes) => s.G * s.H } as const;

export const forwardKernel: Kernel = {
  ...common,
  name: 'recurrence.forward',
  operands: { a: 'read', wT: 'read', b: 'read', h: 'write', kept: 'write' },
  flops: flopsOf(25),
  reference({ a, wT, b, h, kept }, s) {
    const cell = cellOf(s.G);
    const gates = Array.from({ length: s.G }, (_, g) => g * s.H);
    forEachStep(s, false, (p, o, unit, k) => {
      const before = o.read(kept(p), k - 1, unit, cell.kept);
      const own = o.read(a(p), k, unit, s.G);
      const z = gates.map(
        (g, i) => own[i] + o.product(h(p), k - 1, wT(p), g + unit, s.H, s.G * s.H) + b(p)[g + unit],
      );
      const result = cell.forward(z, before);
      o.write(h(p), k, unit, [result.h]);
      o.write(kept(p), k, unit, result.kept);
    });
  },
};

export const tangentKernel: Kernel = {
  ...common,
  name: 'recurrence.tangent',
  operands: { aDot: 'read', wT: 'read', bDot: 'read', kept: 'read', hDot: 'write', keptDot: 'write' },
  flops: flopsOf(12),
  reference({ aDot, wT, bDot, kept, hDot, keptDot }, s) {
    const cell = cellOf(s.G);
    const gates = Array.from({ length: s.G }, (_, g) => g * s.H);
    forEachStep(s, false, (p, o, unit, k) => {
      const own = o.read(aDot(p), k, unit, s.G);
      const zDot = gates.map(
        (g, i) => own[i] + o.product(hDot(p), k - 1, wT(p), g + unit, s.H, s.G * s.H) + bDot(p)[g + unit],
      );
      const result = cell.tangent(zDot, {
        kept: o.read(kept(p), k, unit, cell.kept),
        before: o.read(kept(p), k - 1, unit, cell.kept),
        beforeDot: o.read(keptDot(p), k - 1, unit, cell.kept),
      });
      o.write(hDot(p), k, unit, [result.hDot]);
      o.write(keptDot(p), k, unit, result.keptDot);
    });
  },
};

export const backwardKernel: Kernel = {
  ...common,
  name: 'recurrence.backward',
  operands: { hBar: 'read', w: 'read', kept: 'read', zBar: 'write', bars: 'write' },
  flops: flopsOf(12),
  reference({ hBar, w, kept, zBar, bars }, s) {
    const cell = cellOf(s.G);
    forEachStep(s, true, (p, o, unit, k) => {
      const behind = o.product(zBar(p), k + 1, w(p), unit, s.G * s.H, s.H);
      const result = cell.backward(o.given(hBar(p), k, unit) + behind, {
        kept: o.read(kept(p), k, unit, cell.kept),
        before: o.read(kept(p), k - 1, unit, cell.kept),
        ahead: o.read(kept(p), k + 1, unit, cell.kept),
        aheadBars: o.read(bars(p), k + 1, unit, cell.bars),
      });
      o.write(zBar(p), k, unit, result.zBar);
      o.write(bars(p), k, unit, result.bars);
    });
  },
};

export const tangentBackwardKernel: Kernel = {
  ...common,
  name: 'recurrence.tangentBackward',
  operands: {
    ...{ hBarDot: 'read', w: 'read', kept: 'read', keptDot: 'read', bars: 'read' },
    ...{ zBarDot: 'write', barsDot: 'write' },
  },
  flops: flopsOf(25),
  reference({ hBarDot, w, kept, keptDot, bars, zBarDot, barsDot }, s) {
    const cell = cellOf(s.G);
    forEachStep(s, true, (p, o, unit, k) => {
      const behind = o.product(zBarDot(p), k + 1, w(p), unit, s.G * s.H, s.H);
      const of = (values: Members, at: number) => o.read(values(p), at, unit, cell.kept);
      const result = cell.tangentBackward(o.given(hBarDot(p), k, unit) + behind, {
        ...{ kept: of(kept, k), before: of(kept, k - 1), ahead: of(kept, k + 1) },
        ...{ keptDot: of(keptDot, k), beforeDot: of(keptDot, k - 1), aheadDot: of(keptDot, k + 1) },
        bars: o.read(bars(p), k, unit, cell.bars),
        aheadBars: o.read(bars(p), k + 1, unit, cell.bars),
        aheadBarsDot: o.read(barsDot(p), k + 1, unit, cell.bars),
      });
      o.write(zBarDot(p), k, unit, result.zBarDot);
      o.write(barsDot(p), k, unit, result.barsDot);
    });
  },
};

export interface RecurrenceGeometry {
  readonly cell: CellName;
  /** From the last step to the first. */
  readonly reverse?: boolean;
}

/** Checks operands against `[T, N, H]` and the cell, and records the kernel with its results. */
function record<Result extends string>(
  r: Recorder,
  kernel: Kernel,
  { cell, reverse = false }: RecurrenceGeometry,
  [T, N, H]: readonly number[],
  inputs: Readonly<Record<string, View>>,
  into: Readonly<Record<Result, View | undefined>>,
): Record<Result, View> {
  const { gates: G, kept, bars } = cells[cell];
  const given = (inputs.hBar ?? inputs.hBarDot)?.shape[0] === 1 ? 1 : T;
  const steps = (count: number) => [T, N, count * H];
  const shapes: Record<string, readonly number[]> = {
    ...{ a: steps(G), aDot: steps(G), zBar: steps(G), zBarDot: steps(G), h: steps(1), hDot: steps(1) },
    ...{ kept: steps(kept), keptDot: steps(kept), bars: steps(bars), barsDot: steps(bars) },
    ...{ hBar: [given, N, H], hBarDot: [given, N, H] },
    ...{ w: [G * H, H], wT: [H, G * H], b: [G * H], bDot: [G * H] },
  };
  const why = `for ${T} steps of ${N} samples and ${H} units of ${G} gates`;
  for (const [name, view] of Object.entries(inputs)) expectShape(kernel.name, name, view, shapes[name], why);
  const P = population(kernel.name, inputs);
  const results = Object.fromEntries(
    Object.entries<View | undefined>(into).map(([name, view]) => [
      name,
      destination(r, kernel.name, name, P, shapes[name], { into: view }),
    ]),
  ) as Record<Result, View>;
  const sizes = { P, N, T, H, G, given, reverse: Number(reverse) };
  r.push({ kernel, operands: { ...inputs, ...results }, sizes, constants: {}, accumulate: false });
  return results;
}

/** `[T, N, H]` by a, of all gates, and wT. */
function extent(op: string, a: View, wT: View): number[] {
  expectRank(op, 'a', a, 'T N gates');
  return [a.shape[0], a.shape[1], wT.shape[0]];
}

/** h of all steps, and what the other passes read. */
export function forward(
  r: Recorder,
  o: { a: View; wT: View; b: View },
  geometry: RecurrenceGeometry,
  into: { h?: View; kept?: View } = {},
): { h: View; kept: View } {
  const size = extent(forwardKernel.name, o.a, o.wT);
  return record(r, forwardKernel, geometry, size, o, { h: into.h, kept: into.kept });
}

/** hDot of all steps, and the tangent of what is kept. */
export function tangent(
  r: Recorder,
  o: { aDot: View; wT: View; bDot: View; kept: View },
  geometry: RecurrenceGeometry,
  into: { hDot?: View; keptDot?: View } = {},
): { hDot: View; keptDot: View } {
  const size = extent(tangentKernel.name, o.aDot, o.wT);
  return record(r, tangentKernel, geometry, size, o, { hDot: into.hDot, keptDot: into.keptDot });
}

/** zBar of all steps, which is also that of a, and the gradients that its tangent reads. */
export function backward(
  r: Recorder,
  o: { hBar: View; w: View; kept: View },
  geometry: RecurrenceGeometry,
  into: { zBar?: View; bars?: View } = {},
): { zBar: View; bars: View } {
  const [T, N] = o.kept.shape;
  const size = [T, N, o.w.shape[1]];
  return record(r, backwardKernel, geometry, size, o, { zBar: into.zBar, bars: into.bars });
}

/** zBarDot of all steps. */
export function tangentBackward(
  r: Recorder,
  o: { hBarDot: View; w: View; kept: View; keptDot: View; bars: View },
  geometry: RecurrenceGeometry,
  into: { zBarDot?: View; barsDot?: View } = {},
): { zBarDot: View; barsDot: View } {
  const [T, N] = o.kept.shape;
  const size = [T, N, o.w.shape[1]];
  const results = { zBarDot: into.zBarDot, barsDot: into.barsDot };
  return record(r, tangentBackwardKernel, geometry, size, o, results);
}

interface Example extends RecurrenceGeometry {
  readonly P: number;
  readonly T: number;
  readonly N: number;
  readonly H: number;
  /** hBar is that of the last step alone. */
  readonly last?: boolean;
  /** The weights are shared by the population. */
  readonly shared?: boolean;
  readonly bench?: boolean;
}

const examples: readonly Example[] = [
  { cell: 'tanh', P: 1, T: 1, N: 2, H: 3, last: true },
  { cell: 'tanh', P: 2, T: 5, N: 19, H: 21, reverse: true },
  { cell: 'lstm', P: 1, T: 4, N: 3, H: 5 },
  { cell: 'lstm', P: 3, T: 3, N: 7, H: 17, reverse: true, last: true, shared: true },
  { cell: 'lstm', P: 1, T: 2, N: 35, H: 48, last: true },
  { cell: 'tanh', P: 1, T: 3, N: 5, H: 131 },
  { cell: 'lstm', P: 1, T: 30, N: 120, H: 100, bench: true },
];

export const cases: readonly OpCase[] = examples.flatMap(
  ({ P, T, N, H, last, shared, bench, ...geometry }): OpCase[] => {
    const { gates: G, kept: K, bars: B } = cells[geometry.cell];
    const notes = `${geometry.reverse ? ' reverse' : ''}${last ? ' last' : ''}${shared ? ' shared' : ''}`;
    const name = (pass: string) => `recurrence.${pass} ${geometry.cell} P=${P} T=${T} N=${N} H=${H}${notes}`;
    const steps = (r: Recorder, of: string, count: number) => r.external(of, P, [T, N, count * H]);
    const weights = (r: Recorder, of: string, shape: number[]) => r.external(of, shared ? 1 : P, shape);
    const kept = (r: Recorder) => {
      const [wT, b] = [weights(r, 'wT', [H, G * H]), weights(r, 'b', [G * H])];
      return { wT, kept: forward(r, { a: steps(r, 'a', G), wT, b }, geometry).kept };
    };
    const given = (r: Recorder, of: string) => r.external(of, P, [last ? 1 : T, N, H]);
    const records: Record<string, (r: Recorder) => void> = {
      forward(r) {
        const [wT, b] = [weights(r, 'wT', [H, G * H]), weights(r, 'b', [G * H])];
        const into = { h: steps(r, 'h', 1), kept: steps(r, 'kept', K) };
        forward(r, { a: steps(r, 'a', G), wT, b }, geometry, into);
      },
      tangent(r) {
        const operands = { ...kept(r), aDot: steps(r, 'aDot', G), bDot: weights(r, 'bDot', [G * H]) };
        tangent(r, operands, geometry, { hDot: steps(r, 'hDot', 1), keptDot: steps(r, 'keptDot', K) });
      },
      backward(r) {
        const operands = { hBar: given(r, 'hBar'), w: weights(r, 'w', [G * H, H]), kept: kept(r).kept };
        backward(r, operands, geometry, { zBar: steps(r, 'zBar', G), bars: steps(r, 'bars', B) });
      },
      tangentBackward(r) {
        const operands = {
          ...{ hBarDot: given(r, 'hBarDot'), w: weights(r, 'w', [G * H, H]), kept: kept(r).kept },
          ...{ keptDot: steps(r, 'keptDot', K), bars: steps(r, 'bars', B) },
        };
        const into = { zBarDot: steps(r, 'zBarDot', G), barsDot: steps(r, 'barsDot', B) };
        tangentBackward(r, operands, geometry, into);
      },
    };
    // Weights as small as they are in practice: sums far out in the gates would leave nothing to compare.
    const small = (length: number, seed: number) => () =>
      Array.from({ length }, (_, i) => Math.sin(seed + i * i) / Math.sqrt(H));
    const fill = {
      wT: { kind: 'values', values: small((shared ? 1 : P) * G * H * H, 1) },
      w: { kind: 'values', values: small((shared ? 1 : P) * G * H * H, 2) },
    } as const;
    return Object.entries(records).map(([pass, record]) => ({ name: name(pass), bench, fill, record }));
  },
);
