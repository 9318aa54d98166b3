/** A whole run in a folder, as a program that uses the library has it. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Device,
  type DistilledSet,
  decodeArtefact,
  distillToFolder,
  generateDigits,
  openDevice,
  readRun,
  resumeFolder,
} from '../src/index.js';
import type { EvaluationRecord } from '../src/runs/record.js';
import { RunFiles } from '../src/runs/run-files.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';
import { stepsOf } from './harness/distilled-set.js';
import { twoClasses } from './harness/made-data.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-run-'));
const at = (...names: string[]) => join(folder, ...names);
const digits = generateDigits({ train: 40, validation: 20, test: 20, size: 16 });
const options = {
  network: 'mlp:width=12',
  iterations: 6,
  batch: 8,
  validateEvery: 2,
  innerLr: 0.02,
  seed: 3,
} as const;
const files = [
  'checkpoint.safetensors',
  'distilled.png',
  'distilled.safetensors',
  'film.jsonl',
  'progress.jsonl',
  'report.html',
  'run.json',
];
let device: Device;

beforeAll(async () => {
  await buildWhereStale();
  device = await openDevice('reference');
});
afterAll(async () => {
  await device.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const recordIn = (name: string) => JSON.parse(readFileSync(at(name, 'run.json'), 'utf8'));
const setIn = (name: string) => decodeArtefact(readFileSync(at(name, 'distilled.safetensors'))).set;
const bits = (set: DistilledSet) =>
  [set.images, set.labels, stepsOf(set).learningRates].map((values) => [...values]);

/** A run that is stopped after its third outer step. */
async function stopped(name: string) {
  const controller = new AbortController();
  const onProgress = ({ iteration }: { iteration: number }) => {
    if (iteration >= 3) controller.abort();
  };
  return distillToFolder(device, digits, at(name), options, { signal: controller.signal, onProgress });
}

describe('a run in a folder', () => {
  test('gives back what it wrote', async () => {
    const tested: string[] = [];
    const iterations: number[] = [];
    const { record, set } = await distillToFolder(device, digits, at('deep/whole'), options, {
      onProgress: ({ iteration }) => void iterations.push(iteration),
      onTest: ({ stage }) => void tested.push(stage),
    });
    expect(readdirSync(at('deep/whole')).sort()).toEqual(files);
    expect(recordIn('deep/whole')).toEqual(JSON.parse(JSON.stringify(record)));
    expect(bits(setIn('deep/whole'))).toEqual(bits(set));
    expect(record).toMatchObject({
      stopped: false,
      outerSteps: 6,
      testOpened: 1,
      config: { device: 'reference' },
    });
    expect(record.testAccuracy!.mean).toBeGreaterThan(0);
    expect(iterations.at(-1)).toBe(6);
    expect(tested.length).toBeGreaterThan(0);
  });

  test('stopped by its signal, goes on to the same bits', async () => {
    const { record } = await stopped('stopped');
    expect(record).toMatchObject({ stopped: true, testAccuracy: null, testOpened: 0 });
    expect(record.outerSteps).toBeLessThan(6);
    expect(await readRun(at('stopped'))).toMatchObject({
      iteration: record.outerSteps,
      config: { device: 'reference', options: { seed: 3 } },
      sha256: record.dataset.sha256,
    });
    const whole = await distillToFolder(device, digits, at('whole'), options);
    const resumed = await resumeFolder(device, digits, at('stopped'));
    expect(bits(resumed.set)).toEqual(bits(whole.set));
    expect(resumed.record.testAccuracy).toEqual(whole.record.testAccuracy);
    // A finished run is given back, not tested once more.
    const again = await resumeFolder(device, digits, at('stopped'));
    expect(again.record).toEqual(recordIn('stopped'));
    expect(again.record.testOpened).toBe(1);
    expect(bits(again.set)).toEqual(bits(whole.set));
  });

  test('stopped in the middle of its test, is tested later and counts both', async () => {
    const controller = new AbortController();
    const control = { signal: controller.signal, onTest: () => controller.abort() };
    const { record } = await distillToFolder(device, digits, at('untested'), options, control);
    expect(record).toMatchObject({ stopped: true, outerSteps: 6, testAccuracy: null, testOpened: 1 });
    const { record: tested } = await resumeFolder(device, digits, at('untested'));
    expect(tested).toMatchObject({ stopped: false, testOpened: 2, testAccuracy: expect.anything() });
  });

  test('refuses a folder that holds a run, unless it may be replaced', async () => {
    const short = { ...options, iterations: 2 };
    await distillToFolder(device, digits, at('taken'), short);
    const before = recordIn('taken');
    await expect(distillToFolder(device, digits, at('taken'), short)).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringContaining('already holds a run'),
    });
    expect(recordIn('taken')).toEqual(before);
    const { record } = await distillToFolder(
      device,
      digits,
      at('taken'),
      { ...short, seed: 4 },
      { force: true },
    );
    expect(record.seed).toBe(4);
  });

  test('makes no folder for options that do not do', async () => {
    const bad = distillToFolder(device, digits, at('never'), { ...options, iterations: -1 });
    await expect(bad).rejects.toMatchObject({ code: 'ERR_OPTION' });
    expect(existsSync(at('never'))).toBe(false);
    await expect(resumeFolder(device, digits, at('never'))).rejects.toMatchObject({
      code: 'ERR_FILE_MISSING',
    });
    await expect(readRun(at('never'))).rejects.toMatchObject({ code: 'ERR_FILE_MISSING' });
    expect(existsSync(at('never'))).toBe(false);
  });

  test('goes on with its own data only, and on the command line only where that can find them', async () => {
    await stopped('mine');
    const others = generateDigits({ train: 40, validation: 20, test: 20, size: 16, seed: 9 });
    const labels = digits.test.labels.map((label) => (label + 1) % 10);
    const relabelled = { ...digits, test: { ...digits.test, labels } };
    for (const data of [others, relabelled])
      await expect(resumeFolder(device, data, at('mine'))).rejects.toMatchObject({ code: 'ERR_DATA' });
    const { limbeck } = commandLine(folder);
    const { status, stderr } = await limbeck('resume', 'mine');
    expect(status).toBe(2);
    expect(stderr).toMatch(/begun by a program on data of its own.*resumeFolder \[ERR_OPTION\]\n$/);
  });

  test('keeps later evaluations apart by protocol and number of networks; one that is made again replaces the first', async () => {
    await distillToFolder(device, digits, at('evaluated'), { ...options, iterations: 2 });
    const run = new RunFiles(at('evaluated'), {
      sheet: () => new Uint8Array(),
      report: () => '',
      frame: () => ({ black: 0, white: 1, png: 'AA' }),
    });
    await run.open();
    const evaluation = (mean: number, networks: number, protocol = 'dc'): EvaluationRecord => ({
      ...{ protocol, accuracy: { mean, std: 0, networks }, learningRate: 0.01 },
      ...{ perClass: new Array(10).fill(mean), baselines: {}, others: [] },
    });
    const all = [evaluation(1, 2), evaluation(2, 5), evaluation(3, 2, 'dsa'), evaluation(4, 2)];
    for (const one of all) await run.addEvaluation(one, {} as DistilledSet, twoClasses());
    await run.addEvaluation({ ...evaluation(5, 7), sameData: false }, {} as DistilledSet, twoClasses());
    expect((await run.readRecord())!.evaluations!.map(({ accuracy }) => accuracy.mean)).toEqual([2, 3, 4]);
    await run.close();
  });
});
