/** What `Device` promises (src/engine/device.ts), of every engine. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device, Executable, Tensor } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import * as reduce from '../src/engine/ops/reduce.js';
import { type Program, Recorder } from '../src/engine/program.js';

/** counter += one, `length` elements, in `steps` steps of one program. */
function counting(length: number, steps = 1): Program {
  const r = new Recorder('counting');
  const one = r.external('one', 1, [length]);
  const counter = r.external('counter', 1, [length]);
  for (let step = 0; step < steps; step++)
    reduce.members(r, { x: one }, 1, { into: counter, accumulate: true });
  return r.program();
}

interface Counting {
  readonly one: Tensor;
  readonly counter: Tensor;
  readonly executable: Executable;
}

describe.each(['reference', 'cpu', 'webgpu'] as const)('%s', (engine) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(engine, { threads: 2 });
  });
  afterAll(() => device?.dispose());

  async function load(length = 3, steps = 1): Promise<Counting> {
    const one = await device.tensor('f32', length, new Float32Array(length).fill(1));
    const counter = await device.tensor('f32', length);
    return { one, counter, executable: await device.load(counting(length, steps), { one, counter }) };
  }

  function dispose({ one, counter, executable }: Counting): void {
    for (const owner of [executable, one, counter]) owner.dispose();
    expect(device.memory()).toEqual({ tensors: 0, executables: 0, bytes: 0 });
  }

  test('runs, writes and reads happen in the order they were asked for', async () => {
    const all = await load();
    const { one, counter, executable } = all;
    const tens = [10, 10, 10];
    const asked = [
      executable.run({ times: 5 }),
      counter.read(),
      one.write(tens),
      executable.run(),
      counter.read(),
      counter.write([7], 1),
      counter.read(),
    ];
    tens.fill(0); // a write takes its numbers when it is asked for
    const [, first, , , second, , third] = await Promise.all(asked);
    expect([...first!]).toEqual([5, 5, 5]);
    expect([...second!]).toEqual([15, 15, 15]);
    expect([...third!]).toEqual([15, 7, 15]);
    dispose(all);
  });

  test.each([
    ['many short runs', 1, 10_000_000],
    ['one long run', 2_000, 1],
  ])('a signal stops %s; the device stays usable', async (_, steps, times) => {
    const total = steps * times;
    const reason = new Error('enough');
    let all = await load(20_000, steps);
    let reached = 0;
    // What keeps one engine busy for minutes is over in milliseconds on another, and on a busy machine the first delays may be over
    // before the run has begun: there is more to do, or more time, until the signal meets the run at work.
    for (let [length, delay] = [20_000, 20]; reached === 0; ) {
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(reason), delay);
      const ended = await all.executable.run({ times, signal: controller.signal }).then(
        () => 'done',
        (error) => error,
      );
      clearTimeout(timer);
      if (ended === 'done') {
        dispose(all);
        length *= 4;
        expect(length, 'a run of this length that is over before the signal').toBeLessThan(1e8);
        all = await load(length, steps);
      } else {
        expect(ended).toBe(reason);
        reached = (await all.counter.read())[0];
        delay *= 2;
      }
    }
    const { counter, executable } = all;
    expect(reached).toBeLessThan(total);
    await expect(executable.run({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect((await counter.read())[0]).toBe(reached);
    if (steps === 1) {
      await executable.run();
      expect((await counter.read())[0]).toBe(reached + 1);
    }
    dispose(all);
  });

  test('a long program that is cut into parts computes what a short one does, run after run', async () => {
    const all = await load(5, 1300);
    await all.executable.run();
    await all.executable.run({ times: 3 });
    expect([...(await all.counter.read())]).toEqual(Array(5).fill(5200));
    dispose(all);
  });

  test('what was asked for before a dispose still happens', async () => {
    const { one, counter, executable } = await load();
    const asked = [executable.run({ times: 20 }), counter.read()] as const;
    for (const owner of [executable, one, counter]) owner.dispose();
    expect(device.memory()).toEqual({ tensors: 0, executables: 0, bytes: 0 });
    await asked[0];
    expect([...(await asked[1])]).toEqual([20, 20, 20]);
  });

  test('what was disposed says so, and the device goes on', async () => {
    const all = await load();
    const { one, counter, executable } = all;
    const disposed = (what: RegExp) => ({ code: 'ERR_PROGRAM', message: expect.stringMatching(what) });
    one.dispose();
    one.dispose();
    await expect(one.read()).rejects.toMatchObject(disposed(/tensor of 3 f32 was disposed/));
    await expect(one.write([1])).rejects.toMatchObject(disposed(/tensor of 3 f32 was disposed/));
    await expect(executable.run()).rejects.toMatchObject(disposed(/counting.*was disposed/));
    await expect(device.load(counting(3), { one, counter })).rejects.toMatchObject(disposed(/was disposed/));
    executable.dispose();
    executable.dispose();
    await expect(executable.run()).rejects.toMatchObject(disposed(/the program counting was disposed/));
    expect([...(await counter.read())]).toEqual([0, 0, 0]);
    dispose(all);
  });

  test('what is taken by `using` is given back', async () => {
    {
      using one = await device.tensor('f32', 3);
      using counter = await device.tensor('f32', 3);
      using executable = await device.load(counting(3), { one, counter });
      await executable.run();
      expect(device.memory()).toMatchObject({ tensors: 2, executables: 1 });
    }
    expect(device.memory()).toEqual({ tensors: 0, executables: 0, bytes: 0 });
  });

  test('a device that was disposed says so, and what to do', async () => {
    const own = await openDevice(engine);
    const one = await own.tensor('f32', 3);
    const counter = await own.tensor('f32', 3);
    const executable = await own.load(counting(3), { one, counter });
    await own.dispose();
    const refused = { code: 'ERR_PROGRAM', message: expect.stringMatching(/was disposed/) };
    for (const late of [
      () => own.tensor('f32', 3),
      () => own.load(counting(3), { one, counter }),
      () => executable.run(),
      () => one.read(),
    ])
      await expect(late()).rejects.toMatchObject(refused);
    await expect(own.tensor('f32', 3)).rejects.toThrow(/was disposed; open a new device to go on$/);
  });

  test.each([-1, 1.5, Number.NaN])('%d runs are none that can be asked for', async (times) => {
    const all = await load();
    await expect(all.executable.run({ times })).rejects.toMatchObject({ code: 'ERR_OPTION' });
    await all.executable.run({ times: 0 });
    expect([...(await all.counter.read())]).toEqual([0, 0, 0]);
    dispose(all);
  });

  test.each([
    [[], undefined],
    [[1], undefined],
    [[1, 2, 3], undefined],
    [[1, 2], 1],
  ])('a write of %j at %s to two elements is refused', async (values, offset) => {
    const tensor = await device.tensor('f32', 2, [3, 4]);
    await expect(tensor.write(values, offset)).rejects.toMatchObject({ code: 'ERR_SHAPE' });
    await tensor.write([5], 0);
    expect([...(await tensor.read())]).toEqual([5, 4]);
    tensor.dispose();
  });

  test.each([
    ['u8', [1, 256], /value 1 is 256, expected a whole number from 0 to 255/],
    ['u8', new Uint32Array([300, 1]), /value 0 is 300/],
    ['u32', [0, -1], /value 1 is -1, expected a whole number from 0 to 4294967295/],
    ['u32', new Float32Array([0.5]), /value 0 is 0.5/],
    ['u32', [0, 2 ** 32], /value 1 is 4294967296/],
    ['u32', [Number.NaN], /value 0 is NaN/],
  ] as const)('%s: %j would be changed by writing it, and is refused', async (dtype, values, message) => {
    const tensor = await device.tensor(dtype, 2, [3, 4]);
    const refused = { code: 'ERR_DATA', message: expect.stringMatching(message) };
    await expect(tensor.write(values)).rejects.toMatchObject(refused);
    await expect(device.tensor(dtype, 2, values)).rejects.toMatchObject(refused);
    expect([...(await tensor.read())]).toEqual([3, 4]);
    tensor.dispose();
    expect(device.memory().tensors).toBe(0);
  });
});
