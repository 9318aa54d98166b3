/**
 * The WebGPU engine on a real device: a GPU where there is one, SwiftShader elsewhere. No device is a failure, not a
 * skip: otherwise nothing here would ever be tested where it matters.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OpCase } from '../src/engine/op.js';
import { ops } from '../src/engine/ops/index.gen.js';
import { type Program, Recorder } from '../src/engine/program.js';
import { openDawnDevice } from '../src/engine/webgpu/dawn.js';
import { WebgpuDevice } from '../src/engine/webgpu/device.js';
import { Stream, seedWords } from '../src/util/random.js';
import { expectCaseAgrees } from './harness/cases.js';
import { eps32, expectClose } from './harness/close.js';
import { corners } from './harness/corners.js';

let device: WebgpuDevice;
beforeAll(async () => {
  device = await openDawnDevice();
}, 60_000);
afterAll(() => device?.dispose());

describe.each(Object.entries(ops))('%s', (_, { cases }) => {
  const small = (cases as readonly OpCase[]).filter(({ bench }) => !bench);
  test.each(small)(
    '$name',
    async (opCase) => {
      await expectCaseAgrees(device, opCase);
      expect(device.memory()).toEqual({ tensors: 0, executables: 0, bytes: 0 });
    },
    30_000,
  );
});

/** Gradient and step of a small layer on random images: several kernels, temporaries, a counter, an accumulation. */
function trainingStep(): Program {
  const r = new Recorder('training step');
  const state = r.external('state', 1, [4], 'u32');
  const theta = r.external('theta', 1, [64]);
  const g = r.external('g', 1, [64]);
  const rate = r.external('rate', 1, [1]);
  const x = ops.random.normal(r, { state }, { stream: 1 }, r.temporary('x', 1, [12, 15]));
  const w = { ...theta, shape: [4, 15] };
  const b = { ...theta, offset: 60, shape: [4] };
  const y = ops.relu.forward(r, { x: ops.linear.forward(r, { x, w, b }) });
  const yBar = ops.elementwise.add(r, { a: y, b: y }, 1, 0.25);
  ops.linear.backwardWeight(r, { x, yBar }, { into: { ...g, shape: [4, 15] } });
  ops.bias.backward(r, { yBar }, { into: { ...g, offset: 60, shape: [4] } });
  const next = ops.optimizer.sgd(r, { theta, g, rate });
  ops.elementwise.add(r, { a: next, b: next }, 1, 0, theta);
  ops.random.advance(r, { state });
  return r.program();
}

const initial = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i));

async function tensorsOf(on: WebgpuDevice) {
  return {
    state: await on.tensor('u32', 4, [1, 2, 0, 0]),
    theta: await on.tensor('f32', 64, initial),
    g: await on.tensor('f32', 64),
    rate: await on.tensor('f32', 1, [0.01]),
  };
}

function disposeAll(tensors: Record<string, { dispose(): void }>) {
  for (const tensor of Object.values(tensors)) tensor.dispose();
}

test.each(corners)('corner: $name', async (opCase) => {
  await expectCaseAgrees(device, opCase);
});

test('softplus and its gradient keep their digits far from zero', async () => {
  const values = Float32Array.from([-200, -80, -20.5, -5, -0.25, 0, 0.25, 5, 20.5, 80, 200, 3e38]);
  const r = new Recorder('softplus');
  const x = r.external('x', 1, [values.length]);
  const softplus = { curve: 'softplus' } as const;
  ops.activation.forward(r, { x }, softplus, { into: r.external('y', 1, x.shape) });
  const one = ops.elementwise.fill(r, 1, r.temporary('one', 1, x.shape));
  ops.activation.derivative(r, { x, u: one }, softplus, { into: r.external('slope', 1, x.shape) });
  const tensors = {
    x: await device.tensor('f32', values.length, values),
    y: await device.tensor('f32', values.length),
    slope: await device.tensor('f32', values.length),
  };
  const executable = await device.load(r.program(), tensors);
  await executable.run();
  // WGSL's exp is right to 3 + 2 |x| units, where it is not as good as zero.
  const relative = (expected: Float64Array) => (i: number) =>
    eps32 * (16 + 4 * Math.min(Math.abs(values[i]), 100)) * expected[i] + 2 ** -126;
  const y = Float64Array.from(values, (v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v))));
  expectClose('softplus', await tensors.y.read(), y, relative(y));
  const slope = Float64Array.from(values, (v) => 1 / (1 + Math.exp(-v)));
  expectClose('its gradient', await tensors.slope.read(), slope, relative(slope));
  executable.dispose();
  disposeAll(tensors);
});

