/** Plans: what a run takes, whether there is that much, and what is refused before anything of its size is allocated. */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openCpuDevice } from '../src/engine/cpu/device.js';
import type { Device, EngineName } from '../src/engine/device.js';
import { loadWithTensors } from '../src/engine/load.js';
import { MeasuringDevice } from '../src/engine/measuring.js';
import { keptAtFullest, livesOf } from '../src/engine/memory.js';
import { openDevice } from '../src/engine/open.js';
import { bytesMoved } from '../src/engine/profile.js';
import type { Slot } from '../src/engine/view.js';
import {
  type DistillOptions,
  distill,
  distillToFolder,
  evaluate,
  planDistillation,
  resumeFolder,
} from '../src/index.js';
import { resolveFor } from '../src/runs/options.js';
import { beginBlank, measureRun } from '../src/runs/plan/measure.js';
import { partOf } from '../src/runs/plan/time.js';
import { Owned } from '../src/util/owned.js';
import { shortRun, smallNetwork, twoClasses } from './harness/made-data.js';

const data = twoClasses();
const folder = mkdtempSync(join(tmpdir(), 'limbeck-plan-'));
const device = await openCpuDevice({ threads: 1 });
afterAll(async () => {
  await device.dispose();
  rmSync(folder, { recursive: true });
});

/** A device that notes whether anything was asked of it, and the operations that its programs ran. */
function watched(of: Device): { device: Device; asked: () => number; flops: () => number } {
  let [asked, flops] = [0, 0];
  const noting = Object.assign(Object.create(of) as Device, {
    tensor: (...given: Parameters<Device['tensor']>) => {
      asked++;
      return of.tensor(...given);
    },
    async load(...given: Parameters<Device['load']>) {
      asked++;
      const executable = await of.load(...given);
      const { run } = executable;
      executable.run = (options) => {
        flops += (options?.times ?? 1) * given[0].flops();
        return run.call(executable, options);
      };
      return executable;
    },
  });
  return { device: noting, asked: () => asked, flops: () => flops };
}

/** Unrolled through many steps of a network whose activations are small beside its parameters. */
const long: DistillOptions = {
  ...{ network: { name: 'mlp', width: 256 }, ipc: 1, steps: 1, epochs: 36, batch: 4, keep: 'all' },
  ...{ iterations: 4, validateEvery: 2, networks: 1 },
};
const planned = (given: DistillOptions, control = {}) =>
  planDistillation(device, data, given, { timed: false, test: false, ...control });

