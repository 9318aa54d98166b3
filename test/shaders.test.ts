/**
 * The WGSL files against the TypeScript definitions, without a GPU: names, operands and overrides by reading, and
 * every specialisation of every case by Dawn's null backend, which checks everything and computes nothing (and
 * offers exactly the limits every WebGPU device has, so it is the portability floor as well).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Tensor } from '../src/engine/device.js';
import type { Kernel } from '../src/engine/kernel.js';
import type { OpCase } from '../src/engine/op.js';
import { kernels, ops } from '../src/engine/ops/index.gen.js';
import { type Program, Recorder } from '../src/engine/program.js';
import { openDawnDevice } from '../src/engine/webgpu/dawn.js';
import type { WebgpuDevice } from '../src/engine/webgpu/device.js';
import { biasedKernels, setsKernel } from '../src/engine/webgpu/ops/biased.js';
import { sumKernel } from '../src/engine/webgpu/ops/pieces.js';
import { maskOperand, rectifiable } from '../src/engine/webgpu/ops/rectified.js';
import { tiledKernels } from '../src/engine/webgpu/ops/tiled.js';
import { shaders } from '../src/engine/webgpu/shaders.gen.js';

const files = readdirSync('shaders').filter((name) => name.endsWith('.wgsl'));
/** The kernels of all engines and those of this one. */
const own: readonly Kernel[] = [...Object.values(kernels), ...Object.values(tiledKernels), sumKernel];

/** Sizes that the steps of this engine have beside those of the op, by the kernels that read them. */
const ownSizes: Readonly<Record<string, readonly string[]>> = {
  BIAS: Object.keys(biasedKernels),
  SETS: [setsKernel.name],
};

describe('the files and the definitions', () => {
  test('the generated module holds the files as they are, with the part that some of them name', () => {
    for (const file of files) {
      const own = readFileSync(`shaders/${file}`, 'utf8');
      const part = /^\/\/ with: (\w+)$/m.exec(own)?.[1];
      const whole = part ? `${own}\n${readFileSync(`shaders/with/${part}.wgsl`, 'utf8')}` : own;
      expect(shaders[file.slice(0, -5)].code, `${file}: run npm run generate`).toBe(whole);
    }
  });

  test('helpers that stand in several files are copies of one text, and so are parts that are joined to several', () => {
    const texts = new Map<string, Set<string>>();
    let copies = 0;
    for (const [op, { code, entries }] of Object.entries(shaders))
      for (const [text, name] of code.matchAll(/^fn (\w+)\(.*?^\}/gms)) {
        if (Object.hasOwn(entries, name)) continue;
        if (texts.has(name)) copies++;
        texts.set(name, (texts.get(name) ?? new Set()).add(text));
        expect(texts.get(name)!.size, `${name} in shaders/${op}.wgsl differs from its copies`).toBe(1);
      }
    expect(copies).toBeGreaterThan(10);
  });

  test('the entry points are the kernels', () => {
    const entries = Object.entries(shaders).flatMap(([op, shader]) =>
      Object.keys(shader.entries).map((entry) => `${op}.${entry}`),
    );
    expect(entries.sort()).toEqual(own.map(({ name }) => name).sort());
  });

  test.each(own)('$name: operands and overrides', (kernel) => {
    const [op, name] = kernel.name.split('.');
    const { overrides: types, entries } = shaders[op];
    const { bindings, overrides } = entries[name];
    expect(bindings.map(({ operand, access }) => [operand, access])).toEqual(
      Object.entries(kernel.operands).map(([operand, access]) => [
        operand,
        access === 'read' || access === 'optional' ? 'read' : 'read_write',
      ]),
    );
    expect(bindings.length, 'storage buffers every device has').toBeLessThanOrEqual(8);

    const optional = Object.entries(kernel.operands).filter(([, access]) => access === 'optional');
    const allowed = new Map([
      ...kernel.sizes.map((size): [string, string] => [size, 'u32']),
      ...kernel.constants.map((constant): [string, string] => [constant, 'f32']),
      ...kernel.constants.map((constant): [string, string] => [`ONE_MINUS_${constant}`, 'f32']),
      ...optional.map(([operand]): [string, string] => [`HAS_${operand}`, 'bool']),
      ['ACCUMULATE', 'bool'],
      ['SIDE', 'u32'],
      ...Object.entries(ownSizes).flatMap(([size, names]): [string, string][] =>
        names.includes(kernel.name) ? [[size, 'u32']] : [],
      ),
    ]);
    for (const override of overrides) expect(types[override], override).toBe(allowed.get(override));
    for (const [operand] of optional) expect(overrides).toContain(`HAS_${operand}`);
    for (const constant of kernel.constants)
      expect(overrides.filter((o) => o === constant || o === `ONE_MINUS_${constant}`)).not.toEqual([]);
  });

  test('what is bound behind all operands, a mask, has room', () => {
    for (const kernel of own.filter(rectifiable))
      expect(Object.keys(kernel.operands).length, kernel.name).toBeLessThanOrEqual(7);
    const names = own.flatMap(({ operands }) => Object.keys(operands));
    expect(names).not.toContain(maskOperand);
  });

  test('every override of a file is used by an entry point', () => {
    for (const [op, { overrides, entries }] of Object.entries(shaders)) {
      const used = Object.values(entries).flatMap((entry) => entry.overrides);
      for (const override of Object.keys(overrides)) expect(used, `${op}.wgsl`).toContain(override);
    }
  });

  test('the files are plain WGSL that every device takes', () => {
    for (const file of files) {
      const code = readFileSync(`shaders/${file}`, 'utf8');
      for (const template of ['${', '{{', '#if', '#include', 'enable ', 'requires '])
        expect(code.includes(template), `${file} contains ${template}`).toBe(false);
      expect(code.split('\n').filter((line) => line.length > 140)).toEqual([]);
    }
  });

  test('the device itself needs nothing of Node: browsers open it too', () => {
    const node = ['dawn.ts', 'environment.ts', 'probe.ts'];
    const all = readdirSync('src/engine/webgpu', { recursive: true, encoding: 'utf8' });
    for (const file of all.filter((name) => name.endsWith('.ts') && !node.includes(name))) {
      const imports = [
        ...readFileSync(`src/engine/webgpu/${file}`, 'utf8').matchAll(/^(?:im|ex)port .*from '(.*)'/gm),
      ];
      for (const [, from] of imports) expect(from, file).toMatch(/^\.\.?\/(?!dawn|environment|probe)/);
    }
  });
});

