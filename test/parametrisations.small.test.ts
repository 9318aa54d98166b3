/** The parametrisations that store less than pixels: budgets, items and gradients against float64 autodiff, first values, options. */
import { afterAll, describe, expect, it } from 'vitest';
import type { Device, EngineName } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import { elements } from '../src/engine/view.js';
import { parametrisations } from '../src/parametrisations/index.js';
import { resolveTable } from '../src/util/option.js';
import { constant, gradients, multiply, type Node, rowSums } from './harness/autograd.js';
import { relativeError } from './harness/close.js';
import { type Arrays, decode, normals, slowWaves } from './harness/decoding.js';
import * as oracle from './harness/oracle-parametrisations.js';

interface Row {
  readonly options: object;
  readonly shape: readonly [number, number, number];
  /** Shapes of the variables of three pictures. */
  readonly variables: Readonly<Record<string, readonly number[]>>;
  /** The items of three pictures. */
  items(stored: oracle.Stored, shape: readonly [number, number, number], N: number): Node;
  /** By how much of themselves slow waves may change when they are encoded and decoded. */
  readonly lost: number;
}

const pictures = 3;
const table: Readonly<Record<string, Row>> = {
  dct: {
    options: { images: 3 },
    shape: [2, 6, 8],
    variables: { coefficients: [9, 2, 16] },
    items: oracle.dct,
    lost: 1e-6,
  },
  // 3 x 96 numbers: 2 x 96 of bases, 6 x 8 coefficients.
  bases: {
    options: { images: 2 },
    shape: [2, 6, 8],
    variables: { bases: [2, 2, 6, 8], coefficients: [6, 8] },
    items: oracle.bases,
    lost: 0.2,
  },
  gaussians: {
    options: { images: 2 },
    shape: [2, 10, 12],
    variables: { gaussians: [6, 17, 7] },
    items: oracle.gaussians,
    lost: 0.2,
  },
  // 3 x 576 numbers: 6 x 6 x 6 x 6 of latents, 6 x 2 x 16 + 2 x 2 x 16 + 2 x 9 + 1 weights.
  decoder: {
    options: { images: 2, width: 2 },
    shape: [1, 24, 24],
    variables: { latents: [6, 6, 6, 6], weights: [275] },
    items: (stored, shape, N) => oracle.decoder(stored, shape, N, 2),
    // Beyond the edge of a map there are zeros.
    lost: 0.4,
  },
};

const engines: readonly EngineName[] = ['reference', 'cpu', 'webgpu'];
const devices = new Map<EngineName, Promise<Device>>();
function deviceOf(engine: EngineName): Promise<Device> {
  if (!devices.has(engine)) devices.set(engine, openDevice(engine));
  return devices.get(engine)!;
}
afterAll(async () => {
  for (const device of devices.values()) await (await device).dispose();
});

const decoderOf = (name: string, options: object, shape: readonly number[]) => {
  const { options: known, decoder } = parametrisations[name];
  return decoder(pictures, shape, resolveTable('', known, options));
};

it('there is a row for every parametrisation, here or among those that store pixels', () => {
  expect([...Object.keys(table), 'factor', 'pixels'].sort()).toEqual(Object.keys(parametrisations).sort());
});

describe.each(Object.entries(table))('%s', (name, row) => {
  const decoder = decoderOf(name, row.options, row.shape);
  const N = pictures * decoder.perPicture;
  const shape = [N, ...row.shape];
  const itemsBar = normals(elements(shape), 50);
  /** Where it begins, and beside that: what is learned has the sizes it has in use. */
  const stored: Arrays = Object.fromEntries(
    Object.entries(decoder.encode(normals(elements(shape), 1), { seed: 3 })).map(([variable, first], i) => {
      const size = Math.hypot(...first) / Math.sqrt(first.length);
      const noise = normals(first.length, 2 + i);
      return [variable, first.map((value, at) => value + 0.3 * size * noise[at])];
    }),
  );
  const nodes = Object.fromEntries(Object.entries(stored).map(([key, values]) => [key, constant(values)]));
  const items = row.items(nodes, row.shape, N);
  const loss = rowSums(multiply(items, constant(itemsBar)), 1, items.value.length);
  const bars = gradients(loss, Object.values(nodes));

  it('has the sizes that are said, within the budget', () => {
    expect(decoder.variables).toEqual(row.variables);
    const numbers = Object.values(row.variables).reduce((sum, of) => sum + elements(of), 0);
    expect(numbers).toBeLessThanOrEqual(pictures * elements(row.shape));
    for (const [key, of] of Object.entries(row.variables)) expect(stored[key].length).toBe(elements(of));
  });

  it.each(engines)('makes its items and their gradients on %s, the same bits twice', async (engine) => {
    const device = await deviceOf(engine);
    const limit = engine === 'reference' ? 1e-12 : 1e-5;
    const once = await decode(device, decoder, shape, stored, itemsBar);
    expect(relativeError(once.items, items.value)).toBeLessThan(limit);
    for (const [i, variable] of Object.keys(stored).entries())
      expect(relativeError(once.bars[variable], bars[i].value)).toBeLessThan(limit);
    expect(await decode(device, decoder, shape, stored, itemsBar)).toEqual(once);
  });

  it('begins near the first items', async () => {
    const waves = slowWaves(N, row.shape);
    const decoded = await decode(
      await deviceOf('reference'),
      decoder,
      shape,
      decoder.encode(waves, { seed: 3 }),
    );
    expect(relativeError(decoded.items, waves)).toBeLessThan(row.lost);
    expect(
      Object.values(decoder.encode(waves.fill(0), { seed: 3 })).flatMap((first) =>
        [...first].filter(Number.isNaN),
      ),
    ).toEqual([]);
  });

  it('begins alike from one seed, and where something is random otherwise from another', () => {
    const waves = slowWaves(N, row.shape);
    const [first, again, other] = [3, 3, 4].map((seed) => decoder.encode(waves, { seed }));
    expect(again).toEqual(first);
    expect(JSON.stringify(other) !== JSON.stringify(first)).toBe(['bases', 'decoder'].includes(name));
  });

  it('refuses more images than the budget holds', () => {
    expect(() => decoderOf(name, { images: 200 }, row.shape)).toThrow(
      /images is 200, expected so few images/,
    );
  });
});

