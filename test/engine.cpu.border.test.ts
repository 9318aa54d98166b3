/** The border of the native engine: calls that TypeScript never makes are refused with what was given and what was expected. */
import { describe, expect, test } from 'vitest';
import { loadBinding, type ProgramDescription, type StepDescription } from '../src/engine/cpu/binding.js';
import { openCpuDevice } from '../src/engine/cpu/device.js';
import type { Tensor } from '../src/engine/device.js';
import { Recorder } from '../src/engine/program.js';
import { elements } from '../src/engine/view.js';
import { cases } from './harness/native-cases.js';

const binding = loadBinding();
const [isa] = binding.isas();
const device = new binding.NativeDevice(isa, 2);
const kernel = (name: string) => binding.kernels().findIndex((entry) => entry.name === name);

/** One step on slots of so many floats, each in its own place of the program's memory; -1 leaves an operand out. */
function describeStep(name: string, floats: readonly number[], sizes: readonly number[]): StepDescription {
  const { constants } = binding.kernels()[kernel(name)];
  const operands = floats.flatMap((count, i) => (count < 0 ? [-1, 0, 0, 1, 0] : [i, 0, 0, 1, 4 * count]));
  return { kernel: kernel(name), operands, sizes, constants: constants.map(() => 1), accumulate: false };
}

const slots = (floats: readonly number[]) =>
  floats.map((count, i) => ({ offset: 65536 * i, bytes: 4 * Math.max(0, count) }));

function program(floats: readonly number[], step: StepDescription, change: Partial<ProgramDescription> = {}) {
  const arenaBytes = 65536 * floats.length;
  return new binding.NativeProgram(device, {
    ...{ storages: slots(floats), arenaBytes, steps: [step], groups: [], ...change },
  });
}

