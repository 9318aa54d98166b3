import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadBinding } from '../src/engine/cpu/binding.js';
import { CpuDevice, cpuInfo, openCpuDevice } from '../src/engine/cpu/device.js';
import type { Device, Tensor } from '../src/engine/device.js';
import type { OpCase } from '../src/engine/op.js';
import * as adam from '../src/engine/ops/adam.js';
import * as conv2d from '../src/engine/ops/conv2d.js';
import * as linear from '../src/engine/ops/linear.js';
import * as lrn from '../src/engine/ops/lrn.js';
import * as momentum from '../src/engine/ops/momentum.js';
import * as norm from '../src/engine/ops/norm.js';
import * as reduce from '../src/engine/ops/reduce.js';
import { type Program, Recorder } from '../src/engine/program.js';
import { createNetwork } from '../src/networks/index.js';
import { recordMetaGradient } from '../src/train/calls/meta-gradient.js';
import { expectCaseAgrees, prepareCase, runCase } from './harness/cases.js';
import { cases, kernelsOf, ops } from './harness/native-cases.js';
import { root } from './harness/repository.js';

const open: Device[] = [];
async function device(options?: { threads?: number; isa?: string }): Promise<Device> {
  const opened = await openCpuDevice(options);
  open.push(opened);
  return opened;
}
afterAll(() => Promise.all(open.map((opened) => opened.dispose())));

describe('the native table', () => {
  const native = new Map(
    loadBinding()
      .kernels()
      .map((kernel) => [kernel.name, kernel]),
  );
  const expected = Object.values(ops).flatMap(kernelsOf);

  it('has exactly the kernels of src/engine/ops and src/engine/cpu/ops', () => {
    expect([...native.keys()].sort()).toEqual(expected.map((kernel) => kernel.name).sort());
  });

  it.each(expected.map((kernel) => [kernel.name, kernel] as const))(
    '%s reads what it is given',
    (name, kernel) => {
      const { operands, sizes, constants } = native.get(name)!;
      expect(operands).toEqual(Object.keys(kernel.operands));
      expect(kernel.sizes).toEqual(expect.arrayContaining([...sizes]));
      expect(kernel.constants).toEqual(expect.arrayContaining([...constants]));
    },
  );
});

describe.each(cpuInfo().isas)('%s agrees with the reference', async (isa) => {
  const cpu = await device({ isa, threads: 2 });
  it.each(cases.filter((opCase) => !opCase.bench).map((opCase) => [opCase.name, opCase] as const))(
    '%s',
    async (_, opCase) => expectCaseAgrees(cpu, opCase),
  );
});

