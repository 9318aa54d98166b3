import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../src/engine/device.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { buildWhereStale } from './harness/command-line.js';
import { root } from './harness/repository.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-bench-test-'));
beforeAll(buildWhereStale);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const suite = (name: string) => import(pathToFileURL(join(root, 'bench', 'suite', name)).href);
const options = { folder, device: 'cpu', threads: 1, size: 'small', seconds: 0, trials: 1, quick: true };
const name = 'convnet-gradient-256';

/** As `bench/workloads/index.mjs` says. */
interface Workload {
  readonly sizes: { readonly small: unknown };
  inputs(size: unknown): Promise<unknown>;
  prepare(
    device: Device,
    size: unknown,
    arrays: unknown,
  ): Promise<{ step(): Promise<void>; results(): Promise<Record<string, Float32Array>> }>;
}

interface Task {
  readonly results?: string;
}

/** limbeck, with its results passed through `change`; counts the trials that were timed. */
async function sideThat(change: (values: Float32Array) => Float32Array) {
  const { limbeck } = await suite('limbeck.mjs');
  const { readResults, writeResults } = await suite('arrays.mjs');
  const side = {
    name: 'changed',
    timed: 0,
    settings: () => limbeck.settings(options),
    describe: () => 'as it is',
    async trial(task: Task, settings: unknown) {
      const report = await limbeck.trial(task, settings);
      if (!task.results) side.timed++;
      else {
        const results = Object.entries<Float32Array>(readResults(task.results));
        writeResults(task.results, Object.fromEntries(results.map(([key, v]) => [key, change(v)])));
      }
      return report;
    },
  };
  return side;
}

const wrongs: [string, (values: Float32Array) => Float32Array][] = [
  ['is 0.2 % too large', (values) => values.map((value) => 1.002 * value)],
  ['holds one NaN', (values) => values.with(3, Number.NaN)],
  ['is zero', (values) => new Float32Array(values.length)],
];