it('Gaussians begin on a grid as wide as the image', () => {
  // Five for each of two images, of six numbers each: one row of five, or four rows, of which the last has two.
  const centresOf = (shape: readonly [number, number, number]) => {
    const { gaussians } = decoderOf('gaussians', { images: 2 }, shape).encode(
      new Float32Array(2 * 64 * pictures),
      { seed: 0 },
    );
    return [0, 1, 2, 3, 4].map((m) => [...gaussians.subarray(6 * m, 6 * m + 2)]);
  };
  const row = [1.1, 4.3, 7.5, 10.7, 13.9].map((right) => [Math.fround(right), 1.5]);
  expect(centresOf([1, 4, 16])).toEqual(row);
  expect(centresOf([1, 16, 4])).toEqual(
    [1.5, 5.5, 9.5].map((down) => [1.5, down]).concat([0.5, 2.5].map((right) => [right, 13.5])),
  );
});

describe('a decoder of your own', () => {
  const layers = [
    { convTranspose: 2, kernel: 4, stride: 2, padding: 1 },
    'tanh',
    { conv: 1, kernel: 3, padding: 1 },
  ];
  const options = { layers, latent: [1, 3, 4], images: 2 };

  it('has its latents and weights, and begins as noise', async () => {
    const decoder = decoderOf('decoder', options, [1, 6, 8]);
    expect(decoder.variables).toEqual({ latents: [6, 1, 3, 4], weights: [2 * 16 + 2 * 9 + 1] });
    const { items } = await decode(
      await deviceOf('cpu'),
      decoder,
      [6, 1, 6, 8],
      decoder.encode(new Float32Array(288), { seed: 0 }),
    );
    const size = Math.hypot(...items) / Math.sqrt(items.length);
    expect(size).toBeGreaterThan(0.1);
    expect(size).toBeLessThan(3);
  });

  it('takes weights that are given: they are neither scaled nor counted, and have no gradient', async () => {
    const decoder = decoderOf(
      'decoder',
      { ...options, images: 4, weights: 'generator.safetensors' },
      [1, 6, 8],
    );
    const weights = normals(51, 7);
    expect(decoder.given).toBe('weights');
    expect(decoder.encode(new Float32Array(12 * 48), { seed: 0, given: weights }).weights).toEqual(weights);
    expect(() => decoder.encode(new Float32Array(12 * 48), { seed: 0, given: weights.subarray(1) })).toThrow(
      /generator.safetensors holds 50 numbers, expected the 51 weights/,
    );
    expect(() => decoderOf('decoder', { weights: 'generator.safetensors' }, [1, 8, 8])).toThrow(
      /weights are given without layers/,
    );
  });

  it.each([
    [{ layers }, /layers are given without the shape of their latents, expected both or neither/],
    [{ latent: [2, 3, 4] }, /latent is given without layers, expected both or neither/],
    [{ ...options, latent: [2, 3] }, /latent is \[2,3\], expected three whole numbers above 0/],
    [
      { ...options, latent: [1, 3, 3] },
      /give \[1, 6, 6\] from latents of \[1, 3, 3\], expected images of \[1, 6, 8\]/,
    ],
    [
      { ...options, layers: ['relus'] },
      /parametrisation decoder: layers\[0\] is "relus", expected one of relu/,
    ],
    [
      { ...options, images: 4 },
      /images is 4, expected so few .* 51 weights and 144 numbers of latents are no more than the 144/,
    ],
    [{ width: 1 }, /width is 1, expected at least 2, two for each channel/],
  ])('%j is refused', (given, message) => {
    expect(() => decoderOf('decoder', given, [1, 6, 8])).toThrow(message);
  });
});

it('bases have sub-pictures that fit', () => {
  expect(() => decoderOf('bases', { factor: 9 }, [1, 6, 8])).toThrow(
    /factor is 9, expected .* of 9x9 sub-pictures/,
  );
});
