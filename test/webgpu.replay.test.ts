/** What an outer step costs the host on the WebGPU engine: one submit, and nothing made, written or read back. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateDigits } from '../src/data/digits.js';
import * as elementwise from '../src/engine/ops/elementwise.js';
import { Recorder } from '../src/engine/program.js';
import { openDawnDevice } from '../src/engine/webgpu/dawn.js';
import type { WebgpuDevice } from '../src/engine/webgpu/device.js';
import { leastWork, Pace } from '../src/engine/webgpu/pace.js';
import type { Process } from '../src/methods/method.js';
import { findMethod, resolveOptions } from '../src/runs/options.js';
import { settingFor, uploadTraining } from '../src/runs/setting.js';
import { Owned } from '../src/util/owned.js';

/** The calls of WebGPU that a device gets while `action` runs, by name. */
async function callsOf(
  device: WebgpuDevice,
  action: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const calls: Record<string, number> = {};
  const wrapped = [device.raw, device.raw.queue] as unknown as Record<string, unknown>[];
  const names = wrapped.map((object) =>
    Object.getOwnPropertyNames(Object.getPrototypeOf(object)).filter(
      (name) => name !== 'constructor' && typeof object[name] === 'function',
    ),
  );
  wrapped.forEach((object, i) => {
    for (const name of names[i]) {
      const original = (object[name] as (...values: unknown[]) => unknown).bind(object);
      object[name] = (...values: unknown[]) => {
        calls[name] = (calls[name] ?? 0) + 1;
        return original(...values);
      };
    }
  });
  try {
    await action();
  } finally {
    wrapped.forEach((object, i) => {
      for (const name of names[i]) delete object[name];
    });
  }
  return calls;
}

describe('an outer step', () => {
  let device: WebgpuDevice;
  const owned = new Owned();
  let loop: Process;
  beforeAll(async () => {
    device = await openDawnDevice({ backend: 'null' });
    const digits = generateDigits({ train: 40, validation: 10, test: 10 });
    const network = { name: 'mlp', width: 8 };
    const given = { network, init: 'random', labels: 'soft', batch: 4, iterations: 100 } as const;
    const options = resolveOptions(given);
    const train = owned.own(await uploadTraining(device, digits, options));
    const setting = await settingFor(device, digits, options, train);
    loop = owned.own(await findMethod(options.method).begin(setting));
  });
  afterAll(async () => {
    owned.dispose();
    expect(device.memory()).toEqual({ tensors: 0, executables: 0, bytes: 0 });
    await device.dispose();
  });

  test('is one command buffer; the loss comes back once, through what is kept for it', async () => {
    expect(loop.programs[0].steps.length).toBeGreaterThan(50);
    const first = await callsOf(device, () => loop.advance(1));
    expect(first).toMatchObject({ createCommandEncoder: 2, submit: 2, createBuffer: 1 });
    const pipelines = device.pipelines.size;
    for (const count of [1, 7, 20]) {
      const calls = await callsOf(device, () => loop.advance(count));
      expect(calls).toEqual({
        createCommandEncoder: count + 1,
        submit: count + 1,
        onSubmittedWorkDone: count,
      });
    }
    expect(device.pipelines.size).toBe(pipelines);
    expect(loop.step).toBe(29);
  });

  test('is handed over before the ones before it are done, not all at once', async () => {
    let submitted = 0;
    const { queue } = device.raw;
    queue.submit = (buffers) => {
      submitted++;
      return Object.getPrototypeOf(queue).submit.call(queue, buffers);
    };
    try {
      const running = loop.executables[0].run({ times: 50 });
      for (let turn = 0; turn < 100; turn++) await Promise.resolve();
      expect(submitted).toBe(3);
      await running;
      expect(submitted).toBe(50);
    } finally {
      delete (queue as { submit?: unknown }).submit;
    }
  });
});

test('reads at the same time do not share what they are staged in, and large ones do not keep it', async () => {
  const device = await openDawnDevice();
  const sizes = [1, 3, 1024, 1025, 5000];
  const tensors = await Promise.all(
    sizes.map((size) => device.tensor('u32', size, new Uint32Array(size).fill(size))),
  );
  const readAll = async () => {
    const values = await Promise.all(tensors.map((tensor) => tensor.read()));
    expect(values.map((value) => [value.length, new Set(value)])).toEqual(
      sizes.map((size) => [size, new Set([size])]),
    );
  };
  expect(await callsOf(device, readAll)).toMatchObject({ createBuffer: 5, submit: 5 });
  expect(await callsOf(device, readAll)).toMatchObject({ createBuffer: 2, submit: 5 });
  await device.dispose();
});