describe('the benchmark', () => {
  it('prints a row of numbers for a workload that limbeck computes correctly', async () => {
    const args = ['bench/run.mjs', '--quick', '--only', name, '--peers', '', '--threads', '1'];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
    const [head, rule, row, ...more] = stdout.split('\n').filter((line) => line.startsWith('|'));
    expect(more).toEqual([]);
    const cells = row.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, ''));
    expect(head.split(' | ')).toHaveLength(cells.length);
    expect(rule.split(' | ')).toHaveLength(cells.length);
    expect(cells[0]).toBe(`\`${name}\``);
    expect(Number.parseFloat(cells[1])).toBeGreaterThan(0);
    expect(Number.parseFloat(cells.at(-2)!)).toBeLessThan(1e-5);
    expect(stdout).toMatch(/Node \d+\.\d+\.\d+, limbeck .*, \d{4}-\d\d-\d\d\./);
  });

  it.each(['orthonormalise.inPlace P=1 128x128x3x3', 'arccosine.gramBackward P=1 layers=1 tangent=1 100'])(
    'holds to the reference what is changed in place, and what is computed from given numbers: %s',
    async (kernel) => {
      const args = ['bench/kernels/trial.mjs', '--device', 'cpu', '--threads', '1', '--check'];
      const only = ['--only', JSON.stringify([kernel])];
      const { stdout } = await promisify(execFile)(process.execPath, [...args, ...only], { cwd: root });
      const { errors } = JSON.parse(stdout) as { errors: Record<string, number> };
      expect(Object.keys(errors)).toEqual([kernel]);
      expect(errors[kernel]).toBeLessThan(1e-5);
    },
  );

  it('does a trial again beside which the peak of the processor fell, twice at most', async () => {
    const { Watch } = await suite('watch.mjs');
    /** The peaks before and after each trial, in 10^9; and what came of trials that take 1, 2, 3 ... ms. */
    const watched = async (peaks: number[], trials: number) => {
      const left = [...peaks];
      const peak = async () => ({ flops: [0, 1e9 * left.shift()!], bytes: [0, 0] });
      const watch = new Watch({ peak }, 0);
      let ms = 0;
      const reports = [];
      for (let i = 0; i < trials; i++) reports.push(await watch.trial(async () => ({ ms: ++ms })));
      expect(left).toEqual([]);
      return reports;
    };
    expect(await watched([100, 90, 86, 100], 2)).toEqual([
      { ms: 1, peaks: [100, 90], again: 0 },
      { ms: 2, peaks: [86, 100], again: 0 },
    ]);
    expect(await watched([100, 100, 100, 84, 84, 100, 100, 99], 2)).toEqual([
      { ms: 1, peaks: [100, 100], again: 0 },
      { ms: 4, peaks: [100, 99], again: 2 },
    ]);
    expect(await watched([100, 50, 50, 50, 50, 50], 1)).toEqual([{ ms: 3, peaks: [50, 50], again: 2 }]);
  });

  it('compares with the fastest setting of a peer, and does not wait for one that is plainly slower', async () => {
    const { runWorkload } = await suite('steps.mjs');
    const { TookTooLong } = await suite('process.mjs');
    const like = await sideThat((values) => values);
    const tried: [string, boolean][] = [];
    const peer = {
      ...like,
      settings: () => ['slow', 'fast', 'endless'],
      describe: (setting: string) => setting,
      async trial(task: Task & { longest?: number; repeats?: number }, setting: string) {
        if (task.results) return like.trial(task, like.settings()[0]);
        if (task.repeats) tried.push([setting, task.longest !== undefined]);
        if (setting === 'endless') throw new TookTooLong('it took too long');
        return { ms: setting === 'slow' ? 2 : 1, memory: 0 };
      },
    };
    const [row] = await runWorkload(name, { torch: peer }, options);
    // The first one is waited for, whatever it takes.
    expect(tried).toEqual([
      ['slow', false],
      ['fast', true],
      ['endless', true],
    ]);
    expect([row.peerSettings, row.peerNumbers.ms]).toEqual(['fast', 1]);
  });

  it('times limbeck and a peer that agree', async () => {
    const { runWorkload } = await suite('steps.mjs');
    const peer = await sideThat((values) => values.map((value) => 1.0005 * value));
    const [row] = await runWorkload(name, { torch: peer }, options);
    expect(row.peerError).toBeCloseTo(0.0005, 6);
    expect(row.ratio).toBeGreaterThan(0);
    expect(peer.timed).toBe(1);
  });

  it.each(wrongs)('does not time limbeck where its result %s', async (_, change) => {
    const { runWorkload } = await suite('steps.mjs');
    const side = await sideThat(change);
    const rows = await runWorkload(name, {}, options, side);
    expect(rows).toMatchObject([
      { wrong: true, note: expect.stringContaining('a wrong result is not timed') },
    ]);
    expect(rows[0].limbeck).toBeUndefined();
    expect(side.timed).toBe(0);
  });

  it.each(wrongs)('times neither side where the result of a peer %s', async (_, change) => {
    const { runWorkload } = await suite('steps.mjs');
    const peer = await sideThat(change);
    const rows = await runWorkload(name, { torch: peer }, options);
    expect(rows).toMatchObject([
      { wrong: true, note: expect.stringContaining('a wrong result is not timed') },
    ]);
    expect(peer.timed).toBe(0);
  });

  it('gives every setting of a peer a row, and those that fail or are wrong a note', async () => {
    const { runWorkload } = await suite('steps.mjs');
    const like = await sideThat((values) => values);
    const wrong = await sideThat((values) => values.map((value) => 1.01 * value));
    const settings = ['right', 'wrong', 'rough', 'missing'];
    const peer = {
      name: 'peer',
      each: true,
      settings: () => settings,
      describe: (setting: string) => setting,
      tolerance: (setting: string) => (setting === 'rough' ? 0.1 : undefined),
      trial(task: Task, setting: string) {
        if (setting === 'missing') throw new Error('no such mode');
        return (setting === 'right' ? like : wrong).trial(task, like.settings()[0]);
      },
    };
    const rows = await runWorkload(name, { torch: peer }, options);
    expect(rows).toMatchObject([
      { peerSettings: 'right', ratio: expect.any(Number) },
      { peerSettings: 'wrong', wrong: true, note: expect.stringContaining('a wrong result is not timed') },
      { peerSettings: 'rough', ratio: expect.any(Number), peerError: expect.closeTo(0.01, 3) },
      { peerSettings: 'missing', wrong: false, note: 'missing: no such mode' },
    ]);
    for (const { limbeck } of rows) expect(limbeck).toEqual(rows[0].limbeck);
    for (const i of [1, 3]) expect(rows[i].peerNumbers).toBeUndefined();
  });

  it('says so where a peer fails, and times limbeck alone', async () => {
    const { runWorkload } = await suite('steps.mjs');
    const peer = {
      name: 'broken',
      settings: () => [{}],
      trial: () => Promise.reject(new Error('no such thing')),
    };
    const [row] = await runWorkload(name, { torch: peer }, options);
    expect(row.note).toBe('broken: no such thing');
    expect(row.limbeck.ms).toBeGreaterThan(0);
  });
});

