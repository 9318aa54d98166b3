import { describe, expect, it } from 'vitest';
import { loadBinding } from '../src/engine/cpu/binding.js';
import { planStrips } from '../src/engine/cpu/strips.js';
import { memberRange } from '../src/engine/members.js';
import * as bias from '../src/engine/ops/bias.js';
import * as conv2d from '../src/engine/ops/conv2d.js';
import * as elementwise from '../src/engine/ops/elementwise.js';
import * as linear from '../src/engine/ops/linear.js';
import * as reduce from '../src/engine/ops/reduce.js';
import * as relu from '../src/engine/ops/relu.js';
import { type Program, Recorder } from '../src/engine/program.js';
import { elements, slice, type View } from '../src/engine/view.js';
import { openDevice } from '../src/index.js';
import { atOnce } from '../src/util/breathe.js';
import { Stream } from '../src/util/random.js';

const geometry = { stride: 1, padding: 1 };
const N = 37;

/** Two convolutions with ReLU between, and their gradients; P networks on the same images. */
function network(P: number, accumulate = false): Program {
  const r = new Recorder('two convolutions');
  const x = r.external('x', 1, [N, 2, 7, 9]);
  const theta = r.external('theta', P, [4 * 2 * 9 + 4 + 3 * 4 * 9]);
  const w1 = slice(theta, 0, [4, 2, 3, 3]);
  const b1 = slice(theta, 72, [4]);
  const w2 = slice(theta, 76, [3, 4, 3, 3]);
  const bars = r.external('thetaBar', P, theta.shape);
  const y1 = relu.forward(r, { x: conv2d.forward(r, { x, w: w1, b: b1 }, geometry) });
  const y2 = conv2d.forward(r, { x: y1, w: w2 }, geometry, { into: r.external('y', P, [N, 3, 7, 9]) });
  const total = r.temporary('sum', P, [1]);
  reduce.sum(r, { x: y2 }, 1, { into: total });
  elementwise.add(r, { a: total, b: total }, 0.5, 0.5, r.external('total', P, [1]));
  const yBar = y2;
  conv2d.backwardWeight(r, { x: y1, yBar }, geometry, w2.shape, {
    into: slice(bars, 76, w2.shape),
    accumulate,
  });
  const u = relu.mask(r, { y: y1, u: conv2d.backwardInput(r, { yBar, w: w2 }, geometry, y1.shape) });
  conv2d.backwardWeight(r, { x, yBar: u }, geometry, w1.shape, {
    into: slice(bars, 0, w1.shape),
    accumulate,
  });
  conv2d.backwardWeight(r, { x, yBar: u }, geometry, w1.shape, {
    into: slice(bars, 0, w1.shape),
    accumulate: true,
  });
  bias.backward(r, { yBar: u }, { into: slice(bars, 72, [4]), accumulate });
  return r.program();
}

async function results(
  engine: 'cpu' | 'reference',
  program: Program,
  threads?: number,
  names = ['y', 'total', 'thetaBar'],
) {
  await using device = await openDevice(engine, { threads });
  const tensors: Record<string, Awaited<ReturnType<typeof device.tensor>>> = {};
  for (const { external, name, length, id } of program.slots) {
    if (!external) continue;
    const stream = new Stream(3, id);
    tensors[name] = await device.tensor(
      'f32',
      length,
      Float32Array.from({ length }, (_, i) => stream.normal(i)),
    );
  }
  const executable = await device.load(program, tensors);
  await executable.run({ times: 2 });
  const read = names.map((name) => tensors[name].read());
  return (await Promise.all(read)).map((values) => Array.from(values));
}

