import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { openCpuDevice } from '../src/engine/cpu/device.js';
import type { Device, Peak } from '../src/engine/device.js';
import { loadWithTensors } from '../src/engine/load.js';
import * as conv2d from '../src/engine/ops/conv2d.js';
import * as elementwise from '../src/engine/ops/elementwise.js';
import * as gather from '../src/engine/ops/gather.js';
import * as linear from '../src/engine/ops/linear.js';
import * as reduce from '../src/engine/ops/reduce.js';
import { betterOf, bytesMoved, type Cost, profileOf, together } from '../src/engine/profile.js';
import { type Program, Recorder } from '../src/engine/program.js';
import { Owned } from '../src/util/owned.js';
import { buildWhereStale, program } from './harness/command-line.js';

const peak: Peak = { flops: [1e11, 2e11], bytes: [1e10, 2e10] };

function recorded(record: (r: Recorder) => void): Program {
  const r = new Recorder('test');
  record(r);
  return r.program();
}

const geometry = { stride: 1, padding: 0 };

/** Four steps: two convolutions of one shape, one of another, and a sum of squares. */
const example = recorded((r) => {
  const x = r.external('x', 1, [8, 3, 12, 12]);
  const w = r.external('w', 1, [4, 3, 3, 3]);
  conv2d.forward(r, { x, w }, geometry, { into: r.external('y', 1, [8, 4, 10, 10]) });
  conv2d.forward(r, { x, w }, geometry, { into: r.external('z', 1, [8, 4, 10, 10]) });
  conv2d.forward(r, { x, w }, { stride: 1, padding: 1 }, { into: r.external('u', 1, [8, 4, 12, 12]) });
  reduce.dot(r, { a: x, b: x }, { into: r.external('s', 1, [1]) });
});

describe('bytes moved', () => {
  const bytes = (record: (r: Recorder) => void) => recorded(record).steps.map(bytesMoved);

  it('count what is read and written, an operand given twice once', () => {
    const [x, w, y, u] = [8 * 3 * 144, 4 * 27, 8 * 400, 8 * 4 * 144];
    expect(example.steps.map(bytesMoved)).toEqual(
      [x + w + y, x + w + y, x + w + u, x + 1].map((elements) => 4 * elements),
    );
  });

  it('count what the population shares once, and what is added to or updated twice', () => {
    const moved = bytes((r) => {
      const [yBar, w] = [r.external('yBar', 5, [7, 3]), r.external('w', 1, [3, 2])];
      const xBar = r.external('xBar', 5, [7, 2]);
      linear.backwardInput(r, { yBar, w }, { into: xBar });
      linear.backwardInput(r, { yBar, w }, { into: xBar, accumulate: true });
      elementwise.average(r, { x: r.external('x', 1, [11]), average: r.external('a', 1, [11]) }, 0.5);
    });
    const read = 5 * 21 + 6;
    expect(moved).toEqual([read + 70, read + 140, 33].map((elements) => 4 * elements));
  });

  it('count the rows of a table that are read, not the table', () => {
    const [moved] = bytes((r) =>
      gather.images(
        r,
        {
          data: r.external('data', 1, [1000, 3, 5, 5], 'u8'),
          index: r.external('index', 1, [4], 'u32'),
          gain: r.external('gain', 1, [3]),
          shift: r.external('shift', 1, [3]),
        },
        { into: r.external('x', 1, [4, 3, 5, 5]) },
      ),
    );
    expect(moved).toBe(300 + 4 * (4 + 3 + 3 + 300));
  });
});

const sum = (costs: readonly Cost[], of: 'calls' | 'milliseconds' | 'share' | 'flops' | 'bytes') =>
  costs.reduce((total, cost) => total + cost[of], 0);

/** The steps of a program, as they are, with times. */
const timed = ({ steps }: Program, nanoseconds: number[]) => ({ steps, nanoseconds });

