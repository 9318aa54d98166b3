/** The parametrisations that store pixels, on every engine: sizes, items and gradients against float64, first values, options. */
import { afterAll, describe, expect, it } from 'vitest';
import type { Device, EngineName } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import { elements } from '../src/engine/view.js';
import { parametrisations } from '../src/parametrisations/index.js';
import type { Decoder } from '../src/parametrisations/parametrisation.js';
import { resolveTable } from '../src/util/option.js';
import { dot, eps32, expectClose } from './harness/close.js';
import { type Arrays, decode, normals, slowWaves } from './harness/decoding.js';

interface Row {
  readonly name: string;
  readonly options?: object;
  readonly shape: readonly [number, number, number];
  readonly perPicture: number;
  /** Shapes of the variables of three pictures. */
  readonly variables: Readonly<Record<string, readonly number[]>>;
  /** Element i of the items of three pictures, in float64, written for this test. */
  item(variables: Readonly<Record<string, ArrayLike<number>>>, i: number): number;
  /** How far element i of items that are slow waves may be from what it was, once they have been encoded and decoded. */
  lost(i: number): number;
}

const pictures = 3;

/** As PyTorch defines `interpolate(mode='bilinear', align_corners=False)`, on one axis: two places and their weights. */
function tap(to: number, whole: number, size: number): [number, number][] {
  const place = Math.max(0, ((to + 0.5) * size) / whole - 0.5);
  const low = Math.min(Math.floor(place + 1e-12), size - 1);
  const weight = Math.max(0, place - low);
  return [
    [low, 1 - weight],
    [Math.min(low + 1, size - 1), weight],
  ];
}

function factorRow(
  factor: number,
  shape: readonly [number, number, number],
  options: object = { factor },
): Row {
  const [C, H, W] = shape;
  // On each axis: |f''| (step^2 / 8 + step^2 / 24) of interpolation and of means over an area; where the last sub-picture
  // lacks pixels, as many steps of |f'| more. Waves of half a period: f'' = (pi / whole)^2, f' = pi / whole.
  const lostOn = (whole: number, part: number) => {
    const size = Math.ceil(whole / factor);
    const missing = part === factor - 1 ? factor * size - whole : 0;
    return factor === 1 ? 0 : (Math.PI / size) ** 2 / 6 + (missing * Math.PI) / size;
  };
  return {
    name: 'factor',
    options,
    shape,
    perPicture: factor ** 2,
    variables: { pixels: [pictures, ...shape] },
    lost(i) {
      const part = Math.floor(i / (W * H * C)) % factor ** 2;
      const [down, right] = [lostOn(H, Math.floor(part / factor)), lostOn(W, part % factor)];
      return down + right + down * right;
    },
    item({ pixels }, i) {
      const [w, h, c] = [i % W, Math.floor(i / W) % H, Math.floor(i / (W * H)) % C];
      const part = Math.floor(i / (W * H * C)) % factor ** 2;
      const n = Math.floor(i / (W * H * C * factor ** 2));
      let sum = 0;
      for (const [a, rowWeight] of tap(h, H, Math.ceil(H / factor)))
        for (const [b, weight] of tap(w, W, Math.ceil(W / factor))) {
          const row = Math.min(Math.floor(part / factor) * Math.ceil(H / factor) + a, H - 1);
          const column = Math.min((part % factor) * Math.ceil(W / factor) + b, W - 1);
          sum += rowWeight * weight * pixels[((n * C + c) * H + row) * W + column];
        }
      return sum;
    },
  };
}

const table: readonly Row[] = [
  {
    name: 'pixels',
    shape: [2, 5, 4],
    perPicture: 1,
    variables: { pixels: [pictures, 2, 5, 4] },
    item: ({ pixels }, i) => pixels[i],
    lost: () => 0,
  },
  factorRow(2, [2, 12, 8], {}),
  factorRow(3, [1, 11, 10]),
  factorRow(1, [2, 5, 4]),
  factorRow(4, [3, 32, 32]),
];

const engines: readonly EngineName[] = ['reference', 'cpu', 'webgpu'];
const devices = new Map<EngineName, Device>();
async function deviceOf(engine: EngineName): Promise<Device> {
  if (!devices.has(engine)) devices.set(engine, await openDevice(engine));
  return devices.get(engine)!;
}
afterAll(async () => {
  for (const device of devices.values()) await device.dispose();
});

