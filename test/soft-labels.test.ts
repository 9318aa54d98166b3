/** Teachers, their labels at a temperature, and the baselines that have such labels. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { resolveComparison } from '../src/analysis/compare/options.js';
import { rowsOf } from '../src/analysis/compare/rows.js';
import { loadWithTensors } from '../src/engine/load.js';
import { Recorder } from '../src/engine/program.js';
import { baselinesUnder } from '../src/eval/baselines/index.js';
import { findProtocol } from '../src/eval/find-protocol.js';
import type { Model } from '../src/eval/model.js';
import { checksumOf } from '../src/eval/pretrained.js';
import { teacherFrom } from '../src/eval/teacher.js';
import {
  type CompareOptions,
  compareMethods,
  type DistillOptions,
  distill,
  evaluate,
  openDevice,
  trainNetworks,
} from '../src/index.js';
import { labelsBy } from '../src/methods/teacher.js';
import { createNetwork } from '../src/networks/index.js';
import type { Checkpoint } from '../src/runs/distillation.js';
import { saveModel } from '../src/runs/network-folder.js';
import { recordMinibatchStep } from '../src/train/minibatch.js';
import { roundedToHalf } from '../src/util/half.js';
import { owning } from '../src/util/owned.js';
import { normals } from './harness/arrays.js';
import { relativeError } from './harness/close.js';
import { smallNetwork, twoClasses } from './harness/made-data.js';

const data = twoClasses();
const device = await openDevice('cpu');
const folder = mkdtempSync(join(tmpdir(), 'limbeck-soft-'));
afterAll(async () => {
  await device.dispose();
  rmSync(folder, { recursive: true });
});
const training = { network: 'mlp:width=8', epochs: 40, batch: 10, learningRate: 0.1 } as const;
const { model } = await trainNetworks(device, data, training);
await saveModel(folder, model);
/** The same that takes each class for the other: what learns from its labels is mostly wrong. */
const contrary: Model = await (async () => {
  const other = { ...data, train: { ...data.train, labels: data.train.labels.map((one) => 1 - one) } };
  return (await trainNetworks(device, other, training)).model;
})();
const given: DistillOptions = {
  ...{ method: 'rded', network: smallNetwork, teacher: folder, factor: 1, ipc: 3 },
  ...{ temperature: 4, iterations: 2, batch: 5, crops: 2, networks: 2, validationNetworks: 2 },
};

describe('labels of a teacher', () => {
  it('are softmax of its logits over the temperature', async () => {
    const theta = teacherFrom('teacher', model, data);
    const images = normals(4 * 6, 1);
    const [warm, cold] = [
      await labelsBy(device, theta, images, 8, undefined),
      await labelsBy(device, theta, images, 1),
    ];
    for (let i = 0; i < 8; i += 2) {
      expect(warm[i] + warm[i + 1]).toBeCloseTo(1, 6);
      expect(8 * Math.log(warm[i] / warm[i + 1])).toBeCloseTo(Math.log(cold[i] / cold[i + 1]), 3);
    }
  });

  it('are learned at their temperature: logits over it, the loss times its square', async () => {
    const network = createNetwork({
      ...{ name: 'custom', layers: [{ linear: 3 }] as const, inputShape: [1, 1, 2], classes: 3 },
    });
    const [T, rows] = [5, 4];
    const [x, y, start] = [normals(rows * 2, 1), normals(rows * 3, 2), normals(network.count, 3)];
    const r = new Recorder('step');
    const images = r.external('images', 1, [rows, 1, 1, 2]);
    const labels = r.external('labels', 1, [rows, 3]);
    recordMinibatchStep(r, {
      network,
      training: {
        ...{ optimizer: { kind: 'sgd' }, loss: 'cross-entropy', batch: rows, epochs: 1 },
        schedule: { kind: 'constant' },
      },
      rows,
      state: r.external('state', 1, [4], 'u32'),
      rates: r.external('rates', 1, [1]),
      theta: r.external('theta', 1, [network.count]),
      gather: () => ({ x: images, y: labels }),
      temperature: T,
    });
    await owning(async (owned) => {
      const { executable, tensors } = await loadWithTensors(device, r.program(), owned);
      const values = { images: x, labels: y, theta: start, rates: [1] };
      for (const [name, all] of Object.entries(values)) await tensors[name].write(all);
      await executable.run();
      const moved = await tensors.theta.read();
      // w [3, 2], b [3]; the gradient of T² times the mean over rows of -Σ y log softmax(z / T).
      const expected = Float64Array.from(start);
      for (let n = 0; n < rows; n++) {
        const z = [0, 1, 2].map(
          (k) => start[2 * k] * x[2 * n] + start[2 * k + 1] * x[2 * n + 1] + start[6 + k],
        );
        const powers = z.map((value) => Math.exp(value / T));
        const sum = powers.reduce((a, b) => a + b);
        const total = y[3 * n] + y[3 * n + 1] + y[3 * n + 2];
        for (const k of [0, 1, 2]) {
          const bar = (T * ((powers[k] / sum) * total - y[3 * n + k])) / rows;
          for (const i of [0, 1]) expected[2 * k + i] -= bar * x[2 * n + i];
          expected[6 + k] -= bar;
        }
      }
      expect(relativeError(moved, expected)).toBeLessThan(1e-6);
      owned.dispose();
    });
  });
});

