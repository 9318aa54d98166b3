import { describe, expect, test } from 'vitest';
import type { Numbers } from '../src/engine/device.js';
import * as op from '../src/engine/ops/augment.js';
import { COLOUR, COLUMNS, CUTOUT, WARP } from '../src/engine/ops/augment.js';
import { families } from '../src/engine/ops/augmentdraw.js';
import { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { augment, parseStrategy, strategies } from '../src/train/augmentation.js';
import { apply, draw, normals, rowsOf, turn } from './harness/augment.js';
import { expectClose } from './harness/close.js';

describe('against definitions written for the test, 5 x 5', () => {
  const device = new ReferenceDevice();
  const [C, S] = [2, 5];
  const x = Float64Array.from(normals(C * S * S, 6));
  const pixel = (c: number, h: number, w: number) =>
    h < 0 || h >= S || w < 0 || w >= S ? 0 : x[(c * S + h) * S + w];
  const image = (value: (c: number, h: number, w: number) => number) =>
    Array.from({ length: C * S * S }, (_, i) => value(Math.floor(i / (S * S)), Math.floor(i / S) % S, i % S));

  /** As torch's affine_grid and grid_sample do it: coordinates from -1 to 1 over the outer edges of the image. */
  function gridSample([[a, b, tx], [c, d, ty]]: number[][]) {
    return image((channel, h, w) => {
      const [u, v] = [(2 * w + 1) / S - 1, (2 * h + 1) / S - 1];
      const px = ((a * u + b * v + tx + 1) * S - 1) / 2;
      const py = ((c * u + d * v + ty + 1) * S - 1) / 2;
      const [x0, y0] = [Math.floor(px), Math.floor(py)];
      const upper = (1 - px + x0) * pixel(channel, y0, x0) + (px - x0) * pixel(channel, y0, x0 + 1);
      const lower = (1 - px + x0) * pixel(channel, y0 + 1, x0) + (px - x0) * pixel(channel, y0 + 1, x0 + 1);
      return (1 - py + y0) * upper + (py - y0) * lower;
    });
  }
  const close = (actual: Numbers, expected: number[]) => expectClose('5 x 5', actual, expected, () => 1e-13);

  test('rotation and scale are those of an affine grid', async () => {
    for (const degrees of [15, -7, 120]) {
      const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
      close(
        await apply(device, [turn(degrees)], [C, S, S], x),
        gridSample([
          [cos, -sin, 0],
          [sin, cos, 0],
        ]),
      );
    }
    close(
      await apply(device, [[WARP, 1.1, 0, 0, 0, 0.85, 0]], [C, S, S], x),
      gridSample([
        [0.85, 0, 0],
        [0, 1.1, 0],
      ]),
    );
  });

  test('a quarter turn turns', async () => {
    close(
      await apply(device, [turn(90)], [C, S, S], x),
      image((c, h, w) => pixel(c, w, S - 1 - h)),
    );
  });

  test('colour is brightness, then saturation, then contrast', async () => {
    const [b, s, k] = [0.3, 1.6, 0.7];
    const brighter = image((c, h, w) => pixel(c, h, w) + b);
    const saturated = brighter.map((value, i) => {
      const mean = (brighter[i % (S * S)] + brighter[(i % (S * S)) + S * S]) / C;
      return (value - mean) * s + mean;
    });
    const mean = saturated.reduce((sum, value) => sum + value, 0) / saturated.length;
    close(
      await apply(device, [[COLOUR, b, s, k]], [C, S, S], x),
      saturated.map((value) => (value - mean) * k + mean),
    );
  });

  test('cutout is zero in its rectangle', async () => {
    const cut = (h: number, w: number) => h >= 1 && h < 3 && w < 2;
    close(
      await apply(device, [[CUTOUT, 1, 3, -2, 2]], [C, S, S], x),
      image((c, h, w) => (cut(h, w) ? 0 : pixel(c, h, w))),
    );
  });
});

describe('what is drawn', () => {
  const device = new ReferenceDevice();
  const R = 6000;
  const drawn = async (text: string, seed?: number) =>
    rowsOf(await draw(device, { ...parseStrategy(text), mixed: true }, R, seed));
  const range = (values: number[]) => [Math.min(...values), Math.max(...values)];
  const count = <T>(values: T[], value: T) => values.filter((other) => other === value).length;
  /** Within five standard deviations of the mean of a binomial distribution. */
  const expectShare = (counted: number, n: number, probability: number) =>
    expect(Math.abs(counted - n * probability)).toBeLessThan(
      5 * Math.sqrt(n * probability * (1 - probability)),
    );

  test('every family equally often', async () => {
    const rows = await drawn('color_crop_cutout_scale_rotate');
    const kinds = rows.map(([kind, hh, hw, , , ww]) => {
      if (kind !== WARP) return kind === COLOUR ? 'color' : 'cutout';
      return hw !== 0 ? 'rotate' : hh === 1 && ww === 1 ? 'crop' : 'scale';
    });
    for (const kind of ['color', 'crop', 'cutout', 'scale', 'rotate'])
      expectShare(count(kinds, kind), R, 1 / 5);
  });

  test('one family for a call unless they are mixed', async () => {
    const kinds = new Set<number>();
    for (let seed = 0; seed < 20; seed++) {
      const rows = rowsOf(await draw(device, { ...strategies.dsa, families: ['color', 'cutout'] }, 20, seed));
      expect(new Set(rows.map(([kind]) => kind)).size).toBe(1);
      expect(new Set(rows.map(String)).size).toBeGreaterThan(1);
      kinds.add(rows[0][0]);
    }
    expect(kinds).toEqual(new Set([COLOUR, CUTOUT]));
  });

  test('crops: every shift of up to four pixels, equally often', async () => {
    const rows = await drawn('crop');
    for (const column of [3, 6])
      for (let shift = -4; shift <= 4; shift++)
        expectShare(
          count(
            rows.map((row) => row[column]),
            shift,
          ),
          R,
          1 / 9,
        );
    expectShare(rows.filter((row) => row[3] === 4 && row[6] === -4).length, R, 1 / 81);
  });

  test('cutouts: rectangles of half the side with their middle anywhere', async () => {
    const rows = await drawn('cutout');
    expect(range(rows.map((row) => row[1]))).toEqual([-8, 24]);
    expect(range(rows.map((row) => row[3]))).toEqual([-8, 24]);
    expect(rows.every(([, top, bottom, left, right]) => bottom - top === 16 && right - left === 16)).toBe(
      true,
    );
  });

  test('reflections: half of the time', async () => {
    const rows = await drawn('flip');
    expectShare(
      count(
        rows.map((row) => row[5]),
        -1,
      ),
      R,
      1 / 2,
    );
    expect(rows.every((row) => row[1] === 1 && Math.abs(row[5]) === 1)).toBe(true);
  });

  test('the rest: uniform between its ends', async () => {
    const [color, scale, rotate] = [await drawn('color'), await drawn('scale'), await drawn('rotate')];
    const uniform = (values: number[], low: number, high: number) => {
      const [least, most] = range(values);
      expect(least).toBeGreaterThanOrEqual(low);
      expect(most).toBeLessThanOrEqual(high);
      expectShare(values.filter((value) => value < low + (high - low) / 4).length, R, 1 / 4);
      expectShare(values.filter((value) => value > (low + high) / 2).length, R, 1 / 2);
    };
    uniform(
      color.map((row) => row[1]),
      -0.5,
      0.5,
    );
    uniform(
      color.map((row) => row[2]),
      0,
      2,
    );
    uniform(
      color.map((row) => row[3]),
      0.5,
      1.5,
    );
    uniform(
      scale.map((row) => row[1]),
      1 / 1.2,
      1.2,
    );
    uniform(
      scale.map((row) => row[5]),
      1 / 1.2,
      1.2,
    );
    uniform(
      rotate.map((row) => (Math.atan2(row[2], row[1]) * 180) / Math.PI),
      -15,
      15,
    );
  });
});

describe('strategies', () => {
  test('by families and by name', () => {
    expect(parseStrategy('color_crop_cutout_flip_scale_rotate')).toEqual(strategies.dsa);
    expect(parseStrategy('rotate_scale_cutout_crop_color')).toEqual(strategies['dsa-digits']);
    expect(parseStrategy('dc-mnist')).toMatchObject({
      families: ['crop', 'scale', 'rotate'],
      mixed: true,
      rotate: 45,
    });
    expect(strategies.dsa.families).toEqual(families);
  });

  test.each(['', 'none', 'crop_', 'crop_crop', 'Crop', 'toString'])('"%s" is none', (text) => {
    expect(() => parseStrategy(text)).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }));
  });

  test.each([
    [{ families: [] }, 'families'],
    [{ brightness: -1 }, 'brightness'],
    [{ contrast: Number.NaN }, 'contrast'],
    [{ crop: 1.5 }, 'crop'],
    [{ scale: [1.2, 0.8] as const }, 'scale'],
    [{ scale: [0, 1] as const }, 'scale'],
    [{ rotate: 181 }, 'rotate'],
  ])('%o cannot be recorded', (change, named) => {
    const r = new Recorder('wrong');
    const x = r.external('x', 1, [2, 1, 4, 4]);
    const strategy = { ...strategies.dsa, ...change };
    const state = r.external('state', 1, [4], 'u32');
    expect(() => augment(r, x, { strategy, state, stream: 1 })).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(named) }),
    );
  });

  test('draws for another number of images are refused', () => {
    const r = new Recorder('wrong');
    const operands = { x: r.external('x', 1, [3, 1, 4, 4]), draws: r.external('draws', 1, [2, COLUMNS]) };
    expect(() => op.forward(r, operands)).toThrow(expect.objectContaining({ code: 'ERR_SHAPE' }));
  });
});
