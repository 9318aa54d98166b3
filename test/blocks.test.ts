/** Blocks of ConvNets on the CPU engine: what goes plane by plane, and what becomes one step. */
import { afterAll, describe, expect, test } from 'vitest';
import { loadBinding } from '../src/engine/cpu/binding.js';
import { openCpuDevice } from '../src/engine/cpu/device.js';
import { optimiserOf } from '../src/engine/cpu/optimise.js';
import { fewChannels } from '../src/engine/cpu/passes/fewchannels.js';
import { describeProgram } from '../src/engine/cpu/serialise.js';
import { planStrips } from '../src/engine/cpu/strips.js';
import * as elementwise from '../src/engine/ops/elementwise.js';
import { normPool } from '../src/engine/passes/normpool.js';
import { Program } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import type { Step } from '../src/engine/step.js';
import { elements, type Slot, type View } from '../src/engine/view.js';
import { atOnce } from '../src/util/breathe.js';
import { relativeError } from './harness/close.js';
import { convnet, gradient, metaGradient, results } from './harness/network-programs.js';

const apart = ['winograd', 'pooled', 'fewChannels', 'rematerialise'];
const [whole, pair, separate] = await Promise.all([
  openCpuDevice({ threads: 1 }),
  openCpuDevice({ threads: 2 }),
  openCpuDevice({ threads: 2, passes: apart }),
]);
const reference = new ReferenceDevice();
afterAll(() => Promise.all([whole, pair, separate].map((device) => device.dispose())));

const namesOf = ({ steps }: Program) => steps.map(({ kernel }) => kernel.name);
const count = (program: Program, name: string) => namesOf(program).filter((each) => each === name).length;

/** The steps, with `out` filled with ones before the mask of ReLU is first read. */
function filledBeforeMask(steps: readonly Step[], out: View): Step[] {
  const sizes = { P: out.members, M: elements(out.shape) };
  const constants = { value: 1 };
  const fill: Step = {
    kernel: elementwise.fillKernel,
    operands: { out },
    sizes,
    constants,
    accumulate: false,
  };
  return steps.toSpliced(
    steps.findIndex(({ kernel }) => kernel.name === 'relu.mask'),
    0,
    fill,
  );
}

describe('norm, ReLU and average pooling', () => {
  test('become one step there and one back, and nothing else of them is left', () => {
    const program = gradient(convnet(), 1);
    const blocks = normPool(program);
    blocks.validate();
    expect(count(blocks, 'normpool.forward')).toBe(2);
    expect(count(blocks, 'normpool.backward')).toBe(2);
    for (const name of ['norm.forward', 'relu.forward', 'relu.mask', 'avgpool2d.backward', 'norm.backward'])
      expect(count(blocks, name)).toBe(0);
    expect(blocks.steps.length).toBe(program.steps.length - 2 * (2 + 2));
  });

  test.each([
    ['higher', 15, 20],
    ['wider', 12, 17],
  ])('stay apart where maps are an odd number of pixels %s', (_, height, width) => {
    const program = gradient(convnet({ inputShape: [3, height, width], depth: 1 }), 1);
    expect(count(program, 'norm.forward')).toBe(1);
    expect(namesOf(normPool(program))).toEqual(namesOf(program));
  });

  test.each([1, 3])('stay apart in %i networks whose tangent passes read the masks', (P) => {
    const program = metaGradient(convnet(), P);
    const blocks = normPool(program);
    const tangents = count(program, 'norm.tangent');
    expect(tangents).toBeGreaterThan(0);
    expect(count(blocks, 'norm.tangent')).toBe(tangents);
    expect(count(blocks, 'norm.forward')).toBeGreaterThanOrEqual(tangents);
    expect(count(blocks, 'normpool.forward')).toBe(
      count(program, 'norm.forward') - count(blocks, 'norm.forward'),
    );
  });

  test.each([
    ['the gradient', gradient(convnet(), 1)],
    ['gradients of three networks', gradient(convnet(), 3)],
    ['the meta-gradient', metaGradient(convnet(), 2)],
  ])('give %s in the same bits as apart, on any number of threads', async (_, program) => {
    const expected = await results(separate, program);
    for (const on of [whole, pair]) expect(await results(on, program)).toEqual(expected);
  });

  test('mean what they mean apart, in numbers without rounding', async () => {
    const program = gradient(convnet(), 2);
    const expected = await results(reference, program);
    for (const [name, values] of await results(reference, normPool(program)))
      expect(relativeError(values, expected.get(name)!)).toBeLessThan(1e-12);
  });

  test.each([
    ['behind batch norm', gradient(convnet({ norm: 'batch' }), 1)],
    ['behind group norm', gradient(convnet({ norm: 'group' }), 1)],
    ['before max pooling', gradient(convnet({ pooling: 'max' }), 1)],
    ['with another activation', gradient(convnet({ activation: 'tanh' }), 1)],
    ['on maps that do not halve', gradient(convnet({ inputShape: [3, 13, 20], depth: 1 }), 1)],
  ])('stay apart %s', (_, program) => {
    expect(namesOf(normPool(program))).toEqual(namesOf(program));
  });

  test.each([
    ['beta', 'norm.forward', 'beta'],
    ['the gradient', 'avgpool2d.backward', 'yBar'],
  ])('stay apart where %s changes before it is read again', (_, kernel, operand) => {
    const { name, slots, steps } = gradient(convnet({ depth: 1 }), 1);
    const out = steps.find((step) => step.kernel.name === kernel)!.operands[operand]!;
    const changed = new Program(name, slots, filledBeforeMask(steps, out));
    expect(namesOf(normPool(changed))).toEqual(namesOf(changed));
  });

  test('stay apart where beta changes through another slot of its tensor', () => {
    const { name, slots, steps } = gradient(convnet({ depth: 1 }), 1);
    const { beta } = steps.find((step) => step.kernel.name === 'norm.forward')!.operands;
    const alias = { ...beta!.slot, id: slots.length, name: 'alias' };
    const out = { ...beta!, slot: alias };
    const changed = new Program(name, [...slots, alias], filledBeforeMask(steps, out));
    expect(count(normPool(changed), 'normpool.forward')).toBe(1);
    const memoryOf = (slot: Slot) => (slot === alias ? beta!.slot : slot);
    expect(namesOf(normPool(changed, memoryOf))).toEqual(namesOf(changed));
  });
});