describe('a plan', () => {
  test('counts the operations that a run then makes, with what is done between outer steps', async () => {
    const runs: readonly DistillOptions[] = [
      shortRun,
      {
        ...{ method: 'dc', network: smallNetwork, batch: 4, ipc: 2, outerLoop: 3, innerLoop: 2 },
        ...{ iterations: 7, validateEvery: 3, validationNetworks: 1 },
      },
    ];
    for (const given of runs) {
      const { flops, looks } = await planned(given);
      const { options } = resolveFor('', given, data);
      const begun = watched(device);
      await distill(begun.device, data, { ...given, iterations: 1, validateEvery: 1 });
      const whole = watched(device);
      await distill(whole.device, data, given);
      expect(looks).toBe(Math.ceil(options.iterations / options.validateEvery));
      expect(flops.total).toBeCloseTo(options.iterations * flops.step + looks * flops.look, 3);
      // What begins a run is not part of its steps: decoding and drawing networks, a small part.
      expect(whole.flops()).toBeGreaterThanOrEqual(flops.total);
      expect(whole.flops()).toBeLessThan(1.02 * flops.total + begun.flops());
    }
  });

  test('counts the operations of the test at the end, with those of every usual baseline', async () => {
    const runs: readonly DistillOptions[] = [
      // Nothing is chosen; a mean of one class, two images of which have centroids as well.
      { ...{ method: 'dm', network: smallNetwork, iterations: 2, networks: 3 }, ipc: 1, protocol: 'dc' },
      { ...{ method: 'dm', network: smallNetwork, iterations: 2, networks: 3 }, ipc: 2, protocol: 'dc' },
      // A rate is chosen for each of the baselines.
      shortRun,
    ];
    for (const given of runs) {
      const { flops, options } = await planned(given, { test: true });
      const { set } = await distill(device, data, given);
      const tested = watched(device);
      await evaluate(tested.device, data, set, { networks: options.networks, protocol: options.protocol });
      // Baselines have networks of their own, which are drawn, and images, some of which are found on the device.
      expect(tested.flops()).toBeGreaterThan(0.98 * flops.test);
      expect(tested.flops()).toBeLessThan(1.02 * flops.test);
    }
    expect((await planned(runs[0])).flops.test).toBe(0);
  });

  test('takes nothing of the device', async () => {
    const { device: noting, asked } = watched(device);
    const { device: bytes } = await planDistillation(noting, data, long, { timed: false });
    expect(bytes.total).toBeGreaterThan(0);
    expect(bytes.test).toBeGreaterThan(0);
    expect(asked()).toBe(0);
  });

  test('parameters of inner steps: all 36 of them, the first of every six and six again with sqrt', async () => {
    const kept = async (keep: 'all' | 'none' | 'sqrt') =>
      (await planned({ ...long, keep })).device.trajectory;
    const { networks } = (await planned(long)).device;
    // Without a population the networks of an outer step are one, as large as each of those kept.
    const counts = [await kept('all'), await kept('none'), await kept('sqrt')].map(
      (bytes) => bytes / networks,
    );
    // theta[1] to theta[36], or all but the one or two that the fullest moment is past.
    for (const count of counts.slice(0, 2)) {
      expect(count).toBeGreaterThanOrEqual(34);
      expect(count).toBeLessThanOrEqual(36);
    }
    expect(counts[2]).toBeGreaterThanOrEqual(9);
    expect(counts[2]).toBeLessThanOrEqual(12);
  });

  test('what inner steps made of their batches is kept with their passes, else drawn again', async () => {
    const kept = async (keep: 'all' | 'none' | 'sqrt', window: number) => {
      const { device: bytes } = await planned({
        ...{ method: 'rat', network: smallNetwork, ipc: 4, innerBatch: 3, window, total: 80, batch: 4, keep },
        ...{ augmentation: 'none', iterations: 4, validateEvery: 2, validationNetworks: 1 },
      } as DistillOptions);
      return bytes.batches;
    };
    const [all, sqrt, none] = [await kept('all', 64), await kept('sqrt', 64), await kept('none', 64)];
    expect(none).toBeGreaterThan(0);
    expect(all).toBeGreaterThan(4 * sqrt);
    expect(sqrt).toBeGreaterThan(2 * none);
    // Three small images of each step are not kept; the four numbers that they are drawn by are.
    expect(all - (await kept('all', 16))).toBeGreaterThan(10 * (none - (await kept('none', 16))));
  });

  test('times what fits, in all and by outer step and look', async () => {
    const { time, looks, options } = await planned(shortRun, { timed: true });
    expect(time!.timedShare).toBe(1);
    expect(time!.step).toBeGreaterThan(0);
    expect(time!.look).toBeGreaterThan(0);
    expect(time!.total).toBeCloseTo(options.iterations * time!.step + looks * time!.look, 9);
    expect(device.memory()).toEqual({ tensors: 0, executables: 0, bytes: 0 });
  });

  test('files are of the size that was planned', async () => {
    const given = { ...shortRun, iterations: 40 };
    const { disk } = await planned(given, { folder: join(folder, 'not/there/yet') });
    await distillToFolder(device, data, join(folder, 'files'), given);
    const size = (name: string) => statSync(join(folder, 'files', name)).size;
    expect(Math.abs(size('checkpoint.safetensors') - disk.checkpoint)).toBeLessThan(4000);
    expect(Math.abs(size('distilled.safetensors') - disk.set)).toBeLessThan(4000);
    const pages = ['distilled.png', 'report.html', 'run.json'].reduce((sum, name) => sum + size(name), 0);
    expect(pages).toBeLessThan(2 * disk.pages);
    expect(disk.total).toBe(3 * disk.checkpoint + disk.set + disk.pages);
    expect(disk.free).toBeGreaterThan(disk.total);
    expect(existsSync(join(folder, 'not'))).toBe(false);
  });

  test('files of a run that lie in the folder are replaced', async () => {
    const out = join(folder, 'replaced');
    const { disk: before } = await planned(shortRun, { folder: out });
    expect(before.used).toBe(0);
    await distillToFolder(device, data, out, shortRun);
    writeFileSync(join(out, 'notes.txt'), 'of somebody else');
    const own = readdirSync(out).filter((name) => name !== 'notes.txt');
    expect(own.length).toBeGreaterThanOrEqual(5);
    const { disk } = await planned(shortRun, { folder: out });
    expect(disk.used).toBe(own.reduce((sum, name) => sum + statSync(join(out, name)).size, 0));
    expect(disk.total).toBe(before.total);
  });

  test('is given up when it is told to stop, and a run with it', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(planned(shortRun, { signal })).rejects.toThrow('enough');
    const out = join(folder, 'stopped');
    await expect(distillToFolder(device, data, out, shortRun, { signal })).rejects.toThrow('enough');
    expect(existsSync(out)).toBe(false);
  });

  test.each([
    [{ memory: 0 }, /memory is 0, expected a number above 0/],
    [{ memroy: 5 }, /option memroy is unknown; did you mean memory/],
  ])('%j is refused', async (control, message) => {
    await expect(planned(shortRun, control)).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringMatching(message),
    });
  });
});

