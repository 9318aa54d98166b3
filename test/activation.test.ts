/**
 * The curves of the activation op against an independent computation in float64: second-order Taylor arithmetic on
 * their textbook definitions, the normal distribution by integrating its density.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device, EngineName, Numbers } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import * as activation from '../src/engine/ops/activation.js';
import { Recorder } from '../src/engine/program.js';
import { erfc } from '../src/util/erfc.js';
import { eps32, expectClose } from './harness/close.js';

/** Value, first and second derivative of something that depends on x. */
type Jet = readonly [number, number, number];
const constant = (value: number): Jet => [value, 0, 0];
const add = (a: Jet, b: Jet): Jet => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
const multiply = (a: Jet, b: Jet): Jet => [
  a[0] * b[0],
  a[1] * b[0] + a[0] * b[1],
  a[2] * b[0] + 2 * a[1] * b[1] + a[0] * b[2],
];
/** g(a), from g and its first two derivatives at the value of a. */
const compose = (a: Jet, [g, g1, g2]: Jet): Jet => [g, g1 * a[1], g2 * a[1] ** 2 + g1 * a[2]];
const exp = (a: Jet) => compose(a, [Math.exp(a[0]), Math.exp(a[0]), Math.exp(a[0])]);
const log = (a: Jet) => compose(a, [Math.log(a[0]), 1 / a[0], -1 / a[0] ** 2]);
const reciprocal = (a: Jet) => compose(a, [1 / a[0], -1 / a[0] ** 2, 2 / a[0] ** 3]);
const scale = (a: Jet, factor: number) => multiply(a, constant(factor));

/** The normal distribution function by Simpson's rule from -9, where 1e-19 of it is missing. */
function normal(x: number): Jet {
  const density = (t: number) => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  const pieces = 10000;
  const width = (x + 9) / pieces;
  let sum = density(-9) + density(x);
  for (let i = 1; i < pieces; i++) sum += (i % 2 ? 4 : 2) * density(-9 + i * width);
  return [(sum * width) / 3, density(x), -x * density(x)];
}

const slope = 0.2;
const definitions: Record<activation.Curve, (x: Jet) => Jet> = {
  leakyRelu: (x) => (x[0] > 0 ? x : scale(x, slope)),
  tanh: (x) =>
    multiply(add(exp(x), scale(exp(scale(x, -1)), -1)), reciprocal(add(exp(x), exp(scale(x, -1))))),
  sigmoid: (x) => reciprocal(add(constant(1), exp(scale(x, -1)))),
  softplus: (x) => log(add(constant(1), exp(x))),
  gelu: (x) => multiply(x, compose(x, normal(x[0]))),
  swish: (x) => multiply(x, reciprocal(add(constant(1), exp(scale(x, -1))))),
};

/** f, f' and f'' of the values on a device: the derivatives times ones. */
async function curveOn(device: Device, curve: activation.Curve, values: ArrayLike<number>) {
  const r = new Recorder(curve);
  const shape = [values.length];
  const [x, one] = [r.external('x', 1, shape), r.external('one', 1, shape)];
  const f = { curve, slope };
  activation.forward(r, { x }, f, { into: r.external('value', 1, shape) });
  activation.derivative(r, { x, u: one }, f, { into: r.external('first', 1, shape) });
  const operands = { x, xDot: one, yBar: one };
  activation.tangentBackward(r, operands, f, { into: r.external('second', 1, shape) });
  const names = ['x', 'one', 'value', 'first', 'second'];
  const contents = [values, Array(values.length).fill(1)];
  const tensors = await Promise.all(names.map((_, i) => device.tensor('f32', values.length, contents[i])));
  const executable = await device.load(
    r.program(),
    Object.fromEntries(names.map((name, i) => [name, tensors[i]])),
  );
  await executable.run();
  const [, , value, first, second] = await Promise.all(tensors.map((tensor) => tensor.read()));
  executable.dispose();
  for (const tensor of tensors) tensor.dispose();
  return { value, first, second } as Record<'value' | 'first' | 'second', Numbers>;
}

