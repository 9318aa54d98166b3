/** What `datm` adds to trajectory matching: learned labels, first images that an expert knows, starts let in by and by, a limit of the loss. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import { datasetFromArrays } from '../src/data/arrays.js';
import type { ExpertsDescription } from '../src/data/experts/experts.js';
import { expertFileName } from '../src/data/experts/format.js';
import { openExperts } from '../src/data/experts/open.js';
import { MeasuringDevice } from '../src/engine/measuring.js';
import { openDevice } from '../src/engine/open.js';
import { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { endOfStarts } from '../src/methods/expert-choice.js';
import type { DistillOptions } from '../src/methods/index.js';
import type { Process } from '../src/methods/method.js';
import { createNetwork } from '../src/networks/index.js';
import { describeData } from '../src/runs/describe-data.js';
import { distill } from '../src/runs/distill.js';
import { findMethod, resolveFor } from '../src/runs/options.js';
import { beginBlank } from '../src/runs/plan/measure.js';
import { settingFor, uploadTraining } from '../src/runs/setting.js';
import { copyInto } from '../src/train/groups.js';
import { recordSoftmax, softmax } from '../src/train/softmax.js';
import { Stream } from '../src/util/random.js';
import { expertBytes, smallExperts } from './harness/experts.js';

const device = new ReferenceDevice();

/** Twelve images of two classes; the expert is right about one of class 0 and five of class 1. */
const right = [3, 5, 7, 8, 9, 11];
const pixel0 = (row: number) => ((row % 2 === 1) === right.includes(row) ? 1 : -1);
const split = {
  images: Float32Array.from({ length: 72 }, (_, i) =>
    i % 6 ? 0.5 + 0.1 * Math.sin(i) : 0.5 + 0.25 * pixel0(i / 6),
  ),
  labels: Uint8Array.from({ length: 12 }, (_, i) => i % 2),
};
const dataset = datasetFromArrays({
  ...{ name: 'two classes', imageShape: [1, 2, 3], classes: 2 },
  ...{ train: split, validation: split, test: split },
});

/** Logits are pixel 0 times ±1, and a little of the others: an expert of class 1 where that pixel is positive. */
const network = { name: 'custom', layers: [{ linear: 2 }] };
const description: ExpertsDescription = {
  ...smallExperts,
  networkOptions: { ...network, inputShape: [1, 2, 3], classes: 2 },
  dataset: { ...describeData(dataset) },
};
const { count, parameters } = createNetwork(description.networkOptions);
const weights = Float32Array.from({ length: count }, (_, i) => (i % 6 ? 0.01 * i : i < 6 ? -1 : 1));
weights.fill(0, parameters[1].offset);

const folder = mkdtempSync(join(tmpdir(), 'limbeck-datm-'));
for (const number of [0, 1])
  writeFileSync(
    join(folder, expertFileName(number)),
    // Expert 1, and earlier snapshots of expert 0, are of the other opinion.
    expertBytes(number, description, (epoch) =>
      weights.map((w) => (number === 0 && epoch === 3 ? w : -w / (1 + epoch))),
    ),
  );
const experts = await openExperts(folder);
afterAll(async () => {
  await experts.close();
  await rm(folder, { recursive: true });
});

const usual: DistillOptions = {
  ...{ method: 'datm', network, experts: folder, protocol: 'mtt-no-zca', iterations: 10, ipc: 2 },
  ...{ innerSteps: 3, expertEpochs: 1, maxStart: 2, augmentation: 'none', average: 0, lr: 1 },
};

async function begun(given: DistillOptions = {}): Promise<Process> {
  const { options } = resolveFor('test', { ...usual, ...given }, dataset);
  const train = await uploadTraining(device, dataset, options);
  return findMethod('datm').begin(await settingFor(device, dataset, options, train, { experts }));
}