describe('a teacher', () => {
  const refused = (change: Partial<Model>, code: string) =>
    expect(() => teacherFrom('teacher', { ...model, ...change }, data)).toThrow(
      expect.objectContaining({ code }),
    );

  it('is refused where it is none of these data', () => {
    refused({ classNames: ['1', '0'] }, 'ERR_DATA');
    refused({ normalisation: { mean: [0.4], std: data.std } }, 'ERR_DATA');
    refused({ normalisation: { mean: data.mean, std: [0.4] } }, 'ERR_DATA');
    refused({ loss: 'squared-error' }, 'ERR_OPTION');
    const { parameters } = model;
    refused({ parameters: Float32Array.from([...parameters, ...parameters]) }, 'ERR_OPTION');
    const wide = { ...model.network, inputShape: [1, 2, 4] as const };
    refused({ network: wide, parameters: new Float32Array(createNetwork(wide).count) }, 'ERR_SHAPE');
  });

  it('is asked for', async () => {
    const missing = { code: 'ERR_OPTION', message: expect.stringContaining('teacher') };
    await expect(distill(device, data, { ...given, teacher: '' })).rejects.toMatchObject(missing);
    await expect(distill(device, data, given)).rejects.toMatchObject(missing);
    const recovery: DistillOptions = {
      method: 'sre2l',
      network: smallNetwork,
      teacher: folder,
      iterations: 1,
    };
    await expect(distill(device, data, recovery, { teacher: model })).rejects.toMatchObject({
      ...{ code: 'ERR_OPTION', message: expect.stringContaining('batch norm') },
    });
  });

  it('is the same when a run goes on', async () => {
    const checkpoints: Checkpoint[] = [];
    await distill(
      device,
      data,
      { ...given, validateEvery: 1 },
      {
        ...{ teacher: model, onCheckpoint: (one) => void checkpoints.push(one) },
      },
    );
    const [resume] = checkpoints;
    await expect(distill(device, data, {}, { resume, teacher: contrary })).rejects.toMatchObject({
      ...{ code: 'ERR_DATA', message: expect.stringContaining('teacher') },
    });
  });

  it('is that of the set: its answers are the labels, and which it was is on record', async () => {
    const { set } = await distill(device, data, given, { teacher: model });
    const theta = teacherFrom('teacher', model, data);
    expect(set.labels).toEqual(roundedToHalf(await labelsBy(device, theta, set.images, 4)));
    expect(set.teacher).toEqual({ ...theta.record, temperature: 4 });
    expect(set.teacher!.network).toBe('mlp:width=8');
  });

  it('is that of a set that it shaped, too', async () => {
    const network = { name: 'custom', layers: [{ conv: 2, kernel: 2 }, 'batchNorm', 'relu', { linear: 2 }] };
    const { model: shaping } = await trainNetworks(device, data, { ...training, network });
    const recovery: DistillOptions = {
      ...{ method: 'sre2l', network, teacher: folder, ipc: 3, iterations: 2, batch: 4, temperature: 4 },
      ...{ augmentation: 'none', networks: 1, validationNetworks: 1 },
    };
    const { set } = await distill(device, data, recovery, { teacher: shaping });
    const theta = teacherFrom('teacher', shaping, data);
    expect(set.labels).toEqual(roundedToHalf(await labelsBy(device, theta, set.images, 4)));
    expect(set.teacher).toEqual({ ...theta.record, temperature: 4 });
  });
});

