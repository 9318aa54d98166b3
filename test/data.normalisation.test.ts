/** Mean and deviation of pixels: of which images they are taken, and what a network gets to see of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { normalisedImages, SplitOnDevice } from '../src/data/on-device.js';
import * as elementwise from '../src/engine/ops/elementwise.js';
import { Recorder } from '../src/engine/program.js';
import { slice } from '../src/engine/view.js';
import {
  type Dataset,
  type Device,
  datasetFromArrays,
  generateDigits,
  loadDataset,
  loadIdxFolder,
  openDevice,
  type Split,
} from '../src/index.js';
import { tinyCsv, tinyNpz, tinySafetensors } from './harness/data-files.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-normalisation-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Mean and deviation of each channel over all pixels of some splits, in 0..1. */
function statistics([C, H, W]: Dataset['imageShape'], splits: readonly Split[]) {
  const byte = splits[0].images instanceof Uint8Array;
  const channels = Array.from({ length: C }, (_, c) =>
    splits.flatMap(({ images }) =>
      Array.from(images)
        .filter((_, i) => Math.floor(i / (H * W)) % C === c)
        .map((value) => (byte ? value / 255 : value)),
    ),
  );
  const mean = channels.map((values) => values.reduce((a, b) => a + b, 0) / values.length);
  const std = channels.map((values, c) =>
    Math.sqrt(values.reduce((sum, value) => sum + (value - mean[c]) ** 2, 0) / values.length),
  );
  return { mean, std };
}

const ramp = (count: number, from = 0) => ({
  images: Uint8Array.from({ length: 4 * count }, (_, i) => from + ((i * i) % 97)),
  labels: Uint8Array.from({ length: count }, (_, i) => i % 2),
});

const sources: [string, () => Promise<Dataset>][] = [
  [
    'arrays with splits of their own',
    async () =>
      datasetFromArrays({
        ...{ imageShape: [1, 2, 2], train: ramp(20), validation: ramp(6, 150), test: ramp(8, 100) },
      }),
  ],
  [
    'arrays of which validation images are held out',
    async () => datasetFromArrays({ imageShape: [1, 2, 2], train: ramp(40) }),
  ],
  ['generated digits', async () => generateDigits({ train: 20, validation: 10, test: 10, size: 8 })],
  ...Object.entries({ npz: tinyNpz, safetensors: tinySafetensors, csv: tinyCsv }).map(
    ([extension, make]): [string, () => Promise<Dataset>] => [
      `a file ${extension}`,
      async () => {
        const path = join(folder, `images.${extension}`);
        writeFileSync(path, make());
        return loadDataset(path, extension === 'csv' ? { imageSize: [2, 2] } : {});
      },
    ],
  ),
  [
    'a folder of IDX files',
    async () => {
      const big = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
      const idx = (sizes: readonly number[], values: Uint8Array) =>
        Uint8Array.from([0, 0, 8, sizes.length, ...sizes.flatMap(big), ...values]);
      for (const [name, { images, labels }] of Object.entries({ train: ramp(30), t10k: ramp(6, 90) })) {
        writeFileSync(join(folder, `${name}-images-idx3-ubyte`), idx([labels.length, 2, 2], images));
        writeFileSync(join(folder, `${name}-labels-idx1-ubyte`), idx([labels.length], labels));
      }
      return loadIdxFolder(folder);
    },
  ],
];

describe('mean and deviation are those of the images that are trained on', () => {
  test.each(sources)('%s', async (_, load) => {
    const data = await load();
    const { train, validation, test: tested, imageShape } = data;
    const own = statistics(imageShape, [train]);
    for (const [c, value] of own.mean.entries()) {
      expect(data.mean[c]).toBeCloseTo(value, 6);
      expect(data.std[c]).toBeCloseTo(own.std[c], 6);
    }
    for (const more of [validation, tested].filter(({ count }) => count)) {
      const all = statistics(imageShape, [train, more]);
      const apart = Math.abs(all.mean[0] - own.mean[0]) + Math.abs(all.std[0] - own.std[0]);
      expect(apart, 'held-out images that look the same').toBeGreaterThan(1e-5);
    }
  });
});

describe('three channels that differ in mean and deviation', () => {
  const imageShape = [3, 2, 2] as const;
  /** Channel c has values around 20 + 70 c that reach as far as 5, 15 and 25. */
  const pixel = (i: number) => {
    const c = Math.floor(i / 4) % 3;
    return 20 + 70 * c + Math.round((5 + 10 * c) * Math.sin(1 + i * 1.7));
  };
  const bytes = Uint8Array.from({ length: 5 * 12 }, (_, i) => pixel(i));
  const labels = [0, 1, 0, 1, 1];
  const rows = [3, 0, 4];
  const kinds: [string, Uint8Array | Float32Array][] = [
    ['bytes', bytes],
    ['floats', Float32Array.from(bytes, (value) => value / 255)],
  ];
  let device: Device;
  beforeAll(async () => {
    device = await openDevice('reference');
  });
  afterAll(() => device.dispose());

  /** The batch of some rows as a program gathers it. */
  async function onDevice(data: Dataset): Promise<ArrayLike<number>> {
    const split = await SplitOnDevice.upload(device, data, data.train);
    const r = new Recorder('batch');
    const index = r.external('index', 1, [rows.length], 'u32');
    const { x } = split.batch(r, split.declare(r), index);
    const zero = slice(x, 0, x.shape);
    elementwise.add(r, { a: x, b: zero }, 1, 0, r.external('out', 1, x.shape));
    const tensors = {
      ...split.tensors,
      index: await device.tensor('u32', rows.length, rows),
      out: await device.tensor('f32', rows.length * 12),
    };
    const executable = await device.load(r.program(), tensors);
    await executable.run();
    const values = await tensors.out.read();
    for (const owner of [executable, split, tensors.index, tensors.out]) owner.dispose();
    return values;
  }

  test.each(kinds)('%s are shifted and scaled channel by channel, on device and host', async (_, images) => {
    const data = datasetFromArrays({ imageShape, train: { images, labels }, validation: { images, labels } });
    const { mean, std } = statistics(imageShape, [data.train]);
    expect(new Set([...mean, ...std].map((value) => value.toFixed(2))).size).toBe(6);
    const expected = rows.flatMap((row) =>
      Array.from(bytes.subarray(12 * row, 12 * row + 12), (value, s) => {
        const c = Math.floor(s / 4);
        return (value / 255 - mean[c]) / std[c];
      }),
    );
    const host = normalisedImages(data, data.train, rows);
    const gathered = await onDevice(data);
    for (const [i, value] of expected.entries()) {
      expect(host[i], `pixel ${i} on the host`).toBeCloseTo(value, 4);
      expect(gathered[i], `pixel ${i} on the device`).toBeCloseTo(value, 4);
    }
  });
});
