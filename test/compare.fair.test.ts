/** `compareMethods` is fair: in time, in what stands beside, and in what it says of chance. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { resolveComparison } from '../src/analysis/compare/options.js';
import { holm, rowsOf } from '../src/analysis/compare/rows.js';
import {
  type CompareOptions,
  compareMethods,
  type Device,
  type DistillOptions,
  openDevice,
  trainNetworks,
} from '../src/index.js';
import { saveModel } from '../src/runs/network-folder.js';
import { opposite, smallNetwork, twoClasses } from './harness/made-data.js';

/** By how much the clock has been put forward, in milliseconds. */
const clock = vi.hoisted(() => ({ ahead: 0, perTest: 0 }));
vi.mock('../src/eval/evaluate.js', async (original) => {
  const real = await original<typeof import('../src/eval/evaluate.js')>();
  const evaluate: typeof real.evaluate = async (device, dataset, set, options) => {
    options?.onProgress?.({ stage: 'first', done: 0, total: 1 });
    clock.ahead += clock.perTest;
    return real.evaluate(device, dataset, set, options);
  };
  return { ...real, evaluate };
});

const folder = mkdtempSync(join(tmpdir(), 'limbeck-compare-fair-'));
const data = twoClasses();
const dm = (iterations: number): DistillOptions => ({
  ...{ method: 'dm', iterations, batch: 4, augmentation: 'none', protocol: 'full-batch' },
  ...{ networks: 1, validationNetworks: 1, validateEvery: 1000 },
});
const small = {
  ...{ network: smallNetwork, networks: 1, baselines: ['randomReal'], fullEpochs: 0 },
  protocol: 'full-batch',
} satisfies Partial<CompareOptions>;
let device: Device;
beforeAll(async () => {
  device = await openDevice('reference');
});
afterAll(async () => {
  await device.dispose();
  rmSync(folder, { recursive: true, force: true });
});

describe('the time for distilling', () => {
  test('is not spent on the test of a run', async () => {
    const now = performance.now.bind(performance);
    const spy = vi.spyOn(performance, 'now').mockImplementation(() => now() + clock.ahead);
    // An hour for every test; ten minutes for distilling.
    clock.perTest = 3_600_000;
    const methods = [dm(1), dm(60)];
    const { runs } = await compareMethods(device, data, join(folder, 'tests'), {
      ...{ ...small, methods, seconds: 600 },
    });
    clock.perTest = 0;
    spy.mockRestore();
    expect(runs.map(({ outerSteps }) => outerSteps)).toEqual([1, 60]);
  });

  test('is shared by runs that are not finished, and is as long as was said', async () => {
    const out = join(folder, 'shares');
    await compareMethods(device, data, out, { ...small, methods: [dm(1), dm(2), dm(3)] });
    const shares = async (seconds: number, last: number) => {
      const spy = vi.spyOn(globalThis, 'setTimeout');
      const methods = [dm(last), dm(1), dm(2), dm(3)];
      const { runs } = await compareMethods(device, data, out, { ...small, methods, seconds });
      const long = spy.mock.calls.map(([, delay]) => delay ?? 0).filter((delay) => delay > 100_000);
      spy.mockRestore();
      expect(runs[0].outerSteps).toBe(last);
      return long;
    };
    expect(await shares(400, 60)).toEqual([400_000]);
    // 600 hours are more than a timer can wait: it would fire at once.
    expect(await shares(600 * 3600, 61)).toEqual([]);
  });
});

test('networks of the whole training split are those of this data', async () => {
  const out = join(folder, 'data');
  const of = (seed: number) => ({ ...small, methods: [dm(1)], fullEpochs: 20, seed });
  const other = opposite(data, 'train');
  const first = await compareMethods(device, data, out, { ...of(0), ipc: 1 });
  const second = await compareMethods(device, other, out, { ...of(0), ipc: 2 });
  const alone = await compareMethods(device, other, join(folder, 'alone'), { ...of(0), ipc: 2 });
  expect(second.full).toEqual(alone.full);
  expect(second.full).not.toEqual(first.full);
});