describe('the length of command buffers', () => {
  /** Hands over runs of `dispatches` with `work` each on a device that does `perMs` of it; returns where each run was cut. */
  async function cuts(perMs: number, dispatches: number, work: number, runs: number): Promise<number[][]> {
    let clock = 0;
    const pace = new Pace(() => clock);
    const sums = Float64Array.from({ length: dispatches + 1 }, (_, i) => i * work);
    const all: number[][] = [];
    for (let run = 0; run < runs; run++) {
      const ends: number[] = [];
      for (let from = 0; from < dispatches; from = ends.at(-1)!) {
        await pace.room();
        const to = pace.end(sums, from);
        const done = Promise.resolve().then(() => {
          clock += (sums[to] - sums[from]) / perMs;
        });
        pace.submitted(sums[to] - sums[from], done);
        await done;
        ends.push(to);
      }
      all.push(ends);
    }
    return all;
  }

  test('a run with little work is never cut, however slow the device is', async () => {
    expect(await cuts(1, 100, leastWork / 100, 10)).toEqual(Array(10).fill([100]));
  });

  test('the first runs on a fast device are cut, later ones are not', async () => {
    const ends = await cuts(1e9, 1000, 1e7, 4);
    expect(ends[0].slice(0, 2)).toEqual([3, 9]);
    expect(ends[0].length).toBeLessThan(12);
    expect(ends.slice(2)).toEqual([[1000], [1000]]);
  });

  test('on a slow device no command buffer takes longer than twice the patience', async () => {
    const ends = (await cuts(1e6, 1000, 1e6, 5)).flat();
    const lengths = ends.map((end, i) => (end > (ends[i - 1] ?? 0) ? end - (ends[i - 1] ?? 0) : end));
    expect(Math.max(...lengths)).toBeLessThanOrEqual(100);
    expect(Math.min(...lengths.slice(0, -1).filter((length) => length > 10))).toBeGreaterThan(20);
  });

  test('what takes too long becomes shorter again, down to the least', async () => {
    let clock = 0;
    const pace = new Pace(() => clock);
    const sums = Float64Array.from({ length: 1001 }, (_, i) => (i * leastWork) / 10);
    const part = async (milliseconds: number) => {
      await pace.room();
      const to = pace.end(sums, 0);
      const done = Promise.resolve().then(() => {
        clock += milliseconds;
      });
      pace.submitted(sums[to], done);
      await pace.room();
      await done;
      await Promise.resolve();
      return to;
    };
    const lengths: number[] = [];
    for (const milliseconds of [1, 1, 1, 30, 60, 500, 500, 500, 1]) lengths.push(await part(milliseconds));
    expect(lengths).toEqual([10, 20, 40, 80, 80, 40, 20, 10, 10]);
  });

  test('what waits for those before it has not taken long itself', async () => {
    let clock = 0;
    const pace = new Pace(() => clock);
    const sums = Float64Array.from({ length: 1001 }, (_, i) => (i * leastWork) / 10);
    const underWay: (() => void)[] = [];
    const submit = () => {
      const to = pace.end(sums, 0);
      pace.submitted(sums[to], new Promise<void>((done) => underWay.push(done)));
      return to;
    };
    const end = async (milliseconds: number) => {
      clock += milliseconds;
      underWay.shift()!();
      await new Promise((resolve) => setImmediate(resolve));
    };
    expect(submit()).toBe(10);
    await end(1);
    expect([submit(), submit(), submit()]).toEqual([20, 20, 20]);
    for (let i = 0; i < 3; i++) await end(30);
    expect(submit()).toBe(20);
  });

  test('one dispatch is not cut, and nobody encodes more than a few thousand at once', () => {
    const pace = new Pace(() => 0);
    expect(pace.end(Float64Array.of(0, 1e15, 2e15), 0)).toBe(1);
    expect(pace.end(Float64Array.of(0, 1e15, 2e15), 1)).toBe(2);
    expect(pace.end(new Float64Array(10_001), 100)).toBe(4196);
  });
});

test('a program without steps runs', async () => {
  const device = await openDawnDevice({ backend: 'null' });
  const executable = await device.load(new Recorder('empty').program(), {});
  await executable.run({ times: 3 });
  expect(executable.program.steps).toEqual([]);
  await device.dispose();
});

test('the row of dispatches keeps its order where it is cut', async () => {
  const device = await openDawnDevice();
  const r = new Recorder('halving');
  const x = r.external('x', 1, [1]);
  const y = r.external('y', 1, [1]);
  // x = 2 y, y = x + 1, ...: any other order gives another number.
  for (let step = 0; step < 12; step++) {
    elementwise.add(r, { a: y, b: y }, 1, 0, x);
    elementwise.add(r, { a: x, b: x }, 0.5, step / 4, y);
  }
  const tensors = { x: await device.tensor('f32', 1), y: await device.tensor('f32', 1, [1]) };
  const executable = await device.load(r.program(), tensors);
  await executable.run();
  const whole = (await tensors.y.read())[0];
  for (const [cut, by] of [
    ['after every one', (from: number) => from + 1],
    ['after five', (from: number) => Math.min(from + 5, 24)],
  ] as const) {
    await tensors.y.write([1]);
    device.pace.end = (_, from) => by(from);
    await executable.run();
    expect((await tensors.y.read())[0], cut).toBe(whole);
  }
  expect(whole).toBeGreaterThan(12);
  await device.dispose();
});
