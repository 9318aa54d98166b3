import { describe, expect, test } from 'vitest';
import type { Numbers } from '../src/engine/device.js';
import type { OpCase } from '../src/engine/op.js';
import * as avgpool2d from '../src/engine/ops/avgpool2d.js';
import * as cholesky from '../src/engine/ops/cholesky.js';
import * as conv2d from '../src/engine/ops/conv2d.js';
import * as linear from '../src/engine/ops/linear.js';
import * as maxpool2d from '../src/engine/ops/maxpool2d.js';
import * as zoom from '../src/engine/ops/zoom.js';
import { type Program, Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { elements } from '../src/engine/view.js';
import { Stream } from '../src/util/random.js';
import { prepareCase, runCase } from './harness/cases.js';
import { dot, expectClose } from './harness/close.js';

const device = new ReferenceDevice();

/** Outputs and inputs of a case without accumulation, by slot name. */
async function run(opCase: OpCase): Promise<Record<string, Numbers>> {
  const prepared = prepareCase(opCase);
  const all: Record<string, Numbers> = {};
  for (const [slot, values] of prepared.inputs) all[slot.name] = values;
  for (const [slot, values] of await runCase(device, prepared)) all[slot.name] = values;
  return all;
}

const find = (cases: readonly OpCase[], kernel: string) =>
  cases.filter((c) => c.name.startsWith(`${kernel} `) && !c.bench && !/accumulate|shared/.test(c.name));

describe('adjoint identities of the float64 definitions', () => {
  // <yBar, conv(x, w)> = <xBar, x> = <wBar, w>, each computed with the operands of its own case.
  const triples = find(conv2d.cases, 'conv2d.forward').map((c) => c.name.replace('conv2d.forward ', ''));
  test.each(triples)('conv2d %s', async (geometry) => {
    const named = (kernel: string) => conv2d.cases.find((c) => c.name === `${kernel} ${geometry}`)!;
    const forward = prepareCase(named('conv2d.forward'));
    const { x, w } = Object.fromEntries([...forward.inputs].map(([slot, values]) => [slot.name, values]));
    const step = forward.program.steps[0];
    const zero = new Map(
      [...forward.inputs].map(([slot, v]) => [slot, slot.name === 'b' ? v.map(() => 0) : v]),
    );
    const y = (await runCase(device, { ...forward, inputs: zero as typeof forward.inputs })).values().next()
      .value!;
    const backward = prepareCase(named('conv2d.backwardInput'));
    const yBar = [...backward.inputs].find(([slot]) => slot.name === 'yBar')![1];
    const withW = new Map([...backward.inputs].map(([slot, v]) => [slot, slot.name === 'w' ? w : v]));
    const xBar = (await runCase(device, { ...backward, inputs: withW })).values().next().value!;
    const weight = prepareCase(named('conv2d.backwardWeight'));
    const withXY = new Map(
      [...weight.inputs].map(([slot, v]) => [slot, slot.name === 'x' ? x : slot.name === 'yBar' ? yBar : v]),
    );
    const wBar = (await runCase(device, { ...weight, inputs: withXY })).values().next().value!;
    const left = dot(yBar, y);
    const scale = Math.sqrt(dot(yBar, yBar) * dot(y, y)) + 1e-300;
    expect(step.kernel.name).toBe('conv2d.forward');
    expect(Math.abs(left - dot(xBar, x)) / scale).toBeLessThan(1e-13);
    expect(Math.abs(left - dot(wBar, w)) / scale).toBeLessThan(1e-13);
  });

  // Two pairs of factors in one step are two steps, the second one adding.
  test.each([...conv2d.cases, ...linear.cases].filter((c) => c.name.includes('paired')))(
    '$name',
    async (opCase) => {
      const prepared = prepareCase(opCase);
      const [step] = prepared.program.steps;
      const [first, second] = [{ ...step.operands }, { ...step.operands }];
      for (const name of ['x2', 'w2', 'yBar2'].filter((name) => step.operands[name])) {
        second[name.slice(0, -1)] = step.operands[name];
        first[name] = second[name] = undefined;
      }
      second.b = undefined;
      const steps = [
        { ...step, operands: first },
        { ...step, operands: second, accumulate: true },
      ];
      const apart: Program = Object.create(prepared.program, { steps: { value: steps } });
      expect(apart.flops()).toBe(prepared.program.flops());
      const [[, want]] = await runCase(device, { ...prepared, program: apart });
      const [[, got]] = await runCase(device, prepared);
      expectClose(opCase.name, got, want, (i) => 1e-13 * (Math.abs(want[i]) + 1));
    },
  );

  test('linear and max pooling', async () => {
    const { y, x, w, b } = await run(find(linear.cases, 'linear.forward')[1]);
    expect(y.length).toBe(10 * 120);
    // One output by hand.
    let sum = b[7];
    for (let i = 0; i < 400; i++) sum += x[3 * 400 + i] * w[7 * 400 + i];
    expect(Math.abs(y[3 * 120 + 7] - sum)).toBeLessThan(1e-12);

    const tangent = find(maxpool2d.cases, 'maxpool2d.tangent')[0];
    const backward = find(maxpool2d.cases, 'maxpool2d.backward')[0];
    const t = prepareCase(tangent);
    const bw = prepareCase(backward);
    const input = (prepared: typeof t, name: string) =>
      [...prepared.inputs].find(([slot]) => slot.name === name)![1];
    const x0 = input(t, 'x');
    const same = new Map([...bw.inputs].map(([slot, v]) => [slot, slot.name === 'x' ? x0 : v]));
    const yDot = (await runCase(device, t)).values().next().value!;
    const xBar = (await runCase(device, { ...bw, inputs: same })).values().next().value!;
    expect(Math.abs(dot(input(bw, 'yBar'), yDot) - dot(xBar, input(t, 'xDot')))).toBeLessThan(1e-12);
  });
});

describe('Cholesky', () => {
  const [n, K, ridge] = [33, 10, 0.1];
  const system = (withRidge: number) => {
    const { fill } = find(cholesky.cases, 'cholesky.solve').find(({ name }) => name.includes(`n=${n}`))!;
    const { values } = fill!.a as { values: () => readonly number[] };
    return run({
      name: 'a system and its adjoint',
      fill: { a: { kind: 'values', values: () => values().slice(0, n * n) } },
      record(r) {
        const into = { into: r.external('l', 1, [n, n]) };
        const l = cholesky.factor(r, { a: r.external('a', 1, [n, n]) }, withRidge, into);
        const external = (name: string) => r.external(name, 1, [n, K]);
        cholesky.solve(r, { l, b: external('b') }, { into: external('x') });
        cholesky.solve(r, { l, b: external('xBar') }, { into: external('bBar') });
      },
    });
  };
  /** Rows of a times b, a `[n, n]`, b `[n, K]`. */
  const product = (a: Numbers, b: Numbers, columns: number) =>
    Float64Array.from({ length: n * columns }, (_, at) => {
      const [i, k] = [Math.floor(at / columns), at % columns];
      let sum = 0;
      for (let j = 0; j < n; j++) sum += a[i * n + j] * b[j * columns + k];
      return sum;
    });

  test('the factor times its transpose is the matrix, and a solution solves its system', async () => {
    const { a, l, b, x } = await system(ridge);
    const mean = Array.from({ length: n }, (_, i) => a[i * n + i] / n).reduce((sum, d) => sum + d);
    const whole = Float64Array.from(a, (value, at) => value + (at % (n + 1) === 0 ? ridge * mean : 0));
    const [lower, upper] = [0, 1].map((above) =>
      Float64Array.from(l, (value, at) => {
        const [i, j] = [Math.floor(at / n), at % n];
        return (above ? j >= i : j <= i) ? value : 0;
      }),
    );
    expectClose('L Lᵀ', product(lower, upper, n), whole, () => 1e-13 * mean);
    expectClose('A x', product(whole, x, K), b, () => 1e-12);
  });

  test('the adjoint of a solution is another one, and what a change of the matrix does to it', async () => {
    const { b, x, xBar, bBar } = await system(ridge);
    expect(Math.abs(dot(xBar, x) - dot(bBar, b))).toBeLessThan(
      1e-12 * Math.hypot(...x) * Math.hypot(...xBar),
    );
    // Without a ridge A⁻¹ of degree -1: the derivative in direction A is -x, and -<bBar xᵀ, A> is that against xBar.
    const plain = await system(0);
    const along = -dot(plain.bBar, product(plain.a, plain.x, K));
    expect(Math.abs(along + dot(plain.xBar, plain.x))).toBeLessThan(1e-11 * Math.abs(along));
  });
});

describe('average pooling', () => {
  async function pooled(values: number[], shape: number[], geometry: avgpool2d.AvgPoolGeometry) {
    return run({
      name: 'average pooling',
      fill: { x: { kind: 'values', values: () => values } },
      record(r) {
        const x = r.external('x', 1, shape);
        const [OH, OW] = avgpool2d.outputShape('test', shape.slice(2), geometry);
        avgpool2d.forward(r, { x }, geometry, { into: r.external('y', 1, [shape[0], shape[1], OH, OW]) });
      },
    });
  }

  test('divides every window by its size, pixels outside included', async () => {
    const image = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const { y } = await pooled(image, [1, 1, 3, 3], { kernel: 2, stride: 2, padding: 1 });
    expect([...y]).toEqual([1 / 4, 5 / 4, 11 / 4, 28 / 4]);
    const whole = await pooled([...image, 10, 11, 12], [1, 2, 3, 2], {
      kernel: [3, 2],
      stride: 1,
      padding: 0,
    });
    expect(whole.y[0]).toBeCloseTo(3.5, 12);
    expect(whole.y[1]).toBeCloseTo(9.5, 12);
  });

  test('a window that could lie outside the image is refused', () => {
    const r = new Recorder('outside');
    const x = r.external('x', 1, [1, 1, 5, 5]);
    expect(() => avgpool2d.forward(r, { x }, { kernel: [4, 2], stride: 1, padding: 2 })).toThrow(
      /padding is 2, expected at most half of kernel 4x2/,
    );
    expect(() => avgpool2d.forward(r, { x }, { kernel: 6, stride: 1, padding: 0 })).toThrow(/too small/);
  });
});

describe('zoom', () => {
  async function zoomed(values: number[], shape: number[], factor: number) {
    const { y } = await run({
      name: 'zoom',
      fill: { x: { kind: 'values', values: () => values } },
      record(r) {
        const into = r.external('y', 1, [shape[0] * factor ** 2, ...shape.slice(1)]);
        zoom.forward(r, { x: r.external('x', 1, shape) }, factor, { into });
      },
    });
    return [...y];
  }

  test('interpolates between the centres of pixels, within each sub-picture', async () => {
    // What PyTorch makes of [[0, 4], [8, 12]] with mode="bilinear", align_corners=False; the others are constant.
    const y = await zoomed([0, 4, 1, 1, 8, 12, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3], [1, 1, 4, 4], 2);
    expect(y.slice(0, 16)).toEqual([0, 1, 3, 4, 2, 3, 5, 6, 6, 7, 9, 10, 8, 9, 11, 12]);
    expect(y.slice(16)).toEqual([1, 2, 3].flatMap((value) => Array(16).fill(value)));
  });

  test('repeats the last row and column where the factor does not divide', async () => {
    const y = await zoomed([0, 0, 0, 0, 0, 0, 0, 0, 7], [1, 1, 3, 3], 2);
    expect(y.slice(27)).toEqual(Array(9).fill(7));
  });

  test('refuses a factor that leaves a sub-picture without a pixel', () => {
    const r = new Recorder('refused');
    const x = r.external('x', 1, [1, 1, 9, 6]);
    expect(() => zoom.forward(r, { x }, 4)).toThrow(
      /factor is 4, expected .* every sub-picture of 9x6 a pixel/,
    );
    const yBar = r.external('yBar', 1, [7, 1, 9, 6]);
    expect(() => zoom.backward(r, { yBar }, 2)).toThrow(/yBar is \[7, 1, 9, 6\], expected \[4, 1, 9, 6\]/);
  });
});

describe('a convolution', () => {
  const normals = (name: string, length: number) =>
    Array.from({ length }, (_, i) => new Stream(21, name.length).normal(i));
  async function convolved(xShape: number[], wShape: number[], w: number[], geometry: conv2d.ConvGeometry) {
    const x = normals('x', elements(xShape));
    const { y } = await run({
      name: 'convolution',
      fill: { x: { kind: 'values', values: () => x }, w: { kind: 'values', values: () => w } },
      record(r) {
        const operands = { x: r.external('x', 1, xShape), w: r.external('w', 1, wShape) };
        const { shape } = conv2d.forward(new Recorder('shape'), operands, geometry);
        conv2d.forward(r, operands, geometry, { into: r.external('y', 1, shape) });
      },
    });
    return [...y];
  }

  test('in groups is one with a block-diagonal kernel', async () => {
    const [OC, C, G] = [6, 4, 2];
    const w = normals('weights', OC * (C / G) * 9);
    // Output channel oc sees the input channels of its group; the others have weight zero.
    const wide = Array.from({ length: OC * C * 9 }, (_, i) => {
      const [oc, c, tap] = [Math.floor(i / 9 / C), Math.floor(i / 9) % C, i % 9];
      const [group, within] = [Math.floor(c / (C / G)), c % (C / G)];
      return group === Math.floor(oc / (OC / G)) ? w[(oc * (C / G) + within) * 9 + tap] : 0;
    });
    const plain = { stride: 2, padding: 1 };
    const grouped = await convolved([2, C, 7, 6], [OC, C / G, 3, 3], w, { ...plain, groups: G });
    expectClose('groups', grouped, await convolved([2, C, 7, 6], [OC, C, 3, 3], wide, plain), () => 1e-13);
  });

  test('with dilation is one with zeros in its kernel', async () => {
    const w = normals('weights', 3 * 2 * 4);
    const wide = Array(3 * 2 * 16).fill(0);
    for (const [i, value] of w.entries())
      wide[Math.floor(i / 4) * 16 + (Math.floor(i / 2) % 2) * 12 + (i % 2) * 3] = value;
    const plain = { stride: 2, padding: 2 };
    const dilated = await convolved([2, 2, 9, 8], [3, 2, 2, 2], w, { ...plain, dilation: 3 });
    expectClose('dilation', dilated, await convolved([2, 2, 9, 8], [3, 2, 4, 4], wide, plain), () => 1e-13);
  });

  test('says which channels its groups do not divide, and how far a dilated kernel reaches', () => {
    const r = new Recorder('errors');
    const [x, w] = [r.external('x', 1, [1, 4, 5, 5]), r.external('w', 1, [6, 2, 3, 3])];
    const plain = { stride: 1, padding: 0 };
    expect(() => conv2d.forward(r, { x, w }, { ...plain, groups: 4 })).toThrow(
      /groups is 4, expected a whole number >= 1 that divides the 4 input and the 6 output channels/,
    );
    expect(() => conv2d.forward(r, { x, w }, plain)).toThrow(/expected \[OC, C \/ groups, KH, KW\]/);
    expect(() => conv2d.forward(r, { x, w }, { ...plain, groups: 2, dilation: 3 })).toThrow(
      /the height of the input is 5, too small for a kernel of 7/,
    );
    expect(() => conv2d.forward(r, { x, w }, { ...plain, groups: 2, dilation: 0 })).toThrow(/dilation 0/);
  });
});
