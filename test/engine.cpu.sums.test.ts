/**
 * Long sums on the native engine, of terms that cancel: what is left is rounding, which another order of the same terms makes
 * another number of. So it shows when sums are cut by thread, or taken as threads come. Terms are small whole numbers times powers
 * of two that differ from piece to piece: floats add up a piece without rounding, and doubles cannot add up pieces without it.
 */
import { expect, test } from 'vitest';
import * as bias from '../src/engine/ops/bias.js';
import * as conv2d from '../src/engine/ops/conv2d.js';
import * as linear from '../src/engine/ops/linear.js';
import * as norm from '../src/engine/ops/norm.js';
import * as reduce from '../src/engine/ops/reduce.js';
import * as relu from '../src/engine/ops/relu.js';
import { type Program, Recorder } from '../src/engine/program.js';
import { openDevice } from '../src/index.js';
import { Stream } from '../src/util/random.js';

/** How often the size of the terms changes. */
const pieces = 16;

/** Both halves of the rows are the same in the slot `even`, and of opposite sign in `odd`. */
const programs: Record<string, (r: Recorder) => void> = {
  'a sum': (r) => {
    const x = r.external('odd', 3, [pieces * 16 * 1024]);
    reduce.sum(r, { x }, 1, { into: r.external('out', 3, [1]) });
  },
  'a product of vectors': (r) => {
    const [a, b] = ['even', 'odd'].map((name) => r.external(name, 1, [pieces * 16 * 1024]));
    reduce.dot(r, { a, b }, { into: r.external('out', 1, [1]) });
  },
  'the gradient of a bias': (r) => {
    const yBar = r.external('odd', 1, [600, 16, 8, 8]);
    bias.backward(r, { yBar }, { into: r.external('out', 1, [16]) });
  },
  'the gradient of a matrix': (r) => {
    const [x, yBar] = [r.external('even', 1, [4000, 24]), r.external('odd', 1, [4000, 20])];
    linear.backwardWeight(r, { x, yBar }, { into: r.external('out', 1, [20, 24]) });
  },
  'the gradient of a kernel': (r) => {
    const geometry = { stride: 1, padding: 1 };
    const [x, yBar] = [r.external('even', 1, [200, 3, 12, 12]), r.external('odd', 1, [200, 8, 12, 12])];
    conv2d.backwardWeight(r, { x, yBar }, geometry, [8, 3, 3, 3], {
      into: r.external('out', 1, [8, 3, 3, 3]),
    });
  },
  'the gradient of a kernel of many channels': (r) => {
    const geometry = { stride: 1, padding: 1 };
    const [x, yBar] = [r.external('even', 1, [40, 32, 12, 12]), r.external('odd', 1, [40, 32, 12, 12])];
    const out = r.external('out', 1, [32, 32, 3, 3]);
    conv2d.backwardWeight(r, { x, yBar }, geometry, [32, 32, 3, 3], { into: out });
  },
  'gradients in strips': (r) => {
    const geometry = { stride: 1, padding: 1 };
    const [x, w] = [r.external('even', 1, [200, 2, 10, 10]), r.external('w', 1, [6, 2, 3, 3])];
    const y = relu.forward(r, { x: conv2d.forward(r, { x, w }, geometry) });
    const yBar = relu.mask(r, { y, u: r.external('odd', 1, y.shape) });
    bias.backward(r, { yBar }, { into: r.external('biases', 1, [6]) });
    conv2d.backwardWeight(r, { x, yBar }, geometry, w.shape, { into: r.external('out', 1, w.shape) });
  },
  'the gradients of a norm': (r) => {
    const shape = [64, 8, 16, 16];
    const [x, yBar] = [r.external('even', 1, shape), r.external('odd', 1, shape)];
    const [gamma, beta] = [r.external('w', 1, [8]), r.external('v', 1, [8])];
    const geometry = { groups: 8, eps: 1e-5, frozen: false };
    const { saved } = norm.forward(r, { x, gamma, beta }, geometry, { y: r.external('y', 1, shape) });
    norm.backward(r, { x, saved, yBar }, geometry, { xBar: r.external('out', 1, shape) });
  },
};

function filled(name: string, shape: readonly number[], members: number, stream: Stream): Float32Array {
  const length = shape.reduce((a, b) => a * b, 1);
  const half = Math.floor(shape[0] / 2);
  const columns = length / shape[0];
  const paired = name === 'odd' || name === 'even';
  return Float32Array.from({ length: members * length }, (_, i) => {
    const row = Math.floor((i % length) / columns);
    const from = paired ? row % half : row;
    const power = paired ? (stream.u32(0x1000_0000 + Math.floor((from * pieces) / shape[0])) % 91) - 45 : 0;
    const whole = (stream.u32(from * columns + (i % columns)) % 7) - 3;
    return (name === 'odd' && row >= half ? -whole : whole) * 2 ** power;
  });
}

/** What every output holds after each of some runs. */
async function results(program: Program, threads: number, times: number): Promise<Buffer[]> {
  await using device = await openDevice('cpu', { threads });
  const tensors: Record<string, Awaited<ReturnType<typeof device.tensor>>> = {};
  const views = new Map(
    program.steps.flatMap(({ operands }) => Object.values(operands)).map((view) => [view?.slot, view]),
  );
  for (const slot of program.slots) {
    if (!slot.external) continue;
    const { shape } = views.get(slot)!;
    const members = slot.length / shape.reduce((a, b) => a * b, 1);
    const values = filled(slot.name, shape, members, new Stream(5, slot.id));
    tensors[slot.name] = await device.tensor('f32', slot.length, values);
  }
  const executable = await device.load(program, tensors);
  const outputs = Object.keys(tensors).filter((name) => ['out', 'biases'].includes(name));
  const all: Buffer[] = [];
  for (let time = 0; time < times; time++) {
    await executable.run();
    const read = await Promise.all(outputs.map((name) => tensors[name].read()));
    all.push(Buffer.concat(read.map((values) => Buffer.from(values.buffer))));
  }
  return all;
}

test.each(Object.entries(programs))('%s has the same bits on any number of threads', async (_, record) => {
  const r = new Recorder('sums');
  record(r);
  const program = r.program();
  const [expected] = await results(program, 1, 1);
  const floats = new Float32Array(expected.buffer, expected.byteOffset, expected.length / 4);
  expect(floats.every(Number.isFinite)).toBe(true);
  expect(floats.some((value) => value !== 0)).toBe(true);
  for (const threads of [2, 3])
    for (const bits of await results(program, threads, 3))
      expect(bits.equals(expected), `${threads} threads`).toBe(true);
});