describe('the first images', () => {
  const rowsOf = (images: Float32Array) =>
    Array.from({ length: images.length / 6 }, (_, i) => {
      const own = images.subarray(6 * i, 6 * i + 6);
      const rows = [...split.labels.keys()];
      return rows.find((row) =>
        own.every(
          (value, k) => Math.abs(value * dataset.std[0] + dataset.mean[0] - split.images[6 * row + k]) < 1e-6,
        ),
      );
    });

  it('are those that the last snapshot of expert 0 classifies correctly, others where there are too few', async () => {
    const { images, classes } = await (await begun({ ipc: 3 })).result();
    const rows = rowsOf(images);
    expect(new Set(rows).size).toBe(6);
    rows.forEach((row, i) => {
      expect(split.labels[row!]).toBe(classes[i]);
      // Of class 0 it is right about one alone.
      if (classes[i] === 1) expect(right).toContain(row);
    });
    const zeros = rows.filter((_, i) => classes[i] === 0);
    expect(zeros[0]).toBe(8);
    expect(zeros.slice(1).some((row) => right.includes(row!))).toBe(false);
  });

  it('are none that need be looked for where a run is only measured', async () => {
    const { options } = resolveFor('test', usual, dataset);
    const counting = new MeasuringDevice(device);
    const { owned } = await beginBlank(counting, dataset, options, { experts });
    const [expert] = counting.loaded;
    expect(expert.program.name).toBe('what an expert says');
    // Of the first items, for their labels.
    expect(expert.runs).toBe(1);
    owned.dispose();
  });

  it('have as labels what it says of them, whatever they are', async () => {
    for (const first of ['real', 'means']) {
      const { images, labels } = await (await begun({ first })).result();
      for (let i = 0; i < 4; i++) {
        const z = [0, 1].map((k) =>
          weights.subarray(6 * k, 6 * k + 6).reduce((sum, w, j) => sum + w * images[6 * i + j], 0),
        );
        expect(labels[2 * i]).toBeCloseTo(1 / (1 + Math.exp(z[1] - z[0])), 6);
        expect(labels[2 * i] + labels[2 * i + 1]).toBeCloseTo(1, 6);
      }
    }
  });
});

describe('the labels', () => {
  it('have the gradient of the loss: central differences in float64', async () => {
    const process = await begun({ labelLr: 0.1, lr: 0.1 });
    const state: Record<string, Float64Array> = {};
    for (const [name, tensor] of Object.entries(process.tensors))
      state[name] = Float64Array.from(await tensor.read());
    const lossAt = async (logits: Float64Array) => {
      for (const [name, values] of Object.entries({ ...state, logits }))
        await process.tensors[name].write(values);
      await process.goTo(0);
      return (await process.advance(1)).loss;
    };
    await lossAt(state.logits);
    const gradient = Float64Array.from(await process.tensors['logits.v'].read());
    const source = new Stream(1, 78);
    const direction = Float64Array.from(gradient, (_, i) => source.normal(i));
    const at = (sign: number) => lossAt(state.logits.map((value, i) => value + sign * 1e-5 * direction[i]));
    const slope = ((await at(1)) - (await at(-1))) / 2e-5;
    const expected = gradient.reduce((sum, g, i) => sum + g * direction[i], 0);
    expect(Math.abs(expected)).toBeGreaterThan(1e-4);
    expect(Math.abs(slope - expected) / Math.abs(expected)).toBeLessThan(1e-6);
  });

  it('stay where their rate is 0, while images move', async () => {
    const process = await begun({ labelLr: 0 });
    const before = await process.result();
    await process.advance(2);
    const after = await process.result();
    expect(after.labels).toEqual(before.labels);
    expect(after.images).not.toEqual(before.images);
  });
});

test('no real image goes to the device but to be asked about', async () => {
  for (const method of ['datm', 'mtt', 'mct', 'tesla'] as const) {
    const { options } = resolveFor('test', { method, experts: folder }, dataset);
    expect((await uploadTraining(device, dataset, options)).tensors).toEqual({});
  }
  const { options } = resolveFor('test', { method: 'rat' }, dataset);
  expect((await uploadTraining(device, dataset, options)).tensors).not.toEqual({});
});

test('an outer step whose loss is above the limit changes nothing', async () => {
  const { loss } = await (await begun({ mostLoss: 0 })).advance(1);
  for (const [mostLoss, moves] of [
    [loss * 0.99, false],
    [loss * 1.01, true],
    [0, true],
  ] as const) {
    const process = await begun({ mostLoss });
    const before = await process.result();
    await process.advance(1);
    const after = await process.result();
    for (const part of ['images', 'labels', 'use'] as const)
      expect(JSON.stringify(after[part]) === JSON.stringify(before[part]), part).toBe(!moves);
  }
});

