/** Ordinary training on the whole training split. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { datasetFromArrays } from '../src/data/arrays.js';
import { classCounts } from '../src/data/classes.js';
import { generateDigits } from '../src/data/digits.js';
import type { Device } from '../src/engine/device.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { encodeModel } from '../src/eval/model.js';
import { ordinaryOn } from '../src/eval/on-all-images.js';
import { trainNetworks } from '../src/runs/train-networks.js';
import { decodeSafetensors } from '../src/util/safetensors.js';

let device: Device;
beforeAll(() => {
  device = new ReferenceDevice();
});
afterAll(() => device.dispose());

describe('training on the whole training split', () => {
  const digits = generateDigits({ train: 300, validation: 30, test: 100 });
  const options = {
    network: { name: 'mlp', width: 12 },
    networks: 3,
    epochs: 6,
    batch: 20,
    optimizer: { kind: 'momentum', momentum: 0.5 },
  } as const;

  it('learns, tells every network apart, and keeps their parameters', async () => {
    const epochs: number[] = [];
    const result = await trainNetworks(device, digits, {
      ...options,
      onProgress: ({ epoch, network }) => network === 0 && epochs.push(epoch),
    });
    expect(epochs).toEqual([1, 2, 3, 4, 5, 6]);
    expect(result.accuracy.mean).toBeGreaterThan(40);
    expect(result.accuracy.networks).toBe(3);
    const counts = classCounts(digits.test.labels, 10);
    const mean = result.perClass.reduce((sum, value, k) => sum! + (value! * counts[k]) / 100, 0);
    expect(mean).toBeCloseTo(result.accuracy.mean, 9);
    const { count } = result.network;
    expect(result.parameters.length).toBe(3 * count);
    expect(result.parameters.subarray(0, count)).not.toEqual(result.parameters.subarray(count, 2 * count));
    const one = await trainNetworks(device, digits, { ...options, networks: 1 });
    expect(one.parameters).toEqual(result.parameters.subarray(0, count));
    expect(device.memory()).toMatchObject({ tensors: 0, executables: 0 });
  });

  it('takes three epochs, and on few images 200 steps at least', async () => {
    // 1, 3, 79 and 469 steps in an epoch.
    expect([30, 300, 10_000, 60_000].map((images) => ordinaryOn(images).epochs)).toEqual([200, 67, 3, 3]);
    const few = generateDigits({ train: 30, validation: 10, test: 40 });
    const epochs: number[] = [];
    const { protocol } = await trainNetworks(device, few, {
      network: { name: 'mlp', width: 4 },
      onProgress: ({ epoch }) => epochs.push(epoch),
    });
    expect(epochs).toHaveLength(200);
    expect(protocol).toContain('200 epochs');
  });

  it('trains more networks than go at once, no two of them the same', async () => {
    const { network, parameters } = await trainNetworks(device, digits, {
      ...{ network: { name: 'mlp', width: 3 }, networks: 12, epochs: 1, learningRate: 1e-6 },
    });
    const row = (p: number) => String(parameters.subarray(p * network.count, (p + 1) * network.count));
    const rows = Array.from({ length: 12 }, (_, p) => row(p));
    expect(new Set(rows).size).toBe(12);
    const seven = await trainNetworks(device, digits, {
      ...{ network: { name: 'mlp', width: 3 }, networks: 7, epochs: 1, learningRate: 1e-6 },
    });
    expect(seven.parameters).toEqual(parameters.subarray(0, 7 * network.count));
    // Some are trained only to fill the last group: nothing counts them.
    expect([seven.accuracy.networks, seven.validation.networks]).toEqual([7, 7]);
  });

  it('gives every network dropout masks of its own, however many go at once', async () => {
    const layers = [{ linear: 4 }, { dropout: 0.5 }, 'relu', { linear: 10 }];
    const train = async (networks: number) =>
      trainNetworks(device, digits, {
        ...{ network: { name: 'custom', layers }, networks, epochs: 1, batch: 100, learningRate: 0.1 },
      });
    // Five and then two of them, or all at once.
    const [seven, ten] = [await train(7), await train(10)];
    expect(seven.parameters).toEqual(ten.parameters.subarray(0, 7 * ten.network.count));
  });

  it('is written parameter by parameter, the networks one after the other', async () => {
    const trained = await trainNetworks(device, digits, { ...options, epochs: 1 });
    const { tensors } = decodeSafetensors(encodeModel(trained.model));
    const { parameters, network } = trained;
    expect(Object.keys(tensors).sort()).toEqual(network.parameters.map(({ name }) => name).sort());
    for (const { name, shape, offset } of network.parameters) {
      const size = shape.reduce((a, b) => a * b, 1);
      const rows = [0, 1, 2].map((p) => p * network.count + offset);
      expect(tensors[name].shape).toEqual([3, ...shape]);
      expect(Array.from(tensors[name].data as Float32Array)).toEqual(
        rows.flatMap((from) => Array.from(parameters.subarray(from, from + size))),
      );
    }
  });

  it('scores batch norm with batches that hold every class, though the images are sorted by class', async () => {
    const labels = Uint8Array.from({ length: 40 }, (_, i) => Math.floor(i / 10));
    const images = Uint8Array.from({ length: 160 }, (_, i) => 60 * labels[Math.floor(i / 4)]);
    const split = { images, labels };
    const sorted = datasetFromArrays({
      ...{ imageShape: [1, 2, 2], train: split, validation: split, test: split },
    });
    const layers = [{ conv: 2, kernel: 1 }, 'batchNorm', { linear: 4 }];
    const made = vi.spyOn(device, 'tensor');
    await trainNetworks(device, sorted, { network: { name: 'custom', layers }, batch: 10, epochs: 1 });
    const calls = made.mock.calls.filter(
      ([type, length, values]) => type === 'f32' && length === 160 && values,
    );
    made.mockRestore();
    expect(calls).toHaveLength(1);
    const values = Array.from(calls[0][2]!);
    for (let t = 0; t < 4; t++) expect(new Set(values.slice(40 * t, 40 * t + 40)).size).toBe(4);
  });

  it('refuses what it cannot do', async () => {
    for (const wrong of [
      { epochs: 0 },
      { optimizer: { kind: 'momentum', momentum: 1 } },
      { optimizer: { kind: 'adam', weightDecay: -1 } },
      { schedule: { kind: 'half' } },
      { schedule: { kind: 'halfway', stages: 3 } },
      { restart: 1 },
      { networks: 1.5 },
      { learningRate: 0 },
    ])
      await expect(trainNetworks(device, digits, { ...options, ...(wrong as object) })).rejects.toThrow(
        /expected/,
      );
  });
});
