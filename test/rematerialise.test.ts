import { afterAll, describe, expect, test } from 'vitest';
import { CpuDevice, openCpuDevice } from '../src/engine/cpu/device.js';
import { rematerialise } from '../src/engine/cpu/passes/rematerialise.js';
import { winograd } from '../src/engine/cpu/passes/winograd.js';
import { describeProgram } from '../src/engine/cpu/serialise.js';
import { planStrips } from '../src/engine/cpu/strips.js';
import * as avgpool2d from '../src/engine/ops/avgpool2d.js';
import * as conv2d from '../src/engine/ops/conv2d.js';
import * as elementwise from '../src/engine/ops/elementwise.js';
import * as norm from '../src/engine/ops/norm.js';
import * as reduce from '../src/engine/ops/reduce.js';
import * as relu from '../src/engine/ops/relu.js';
import { type Program, Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { elements, type View } from '../src/engine/view.js';
import { atOnce } from '../src/util/breathe.js';
import { relativeError } from './harness/close.js';
import { convnet, gradient, lenet, metaGradient, results } from './harness/network-programs.js';

const devices = [1, 2].map((threads) => new CpuDevice({ threads }));
const [device, pair] = devices;
const reference = new ReferenceDevice();
afterAll(() => Promise.all(devices.map((each) => each.dispose())));

const namesOf = ({ steps }: Program) => steps.map(({ kernel }) => kernel.name);
const arenaBytes = (program: Program) =>
  atOnce(describeProgram(atOnce(planStrips(program)), device.kernels, new Map())).arenaBytes;

const [N, C] = [4, 16];
const instance = { groups: C, eps: 1e-5, frozen: false };
const halves = { kernel: 2, stride: 2, padding: 0 };

/** A norm, `rectify` and pooling, a convolution over images, and back to the norm's input; `between` the two ways. */
function thereAndBack(
  rectify: (r: Recorder, n: View) => View = (r, x) => relu.forward(r, { x }),
  between: (r: Recorder, x: View) => void = () => {},
  afterNorm: (r: Recorder, x: View, saved: View) => void = () => {},
): Program {
  const r = new Recorder('there and back');
  const x = r.external('x', 1, [N, C, 8, 12]);
  const [gamma, beta] = ['gamma', 'beta'].map((name) => r.external(name, 1, [C]));
  const w = r.external('w', 1, [C, C, 3, 3]);
  const { y: n, saved } = norm.forward(r, { x, gamma, beta }, instance);
  afterNorm(r, x, saved);
  const y = rectify(r, n);
  const pooled = avgpool2d.forward(r, { x: y }, halves);
  const geometry = { stride: 1, padding: 1 };
  const z = conv2d.forward(r, { x: pooled, w }, geometry);
  reduce.sum(r, { x: z }, 1, { into: r.external('total', 1, [1]) });
  between(r, x);
  const u = conv2d.backwardInput(r, { yBar: z, w }, geometry, pooled.shape);
  const yBar = relu.mask(r, { y, u: avgpool2d.backward(r, { yBar: u }, halves, y.shape) });
  const xBar = r.external('xBar', 1, x.shape);
  norm.backward(r, { x, saved, yBar }, instance, { xBar, sums: r.external('sums', 1, [2, N, C]) });
  // The pass before: these convolutions are in no group, as in the networks that all this is for.
  return winograd(r.program());
}

describe('a result read much later', () => {
  test('is made again where it is read, and never becomes a tensor', () => {
    const program = thereAndBack();
    const shorter = rematerialise(program, 0);
    shorter.validate();
    const back = (names: readonly string[]) => names.slice(names.indexOf('winograd.backwardInput'));
    expect(back(namesOf(program))).toEqual([
      'winograd.backwardInput',
      'avgpool2d.backward',
      'relu.mask',
      'norm.backward',
    ]);
    expect(back(namesOf(shorter))).toEqual([
      'winograd.backwardInput',
      'avgpool2d.backward',
      'normalise.recompute',
      'relu.forward',
      'relu.mask',
      'norm.backward',
    ]);
    expect(arenaBytes(shorter)).toBeLessThanOrEqual(arenaBytes(program) - 4 * N * C * 96);
  });

  test('is the same bits', async () => {
    for (const on of devices)
      expect(await results(on, rematerialise(thereAndBack(), 0))).toEqual(await results(on, thereAndBack()));
  });

  test('is the same in numbers without rounding', async () => {
    const expected = await results(reference, thereAndBack());
    for (const [name, values] of await results(reference, rematerialise(thereAndBack(), 0)))
      expect(relativeError(values, expected.get(name)!)).toBeLessThan(1e-13);
  });

  test('is kept where it is small', () => {
    expect(namesOf(rematerialise(thereAndBack()))).toEqual(namesOf(thereAndBack()));
  });

  test('is kept where what it was made of has changed', () => {
    const fill = (r: Recorder, x: View) => void elementwise.fill(r, 1, x);
    const changed = thereAndBack(undefined, fill);
    expect(namesOf(rematerialise(changed, 0))).toEqual(namesOf(changed));
    // By the very next step; what was read to make it, and what was made with it.
    for (const which of ['x', 'saved'] as const) {
      const next = thereAndBack(undefined, undefined, (r, x, saved) => fill(r, { x, saved }[which]));
      expect(namesOf(rematerialise(next, 0))).toEqual(namesOf(next));
    }
  });

  test('is kept where it was added up', () => {
    const added = thereAndBack((r, n) => {
      const out = elementwise.add(r, { a: n, b: n });
      const sizes = { P: 1, M: elements(n.shape) };
      const constants = { alpha: 1, beta: 1 };
      const operands = { a: n, b: n, out };
      r.push({ kernel: elementwise.addKernel, operands, sizes, constants, accumulate: true });
      return out;
    });
    expect(namesOf(rematerialise(added, 0))).toEqual(namesOf(added));
  });

  test('is kept where its source would have to be kept instead', () => {
    const r = new Recorder('no norm');
    const [x, w] = [r.external('x', 1, [N, 3, 8, 8]), r.external('w', 1, [C, 3, 3, 3])];
    const geometry = { stride: 1, padding: 1 };
    const y = relu.forward(r, { x: conv2d.forward(r, { x, w }, geometry) });
    const pooled = avgpool2d.forward(r, { x: y }, halves);
    const u = reduce.sum(r, { x: pooled }, 1);
    elementwise.add(r, { a: u, b: u }, 1, 1, r.external('total', 1, [1]));
    relu.mask(r, { y, u: r.external('yBar', 1, y.shape) }, { into: r.external('xBar', 1, y.shape) });
    const program = r.program();
    expect(namesOf(rematerialise(program, 0))).toEqual(namesOf(program));
  });

  test('is made again for the latest readers alone where an earlier one needs the tensor', () => {
    const read = thereAndBack((r, n) => {
      const y = relu.forward(r, { x: n });
      reduce.sum(r, { x: y }, 1, { into: r.external('sum', 1, [1]) });
      return y;
    });
    expect(namesOf(rematerialise(read, 0)).filter((name) => name === 'relu.forward')).toHaveLength(2);
  });
});

describe('networks give the same bits', () => {
  const norms = ['instance', 'batch', 'layer', 'group', 'one-group', 'none'];
  const activations = ['relu', 'leakyrelu', 'sigmoid', 'tanh', 'softplus', 'gelu', 'swish'];
  const blocks = norms.flatMap((norm) => activations.map((activation) => ({ norm, activation })));

  async function expectSameBits(program: Program): Promise<void> {
    const shorter = rematerialise(program, 0);
    shorter.validate();
    const expected = await results(device, program);
    for (const on of [device, pair]) expect(await results(on, shorter)).toEqual(expected);
  }

  test.each(blocks)('$norm norm, $activation', async (block) => {
    const program = gradient(convnet(block), 1);
    const again = rematerialise(program, 0).steps.length - program.steps.length;
    // A layer norm sees a sample as a whole, and is not cut into planes.
    if (block.norm === 'none' || block.norm === 'layer') expect(again).toBe(0);
    else expect(again).toBeGreaterThan(0);
    await expectSameBits(program);
  });

  test.each(['max', 'none'])('%s pooling', (pooling) => expectSameBits(gradient(convnet({ pooling }), 1)));

  test.each([1, 3])('%i ConvNets: gradient and meta-gradient', async (P) => {
    await expectSameBits(gradient(convnet(), P));
    const program = metaGradient(convnet(), P);
    expect(arenaBytes(rematerialise(program, 0))).toBeLessThan(arenaBytes(program));
    await expectSameBits(program);
  });

  test.each([1, 3])('%i LeNets: gradient and meta-gradient', async (P) => {
    await expectSameBits(gradient(lenet, P));
    await expectSameBits(metaGradient(lenet, P));
  });

  test('at full width, where it saves a third of the memory', async () => {
    const program = gradient(convnet({ inputShape: [3, 32, 32], width: 128 }), 1, 8);
    const shorter = rematerialise(program);
    expect(arenaBytes(shorter)).toBeLessThan(0.75 * arenaBytes(program));
    await using plain = await openCpuDevice({ threads: 2, passes: [] });
    expect(await results(plain, shorter)).toEqual(await results(plain, program));
  });
});