describe('a profile', () => {
  const profile = profileOf(timed(example, [1e6, 2e6, 4e6, 1e6]), peak);

  it('groups by kernel and by shape, the longest first', () => {
    const of = (rows: readonly (Cost & { kernel: string; shape?: string })[]) =>
      rows.map(({ kernel, shape, calls, milliseconds }) => [kernel, shape, calls, milliseconds]);
    expect(of(profile.kernels)).toEqual([
      ['conv2d.forward', undefined, 3, 7],
      ['reduce.dot', undefined, 1, 1],
    ]);
    expect(of(profile.shapes)).toEqual([
      ['conv2d.forward', '8x3x12x12, 4x3x3x3 → 8x4x12x12', 1, 4],
      ['conv2d.forward', '8x3x12x12, 4x3x3x3 → 8x4x10x10', 2, 3],
      ['reduce.dot', '8x3x12x12', 1, 1],
    ]);
  });

  it('adds up: every step is in one row of each table', () => {
    for (const rows of [profile.kernels, profile.shapes]) {
      expect(sum(rows, 'calls')).toBe(example.steps.length);
      expect(sum(rows, 'flops')).toBe(example.flops());
      expect(sum(rows, 'bytes')).toBe(profile.bytes);
      expect(sum(rows, 'milliseconds')).toBeCloseTo(8, 12);
      expect(sum(rows, 'share')).toBeCloseTo(1, 12);
      expect(together(rows, profile, peak)).toMatchObject({
        calls: 4,
        flops: profile.flops,
        milliseconds: 8,
      });
    }
    expect(profile).toMatchObject({ calls: 4, flops: example.flops(), milliseconds: 8, share: 1 });
  });

  it('holds rates against the peak of all threads', () => {
    const flops = 2 * 8 * 4 * 144 * 27;
    const fast = profileOf(timed(example, [1e6, 1e6, flops / 150, 1e6]), peak).shapes[2];
    expect(fast.gigaflopsPerSecond).toBeCloseTo(150, 9);
    expect(fast.ofPeak).toBeCloseTo(0.75, 9);
    expect(fast.limit).toBe('memory');
    // A kernel of few operations per byte is nearer to the memory; one that is slow at both is near to neither.
    const bytes = 4 * (8 * 3 * 144 + 1);
    const dot = (rate: number) =>
      profileOf(timed(example, [1, 1, 1, bytes / rate]), peak).kernels.find(
        ({ kernel }) => kernel === 'reduce.dot',
      )!;
    expect(dot(18)).toMatchObject({ limit: 'memory', ofMemory: expect.closeTo(0.9, 9) });
    expect(dot(1).limit).toBe('neither');
    expect(profileOf(timed(example, [0, 0, 0, 0]), peak)).toMatchObject({ share: 0, gigaflopsPerSecond: 0 });
  });

  it('takes the best of two peaks, number by number', () => {
    const other: Peak = { flops: [2e11, 1e11], bytes: [1, 3e10] };
    expect(betterOf(peak, other)).toEqual({ flops: [2e11, 2e11], bytes: [1e10, 3e10] });
  });

  it('names the members of a population, and vectors where there is nothing else', () => {
    const program = recorded((r) => {
      const [yBar, w] = [r.external('yBar', 5, [7, 3]), r.external('w', 1, [3, 2])];
      linear.backwardInput(r, { yBar, w }, { into: r.external('xBar', 5, [7, 2]) });
      const a = r.external('a', 1, [11]);
      elementwise.add(r, { a, b: r.external('b', 1, [11]) }, 1, 1, r.external('out', 1, [11]));
    });
    const shapes = profileOf(timed(program, [2, 1]), peak).shapes.map(({ shape }) => shape);
    expect(shapes).toEqual(['5·7x3, 3x2 → 5·7x2', '11']);
  });
});

const open: Device[] = [];
async function cpu(threads?: number, passes?: readonly string[]): Promise<Device> {
  const device = await openCpuDevice({ threads, passes });
  open.push(device);
  return device;
}
afterAll(() => Promise.all(open.map((device) => device.dispose())));