describe('whether it fits', () => {
  test('to the byte', async () => {
    const { memory } = await planned(long);
    expect((await planned(long, { memory: memory.needed })).lacks).toEqual([]);
    const { lacks } = await planned(long, { memory: memory.needed - 1 });
    expect(lacks).toEqual([
      expect.stringMatching(/^it needs [\d.]+ MB of memory, and [\d.]+ MB are available$/),
    ]);
  });

  test('what does not is not timed, and each option that is named makes it fit', async () => {
    const { memory } = await planned({ ...long, keep: 'sqrt' });
    const limit = memory.needed + 1000;
    const plan = await planned(long, { memory: limit, timed: true });
    expect(plan.time).toBeUndefined();
    const named = plan.remedies.map(({ options }) => Object.keys(options).join());
    expect(named[0]).toBe('keep');
    expect(plan.remedies[0].options).toEqual({ keep: 'sqrt' });
    expect(named).toContain('epochs');
    // Options of other methods are not named, nor is what does not help.
    expect(named).not.toContain('window');
    expect(named).not.toContain('validationNetworks');
    for (const { options, needed, spare } of plan.remedies) {
      const other = await planned({ ...long, ...options } as DistillOptions, { memory: limit });
      expect(other.lacks).toEqual([]);
      expect(other.memory.needed).toBe(needed);
      expect(spare).toBe(limit - needed);
    }
    const { epochs } = plan.remedies.find(({ options }) => 'epochs' in options)!.options as {
      epochs: number;
    };
    expect((await planned({ ...long, epochs: 2 * epochs + 1 }, { memory: limit })).lacks).toHaveLength(1);
  });

  test('where no option alone does, numbers together with the keep that takes least', async () => {
    const both = await planned({ ...long, keep: 'sqrt', epochs: 1, population: 1 });
    const given: DistillOptions = { ...long, population: 8, init: 'random', batch: 64 };
    const { remedies, lacks } = await planned(given, { memory: 6 * both.memory.needed });
    expect(lacks).toHaveLength(1);
    expect(remedies.length).toBeGreaterThan(0);
    const { remedies: none } = await planned(given, { memory: 1000 });
    expect(none).toEqual([]);
  });
});

describe('a run that does not fit', () => {
  /** Half a terabyte of parameters, and more beside them, of some sixty steps. */
  const huge: DistillOptions = {
    ...{ ...shortRun, network: { name: 'mlp', width: 4000 }, keep: 'all' },
    ...{ population: 130, init: 'random', epochs: 60 },
  };

  /** A device whose tensors would all take so many bytes, and the programs that were planned for it. */
  function withTensorsOf(bytes: number): { device: Device; programs: () => number } {
    let programs = 0;
    const needs: Device['needs'] = {
      ...device.needs,
      tensor: () => ({ bytes }),
      program: (...given) => {
        programs++;
        return device.needs.program(...given);
      },
    };
    return { device: Object.assign(watched(device).device, { needs }), programs: () => programs };
  }

  test('is refused before anything is allocated or a folder made', async () => {
    const { device: noting, asked } = watched(device);
    const out = join(folder, 'huge');
    await expect(distillToFolder(noting, data, out, huge)).rejects.toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
      message: expect.stringMatching(
        /^cpu: the run does not fit: it needs [\d.]+ GB of memory, and [\d.]+ GB are available: with .*population \d+ it needs [\d.]+ [MG]B/,
      ),
    });
    expect(asked()).toBe(0);
    expect(existsSync(out)).toBe(false);
  }, 120_000);

  test('replaces nothing', async () => {
    const out = join(folder, 'kept');
    const { record } = await distillToFolder(device, data, out, shortRun);
    const { device: tight } = withTensorsOf(1e15);
    await expect(distillToFolder(tight, data, out, shortRun, { force: true })).rejects.toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
    });
    expect((await resumeFolder(device, data, out)).record).toEqual(record);
  });

  test('goes on all the same where it was begun, and no other options are planned', async () => {
    const out = join(folder, 'goes on');
    const stop = new AbortController();
    const control = { signal: stop.signal, onProgress: () => stop.abort() };
    expect((await distillToFolder(device, data, out, shortRun, control)).record.stopped).toBe(true);
    const { device: tight, programs } = withTensorsOf(1e15);
    const { lacks } = await planDistillation(tight, data, shortRun, {
      ...{ timed: false, test: false, remedies: false },
    });
    expect(lacks).toEqual([expect.stringMatching(/^it needs [\d,.]+ [TP]B of memory/)]);
    const ofOne = programs();
    const told: unknown[] = [];
    const { record } = await resumeFolder(tight, data, out, {
      onBegin: ({ plan }) => void told.push(...plan.lacks),
    });
    expect(record.stopped).toBe(false);
    expect(told).toHaveLength(1);
    expect(programs()).toBe(2 * ofOne);
  });

  test('one that fits is told its plan when it begins', async () => {
    const begun: unknown[] = [];
    await distillToFolder(device, data, join(folder, 'told'), shortRun, {
      onBegin: ({ plan }) => void begun.push(plan.device.total, plan.device.test, plan.time),
    });
    expect(begun).toEqual([(await planned(shortRun)).device.total, 0, undefined]);
  });
});