test('sums are right with as many lanes as a GPU gets, too', async () => {
  const adapter = await device.gpu.requestAdapter();
  const wide = new WebgpuDevice(device.gpu, await adapter!.requestDevice(), 'webgpu (many lanes)', false);
  const names = [
    'bias.backward P=1 5x7',
    'bias.backward P=2 33x2x9x9 accumulate',
    'conv2d.backwardWeight P=3 N=2 3x6x5 -> 4 k3 s1 p1 first shared',
    'conv2d.backwardWeight P=3 N=3 2x7x8 -> 5 k3 s2 p1 first shared paired',
    'reduce.dot P=3 M=300',
    'reduce.sum P=3 M=5000 accumulate',
  ];
  const all: OpCase[] = Object.values(ops).flatMap(({ cases }) => [...cases]);
  for (const name of names) await expectCaseAgrees(wide, all.find((opCase) => opCase.name === name)!);
  await wide.dispose();
}, 30_000);

test('normal numbers agree with float64 to a few units in the last place, next to zero as well', async () => {
  const M = 1 << 14;
  const r = new Recorder('normals');
  const state = r.external('state', 1, [4], 'u32');
  ops.random.normal(r, { state }, { stream: 2, firstMember: 3 }, r.external('out', 1, [M]));
  const tensors = {
    state: await device.tensor('u32', 4, [...seedWords(987654321987), 7, 0]),
    out: await device.tensor('f32', M),
  };
  const executable = await device.load(r.program(), tensors);
  await executable.run();
  const stream = new Stream(987654321987, 2, 3);
  stream.draw = 7;
  const expected = Float64Array.from({ length: M }, (_, i) => stream.normal(i));
  expectClose('normals', await tensors.out.read(), expected, (i) => 8 * eps32 * Math.abs(expected[i]));
  executable.dispose();
  disposeAll(tensors);
});