describe('random real images with soft labels', async () => {
  const { set } = await distill(device, data, given, { teacher: model });

  it('have the answers of the teacher, or of a network that is stopped early', async () => {
    const baselines = ['randomReal', 'randomTeacher', 'noDistillation'];
    const scored = async (teacher: Model) =>
      (await evaluate(device, data, set, { networks: 6, teacher, baselines, learningRate: 0.03 })).baselines;
    const [taught, misled] = [await scored(model), await scored(contrary)];
    expect(Object.keys(taught)).toEqual(baselines);
    expect(taught.randomTeacher.mean).toBeGreaterThan(misled.randomTeacher.mean + 30);
    expect(misled.noDistillation).toEqual(taught.noDistillation);
    expect(misled.randomReal).toEqual(taught.randomReal);
    expect(taught.noDistillation.mean).toBeGreaterThan(60);
  });

  it('stand beside a set that has such labels unless others are asked for', async () => {
    const names = async (options: Parameters<typeof evaluate>[3]) =>
      Object.keys((await evaluate(device, data, set, { networks: 1, epochs: 1, ...options })).baselines);
    expect(await names({ teacher: model })).toContain('randomTeacher');
    expect(await names({})).not.toContain('randomTeacher');
    expect(await names({ teacher: model, labels: 'hard' })).not.toContain('randomTeacher');
  });

  it('are refused where labels are hard, or without a teacher', async () => {
    const asked = (options: Parameters<typeof evaluate>[3]) =>
      evaluate(device, data, set, { networks: 1, ...options });
    const refused = { code: 'ERR_OPTION' };
    await expect(asked({ baselines: ['noDistillation'], protocol: 'dc' })).rejects.toMatchObject(refused);
    await expect(asked({ baselines: ['randomTeacher'] })).rejects.toMatchObject(refused);
    const [soft, hard] = [findProtocol('soft-labels'), findProtocol('dc')];
    expect(baselinesUnder(soft, false)).not.toContain('randomTeacher');
    expect(baselinesUnder(soft, false)).toContain('noDistillation');
    expect(baselinesUnder(soft, true)).toContain('randomTeacher');
    expect(baselinesUnder(hard, true).filter((name) => /Teacher|noDist/.test(name))).toEqual([]);
  });
});

it('a comparison gives its teacher to methods that need one and have none of their own', () => {
  const { teacher: _, network, ipc, ...rded } = given;
  const methods = [rded, { ...rded, teacher: 'another' }, 'dm'];
  const { cells } = resolveComparison('test', { methods, ipc, network, teacher: folder }, data);
  expect(cells.map(({ options }) => options.teacher)).toEqual([folder, 'another', undefined]);
});

it('a comparison puts random images with soft labels beside them', async () => {
  const { teacher: _, network, ipc, networks, ...rded } = given;
  const options = {
    methods: [
      rded,
      { method: 'dm', iterations: 1, batch: 4, augmentation: 'none', protocol: 'dc', networks: 2 },
    ],
    ...{ network: smallNetwork, ipc: 3, networks: 2, teacher: folder, fullEpochs: 1 },
    baselines: ['randomTeacher', 'noDistillation'],
  } satisfies CompareOptions;
  const out = join(folder, 'compared');
  const compared = await compareMethods(device, data, out, options);
  const [taught, hard] = compared.runs;
  expect(Object.keys(taught.own.soft!)).toEqual(['randomTeacher', 'noDistillation']);
  expect(hard.own.soft).toBeUndefined();
  expect(Object.keys(compared.baselines[0].results)).toEqual(['randomReal']);
  const row = rowsOf(compared).find(({ title }) => title.startsWith('rded'))!;
  expect(row.randomTeacher!.mean).toBe(taught.own.soft!.randomTeacher.mean);
  expect(row.ior).toBeCloseTo(taught.own.accuracy.mean - taught.own.soft!.randomTeacher.mean, 9);
  // Images and labels: six pictures of six pixels, two numbers of half precision each.
  expect(taught.numbers).toBe(6 * 6 + (6 * 2) / 2);
});

it('a method with a teacher of its own stands beside random images with the labels of that one', async () => {
  const { network, ipc, networks, ...rded } = given;
  const second = join(folder, 'second');
  const other = await trainNetworks(device, data, { ...training, epochs: 1, seed: 5 });
  mkdirSync(second);
  await saveModel(second, other.model);
  const run = (name: string, teacher: string, more: Partial<CompareOptions>) =>
    compareMethods(device, data, join(folder, name), {
      ...{ network: smallNetwork, ipc: 3, networks: 2, fullEpochs: 0, protocol: 'soft-labels' },
      methods: [{ ...rded, teacher } as DistillOptions],
      baselines: ['randomTeacher'],
      ...more,
    });
  const alone = await run('alone', second, {});
  const beside = await run('beside', second, { teacher: folder });
  const [own] = alone.runs;
  expect(own.own.soft!.randomTeacher).toBeDefined();
  expect(beside.runs[0].own.soft).toEqual(own.own.soft);
  const row = rowsOf(alone).find(({ method }) => method)!;
  expect(row.ior).toBeCloseTo(own.own.accuracy.mean - own.own.soft!.randomTeacher.mean, 9);
  // What all sets stand beside has the labels of the teacher of all, and there is none of them without it.
  const results = ({ baselines }: typeof alone) => baselines[0].results;
  expect(Object.keys(results(alone))).toEqual(['randomReal']);
  expect(results(beside)['randomTeacher at temperature 4'].teacher).toBe(checksumOf(model));
  await expect(run('without', '', { methods: [{ method: 'dm', iterations: 1 }] })).rejects.toThrow(
    /baseline randomTeacher is named, and neither is a teacher nor has a method one of its own/,
  );
});