test('methods whose folders would be one are refused', () => {
  const methods = ['runs/a', 'runs-a'].map((teacher) => ({ method: 'rded', teacher }) as const);
  expect(() => resolveComparison('test', { methods, network: smallNetwork }, data)).toThrow(
    /methods rded:teacher=runs\/a and rded:teacher=runs-a would have one folder, rded-teacher=runs-a-ipc1-seed0/,
  );
  expect(() =>
    resolveComparison('test', { methods: ['dm', { method: 'dm' }], network: smallNetwork }, data),
  ).toThrow(/one folder/);
});

describe('soft labels', () => {
  const teacher = join(folder, 'teacher');
  const rded = (temperature: number): DistillOptions => ({
    ...{
      method: 'rded',
      iterations: 1,
      batch: 2,
      crops: 1,
      factor: 1,
      networks: 1,
      validationNetworks: 1,
      temperature,
    },
  });
  const soft = { ...small, teacher, fullEpochs: 1, ipc: 2 };
  beforeAll(async () => {
    const { model } = await trainNetworks(device, data, { network: smallNetwork, epochs: 20 });
    mkdirSync(teacher);
    await saveModel(teacher, model);
  });

  test('the scores of a method are the same whatever is to stand beside it', async () => {
    const scores = async (name: string, baselines: readonly string[]) => {
      const options = { ...soft, protocol: 'dc', methods: [rded(1)], baselines };
      const [row] = rowsOf(await compareMethods(device, data, join(folder, name), options)).filter(
        ({ method }) => method,
      );
      expect(row.randomTeacher).toBeDefined();
      return [row.hlr, row.ior, row.lrs];
    };
    const few = await scores('few', ['randomReal']);
    expect(few).toEqual(await scores('more', ['randomReal', 'randomTeacher']));
    expect(few).not.toContain(undefined);
  });

  test('under a protocol of stored labels nothing is said of hard ones', async () => {
    const out = join(folder, 'stored');
    const options = { ...soft, protocol: 'soft-labels', networks: 1, methods: [dm(1)] };
    const compared = await compareMethods(device, data, out, options);
    expect(compared.full).toBeDefined();
    const [row] = rowsOf(compared).filter(({ method }) => method);
    expect([row.hlr, row.lrs]).toEqual([undefined, undefined]);
    expect(row.ior).toBeDefined();
    expect(rowsOf({ ...compared, labels: 'hard' })[0]).toHaveProperty('hlr', expect.any(Number));
  });

  test('baselines at the temperature of each set are the same in any order of the methods', async () => {
    const results = async (name: string, methods: CompareOptions['methods']) => {
      const options = {
        ...soft,
        protocol: 'soft-labels',
        baselines: ['randomReal', 'randomTeacher'],
        methods,
      };
      return (await compareMethods(device, data, join(folder, name), options)).baselines[0].results;
    };
    const [one, other] = [
      await results('dm first', [dm(1), rded(9)]),
      await results('rded first', [rded(9), dm(1)]),
    ];
    expect(one).toEqual(other);
    const heated = 'randomTeacher at temperature 9';
    expect(Object.keys(one).sort()).toEqual(['randomReal', 'randomTeacher', heated]);
    expect(one[heated].title).toMatch(/answers of the teacher as labels at temperature 9$/);
  });
});

test('what stands beside a set of kernel regression is measured once', async () => {
  const out = join(folder, 'kip');
  const methods = [{ method: 'kip', iterations: 1, batch: 4, labels: 'soft' } as const];
  const network = { name: 'mlp', layers: 1, width: 3 };
  const options = { ...small, network, networks: 2, baselines: ['randomReal', 'noDistillation'], methods };
  const opened = async () => {
    const { runs } = await compareMethods(device, data, out, options);
    expect(runs[0].own.soft).toHaveProperty('noDistillation');
    return JSON.parse(readFileSync(join(out, runs[0].folder, 'run.json'), 'utf8')).testOpened;
  };
  const before = await opened();
  expect(await opened()).toBe(before);
});

test('probabilities of several tests are corrected for their number', () => {
  // In their order 0.01 x 3, 0.03 x 2, 0.04 x 1, which must not be less than those before.
  expect(holm([0.04, undefined, 0.01, 0.03])).toEqual([0.06, undefined, 0.03, 0.06]);
  expect(holm([0.7, 0.6])).toEqual([1, 1]);
  expect(holm([0.2])).toEqual([0.2]);
});
