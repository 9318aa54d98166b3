/** What is believed of a `run.json`, who may change it at once, and what a page makes of it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Device,
  distillToFolder,
  generateDigits,
  openDevice,
  RunFolder,
  type RunRecord,
  reportHtml,
  resumeFolder,
  whiten,
} from '../src/index.js';
import { type CheckpointExtra, readExtra } from '../src/runs/checkpoint-extra.js';
import type { RunConfig } from '../src/runs/record.js';
import { RunLock } from '../src/runs/run-lock.js';
import { shortRun, twoClasses } from './harness/made-data.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-record-'));
const digits = generateDigits({ train: 40, validation: 20, test: 20, size: 16 });
const run = new RunFolder(join(folder, 'run'));
let device: Device;
let record: RunRecord;
let set: Awaited<ReturnType<typeof distillToFolder>>['set'];

beforeAll(async () => {
  device = await openDevice('reference');
  const options = { network: 'mlp:width=4', iterations: 2, batch: 8, validateEvery: 2 } as const;
  ({ record, set } = await distillToFolder(device, digits, run.folder, options));
});
afterAll(async () => {
  await device.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const saved = () => JSON.parse(readFileSync(run.paths.record, 'utf8'));
const write = (value: unknown) => writeFileSync(run.paths.record, JSON.stringify(value));

/** The record with another value at a path of names; undefined leaves it out. */
function changed(path: string, value: unknown): unknown {
  const copy = structuredClone(record);
  const names = path.split('.');
  const last = names.pop()!;
  // biome-ignore lint/suspicious/noExplicitAny: it is about what does not fit the type
  const parent = names.reduce((at: any, name) => at[name], copy);
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return copy;
}

const needed = [
  ...['config', 'config.device', 'config.options', 'config.options.ipc', 'seed', 'versions.node', 'platform'],
  ...['engine.name', 'dataset.name', 'dataset.imageShape', 'dataset.classNames', 'dataset.splits.test'],
  ...['dataset.mean', 'dataset.sha256', 'protocol', 'stopped', 'outerSteps', 'curve', 'curve.0.loss', 'best'],
  ...[
    'best.validationAccuracy',
    'testAccuracy',
    'testAccuracy.networks',
    'baselines',
    'testOpened',
    'timings',
  ],
  ...['timings.stepMilliseconds.median', 'format'],
];
const markup = '<img src=x onerror=alert(1)>';

describe('a record', () => {
  test.each(needed)('without %s is none, and what cannot be recorded is said', async (path) => {
    write(changed(path, undefined));
    const refused = {
      code: 'ERR_FILE_FORMAT',
      message: expect.stringMatching(/record\.\S+ is missing, expected|options lack ipc/),
    };
    await expect(run.readRecord()).rejects.toMatchObject(refused);
    await expect(resumeFolder(device, digits, run.folder)).rejects.toMatchObject(refused);
    expect(await run.countTest()).toMatch(/is missing, expected|options lack ipc/);
    write(record);
  });

  test.each([
    ...['dataset.splits.test', 'testAccuracy.networks', 'outerSteps', 'seed', 'config.options.iterations'],
    ...['dataset.mean', 'timings.seconds', 'curve.0.learningRates', 'testOpened', 'learningRate', 'perClass'],
    ...['confusion', 'confusion.0.1', 'baselines.classMeans.perClass'],
  ])('with markup for %s reaches no page', async (path) => {
    expect(() => reportHtml(changed(path, markup) as RunRecord, set)).toThrow(
      expect.objectContaining({ code: 'ERR_DATA', message: expect.stringContaining('expected') }),
    );
  });

  test('with markup in what whitening says reaches no page either', () => {
    expect(() => reportHtml(changed('dataset.zca', { epsilon: markup }) as RunRecord, set)).toThrow(
      /epsilon/,
    );
  });

  test('is changed by one at a time: no look at the test split is lost', async () => {
    write(record);
    const others = [run, new RunFolder(run.folder), new RunFolder(join(run.folder, '.'))];
    const counted = await Promise.all(Array.from({ length: 24 }, (_, i) => others[i % 3].countTest()));
    expect(counted).toEqual(new Array(24).fill(undefined));
    expect(saved().testOpened).toBe(record.testOpened + 24);
  });

  test('keeps the looks of others when the run itself writes it', async () => {
    write(record);
    await run.countTest();
    await run.write(record, set, digits);
    expect(saved().testOpened).toBe(record.testOpened + 1);
  });
});

test('all that was asked for, and what computed it, comes back from the text of a checkpoint', () => {
  const config: Required<RunConfig> = {
    ...{ dataset: 'path/to', digitsSize: 40, reading: { zca: true, channels: 3 }, threads: 3 },
    ...{
      device: 'webgpu:1',
      precision: 'half',
      preset: { batch: 8 },
      fitted: { patience: 2 },
      continued: [{ iteration: 1, iterations: 2 }],
      options: record.config.options,
    },
  };
  const engine: Required<RunRecord['engine']> = {
    ...{ name: 'cpu', description: 'an abacus', reason: 'it was there', processor: 'ten beads' },
    earlierProcessors: ['nine beads'],
  };
  const extra: CheckpointExtra = { config, engine, sha256: 'of the data' };
  expect(readExtra(JSON.parse(JSON.stringify(extra)), config.options)).toEqual(extra);
});

test('a run on whitened images says so in its protocol', async () => {
  const whitened = await whiten(twoClasses());
  const protocolOf = async (data: typeof whitened, name: string) =>
    (await distillToFolder(device, data, join(folder, name), { ...shortRun, iterations: 1 })).record.protocol;
  expect(await protocolOf(whitened, 'white')).toMatch(/^mlp:width=3 on ZCA-whitened images, /);
  expect(await protocolOf(twoClasses(), 'plain')).toMatch(/^mlp:width=3, /);
});

test('the page of a run forbids itself scripts and anything from elsewhere', () => {
  const html = reportHtml(record, set);
  expect(html).toMatch(
    /<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:;/,
  );
  expect(html.indexOf('Content-Security-Policy')).toBeLessThan(html.indexOf('<title>'));
});

test('a lock that cannot be removed hides no other error', async () => {
  const place = join(folder, 'locked');
  mkdirSync(place);
  const lock = await RunLock.take(place);
  rmSync(join(place, '.limbeck-lock'));
  mkdirSync(join(place, '.limbeck-lock', 'x'), { recursive: true });
  await expect(lock.release()).resolves.toBeUndefined();
});
