/** Batches of a split on a device, class by class: on every engine the same rows, each once per epoch of its class. */
import { afterAll, describe, expect, it } from 'vitest';
import type { Dataset, Split } from '../src/data/dataset.js';
import { normalisedImages, SplitOnDevice } from '../src/data/on-device.js';
import type { Device } from '../src/engine/device.js';
import { loadWithTensors } from '../src/engine/load.js';
import { openDevice } from '../src/engine/open.js';
import { add } from '../src/engine/ops/elementwise.js';
import type { ClassDraw } from '../src/engine/ops/random.js';
import * as random from '../src/engine/ops/random.js';
import { Recorder } from '../src/engine/program.js';
import { slice, type View } from '../src/engine/view.js';
import { randomState } from '../src/train/streams.js';
import { owning } from '../src/util/owned.js';

/** Images of two pixels, of which the first says which row it is; class c is every row that is c modulo `counts`' pattern. */
function splitOf(counts: readonly number[]): Split {
  const rest = [...counts];
  const labels: number[] = [];
  while (rest.some((count) => count > 0))
    for (const [label, left] of rest.entries()) if (left > 0 && rest[label]-- > 0) labels.push(label);
  const images = Float32Array.from({ length: 2 * labels.length }, (_, i) => (i % 2 ? -1 : i / 2));
  return { images, labels: Uint8Array.from(labels), count: labels.length };
}

const counts = [1, 5, 13];
const train = splitOf(counts);
const K = counts.length;
const dataset: Dataset = {
  name: 'rows',
  imageShape: [1, 1, 2],
  classes: K,
  classNames: ['a', 'b', 'c'],
  mean: [2],
  std: [4],
  train,
  validation: train,
  test: train,
};

const engines = ['reference', 'cpu', 'webgpu'] as const;
const devices: Partial<Record<(typeof engines)[number], Device>> = {};
const deviceOf = async (name: (typeof engines)[number]) => (devices[name] ??= await openDevice(name));
afterAll(async () => {
  for (const device of Object.values(devices)) await device.dispose();
});

interface Batches {
  /** `[draws, members, B, ...]` */
  readonly x: number[];
  readonly y: number[];
}

/** Batches of several draws one after another, with `order` and `starts` as `change` makes them. */
function batches(
  device: Device,
  draw: ClassDraw,
  times: number,
  { first = 0, classes = K }: { first?: number; classes?: number } = {},
): Promise<Batches> {
  return owning(async (owned) => {
    const split = owned.own(await SplitOnDevice.upload(device, dataset, train, { byClass: true }));
    const r = new Recorder('batches');
    const state = r.external('state', 1, [4], 'u32');
    const externals = split.declare(r);
    const some = { ...externals, starts: slice(externals.starts!, first, [classes + 1]) };
    const { x, y } = split.batchByClass(r, some, { state, ...draw });
    const keep = (name: string, view: View) =>
      add(r, { a: view, b: view }, 1, 0, r.external(name, view.members, view.shape));
    keep('x', x);
    keep('y', y);
    const { tensors, executable } = await loadWithTensors(device, r.program(), owned, split.tensors);
    const all: Batches = { x: [], y: [] };
    for (let t = 0; t < times; t++) {
      await tensors.state.write(randomState(77, t));
      await executable.run();
      all.x.push(...Array.from(await tensors.x.read()));
      all.y.push(...Array.from(await tensors.y.read()));
    }
    owned.dispose();
    return all;
  });
}

/** Which row each image is, `[draws, members, B]`. */
const rowsOf = ({ x }: Batches) => x.filter((_, i) => i % 2 === 0).map((value) => Math.round(4 * value + 2));

describe.each(engines)('batches by class on %s', async (engine) => {
  const device = await deviceOf(engine);
  const B = 4;
  const times = 26;

  it('walk through permutations of the rows of each class, and of no other', async () => {
    const all = await batches(device, { B, stream: 9 }, times);
    const rows = rowsOf(all);
    for (const [label, count] of counts.entries()) {
      const mine = rows.filter((_, i) => Math.floor(i / B) % K === label);
      const expected = [...train.labels.keys()].filter((row) => train.labels[row] === label);
      const orders = new Set<string>();
      for (let from = 0; from + count <= mine.length; from += count) {
        const epoch = mine.slice(from, from + count);
        orders.add(epoch.join());
        expect(epoch.sort((a, b) => a - b)).toEqual(expected);
      }
      // Another order in every epoch: of 20 orders of five numbers two may be the same.
      expect(orders.size).toBeGreaterThanOrEqual(count === 1 ? 1 : Math.floor((times * B) / count) - 2);
    }
    const labels = all.y.map((_, i) => (i % K === Math.floor(i / (K * B)) % K ? 1 : 0));
    expect(all.y).toEqual(labels);
    const wanted = normalisedImages(dataset, train, rows);
    for (const [i, value] of all.x.entries()) expect(Math.abs(value - wanted[i])).toBeLessThan(1e-5);
  });

  it('are the same rows on every engine', async () => {
    const draw = { B, stream: 9 };
    const reference = await batches(await deviceOf('reference'), draw, times);
    expect(rowsOf(await batches(device, draw, times))).toEqual(rowsOf(reference));
  });

  it('of several draws are those that single draws would bring one after another', async () => {
    const single = rowsOf(await batches(device, { B, stream: 9 }, 6));
    expect(rowsOf(await batches(device, { B, stream: 9, draws: 3 }, 2))).toEqual(single);
  });

  it('of some classes are those of all', async () => {
    const all = rowsOf(await batches(device, { B, stream: 9 }, 5));
    const some = await batches(device, { B, stream: 9, firstClass: 1 }, 5, { first: 1, classes: 2 });
    expect(rowsOf(some)).toEqual(all.filter((_, i) => Math.floor(i / B) % K > 0));
  });

  it('need their tables, and every class an image', async () => {
    const split = await SplitOnDevice.upload(device, dataset, train);
    const r = new Recorder('batch');
    const state = r.external('state', 1, [4], 'u32');
    expect(() => split.batchByClass(r, split.declare(r), { state, B, stream: 9 })).toThrow(
      /uploaded with byClass/,
    );
    split.dispose();
    const four = { ...dataset, classes: 4 };
    await expect(SplitOnDevice.upload(device, four, train, { byClass: true })).rejects.toThrow(
      /rows: class 3 has no training image/,
    );
  });
});

it('an absent split takes nothing, and says so to who reads it', async () => {
  const split = SplitOnDevice.absent(dataset, train);
  expect(split.tensors).toEqual({});
  expect(split.count).toBe(train.count);
  expect(() => split.declare(new Recorder('batch'))).toThrow(
    /its images are not on the device, expected a method/,
  );
  split.dispose();
});

it('a class without rows is an error of the reference engine, whichever way the tables came there', async () => {
  const device = await deviceOf('reference');
  const r = new Recorder('batch');
  const tables = { order: r.external('order', 1, [3], 'u32'), starts: r.external('starts', 1, [3], 'u32') };
  const into = r.external('index', 2, [2], 'u32');
  random.batchByClass(
    r,
    { state: r.external('state', 1, [4], 'u32'), ...tables },
    { B: 2, stream: 1 },
    { into },
  );
  await owning(async (owned) => {
    const { tensors, executable } = await loadWithTensors(device, r.program(), owned);
    await tensors.starts.write([0, 3, 3]);
    await expect(executable.run()).rejects.toThrow(/class 1 is rows 3 to 3 of 3/);
    owned.dispose();
  });
});