describe('convolutions of few channels', () => {
  const arenaBytes = (program: Program) =>
    atOnce(describeProgram(atOnce(planStrips(program)), loadBinding().kernels(), new Map())).arenaBytes;

  test('take the place of 3x3 ones over images, forward and to the weights, and no others', () => {
    const names = namesOf(fewChannels(gradient(convnet(), 1))).filter((name) =>
      /few|conv2d|winograd/.test(name),
    );
    expect(names).toEqual([
      'fewchannels.forward',
      'winograd.forward',
      'winograd.backwardWeight',
      'winograd.backwardInput',
      'fewchannels.backwardWeight',
    ]);
    const larger = gradient({ name: 'lenet', inputShape: [1, 28, 28], classes: 10 }, 1);
    expect(namesOf(fewChannels(larger))).toEqual(namesOf(larger));
  });

  test('leave no map of theirs in memory: it is computed again where its block goes back', async () => {
    const options = convnet({ inputShape: [3, 32, 32], width: 64, depth: 1 });
    const program = gradient(options, 1, 32);
    const map = 4 * 32 * 64 * 32 * 32;
    expect(arenaBytes(program)).toBeGreaterThan(map);
    const optimised = await optimiserOf()(program);
    expect(count(optimised, 'fewchannels.forward')).toBe(2);
    expect(arenaBytes(optimised)).toBeLessThan(0.6 * map);
  });

  test.each([
    [1, 8, 12],
    [1, 1, 64],
    [3, 5, 16],
  ])(
    'of %i networks, %i images and width %i: gradients of every channel, on any number of threads',
    async (P, N, width) => {
      const program = gradient(convnet({ inputShape: [3, 16, 24], width, depth: 1 }), P, N);
      const expected = await results(reference, program);
      const on = [await results(whole, program), await results(pair, program)];
      expect(on[1]).toEqual(on[0]);
      for (const [name, values] of on[0])
        expect(relativeError(values, expected.get(name)!)).toBeLessThan(2e-5);
    },
  );

  test('are computed again for the block that reads them, not for one before it with as many channels', async () => {
    const options = convnet({ inputShape: [3, 32, 32], width: 64 });
    const optimised = await optimiserOf()(gradient(options, 1, 32));
    const units = atOnce(planStrips(optimised)).map(({ steps }) => steps.map(({ kernel }) => kernel.name));
    expect(units.filter((names) => names.includes('fewchannels.forward'))).toEqual([
      ['fewchannels.forward', 'normpool.forward'],
      ['fewchannels.forward', 'normpool.backward', 'fewchannels.backwardWeight', 'bias.backward'],
    ]);
  });
});