test.each(['reference', 'cpu', 'webgpu'] as const)(
  'an outer step whose loss is no number changes nothing on %s',
  async (engine) => {
    await using device = await openDevice(engine);
    const { options } = resolveFor('test', { ...usual, mostLoss: 1 }, dataset);
    const train = await uploadTraining(device, dataset, options);
    const process = await findMethod('datm').begin(
      await settingFor(device, dataset, options, train, { experts }),
    );
    // So large that a gradient is infinite, or no number.
    const { pixels } = process.tensors;
    await pixels.write(new Float64Array(pixels.length).fill(engine === 'reference' ? 1e200 : 1e38));
    const state = async () =>
      JSON.stringify(await Promise.all(Object.values(process.tensors).map((one) => one.read())));
    const before = await state();
    expect((await process.advance(1)).loss).not.toBeLessThan(1);
    expect(await state()).toBe(before);
    process.dispose();
  },
);

describe('the starts', () => {
  test('are let in one by one, up to the last', () => {
    const stretches = { maxStart: 20, firstMaxStart: 10, widenSteps: 1000 } as Parameters<
      typeof endOfStarts
    >[0];
    const ends = [0, 99, 100, 550, 999, 1000, 5000].map((step) => endOfStarts(stretches, step));
    expect(ends).toEqual([10, 10, 11, 15, 19, 20, 20]);
    expect(endOfStarts({ maxStart: 7 } as typeof stretches, 0)).toBe(7);
  });

  test.each<[DistillOptions, RegExp]>([
    [
      { minStart: 1, firstMaxStart: 1 },
      /firstMaxStart is 1, expected a number above minStart, 1, up to maxStart, 2/,
    ],
    [{ firstMaxStart: 3 }, /firstMaxStart is 3, expected .* up to maxStart, 2/],
    [{ first: 'noise' }, /first is noise, of which an expert knows no class/],
    [{ minStart: 2 }, /minStart is 2 and maxStart is 2, expected a start below the end/],
  ])('%o are refused', async (given, message) => {
    const error = await distill(device, dataset, { ...usual, ...given }, { experts }).catch(
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ code: 'ERR_OPTION', message: expect.stringMatching(message) });
  });

  test('follow from the length of a run, as its average does', () => {
    const { options } = resolveFor('', { method: 'datm', experts: folder, maxStart: 9, iterations: 50 });
    expect(options).toMatchObject({ firstMaxStart: 5, widenSteps: 5, average: 0.9 });
    const published = { method: 'datm', experts: folder } as const;
    const cifar = {
      ...dataset,
      name: 'cifar10',
      classes: 10,
      imageShape: [3, 32, 32] as const,
      train: { ...dataset.train, count: 45_000 },
    };
    expect(resolveFor('', { ...published, ipc: 10 }, cifar).options).toMatchObject({
      ...{ iterations: 10_000, innerSteps: 80, average: 0.9995, widenSteps: 1000, innerBatch: 1000 },
      ...{ firstMaxStart: 10, maxStart: 20, lr: 100, labelLr: 2, labelMomentum: 0.9, mostLoss: 1 },
    });
    expect(resolveFor('', { ...published, ipc: 50 }, cifar).options).toMatchObject({
      ...{ firstMaxStart: 20, maxStart: 40, widenSteps: 2000, lr: 1000, average: 0.995 },
    });
  });
});

test('softmax, recorded and on the host, is that of its logits', async () => {
  const z = Float32Array.of(0, Math.log(3), -50, 1000, 999, 998);
  const r = new Recorder('softmax');
  const { p, backward } = recordSoftmax(r, r.external('z', 1, [2, 3]));
  copyInto(r, p, r.external('p', 1, [2, 3]));
  copyInto(r, backward(r.external('pBar', 1, [2, 3])), r.external('zBar', 1, [2, 3]));
  const tensors = Object.fromEntries(
    await Promise.all(['z', 'p', 'pBar', 'zBar'].map(async (name) => [name, await device.tensor('f32', 6)])),
  );
  await tensors.z.write(z);
  const pBar = [1, 0, 5, 0, 0, 2];
  await tensors.pBar.write(pBar);
  const executable = await device.load(r.program(), tensors);
  await executable.run();
  const powers = [1, Math.exp(-1), Math.exp(-2)];
  const expected = [0.25, 0.75, 0, ...powers.map((power) => power / (powers[0] + powers[1] + powers[2]))];
  const values = await tensors.p.read();
  const slopes = await tensors.zBar.read();
  const own = softmax(z, 3);
  expected.forEach((value, i) => {
    expect(values[i]).toBeCloseTo(value, 6);
    expect(own[i]).toBeCloseTo(value, 6);
    const row = i < 3 ? [0, 1, 2] : [3, 4, 5];
    const mean = row.reduce((sum, k) => sum + expected[k] * pBar[k], 0);
    expect(slopes[i]).toBeCloseTo(value * (pBar[i] - mean), 6);
  });
});