/** Large enough for every kernel to be cut into many chunks, small enough for the reference. */
const large: OpCase[] = [
  {
    name: 'convolutions in chunks',
    record(r) {
      const geometry = { stride: 1, padding: 2 };
      const x = r.external('x', 2, [41, 2, 13, 12]);
      const w = r.external('w', 1, [7, 2, 5, 5]);
      const y = conv2d.forward(r, { x, w }, geometry, { into: r.external('y', 2, [41, 7, 13, 12]) });
      conv2d.backwardWeight(r, { x, yBar: y }, geometry, w.shape, {
        into: r.external('wBar', 2, [7, 2, 5, 5]),
      });
      conv2d.backwardInput(r, { yBar: y, w }, geometry, x.shape, { into: r.external('xBar', 2, x.shape) });
      const [xDot, wDot] = [r.external('xDot', 2, x.shape), r.external('wDot', 2, w.shape)];
      const second = { x: xDot, w };
      const yDot = conv2d.forward(r, { x, w: wDot, second }, geometry, {
        into: r.external('yDot', 2, y.shape),
      });
      const both = { x, yBar: yDot, second: { x: xDot, yBar: y } };
      conv2d.backwardWeight(r, both, geometry, w.shape, { into: r.external('wBarDot', 2, w.shape) });
      const sum = { yBar: y, w: wDot, second: { yBar: yDot, w } };
      conv2d.backwardInput(r, sum, geometry, x.shape, { into: r.external('xBarDot', 2, x.shape) });
    },
  },
  {
    name: 'norms in chunks',
    record(r) {
      const shape = [20, 8, 15, 17];
      const [x, yBar] = ['x', 'yBar'].map((name) => r.external(name, 1, shape));
      const [gamma, beta] = ['gamma', 'beta'].map((name) => r.external(name, 1, [8]));
      const geometry = { groups: 4, eps: 1e-5, frozen: false };
      const { saved } = norm.forward(r, { x, gamma, beta }, geometry, { y: r.external('y', 1, shape) });
      norm.backward(r, { x, saved, yBar }, geometry, { xBar: r.external('xBar', 1, shape) });
      const window = { size: 4, alpha: 1, beta: 0.75, k: 1 };
      const { d } = lrn.forward(r, { x }, window, { y: r.external('scaled', 1, shape) });
      lrn.backward(r, { x, d, yBar }, window, { into: r.external('scaledBar', 1, shape) });
    },
  },
  {
    name: 'products in chunks',
    record(r) {
      const x = r.external('x', 1, [301, 130]);
      const w = r.external('w', 2, [75, 130]);
      const b = r.external('b', 2, [75]);
      const y = linear.forward(r, { x, w, b }, { into: r.external('y', 2, [301, 75]) });
      linear.backwardWeight(r, { x, yBar: y }, { into: r.external('wBar', 2, [75, 130]) });
      linear.backwardInput(r, { yBar: y, w }, { into: r.external('xBar', 2, [301, 130]) });
      const [xDot, wDot] = [r.external('xDot', 2, x.shape), r.external('wDot', 2, w.shape)];
      const second = { x: xDot, w };
      const yDot = linear.forward(r, { x, w: wDot, b, second }, { into: r.external('yDot', 2, y.shape) });
      const both = { x, yBar: yDot, second: { x: xDot, yBar: y } };
      linear.backwardWeight(r, both, { into: r.external('wBarDot', 2, w.shape) });
      const sum = { yBar: y, w: wDot, second: { yBar: yDot, w } };
      linear.backwardInput(r, sum, { into: r.external('xBarDot', 2, x.shape) });
    },
  },
  {
    name: 'inner optimisers in chunks',
    fill: { moments: { kind: 'positive' } },
    record(r) {
      const M = 20_000;
      const [theta, g, lambda, u] = ['theta', 'g', 'lambda', 'u'].map((name) => r.external(name, 2, [M]));
      const rate = r.external('rate', 1, [1]);
      const options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-3, decay: 0.1, decoupled: false };
      const next = r.external('next', 2, [2, M + 1]);
      adam.step(r, { theta, g, moments: r.external('moments', 2, [2, M + 1]), rate }, options, { next });
      const momentsBar = r.external('momentsBar', 2, [2, M]);
      adam.backward(r, { theta, g, next, rate, lambda, momentsBar }, options, { v: r.external('v', 2, [M]) });
      const into = { uNext: r.external('uNext', 2, [M]), out: r.external('out', 2, [M]) };
      momentum.step(r, { theta, g, u, rate }, { momentum: 0.9, nesterov: true, decay: 0.1 }, into);
    },
  },
];

describe('chunks', () => {
  it.each(large.map((opCase) => [opCase.name, opCase] as const))(
    '%s agree with the reference',
    async (_, opCase) => {
      // Values grow along the chain of steps: a bound in units of the largest one.
      await expectCaseAgrees(await device({ threads: 2 }), opCase, { ulps: 600 });
    },
  );
});

describe('the same bits', () => {
  const bench = cases.filter((opCase) => opCase.bench && /N=1024|1024x/.test(opCase.name));
  const chunked = [...cases.filter((opCase) => !opCase.bench), ...large, ...bench];
  let [one, two, three]: Device[] = [];
  beforeAll(async () => {
    [one, two, three] = await Promise.all([1, 2, 3].map((threads) => device({ threads })));
  });
  it.each(chunked)('whatever the number of threads, and every time: $name', async (opCase) => {
    const prepared = prepareCase(opCase);
    const expected = await runCase(one, prepared);
    for (const again of [two, three, two])
      for (const [slot, values] of await runCase(again, prepared))
        expect(Buffer.compare(bytes(values), bytes(expected.get(slot)!))).toBe(0);
  });
});