describe('the parts', () => {
  const slot = (id: number, kept?: Slot['kept']): Slot => ({
    ...{ id, name: `slot ${id}`, dtype: 'f32', length: 1, external: false, kept },
  });

  test('what is kept counts when memory is fullest, not when most is kept', () => {
    const [a, b, c, d] = [slot(0, 'trajectory'), slot(1, 'trajectory'), slot(2), slot(3, 'batches')];
    // Fullest at the second moment: a, c and d; at the third both a and b are kept, but less in all.
    const lives = livesOf<Slot>([
      [[a, 10]],
      [
        [c, 100],
        [d, 3],
      ],
      [[b, 20]],
      [[a, 10]],
    ]);
    expect(keptAtFullest(lives)).toEqual({ trajectory: 10, batches: 3 });
    expect(keptAtFullest([])).toEqual({ trajectory: 0, batches: 0 });
  });

  const engines: readonly EngineName[] = ['reference', 'cpu', 'webgpu'];
  test.each(engines)('a part of a program runs on %s, with about its share of the work', async (engine) => {
    const own = await openDevice(engine);
    const owned = new Owned();
    const { options } = resolveFor('', { ...long, epochs: 20 }, data);
    const counting = new MeasuringDevice(own);
    const { programs } = await measureRun(own, data, options);
    expect(programs.some(({ perStep }) => perStep === 1)).toBe(true);
    const { work, owned: begun } = await beginBlank(counting, data, options, {});
    const [program] = work.programs;
    const works = program.steps.map(
      (step) => step.kernel.flops(step.sizes, step.operands) + bytesMoved(step),
    );
    const all = works.reduce((sum, one) => sum + one, 0);
    const part = partOf(program, works, 0.25);
    expect(part.work / all).toBeGreaterThan(0.2);
    expect(part.work / all).toBeLessThan(0.45);
    expect(partOf(program, works, 1).program.steps).toEqual(program.steps);
    const { executable } = await loadWithTensors(own, part.program, owned);
    await executable.run();
    begun.dispose();
    owned.dispose();
    await own.dispose();
  });

  test('a device that only counts gives zeros, counts runs and forgets what is disposed of', async () => {
    const counting = new MeasuringDevice(device);
    const tensor = await counting.tensor('f32', 100);
    expect(Array.from(await tensor.read())).toEqual(new Array(100).fill(0));
    expect(counting.memory()).toEqual({ tensors: 1, executables: 0, bytes: 400 });
    tensor.dispose();
    tensor.dispose();
    expect(counting.memory()).toEqual({ tensors: 0, executables: 0, bytes: 0 });
    expect(counting.most).toBe(400);
    await expect(counting.tensor('f32', 0)).rejects.toMatchObject({ code: 'ERR_SHAPE' });
  });

  test('a webgpu device says what its limits forbid', async () => {
    const own = await openDevice('webgpu');
    const { limits } = (own as unknown as { raw: { limits: { maxBufferSize: number } } }).raw;
    const most = Math.floor(limits.maxBufferSize / 4);
    expect(own.needs.tensor('f32', most)).toEqual({ bytes: 4 * most, refused: undefined });
    expect(own.needs.tensor('f32', most + 1).refused).toMatch(/maxBufferSize/);
    await own.dispose();
  });

  test('a native program or tensor without memory cannot be used', () => {
    const { binding } = device as unknown as { binding: import('../src/engine/cpu/binding.js').Binding };
    const imagined = new binding.NativeTensor(64, true);
    expect(() => imagined.write(new Uint8Array(4), 0)).toThrow(/no memory/);
    expect(() => imagined.read(new Uint8Array(4))).toThrow(/no memory/);
  });
});