it('every workload: the engine computes what the reference does', async () => {
  const { workloads } = await import(pathToFileURL(join(root, 'bench/workloads/index.mjs')).href);
  const { openDevice } = await import(pathToFileURL(join(root, 'dist/index.js')).href);
  const { refuseWrong } = await suite('compare.mjs');
  for (const [name, { sizes, inputs, prepare }] of Object.entries<Workload>(workloads)) {
    const given = await inputs(sizes.small);
    const found = [];
    for (const engine of ['reference', 'cpu']) {
      const device = await openDevice(engine);
      const { step, results } = await prepare(device, sizes.small, given);
      await step();
      found.push(await results());
      await device.dispose();
    }
    expect(refuseWrong(name, found[1], found[0], 1e-4)).toBeLessThan(1e-4);
  }
  // The reference in float64 takes a minute of an idle core for all of them.
}, 300_000);

describe('conformance', () => {
  const own = new ReferenceDevice();
  /** The reference, with every result it reads back changed. */
  const lying: Device = Object.assign(Object.create(own) as Device, {
    description: 'a device that is wrong',
    async tensor(...args: Parameters<Device['tensor']>) {
      const tensor = await own.tensor(...args);
      const read = tensor.read.bind(tensor);
      return Object.assign(tensor, { read: async () => (await read()).map((value) => value + 1) });
    },
    load: own.load.bind(own),
  });

  async function checks(device: Device, options: { members: number[]; only: string }) {
    const { conform } = await import(pathToFileURL(join(root, 'bench/conformance/conform.mjs')).href);
    const found: { name: string; error?: string }[] = [];
    await conform(device, options, (check: { name: string; error?: string }) => found.push(check));
    return found;
  }

  it('agrees where an engine is right, for populations too', async () => {
    const { openDevice } = await import(pathToFileURL(join(root, 'dist/index.js')).href);
    const device = await openDevice('cpu');
    const found = await checks(device, { members: [1, 5], only: 'relu.mask' });
    await device.dispose();
    expect(found.filter(({ name }) => name.endsWith('P = 5')).length).toBeGreaterThan(1);
    expect(found.filter(({ error }) => error !== undefined)).toEqual([]);
  });

  it('says what differs where it is wrong', async () => {
    const found = await checks(lying, { members: [], only: 'relu.mask' });
    expect(found.length).toBeGreaterThan(1);
    for (const { name, error } of found)
      expect(error, name).toMatch(/a device that is wrong: relu\.mask .* differ/);
  });
});