function recordCase(opCase: OpCase): Program {
  const recorder = new Recorder(opCase.name);
  opCase.record(recorder);
  return recorder.program();
}

describe('on the null backend', () => {
  let device: WebgpuDevice;
  beforeAll(async () => {
    device = await openDawnDevice({ backend: 'null' });
  });
  afterAll(() => device?.dispose());

  async function load(program: Program) {
    const tensors: Record<string, Tensor> = {};
    for (const slot of program.slots)
      if (slot.external) tensors[slot.name] = await device.tensor(slot.dtype, slot.length);
    try {
      const executable = await device.load(program, tensors);
      await executable.run();
      executable.dispose();
    } finally {
      for (const tensor of Object.values(tensors)) tensor.dispose();
    }
  }

  test.each(Object.entries(ops))('%s: every case loads and runs without an error', async (_, { cases }) => {
    for (const opCase of cases as readonly OpCase[]) await load(recordCase(opCase));
    expect(device.memory()).toEqual({ tensors: 0, executables: 0, bytes: 0 });
  });

  /** A step of a case with something changed behind the recorder's back. */
  function broken(change: (step: Program['steps'][number]) => object): Program {
    const program = recordCase(ops.linear.cases[0]);
    return Object.create(program, {
      steps: { value: program.steps.map((step) => ({ ...step, ...change(step) })) },
    });
  }

  test('a size that is missing is named', async () => {
    await expect(load(broken(({ sizes }) => ({ sizes: { ...sizes, O: undefined } })))).rejects.toThrow(
      /linear\.forward: the step has no value for O/,
    );
  });

  test('a size no u32 can hold is refused with the name of the specialisation', async () => {
    await expect(load(broken(({ sizes }) => ({ sizes: { ...sizes, I: -1 } })))).rejects.toMatchObject({
      code: 'ERR_PROGRAM',
      message: expect.stringMatching(/linear\.forward P=1 N=1 I=-1/),
    });
  });

  test('more workgroups than one dispatch can have are refused', async () => {
    const huge = broken(({ sizes }) => ({ sizes: { ...sizes, N: 2 ** 33 } }));
    await expect(load(huge)).rejects.toMatchObject({ code: 'ERR_SHAPE' });
  });

  test('a kernel that cannot accumulate says so', async () => {
    const program = recordCase(ops.relu.cases[0]);
    const steps = program.steps.map((step) => ({ ...step, accumulate: true }));
    await expect(load(Object.create(program, { steps: { value: steps } }))).rejects.toThrow(
      /relu\.forward cannot add to its result/,
    );
  });

  test('reading and writing one tensor in one step is refused', async () => {
    const r = new Recorder('in place');
    const x = r.external('x', 1, [8]);
    ops.relu.forward(r, { x }, { into: x });
    await expect(load(r.program())).rejects.toMatchObject({
      code: 'ERR_PROGRAM',
      message: expect.stringMatching(/step 0 \(relu\.forward\): y and x are both in x/),
    });
  });

  test('two outputs in one tensor are refused, two inputs in one are fine', async () => {
    const r = new Recorder('one tensor bound twice');
    const x = r.external('x', 1, [1, 1, 4, 4]);
    const y = r.external('y', 1, [1, 1, 2, 2]);
    const index = r.external('index', 1, [1, 1, 2, 2], 'u32');
    ops.maxpool2d.forward(
      r,
      { x },
      { kernel: 2, stride: 2, padding: 0 },
      { y, index: { ...index, slot: y.slot } },
    );
    await expect(load(r.program())).rejects.toMatchObject({ code: 'ERR_PROGRAM' });

    const s = new Recorder('w and b in theta');
    const theta = s.external('theta', 1, [20]);
    ops.linear.forward(
      s,
      {
        x: s.external('x', 1, [3, 4]),
        w: { ...theta, shape: [4, 4] },
        b: { ...theta, offset: 16, shape: [4] },
      },
      { into: s.external('y', 1, [3, 4]) },
    );
    await load(s.program());
  });

  test('a view that ends outside its slot is refused', async () => {
    const r = new Recorder('outside');
    const x = r.external('x', 1, [8]);
    ops.relu.forward(r, { x: { ...x, offset: 4 } }, { into: r.external('y', 1, [8]) });
    await expect(load(r.program())).rejects.toThrow(/x ends at element 12 of x, which has 8/);
  });

  test('a tensor larger than the device can bind is an ERR_OUT_OF_MEMORY', async () => {
    await expect(device.tensor('f32', 2 ** 30 + 1)).rejects.toMatchObject({ code: 'ERR_OUT_OF_MEMORY' });
    expect(device.memory().bytes).toBe(0);
  });
});