describe('a program', () => {
  test('gives the same bits every time, however its runs are put together', async () => {
    const results: number[][] = [];
    for (const runs of [[7], [1, 1, 1, 1, 1, 1, 1], [3, 4]]) {
      const tensors = await tensorsOf(device);
      const executable = await device.load(trainingStep(), tensors);
      for (const times of runs) await executable.run({ times });
      expect([...(await tensors.state.read())]).toEqual([1, 2, 7, 0]);
      results.push([...(await tensors.theta.read())]);
      executable.dispose();
      disposeAll(tensors);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    expect(results[0].every(Number.isFinite)).toBe(true);
    expect(results[0]).not.toEqual([...initial]);
  });

  test('a run creates nothing but its command buffer', async () => {
    const created: string[] = [];
    const raw = device.raw as unknown as Record<string, unknown>;
    const tensors = await tensorsOf(device);
    const executable = await device.load(trainingStep(), tensors);
    const again = await device.load(trainingStep(), tensors);
    const pipelines = device.pipelines.size;
    const names = ['createBuffer', 'createBindGroup', 'createComputePipelineAsync', 'createShaderModule'];
    for (const name of [...names, 'createBindGroupLayout', 'createCommandEncoder']) {
      const original = (raw[name] as (...values: unknown[]) => unknown).bind(device.raw);
      raw[name] = (...values: unknown[]) => {
        created.push(name);
        return original(...values);
      };
    }
    try {
      await executable.run();
      await executable.run();
      await again.run();
    } finally {
      for (const name of [...names, 'createBindGroupLayout', 'createCommandEncoder']) delete raw[name];
    }
    expect(created).toEqual(Array(3).fill('createCommandEncoder'));
    expect(device.pipelines.size).toBe(pipelines);
    executable.dispose();
    again.dispose();
    disposeAll(tensors);
    expect(device.memory()).toEqual({ tensors: 0, executables: 0, bytes: 0 });
  });

  test('a signal stops between runs and rejects with its reason; the device stays usable', async () => {
    const tensors = await tensorsOf(device);
    const executable = await device.load(trainingStep(), tensors);
    const controller = new AbortController();
    const running = executable.run({ times: 1_000_000, signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 30);
    await expect(running).rejects.toThrow('enough');
    const [, , draw] = await tensors.state.read();
    expect(draw).toBeGreaterThan(0);
    expect(draw).toBeLessThan(1_000_000);
    await expect(executable.run({ signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow(
      'before',
    );
    expect((await tensors.state.read())[2]).toBe(draw);
    executable.dispose();
    disposeAll(tensors);
  });

  test('NaN comes through', async () => {
    const r = new Recorder('NaN');
    const x = r.external('x', 1, [1, 1, 1, 4]);
    const relu = ops.relu.forward(r, { x }, { into: r.external('relu', 1, [1, 1, 1, 4]) });
    ops.conv2d.forward(
      r,
      { x: relu, w: r.external('w', 1, [1, 1, 1, 1]) },
      { stride: 1, padding: 0 },
      { into: r.external('conv', 1, [1, 1, 1, 4]) },
    );
    const bound = {
      x: await device.tensor('f32', 4, [Number.NaN, -1, 2, -Number.NaN]),
      relu: await device.tensor('f32', 4),
      w: await device.tensor('f32', 1, [2]),
      conv: await device.tensor('f32', 4),
    };
    const executable = await device.load(r.program(), bound);
    await executable.run();
    expect([...(await bound.relu.read())]).toEqual([Number.NaN, 0, 2, Number.NaN]);
    expect([...(await bound.conv.read())]).toEqual([Number.NaN, 0, 4, Number.NaN]);
    executable.dispose();
    disposeAll(bound);
  });

  test('what was asked for before a dispose still happens', async () => {
    const tensors = await tensorsOf(device);
    const executable = await device.load(trainingStep(), tensors);
    const asked = [executable.run({ times: 3 }), tensors.theta.read()] as const;
    executable.dispose();
    disposeAll(tensors);
    expect(device.memory()).toEqual({ tensors: 0, executables: 0, bytes: 0 });
    await asked[0];
    const theta = await asked[1];
    expect([...theta].every(Number.isFinite)).toBe(true);
    expect([...theta]).not.toEqual([...initial]);
  });

  test('what was disposed says so, and the device goes on', async () => {
    const tensors = await tensorsOf(device);
    const executable = await device.load(trainingStep(), tensors);
    tensors.g.dispose();
    tensors.g.dispose();
    await expect(executable.run()).rejects.toThrow(/training step: the tensor of 64 f32 was disposed/);
    executable.dispose();
    await expect(executable.run()).rejects.toMatchObject({ code: 'ERR_PROGRAM' });
    disposeAll(tensors);
    await expect(tensors.theta.read()).rejects.toMatchObject({ code: 'ERR_PROGRAM' });
    await expect(tensors.theta.write([1])).rejects.toMatchObject({ code: 'ERR_PROGRAM' });
    expect(device.memory()).toEqual({ tensors: 0, executables: 0, bytes: 0 });
    const alive = await device.tensor('u32', 1, [5]);
    expect([...(await alive.read())]).toEqual([5]);
    alive.dispose();
  });
});

describe('a tensor', () => {
  test.each(['f32', 'u32', 'u8'] as const)(
    '%s: starts at zero and takes pieces at any offset',
    async (dtype) => {
      const tensor = await device.tensor(dtype, 11);
      const expected = new Array(11).fill(0);
      expect([...(await tensor.read())]).toEqual(expected);
      for (const [offset, count] of [
        [0, 11],
        [0, 3],
        [1, 1],
        [3, 6],
        [5, 6],
        [10, 1],
        [4, 4],
        [2, 0],
      ]) {
        const values = Array.from({ length: count }, (_, i) => (17 * offset + 31 * i + 1) % 256);
        await tensor.write(values, offset);
        expected.splice(offset, count, ...values);
        expect([...(await tensor.read())], `${count} at ${offset}`).toEqual(expected);
      }
      await expect(tensor.write([1, 2], 10)).rejects.toMatchObject({ code: 'ERR_SHAPE' });
      tensor.dispose();
    },
  );

  test('more memory than there is gives ERR_OUT_OF_MEMORY and leaves nothing behind', async () => {
    await expect(device.tensor('f32', 0x7fffffff)).rejects.toMatchObject({ code: 'ERR_OUT_OF_MEMORY' });
    expect(device.memory()).toEqual({ tensors: 0, executables: 0, bytes: 0 });
  });
});

describe('a device that is gone', () => {
  test.each([
    ['lost', 'ERR_DEVICE'],
    ['disposed', 'ERR_PROGRAM'],
  ])('%s: every call rejects with %s', async (how, code) => {
    const other = await openDawnDevice();
    const tensors = await tensorsOf(other);
    const executable = await other.load(trainingStep(), tensors);
    await executable.run();
    if (how === 'lost') other.raw.destroy();
    else await other.dispose();
    const gone = { code };
    await expect(executable.run()).rejects.toMatchObject(gone);
    await expect(tensors.theta.read()).rejects.toMatchObject(gone);
    await expect(tensors.theta.write([1])).rejects.toMatchObject(gone);
    await expect(other.tensor('f32', 4)).rejects.toMatchObject(gone);
    await expect(other.load(trainingStep(), tensors)).rejects.toMatchObject(gone);
    await other.dispose();
    expect(other.memory()).toEqual({ tensors: 0, executables: 0, bytes: 0 });
  });

  test('an error nobody asked for ends the device: results can no longer be trusted', async () => {
    const other = await openDawnDevice();
    const tensor = await other.tensor('f32', 4);
    // Otherwise Dawn prints it to stdout.
    let isPrevented = false;
    other.raw.addEventListener('uncapturederror', ({ defaultPrevented }) => {
      isPrevented = defaultPrevented;
    });
    other.raw.createBuffer({ size: 4, usage: 0xffffff });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isPrevented).toBe(true);
    await expect(tensor.read()).rejects.toMatchObject({
      code: 'ERR_DEVICE',
      message: expect.stringMatching(/an error nobody asked for/),
    });
    await other.dispose();
  });
});