const refusal = (code: string, message: string | RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('a step is refused', () => {
  const add = describeStep('elementwise.add', [8, 8, 8], [1, 8]);
  const count = binding.kernels().length;
  test.each([
    [
      'of a kernel before the first',
      { ...add, kernel: -1 },
      `there is no kernel -1, expected 0 to ${count - 1}`,
    ],
    ['of a kernel behind the last', { ...add, kernel: count }, `there is no kernel ${count}, expected 0 to`],
    ['of a kernel that wraps around', { ...add, kernel: 2 ** 32 - 1 }, 'there is no kernel 4294967295'],
    ['of half a kernel', { ...add, kernel: 0.5 }, 'kernel: got 0.5, expected a whole number'],
    [
      'with sizes beyond an operand',
      { ...add, sizes: [1, 9] },
      'operand a has 32 bytes a member, expected 36 for \\[M\\] with P 1, M 9',
    ],
    ['with members that are not there', { ...add, sizes: [2, 8] }, 'P is 2, expected at most the 1 members'],
    ['of nothing', { ...add, sizes: [1, 0] }, 'expected sizes of at least 1'],
    [
      'with a size that is none',
      { ...add, sizes: [1, Number.NaN] },
      'sizes: got NaN, expected a whole number',
    ],
    ['with too few sizes', { ...add, sizes: [1] }, 'elementwise.add: got 1 sizes, expected 2'],
    [
      'with half an operand',
      { ...add, operands: add.operands.slice(1) },
      'operands: got 14 numbers, expected 5 for each',
    ],
    ['without an operand', describeStep('elementwise.add', [8, -1, 8], [1, 8]), 'operand b is left out'],
    [
      'between two floats',
      { ...add, operands: [0, 2, 0, 1, 28, ...add.operands.slice(5)], sizes: [1, 7] },
      'operand a begins at byte 2',
    ],
    [
      'without the second of two factors',
      describeStep('linear.forward', [6, 6, 6, -1, -1, 4], [1, 2, 3, 2]),
      'one operand of the second pair',
    ],
    [
      'with an output that does not fit the windows',
      describeStep('maxpool2d.forward', [16, 9, 9], [1, 1, 1, 4, 4, 3, 3, 2, 2, 2, 0]),
      'expected maps of',
    ],
    [
      'with groups that do not divide',
      describeStep('conv2d.forward', [27, 81, -1, -1, -1, 27], [1, 1, 3, 3, 3, 3, 3, 3, 3, 3, 1, 1, 2, 1]),
      'expected groups G',
    ],
  ])('%s', (_, step, message) => {
    const sizes = add.operands.map(() => 16);
    expect(() => program(sizes, step as StepDescription)).toThrow(refusal('ERR_PROGRAM', message));
  });

  test('whose windows are as they should be, it is not', async () => {
    const pool = describeStep('maxpool2d.forward', [16, 4, 4], [1, 1, 1, 4, 4, 2, 2, 2, 2, 2, 0]);
    expect(await program([16, 4, 4], pool).run(1)).toBe(true);
  });
});

describe('a group that goes plane by plane', () => {
  const [N, C, H, OC] = [2, 1, 8, 4];
  const sizes = [1, N, C, H, H, OC, H, H, 1];
  const floats = [N * C * H * H, N * OC * H * H, -1, -1, OC * C * 9];
  const step = describeStep('fewchannels.backwardWeight', floats, sizes);
  const [image, plane] = [4 * C * H * H, 4 * H * H];
  /** By planes: x one image each, yBar cut, wBar a sum with a row for every channel. */
  const group = (operands: readonly number[]) => ({
    ...{
      parts: N * OC,
      channels: OC,
      members: 1,
      strips: 4,
      pieces: 2,
      alone: true,
      innerBytes: 0,
      sumFloats: 48,
    },
    ...{ first: 0, sums: [4, 0, 0, 1, 4 * OC * C * 9, 0, 0] },
    cuts: [{ operands, sizes: [0, -1, 0, 0, 0, 1, 0, 0, 0], begins: false }],
  });
  const grouped = (operands: readonly number[]) => program(floats, step, { groups: [group(operands)] });

  test('runs where every part is there', async () => {
    expect(await grouped([5, image, 1, plane, 0, 0, 0, 0, 6, 0]).run(1)).toBe(true);
  });

  test.each([
    ['images that are not there', [5, 2 * image, 1, plane, 0, 0, 0, 0, 6, 0], 'expected 2 parts of 512'],
    [
      'half an image',
      [5, image / 2, 1, plane, 0, 0, 0, 0, 6, 0],
      'operand x has 128 bytes a strip, expected 256',
    ],
    [
      'a sum that begins nowhere',
      [5, image, 1, plane, 0, 0, 0, 0, 6, 4],
      'the beginning of a sum with a row per channel',
    ],
    [
      'an unknown kind',
      [7, image, 1, plane, 0, 0, 0, 0, 6, 0],
      'cannot be cut in the way 7, expected 0 to 6',
    ],
  ])('is refused with %s', (_, operands, message) => {
    expect(() => grouped(operands)).toThrow(refusal('ERR_PROGRAM', message));
  });
});

test('every kernel declares all that it touches: an operand that ends one element beyond its slot is refused by name', async () => {
  await using cpu = await openCpuDevice({ threads: 1 });
  const tried = new Set<string>();
  const accepted: string[] = [];
  for (const opCase of cases.filter(({ bench }) => !bench)) {
    const recorder = new Recorder(opCase.name);
    opCase.record(recorder);
    const program = recorder.program();
    const tensors: Record<string, Tensor> = {};
    for (const { external, name, dtype, length } of program.slots)
      if (external) tensors[name] = await cpu.tensor(dtype, length);
    for (const [i, step] of program.steps.entries())
      for (const [name, view] of Object.entries(step.operands)) {
        const operand = `${step.kernel.name} ${name}`;
        if (!view || tried.has(operand)) continue;
        tried.add(operand);
        const span = (view.members - 1) * view.stride + elements(view.shape);
        const beyond = { ...view, offset: view.slot.length - span + 1 };
        const steps = program.steps.with(i, { ...step, operands: { ...step.operands, [name]: beyond } });
        const loaded = cpu.load(Object.create(program, { steps: { value: steps } }), tensors);
        await loaded.then(
          () => accepted.push(operand),
          (error) => expect(error.message, operand).toMatch(new RegExp(`operand ${name} reaches beyond`)),
        );
      }
    for (const tensor of Object.values(tensors)) tensor.dispose();
  }
  expect(accepted).toEqual([]);
  const declared = binding
    .kernels()
    .flatMap(({ name, operands }) => operands.map((operand) => `${name} ${operand}`));
  expect([...tried].sort()).toEqual(declared.sort());
});

test('places of winners beyond a map are taken for the last one', async () => {
  const index = new binding.NativeTensor(16);
  index.write(new Uint8Array(new Uint32Array([0xffffffff, 0x7fffffff, 16, 15]).buffer), 0);
  const [yBar, xBar] = [new binding.NativeTensor(16), new binding.NativeTensor(64)];
  yBar.write(new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer), 0);
  const w = new binding.NativeTensor(4);
  w.write(new Uint8Array(Float32Array.of(1).buffer), 0);
  const step = describeStep(
    'pooled.backwardInput',
    [4, 1, -1, -1, 4, 16],
    [1, 1, 1, 4, 4, 1, 1, 1, 4, 4, 1, 0, 1, 1, 4],
  );
  const storages = [yBar, w, w, w, index, xBar].map((tensor, i) => ({
    tensor,
    offset: 0,
    bytes: [16, 4, 4, 4, 16, 64][i],
  }));
  await program([4, 1, 1, 1, 4, 16], step, { storages }).run(1);
  const result = new Float32Array(16);
  xBar.read(new Uint8Array(result.buffer));
  expect([...result]).toEqual([...Array(15).fill(0), 10]);
});