function bytes(values: ArrayBufferView): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

/** counter += 1, with work in between so that a run takes a while. */
function counting(elements: number): Program {
  const r = new Recorder('counting');
  const one = r.external('one', 1, [elements]);
  const counter = r.external('counter', 1, [elements]);
  reduce.members(r, { x: one }, 1, { into: counter, accumulate: true });
  return r.program();
}

async function countingOn(cpu: Device, elements = 100_000) {
  const one = await cpu.tensor('f32', elements, new Float32Array(elements).fill(1));
  const counter = await cpu.tensor('f32', elements);
  const executable = await cpu.load(counting(elements), { one, counter });
  return { one, counter, executable };
}

describe('runs', () => {
  it('stop when they are told to, and can be run again', async () => {
    const { counter, executable } = await countingOn(await device({ threads: 2 }));
    const reason = new Error('enough');
    let reached = 0;
    // On a busy machine the first delays may be over before the run has begun.
    for (let delay = 20; reached === 0; delay *= 2) {
      const controller = new AbortController();
      setTimeout(() => controller.abort(reason), delay);
      await expect(executable.run({ times: 10_000_000, signal: controller.signal })).rejects.toBe(reason);
      reached = (await counter.read())[0];
    }
    expect(reached).toBeLessThan(10_000_000);
    await executable.run();
    expect((await counter.read())[0]).toBe(reached + 1);
    await expect(executable.run({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('leave the event loop alone', async () => {
    const { executable } = await countingOn(await device({ threads: 2 }));
    const controller = new AbortController();
    const run = executable.run({ times: 10_000_000, signal: controller.signal });
    let ticks = 0;
    for (; ticks < 10; ticks++) await new Promise((resolve) => setTimeout(resolve, 2));
    controller.abort();
    await expect(run).rejects.toThrow();
    expect(ticks).toBe(10);
  });

  it('are planned in pieces, between which others get their turn', async () => {
    const opened = await device();
    const program = recordMetaGradient({
      network: createNetwork({ name: 'lenet', inputShape: [1, 28, 28], classes: 10 }),
      ...{ members: 1, n: 10, B: 64, steps: 1, epochs: 3 },
    });
    const bindings: Record<string, Tensor> = {};
    for (const { external, name, dtype, length } of program.slots)
      if (external) bindings[name] = await opened.tensor(dtype, length);
    let turns = 0;
    const ticking = setInterval(() => turns++, 0);
    const executable = await opened.load(program, bindings);
    clearInterval(ticking);
    expect(turns).toBeGreaterThanOrEqual(3);
    executable.dispose();

    const given = opened.load(program, bindings);
    bindings.images.dispose();
    await expect(given).rejects.toMatchObject({ code: 'ERR_PROGRAM' });
  });

  it('of two devices go side by side', async () => {
    const [a, b] = [
      await countingOn(await device({ threads: 2 })),
      await countingOn(await device({ threads: 2 })),
    ];
    await Promise.all([a.executable.run({ times: 200 }), b.executable.run({ times: 100 })]);
    expect((await a.counter.read())[7]).toBe(200);
    expect((await b.counter.read())[7]).toBe(100);
  });

  it('work in worker threads, which may end at any time', async () => {
    const script = `
      const { parentPort, workerData } = require('node:worker_threads');
      const native = require('node-gyp-build')(workerData);
      const device = new native.NativeDevice(native.isas()[0], 2);
      const tensor = new native.NativeTensor(400000);
      const kernel = native.kernels().findIndex((kernel) => kernel.name === 'elementwise.fill');
      const step = { kernel, operands: [0, 0, 0, 1, 400000], sizes: [1, 100000], constants: [3], accumulate: false };
      const program = new native.NativeProgram(device, { storages: [{ tensor, offset: 0, bytes: 400000 }], arenaBytes: 0, steps: [step], groups: [] });
      program.run(1).then(() => {
        const bytes = new Uint8Array(400000);
        tensor.read(bytes);
        program.run(2000);
        parentPort.postMessage(new Float32Array(bytes.buffer)[99999]);
      });`;
    await Promise.all(
      [0, 1, 2].map(async () => {
        const worker = new Worker(script, { eval: true, workerData: root });
        expect(
          await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject)),
        ).toBe(3);
        await worker.terminate();
      }),
    );
  });
});

describe('disposal', () => {
  const code = (wanted: string) => expect.objectContaining({ name: 'LimbeckError', code: wanted });

  it('gives everything back', async () => {
    const cpu = new CpuDevice({ threads: 2 });
    const { one, counter, executable } = await countingOn(cpu);
    expect(cpu.memory()).toMatchObject({ tensors: 2, executables: 1 });
    const running = executable.run({ times: 20 });
    executable.dispose();
    const reading = counter.read();
    one.dispose();
    counter.dispose();
    await running;
    expect((await reading)[0]).toBe(20);
    expect(cpu.memory()).toEqual({ tensors: 0, executables: 0, bytes: 0 });
    await cpu.dispose();
    await cpu.dispose();
  });

  it('makes later use an error, not a crash', async () => {
    const cpu = new CpuDevice({ threads: 1 });
    const { one, counter, executable } = await countingOn(cpu, 10);
    one.dispose();
    one.dispose();
    await expect(one.read()).rejects.toEqual(code('ERR_PROGRAM'));
    await expect(one.write([1])).rejects.toEqual(code('ERR_PROGRAM'));
    await expect(executable.run()).rejects.toEqual(code('ERR_PROGRAM'));
    await expect(cpu.load(counting(10), { one, counter })).rejects.toEqual(code('ERR_PROGRAM'));
    executable.dispose();
    executable.dispose();
    await expect(executable.run()).rejects.toEqual(code('ERR_PROGRAM'));
    await cpu.dispose();
    await expect(counter.read()).rejects.toEqual(code('ERR_PROGRAM'));
    await expect(cpu.tensor('f32', 1)).rejects.toEqual(code('ERR_PROGRAM'));
    await expect(cpu.load(counting(10), {})).rejects.toEqual(code('ERR_PROGRAM'));
  });
});

describe('what is asked for wrongly', () => {
  const code = (wanted: string) => expect.objectContaining({ name: 'LimbeckError', code: wanted });

  it('is an error that says so', async () => {
    const [cpu, other] = [await device({ threads: 1 }), await device({ threads: 1 })];
    await expect(openCpuDevice({ isa: 'mmx' })).rejects.toEqual(code('ERR_OPTION'));
    await expect(openCpuDevice({ threads: 0 })).rejects.toEqual(code('ERR_OPTION'));
    await expect(openCpuDevice({ passes: ['winigrad'] })).rejects.toEqual(code('ERR_OPTION'));
    await expect(cpu.tensor('f32', 0)).rejects.toEqual(code('ERR_SHAPE'));
    await expect(cpu.tensor('f32', 3, [1, 2, 3, 4])).rejects.toEqual(code('ERR_SHAPE'));
    const tensors: Record<string, Tensor> = {
      one: await cpu.tensor('f32', 10),
      counter: await other.tensor('f32', 10),
    };
    await expect(cpu.load(counting(10), tensors)).rejects.toEqual(code('ERR_PROGRAM'));
    const strange = counting(10);
    const kernel = { ...strange.steps[0].kernel, name: 'elementwise.unheard' };
    const program = Object.create(strange, { steps: { value: [{ ...strange.steps[0], kernel }] } });
    const own = { one: tensors.one, counter: await cpu.tensor('f32', 10) };
    await expect(cpu.load(program, own)).rejects.toThrow(/elementwise.unheard/);
  });

  it('cannot reach beyond a slot', async () => {
    const cpu = await device({ threads: 1 });
    const program = counting(10);
    const { x, out } = program.steps[0].operands;
    const steps = [{ ...program.steps[0], operands: { x, out: { ...out!, offset: 4 } } }];
    const own = { one: await cpu.tensor('f32', 10), counter: await cpu.tensor('f32', 10) };
    await expect(cpu.load(Object.create(program, { steps: { value: steps } }), own)).rejects.toThrow(
      /beyond its slot/,
    );
  });
});