const decoderOf = ({ name, options = {}, shape }: Row): Decoder => {
  const parametrisation = parametrisations[name];
  return parametrisation.decoder(pictures, shape, resolveTable('', parametrisation.options, options));
};

describe.each(
  table.map(
    (row) => [`${row.name} ${JSON.stringify(row.options ?? {})} of ${row.shape.join('x')}`, row] as const,
  ),
)('%s', (_, row) => {
  const decoder = decoderOf(row);
  const shape = [pictures * row.perPicture, ...row.shape];
  const count = elements(shape);
  const stored: Arrays = Object.fromEntries(
    Object.entries(decoder.variables).map(([name, shape], i) => [name, normals(elements(shape), i)]),
  );
  const itemsBar = normals(count, 50);

  it('has the sizes that are said', () => {
    expect(decoder.perPicture).toBe(row.perPicture);
    expect(decoder.variables).toEqual(row.variables);
    const first = decoder.encode(new Float32Array(count), { seed: 0 });
    for (const [name, shape] of Object.entries(decoder.variables))
      expect(first[name].length).toBe(elements(shape));
  });

  it.each(engines)('makes the items of its definition on %s', async (engine) => {
    const { items } = await decode(await deviceOf(engine), decoder, shape, stored);
    const wanted = Array.from({ length: count }, (_, i) => row.item(stored, i));
    // At most four terms whose weights add up to one, each of at most the largest number that is stored.
    const largest = Math.max(...Object.values(stored).flatMap((values) => Array.from(values, Math.abs)));
    const unit = engine === 'reference' ? 2 ** -53 : eps32;
    expectClose('items', items, wanted, () => 16 * unit * largest);
  });

  it('gives back the transpose of that', async () => {
    const { items, bars } = await decode(await deviceOf('reference'), decoder, shape, stored, itemsBar);
    const left = dot(itemsBar, items);
    const right = Object.entries(stored).reduce((sum, [name, values]) => sum + dot(bars[name], values), 0);
    const scale = Math.sqrt(dot(itemsBar, itemsBar) * dot(items, items));
    expect(Math.abs(left - right)).toBeLessThan(1e-13 * scale);
  });

  it.each(['cpu', 'webgpu'] as const)(
    'gives the same gradients on %s, and the same bits twice',
    async (engine) => {
      const reference = await decode(await deviceOf('reference'), decoder, shape, stored, itemsBar);
      const absolute = await decode(
        await deviceOf('reference'),
        decoder,
        shape,
        stored,
        itemsBar.map(Math.abs),
      );
      const once = await decode(await deviceOf(engine), decoder, shape, stored, itemsBar);
      // A pixel counts in at most (2 whole / size + 1)^2 pixels of an item, and in as many more as it is repeated.
      const terms = (4 * Math.sqrt(row.perPicture) + 2) ** 2;
      for (const name of Object.keys(stored))
        expectClose(
          name,
          once.bars[name],
          reference.bars[name],
          (i) => eps32 * (terms + 4) * absolute.bars[name][i],
        );
      expect(await decode(await deviceOf(engine), decoder, shape, stored, itemsBar)).toEqual(once);
    },
  );

  it('keeps slow waves', async () => {
    const items = slowWaves(pictures * row.perPicture, row.shape);
    const first = decoder.encode(items, { seed: 0 });
    const decoded = await decode(await deviceOf('reference'), decoder, shape, first);
    expectClose('waves', decoded.items, items, (i) => row.lost(i) + 4 * eps32);
  });
});

describe('options', () => {
  it.each([
    ['factor', { factor: 0 }, /option factor is 0, expected a whole number of at least 1/],
    ['factor', { factor: 1.5 }, /option factor is 1.5, expected a whole number/],
    ['factor', { factor: '2' }, /option factor is "2", expected a whole number/],
    [
      'factor',
      { factor: 4 },
      /factor is 4, expected a whole number that leaves each of 4x4 sub-pictures of a picture of 6x9 a pixel/,
    ],
    ['factor', { factor: 7 }, /factor is 7, expected .* of 7x7 sub-pictures/],
    ['factor', { factors: 2 }, /factors/],
    ['pixels', { factor: 2 }, /factor/],
  ])('%s %j are refused', (name, options, message) => {
    expect(() => decoderOf({ name, options, shape: [1, 6, 9] } as unknown as Row)).toThrow(message);
  });
});