/** From -6 to 6, small numbers of both signs among them. */
const values = Float32Array.from({ length: 203 }, (_, i) =>
  i % 8 === 0 ? Math.sin(i + 1) * 10 ** (-i / 40) : ((i - 101) * 6) / 101,
);
/** Tolerances in units of the larger of the result and 1: near their zeros the second derivatives cancel. */
const units: Record<EngineName, number> = { reference: 2 ** -46, cpu: 12 * eps32, webgpu: 32 * eps32 };

describe.each(['reference', 'cpu', 'webgpu'] as const)('curves on %s', (engine) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(engine);
  });
  afterAll(() => device?.dispose());

  test.each(activation.curves)('%s and its derivatives are those of its definition', async (curve) => {
    const out = await curveOn(device, curve, values);
    const expected = Array.from(values, (x) => definitions[curve]([x, 1, 0]));
    for (const [order, name] of (['value', 'first', 'second'] as const).entries()) {
      const want = expected.map((jet) => jet[order]);
      expectClose(
        `${curve}, ${name}`,
        out[name],
        want,
        (i) => units[engine] * Math.max(1, Math.abs(want[i])),
      );
    }
  });

  test.each(['tanh', 'gelu', 'softplus', 'sigmoid', 'swish'] as const)(
    '%s keeps its digits in its tails',
    async (curve) => {
      // Where the definition above cancels, limits: tanh x = x - x³/3, gelu x = x/2 + x²/sqrt(2 pi), exp(x), and the
      // asymptotic series of the normal distribution.
      const [x, want] = {
        tanh: [1e-3, 1e-3 - 1e-9 / 3 + 2e-15 / 15],
        gelu: [-5, -5 * 2.866515718791946e-7],
        softplus: [-20, 2.061153620314381e-9],
        sigmoid: [-20, 2.0611536181902e-9],
        swish: [-20, -4.1223072363804e-8],
      }[curve];
      const { value } = await curveOn(device, curve, [Math.fround(x)]);
      // WGSL's exp is right to 3 + 2 |x| units; the first value is rounded to float32 by half a unit.
      expect(Math.abs(value[0] - want) / Math.abs(want)).toBeLessThan(64 * eps32);
    },
  );

  test.each(activation.curves)('%s saturates, and a NaN comes through', async (curve) => {
    const huge = Math.fround(3e38);
    const far = [-huge, -1000, 1000, huge, Number.NaN];
    const { value, first, second } = await curveOn(device, curve, far);
    const below = { leakyRelu: slope, tanh: 0, sigmoid: 0, softplus: 0, gelu: 0, swish: 0 }[curve];
    const above = { leakyRelu: 1, tanh: 0, sigmoid: 0, softplus: 1, gelu: 1, swish: 1 }[curve];
    const limit = { leakyRelu: Number.NaN, tanh: 1, sigmoid: 1, softplus: 1, gelu: 1, swish: 1 }[curve];
    for (const [i, x] of far.slice(0, 4).entries()) {
      const slopeThere = x < 0 ? below : above;
      const floor = curve === 'tanh' ? -1 : 0;
      const want = slopeThere !== 0 ? slopeThere * x : x < 0 ? floor : limit;
      expect(Math.abs(value[i] - want)).toBeLessThanOrEqual(2 * eps32 * Math.abs(want));
      expect(Math.abs(first[i] - slopeThere)).toBeLessThanOrEqual(eps32);
      expect(Math.abs(second[i])).toBe(0);
    }
    expect(value[4]).toBeNaN();
    if (curve === 'leakyRelu') return; // its derivative is one of two numbers
    expect(first[4]).toBeNaN();
    expect(second[4]).toBeNaN();
  });
});

test('erfc agrees with published values', () => {
  // Abramowitz and Stegun, table 7.1 and beyond, to 16 digits.
  const table = [
    [0, 1],
    [0.5, 0.4795001221869535],
    [-0.5, 1.5204998778130465],
    [1, 0.15729920705028513],
    [2, 0.004677734981047266],
    [-2, 1.9953222650189528],
    [3, 2.2090496998585441e-5],
    [5, 1.537459794428035e-12],
  ];
  for (const [z, want] of table) expect(Math.abs(erfc(z) - want) / want).toBeLessThan(1e-14);
  expect(erfc(Number.NaN)).toBeNaN();
  expect(erfc(40)).toBe(0);
});