describe('one thing at a time', () => {
  const fill = describeStep('elementwise.fill', [4096], [1, 4096]);

  test('a device that runs a program takes no other work, and takes it once the promise is settled', async () => {
    const [first, second] = [program([4096], fill), program([4096], fill)];
    const running = first.run(2000);
    const busy = refusal('ERR_PROGRAM', 'the device is at work, expected one thing at a time');
    expect(() => first.run(1)).toThrow(busy);
    expect(() => second.profile(1)).toThrow(busy);
    const one = new Float64Array(1);
    expect(() => binding.matrixProduct(device, one, one, one, { depth: 1, m: 1, n: 1 })).toThrow(busy);
    expect(await running).toBe(true);
    expect(await second.run(1)).toBe(true);
  });

  test('a run that is refused does not take back the stop of the one under way', async () => {
    const endless = program([4096], fill);
    const running = endless.run(2 ** 40);
    endless.stop();
    expect(() => endless.run(1)).toThrow(refusal('ERR_PROGRAM', 'the device is at work'));
    expect(await running).toBe(false);
  });

  test('a device that is freed while its program is described keeps its threads until then', async () => {
    const own = new binding.NativeDevice(isa, 2);
    const description = {
      ...{ storages: slots([4096]), arenaBytes: 65536, groups: [] },
      get steps() {
        own.free();
        return [fill];
      },
    };
    expect(await new binding.NativeProgram(own, description).run(1)).toBe(true);
  });
});

describe('arrays', () => {
  const sizes = { depth: 3, m: 2, n: 2 };
  const given = () =>
    [Float64Array.of(1, 2, 3, 4, 5, 6), new Float64Array(6).fill(1), new Float64Array(4)] as const;

  test.each(['a', 'b'])('%s of a product may be given away while it is computed', async (name) => {
    const [a, b, c] = given();
    const product = binding.matrixProduct(device, a, b, c, sizes);
    structuredClone(name === 'a' ? a : b, { transfer: [(name === 'a' ? a : b).buffer] });
    await product;
    expect([...c]).toEqual([9, 9, 12, 12]);
  });

  test('the result of a product may not', async () => {
    const [a, b, c] = given();
    const product = binding.matrixProduct(device, a, b, c, sizes);
    structuredClone(c, { transfer: [c.buffer] });
    await expect(product).rejects.toEqual(refusal('ERR_PROGRAM', 'c was given away during the product'));
    expect(() => binding.matrixProduct(device, a, b, c, sizes)).toThrow(
      refusal('ERR_SHAPE', 'c has 0 elements, expected 4'),
    );
  });

  test('that are empty, or were given away, write and read nothing', () => {
    const tensor = new binding.NativeTensor(4);
    tensor.write(new Uint8Array([1, 2, 3, 4]), 0);
    const gone = new Uint8Array(4);
    structuredClone(gone, { transfer: [gone.buffer] });
    tensor.write(new Uint8Array(0), 4);
    tensor.write(gone, 0);
    tensor.read(gone);
    const bytes = new Uint8Array(4);
    tensor.read(bytes);
    expect([...bytes]).toEqual([1, 2, 3, 4]);
    expect(() => tensor.write(bytes, 1)).toThrow(
      refusal('ERR_SHAPE', '4 bytes at 1, expected a range within the 4 bytes'),
    );
  });
});