describe('strips', () => {
  it('take the steps over one batch together, and put what cannot join behind them', () => {
    const program = network(1);
    const units = atOnce(planStrips(program));
    expect(units[0].steps.map(({ kernel }) => kernel.name)).toEqual([
      'conv2d.forward',
      'relu.forward',
      'conv2d.forward',
      'conv2d.backwardWeight',
      'conv2d.backwardInput',
      'relu.mask',
      'conv2d.backwardWeight',
      'conv2d.backwardWeight',
      'bias.backward',
    ]);
    expect(units.slice(1).map(({ steps }) => steps[0].kernel.name)).toEqual([
      'reduce.sum',
      'elementwise.add',
    ]);
    expect(new Set(units.flatMap(({ steps }) => steps))).toEqual(new Set(program.steps));
  });

  it.each([
    [1, false],
    [3, false],
    [3, true],
  ])('compute what the steps compute one after the other: P = %i, accumulate %s', async (P, accumulate) => {
    const program = network(P, accumulate);
    const [expected, actual] = [await results('reference', program), await results('cpu', program, 2)];
    // A sum of N 7 9 products of normal numbers of size 10, at float32.
    expected.forEach((values, i) => {
      const scale = Math.max(...values.map(Math.abs));
      values.forEach((value, j) => {
        expect(Math.abs(actual[i][j] - value)).toBeLessThanOrEqual(scale * N * 63 * 2 ** -24);
      });
    });
  });

  it.each<[string, (r: Recorder) => View]>([
    [
      'a product whose weights are too large to be read for every strip',
      (r) => linear.forward(r, { x: r.external('x', 1, [64, 256]), w: r.external('w', 1, [256, 256]) }),
    ],
    [
      'the second of two members',
      (r) => memberRange(relu.forward(r, { x: r.external('x', 2, [64, 256]) }), 1, 1),
    ],
  ])('keep a step that joins behind one that it reads and that does not: %s', async (_, other) => {
    const r = new Recorder('in order');
    relu.forward(r, { x: r.external('a', 1, [64, 256]) }, { into: r.external('b', 1, [64, 256]) });
    const x = other(r);
    relu.forward(r, { x }, { into: r.external('y', 1, [64, 256]) });
    const program = r.program();
    expect(atOnce(planStrips(program)).flatMap(({ steps }) => steps)).toEqual(program.steps);
    const [[expected], [actual]] = [
      await results('reference', program, undefined, ['y']),
      await results('cpu', program, 2, ['y']),
    ];
    expect(actual.length).toBe(elements(x.shape));
    actual.forEach((value, i) => {
      expect(Math.abs(value - expected[i])).toBeLessThan(1e-3);
    });
  });

  it('leave a program alone whose slots share a tensor', async () => {
    const r = new Recorder('in turns');
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => r.external(name, 1, [8, 3]));
    // As slots they are apart, and the sum could wait: it would then see what the last step writes.
    relu.forward(r, { x: a }, { into: b });
    const total = r.external('total', 1, [1]);
    reduce.sum(r, { x: b }, 1, { into: total });
    relu.forward(r, { x: d }, { into: c });
    await using device = await openDevice('cpu', { threads: 1 });
    const ones = await device.tensor('f32', 24, new Float32Array(24).fill(1));
    const negative = await device.tensor('f32', 24, new Float32Array(24).fill(-1));
    const both = await device.tensor('f32', 24);
    const sum = await device.tensor('f32', 1);
    const executable = await device.load(r.program(), {
      a: ones,
      b: both,
      c: both,
      d: negative,
      total: sum,
    });
    await executable.run();
    expect(await sum.read()).toEqual(Float32Array.of(24));
  });

  it('give the same bits for any number of threads', async () => {
    const program = network(3);
    const one = await results('cpu', program, 1);
    for (const threads of [2, 3, 5]) expect(await results('cpu', program, threads)).toEqual(one);
  });
});

describe('a description of strips', () => {
  const binding = loadBinding();
  const kernel = binding.kernels().findIndex(({ name }) => name === 'elementwise.fill');
  const tensor = new binding.NativeTensor(40);
  /** Fills ten floats in two strips, the operand found as `kind` and `value` say. */
  const load = (kind: number, value: number) =>
    new binding.NativeProgram(new binding.NativeDevice(binding.isas()[0], 1), {
      storages: [{ tensor, offset: 0, bytes: 40 }],
      arenaBytes: 0,
      steps: [{ kernel, operands: [0, 0, 0, 1, 40], sizes: [1, 10], constants: [3], accumulate: false }],
      groups: [
        {
          ...{ first: 0, parts: 10, channels: 1, members: 1, strips: 2, pieces: 1, alone: true },
          ...{ innerBytes: 64, sumFloats: 16, sums: [] },
          cuts: [{ operands: [kind, value], sizes: [0, 1], begins: false }],
        },
      ],
    });

  it('is followed', async () => {
    await load(1, 4).run(1);
    const bytes = new Uint8Array(40);
    tensor.read(bytes);
    expect([...new Float32Array(bytes.buffer)]).toEqual(Array(10).fill(3));
  });

  it.each([
    ['parts that are too large', 1, 8, 'has 40 bytes, expected 10 parts of 8'],
    ['parts that are too small', 1, 0, 'has 0 bytes a strip, expected 20'],
    ['a channel that is too large', 4, 44, 'has 40 bytes, expected 1 parts of 44'],
    ['a place behind the strip memory', 2, 64, 'has 0 bytes of strip memory, expected 20'],
    ['a place too near to its end', 2, 48, 'has 16 bytes of strip memory, expected 20'],
    ['a place behind the sums', 3, 16, 'has 0 bytes among the sums, expected 20'],
    ['a place before them', 3, -1, 'cannot be cut at -1'],
    ['a kind there is none of', 9, 0, 'cannot be cut in the way 9'],
  ])('is refused with %s', (_, kind, value, message) => {
    expect(() => load(kind, value)).toThrow(`step 0 (elementwise.fill): operand out ${message}`);
  });
});
