import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import { WARP } from '../src/engine/ops/augment.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { parseStrategy, strategies } from '../src/train/augmentation.js';
import { apply, draw, normals, rowsOf } from './harness/augment.js';
import { expectClose } from './harness/close.js';

/** Draws that shares are counted of. */
const R = 6000;

/** What a row says of a crop: sides and upper left corner in pixels. */
function cropOf([, hh, , ht, , ww, wt]: readonly number[], { height, width }: Size) {
  const along = (by: number, to: number, side: number) => {
    const size = by * (side - 1) + 1;
    return { size, first: to + (side - 1) / 2 - (size - 1) / 2 };
  };
  return { down: along(hh, ht, height), right: along(Math.abs(ww), wt, width), mirrored: ww < 0 };
}

interface Size {
  readonly height: number;
  readonly width: number;
}

const drawn = async (device: Device, strategy: string, size: Size, images = R) =>
  rowsOf(await draw(device, parseStrategy(strategy), images, 5, 1, size));

/** Within five standard deviations of the mean of a binomial distribution. */
const expectShare = (values: readonly unknown[], is: (value: never) => boolean, probability: number) => {
  const counted = values.filter(is as (value: unknown) => boolean).length;
  const deviation = Math.sqrt(values.length * probability * (1 - probability));
  expect(Math.abs(counted - values.length * probability)).toBeLessThan(5 * deviation);
};

/** The probability of what `is` says of a part of the area and of half the logarithm of the aspect, among those that fit: by midpoints. */
function probability(
  [least, greatest]: readonly [number, number],
  { height, width }: Size,
  is: (area: number, log: number) => boolean,
) {
  const [cells, most] = [200, Math.log(4 / 3) / 2];
  let [fitting, counted] = [0, 0];
  for (let i = 0; i < cells; i++)
    for (let j = 0; j < cells; j++) {
      const area = least + ((greatest - least) * (i + 0.5)) / cells;
      const log = most * ((2 * j + 1) / cells - 1);
      const side = Math.sqrt(area * height * width);
      if (side * Math.exp(-log) > height || side * Math.exp(log) > width) continue;
      fitting++;
      if (is(area, log)) counted++;
    }
  return counted / fitting;
}

describe('what is drawn', () => {
  const device = new ReferenceDevice();

  test.each([
    ['resized-crop', [0.08, 1], { height: 32, width: 32 }],
    ['resized-crop-digits:area=0.5', [0.5, 1], { height: 32, width: 32 }],
    ['resized-crop:area=0.3-0.8', [0.3, 0.8], { height: 48, width: 32 }],
  ] as const)(
    '%s: area and aspect as in ordinary training, of those that fit',
    async (name, [least, most], size) => {
      const crops = (await drawn(device, name, size)).map((row) => cropOf(row, size));
      const shapes = crops.map(({ down, right }): [number, number] => [
        (down.size * right.size) / (size.height * size.width),
        Math.log(right.size / down.size) / 2,
      ]);
      for (const [area, log] of shapes) {
        expect(area).toBeGreaterThan(least - 1e-12);
        expect(area).toBeLessThan(most + 1e-12);
        expect(Math.abs(log)).toBeLessThan(Math.log(4 / 3) / 2 + 1e-12);
      }
      const parts = [0.2, 0.5, 0.8].map((part) => least + part * (most - least));
      for (const part of parts)
        for (const bound of [-0.1, -0.03, 0, 0.08]) {
          const is = (area: number, log: number) => area < part && log < bound;
          expectShare(
            shapes,
            (([area, log]: [number, number]) => is(area, log)) as never,
            probability([least, most], size, is),
          );
        }
    },
  );

  test('anywhere in the image, half of them mirrored, each of that on its own', async () => {
    const size = { height: 32, width: 48 };
    const crops = (await drawn(device, 'resized-crop', size)).map((row) => cropOf(row, size));
    const places = crops.map(({ down, right, mirrored }) => ({
      down: down.first / (size.height - down.size),
      right: right.first / (size.width - right.size),
      area: down.size * right.size,
      mirrored,
    }));
    const share = (is: (place: (typeof places)[number]) => boolean, expected: number) =>
      expectShare(places, is as never, expected);
    for (const side of ['down', 'right'] as const) {
      expect(places.every((place) => place[side] > 0 && place[side] < 1)).toBe(true);
      for (const part of [0.1, 0.5, 0.75]) share((place) => place[side] < part, part);
      share((place) => place[side] < 0.5 && place.mirrored, 1 / 4);
    }
    share((place) => place.down < 0.5 && place.right < 0.5, 1 / 4);
    share((place) => place.mirrored, 1 / 2);
    const plain = await drawn(device, 'resized-crop-digits', size);
    expect(plain.every((row) => row[5] > 0)).toBe(true);
    expect(plain.map((row) => row.map(Math.abs))).toEqual(
      (await drawn(device, 'resized-crop', size)).map((row) => row.map(Math.abs)),
    );
  });

  test('what never fits is the largest in the middle', async () => {
    const [square] = await drawn(device, 'resized-crop-digits:area=1', { height: 32, width: 32 });
    expect(square.map(Math.abs)).toEqual([WARP, 1, 0, 0, 0, 1, 0, 0]);
    const wide = { height: 30, width: 60 };
    const { down, right } = cropOf((await drawn(device, 'resized-crop:area=1', wide))[0], wide);
    expectClose('crop', [down.first, down.size, right.size], [0, 30, 40], () => 1e-12);
    expect(Math.abs(right.first - 10)).toBeLessThan(1e-3);
  });
});