describe('the cpu engine', () => {
  test('times every step, and computes what it otherwise does', async () => {
    // Without passes: the steps as they were recorded.
    const device = await cpu(2, []);
    const [plain, profiled] = [new Owned(), new Owned()];
    const values = Float32Array.from({ length: 8 * 3 * 144 }, (_, i) => Math.sin(i));
    const results: unknown[] = [];
    for (const owned of [plain, profiled]) {
      const { executable, tensors } = await loadWithTensors(device, example, owned);
      await tensors.x.write(values);
      await tensors.w.write(values.subarray(0, tensors.w.length));
      for (const name of ['y', 'z', 'u', 's'])
        await tensors[name].write(new Float32Array(tensors[name].length).fill(Number.NaN));
      if (owned === plain) await executable.run();
      else {
        const start = performance.now();
        const times = await executable.profile!({ times: 3 });
        const nanoseconds = Array.from(times.nanoseconds);
        const elapsed = 1e6 * (performance.now() - start);
        expect(new Set(times.steps)).toEqual(new Set(example.steps));
        expect(nanoseconds).toHaveLength(example.steps.length);
        expect(nanoseconds.every((time) => time >= 0)).toBe(true);
        const measured = nanoseconds.reduce((a, b) => a + b, 0);
        expect(measured).toBeGreaterThan(0);
        expect(measured).toBeLessThanOrEqual(elapsed);
        expect(profileOf(times, peak).milliseconds).toBeCloseTo(measured / 1e6, 9);
        expect((await executable.profile!({ times: 0 })).nanoseconds).toEqual(
          new Float64Array(example.steps.length),
        );
      }
      results.push(await Promise.all(['y', 'z', 'u', 's'].map((name) => tensors[name].read())));
    }
    expect(results[1]).toEqual(results[0]);
    expect(Number.isNaN((results[0] as Float32Array[])[3][0])).toBe(false);
    plain.dispose();
    profiled.dispose();
  });

  test('a profiled run is refused and stopped like any other', async () => {
    const owned = new Owned();
    const { executable } = await loadWithTensors(await cpu(1), example, owned);
    await expect(executable.profile!({ times: -1 })).rejects.toMatchObject({ code: 'ERR_OPTION' });
    const controller = new AbortController();
    const running = executable.profile!({ times: 1e9, signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(running).rejects.toThrow('enough');
    owned.dispose();
    await expect(executable.profile!()).rejects.toMatchObject({ code: 'ERR_PROGRAM' });
  });

  test('measures a peak that it can then be held against, alone on the device', async () => {
    const device = await cpu(2);
    const owned = new Owned();
    const { executable } = await loadWithTensors(device, example, owned);
    const running = executable.run({ times: 100 });
    const { flops, bytes } = await device.peak!();
    await running;
    for (const [one, all] of [flops, bytes]) {
      expect(one).toBeGreaterThan(1e8);
      expect(all).toBeGreaterThanOrEqual(one);
      expect(all).toBeLessThan(1e15);
    }
    owned.dispose();
    const closed = await openCpuDevice({ threads: 1 });
    await closed.dispose();
    await expect(closed.peak!()).rejects.toMatchObject({ code: 'ERR_PROGRAM' });
  });
});

describe('limbeck profile', () => {
  beforeAll(buildWhereStale);
  const limbeck = (...args: string[]) => promisify(execFile)(process.execPath, [program, 'profile', ...args]);
  const small = '--network mlp:width=8 --digits-size 50 --batch 16 --repeats 2'.split(' ');

  test('--json: everything as one object, whose rows add up', async () => {
    // More runs than outer steps: a profile goes on.
    const { stdout, stderr } = await limbeck(...small, '--iterations', '1', '--json', '--threads', '1');
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n')).toHaveLength(1);
    const step = JSON.parse(stdout);
    expect(step).toMatchObject({
      engine: expect.stringMatching(/^cpu \(\w+, 1 thread\)$/),
      plan:
        '10 distilled images (1 per class) for mlp:width=8 by unrolled: hard labels, 1 step x 3 epochs of sgd, ' +
        'fixed initialisation, 1 outer step of 16 real images',
      options: { batch: 16, epochs: 3 },
      runs: 2,
      memory: { temporary: expect.any(Number), external: expect.any(Number) },
    });
    for (const { median, min } of [step.run, step.timedRun]) expect(median).toBeGreaterThanOrEqual(min);
    // Each op in its fastest run: no more than any whole run.
    expect(step.milliseconds).toBeGreaterThan(0);
    expect(step.milliseconds).toBeLessThan(step.timedRun.min);
    expect(step.peak.flops[0]).toBeGreaterThan(1e8);
    for (const rows of [step.kernels, step.shapes]) {
      expect(sum(rows, 'calls')).toBe(step.calls);
      expect(sum(rows, 'flops')).toBe(step.flops);
      expect(sum(rows, 'milliseconds')).toBeCloseTo(step.milliseconds, 9);
    }
  });

  test('more real images are more bytes of what is bound, and none of what an outer step needs besides', async () => {
    const memoryOf = async (images: string) =>
      JSON.parse((await limbeck(...small.with(3, images), '--json', '--threads', '1')).stdout).memory;
    const [few, many] = [await memoryOf('50'), await memoryOf('100')];
    expect(many.external).toBeGreaterThan(few.external);
    expect(many.temporary).toBe(few.temporary);
  });

  test('a table: the longest rows, the others in one, all in one; --all shows every row', async () => {
    const { stdout } = await limbeck(...small);
    expect(stdout).toMatch(
      /^Engine: cpu .*\nPeak: +[\d.,]+ GFLOP\/s.*\nStep: +10 distilled images .* for mlp:width=8 by unrolled/,
    );
    const tables = stdout.split('\n\n').slice(1);
    expect(tables).toHaveLength(2);
    for (const [i, most] of [10, 20].entries()) {
      const lines = tables[i].trimEnd().split('\n');
      expect(lines[0]).toMatch(/^ {2}kernel +calls +ms +share +GFLOP\/s +of peak +GB\/s +of memory +limit/);
      expect(lines).toHaveLength(1 + most + 2);
      expect(lines.at(-2)).toMatch(/^ {2}\d+ more /);
      expect(lines.at(-1)).toMatch(/^ {2}all .* 100\.0 % /);
    }
    const { stdout: everything } = await limbeck(...small, '--all');
    expect(everything).not.toContain(' more ');
  });

  test.each([
    [['--repeats', '0'], /--repeats is 0, expected a whole number of at least 1 \[ERR_OPTION\]/],
    [['--population', '0'], /--population is 0, expected a whole number of at least 1 \[ERR_OPTION\]/],
    [['--repeat', '3'], /--repeat is unknown; did you mean --repeats\? \[ERR_OPTION\]/],
    [['--device', 'reference'], /only cpu times each step: leave out --device \[ERR_DEVICE\]/],
    [['--dataset', 'nowhere/at-all'], /nowhere\/at-all/],
  ])('%j is refused in one line', async (args, message) => {
    const error = await limbeck(...args).then(
      () => undefined,
      (error) => error,
    );
    expect(error).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(message) });
    expect(error.stderr.trim().split('\n')).toHaveLength(1);
  });

  test('--help names its own options and those of distill', async () => {
    const { stdout } = await limbeck('--help');
    for (const option of ['--repeats N', '--all', '--network', '--batch N', '--threads N', '--json'])
      expect(stdout).toContain(option);
  });

  test.runIf(process.platform !== 'win32')('Ctrl-C ends it with the status of a stop', async () => {
    const running = limbeck('--network', 'mlp', '--digits-size', '50', '--repeats', '100000');
    running.child.stderr!.once('data', () => running.child.kill('SIGINT'));
    await expect(running).rejects.toMatchObject({
      code: 130,
      stdout: '',
      stderr: expect.stringContaining('Stopping.'),
    });
  });
});