describe.each(['reference', 'cpu', 'webgpu'] as const)('on %s', (engine) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(engine);
  });
  afterAll(() => device?.dispose());

  test('the same crops, brought to the size of the image between its pixels', async () => {
    const size = { height: 7, width: 9 };
    const rows = await drawn(device, 'resized-crop', size, 60);
    const expected = await drawn(new ReferenceDevice(), 'resized-crop', size, 60);
    // Up to nine pixels of a side, and what is left of a difference of such numbers.
    expectClose('rows', rows.flat(), expected.flat(), () => (engine === 'reference' ? 0 : 2e-6));
    const x = normals(60 * 2 * 63, 8);
    const y = await apply(device, rows, [2, 7, 9], x);
    const value = (image: number, h: number, w: number) => x[image * 63 + h * 9 + w];
    const between = Float64Array.from(y, (_, i) => {
      const [image, h, w] = [Math.floor(i / 63), Math.floor(i / 9) % 7, i % 9];
      const { down, right, mirrored } = cropOf(expected[Math.floor(image / 2)], size);
      const up = down.first + (h * (down.size - 1)) / 6;
      const across = right.first + ((mirrored ? 8 - w : w) * (right.size - 1)) / 8;
      const [h0, w0] = [Math.min(Math.floor(up), 5), Math.min(Math.floor(across), 7)];
      const line = (row: number) =>
        value(image, row, w0) * (1 + w0 - across) + value(image, row, w0 + 1) * (across - w0);
      return line(h0) * (1 + h0 - up) + line(h0 + 1) * (up - h0);
    });
    // Places that are 2e-6 off, between pixels that differ by up to eight.
    expectClose('pixels', y, between, () => (engine === 'reference' ? 1e-12 : 4e-5));
  });

  test('nothing is seen from outside the image', async () => {
    const size = { height: 12, width: 5 };
    const rows = await drawn(device, 'resized-crop', size, 500);
    const y = await apply(device, rows, [1, 12, 5], new Float32Array(500 * 60).fill(1));
    expectClose('ones', y, new Float32Array(y.length).fill(1), () => 5e-6);
  });
});

test('are named with the least part of the area, and the most', () => {
  expect(parseStrategy('resized-crop')).toMatchObject({ mixed: true, area: [0.08, 1], mirrored: true });
  expect(parseStrategy('resized-crop-digits:area=0.5')).toEqual({
    ...strategies['resized-crop-digits'],
    ...{ area: [0.5, 1], mirrored: false },
  });
  const areas = ['', '0', '1.01', '.', '1e-2', '0.5-0.4', '0.1-'];
  for (const area of areas)
    expect(() => parseStrategy(`resized-crop:area=${area}`)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION' }),
    );
});
