import { describe, expect, test } from 'vitest';
import type { Numbers } from '../src/engine/device.js';
import * as op from '../src/engine/ops/augment.js';
import { COLOUR, COLUMNS, CUTOUT, RESIZE, TURN, WARP } from '../src/engine/ops/augment.js';
import { families, type Strategy } from '../src/engine/ops/augmentdraw.js';
import { add } from '../src/engine/ops/elementwise.js';
import { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { augment, parseStrategy, strategies } from '../src/train/augmentation.js';
import { apply, draw, normals, rowsOf, run, table, turn } from './harness/augment.js';
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

describe('what DC does, 5 x 5', () => {
  const device = new ReferenceDevice();
  const pixel = (h: number, w: number) => ((3 * h * h + 5 * w + h * w) % 7) - 2.5;
  const image = (value: (h: number, w: number) => number) =>
    Array.from({ length: 25 }, (_, i) => value(Math.floor(i / 5), i % 5));
  const x = image(pixel);
  const filled = async (row: readonly number[], fill: number) => {
    const { y } = await run(
      device,
      (r) => {
        const operands = {
          x: r.external('x', 1, [1, 1, 5, 5]),
          draws: r.external('draws', 1, [1, COLUMNS]),
          fill: r.external('fill', 1, [1]),
        };
        op.forward(r, operands, { into: r.external('y', 1, [1, 1, 5, 5]) });
      },
      { x, draws: table([row]), fill: [fill] },
    );
    return y;
  };

  test('a shift is filled', async () => {
    const inside = (h: number, w: number) => h >= 0 && h < 5 && w >= 0 && w < 5;
    const y = await filled([WARP, 1, 0, -2, 0, 1, 1, 1], 0.25);
    expect(Array.from(y)).toEqual(image((h, w) => (inside(h - 2, w + 1) ? pixel(h - 2, w + 1) : 0.25)));
  });

  test('another size takes the nearest pixels, and leaves zeros around it', async () => {
    // 3 x 7 pixels in a canvas of 7 x 7: two lines above it are empty, of which one is seen; the first column is not.
    const y = await filled([RESIZE, 3, 7, -1, 1], 9);
    const lines = [0, 1, 3];
    const columns = [0, 0, 1, 2, 2, 3, 4];
    expect(Array.from(y)).toEqual(
      image((h, w) => (h >= 1 && h < 4 ? pixel(lines[h - 1], columns[w + 1]) : 0)),
    );
  });

  test('a turn is that of scipy.ndimage.rotate with cubic splines, cut to the middle', async () => {
    // Its numbers, of scipy 1.10: by 17 degrees into a frame of 6 x 6, by -30 of 7 x 7.
    const rotated: [number, number, number[][]][] = [
      [
        17,
        -0.5,
        [
          [0.25, 0.25, 0.25, 0.25, 0.25],
          [0.25, 2.377408899, -0.251545805, -3.012326578, 3.294093926],
          [0.25, -0.02904945, 0.274731281, 1.150983148, 2.519711097],
          [0.25, 2.519711097, 1.150983148, 0.274731281, -0.02904945],
          [0.25, 3.294093926, -3.012326578, -0.251545805, 2.377408899],
        ],
      ],
      [
        -30,
        0,
        [
          [0.25, -0.365892088, 1.957993773, 0.25, 0.25],
          [0.25, 1.848694982, -0.622608389, -2.456945058, -0.416057687],
          [2.666580794, 0.037826145, 2.5, 0.037826145, 2.666580794],
          [-0.416057687, -2.456945058, -0.622608389, 1.848694982, 0.25],
          [0.25, 0.25, 1.957993773, -0.365892088, 0.25],
        ],
      ],
    ];
    for (const [degrees, off, lines] of rotated) {
      const angle = (degrees * Math.PI) / 180;
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      const row = [TURN, cos, sin, off * (cos + sin), -sin, cos, off * (cos - sin), 1];
      expectClose(`${degrees} degrees`, await filled(row, 0.25), lines.flat(), () => 2e-6);
    }
  });

  test('they fill with the mean of the batch, and have no gradient', async () => {
    const r = new Recorder('filled');
    const images = r.external('x', 1, [3, 2, 6, 6]);
    const strategy = { ...strategies['dc-mnist'], crop: 0.5 };
    const state = r.external('state', 1, [4], 'u32');
    const { y, tangent, backward } = augment(r, images, { strategy, state, stream: 1 });
    add(r, { a: y, b: y }, 1, 0, r.external('y', 1, y.shape));
    for (const pass of [tangent, backward])
      expect(() => pass(images)).toThrow(expect.objectContaining({ code: 'ERR_PROGRAM' }));
    // Of constant channels, in whatever way they are moved, nothing but that constant or zero can be seen.
    const values = Float32Array.from({ length: 3 * 72 }, (_, i) => (Math.floor(i / 36) % 2 ? 7 : -3));
    const out = await run(
      device,
      (again) => {
        const batch = again.external('x', 1, [3, 2, 6, 6]);
        const drawn = augment(again, batch, {
          strategy,
          state: again.external('state', 1, [4], 'u32'),
          stream: 1,
        });
        add(again, { a: drawn.y, b: drawn.y }, 1, 0, again.external('y', 1, [3, 2, 6, 6]));
      },
      { x: values, state: [1, 0, 0, 0] },
    );
    for (const [i, value] of Array.from(out.y).entries())
      expect(Math.min(Math.abs(value - values[i]), Math.abs(value))).toBeLessThan(1e-5);
  });
});

describe('what is drawn', () => {
  const device = new ReferenceDevice();
  const R = 6000;
  /** Of families by name, or of DSA with changes; turns of at most 45 degrees are in float64. */
  const drawn = async (what: string | Partial<Strategy>) => {
    const strategy = typeof what === 'string' ? parseStrategy(what) : { ...strategies.dsa, ...what };
    return rowsOf(await draw(device, { ...strategy, mixed: true }, R));
  };
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

  test('shifts: from -most to most - 1, equally often', async () => {
    const rows = await drawn({ families: ['shift'] });
    for (const column of [3, 6])
      for (let shift = -4; shift <= 4; shift++) {
        const counted = count(
          rows.map((row) => row[column]),
          shift,
        );
        if (shift === 4) expect(counted).toBe(0);
        else expectShare(counted, R, 1 / 8);
      }
    expect(
      rows.every(([kind, hh, hw, , wh, ww, , fill]) => `${[kind, hh, hw, wh, ww, fill]}` === '0,1,0,0,1,1'),
    ).toBe(true);
  });

  test('sizes: whole numbers of pixels whose factor is uniform, seen from the middle', async () => {
    const rows = await drawn({ families: ['resize'], scale: [0.8, 1.2] });
    // Of 32 pixels 25.6 to 38.4: 26 to 37 for a whole pixel of 12.8 each, 25 and 38 for what is left.
    for (const column of [1, 2])
      for (let size = 24; size <= 39; size++) {
        const part = size === 25 || size === 38 ? 0.4 : size > 25 && size < 38 ? 1 : 0;
        const counted = count(
          rows.map((row) => row[column]),
          size,
        );
        if (part) expectShare(counted, R, part / 12.8);
        else expect(counted).toBe(0);
      }
    for (const [kind, height, width, top, left] of rows) {
      const canvas = Math.max(height, width, 32);
      const half = (side: number) => Math.floor((canvas - side) / 2);
      expect([kind, top, left]).toEqual([RESIZE, half(32) - half(height), half(32) - half(width)]);
    }
  });

  test('turns: whole degrees, half a pixel off where the frame is an odd number larger', async () => {
    const rows = await drawn({ families: ['turn'], rotate: 45 });
    const degrees = rows.map((row) => (Math.atan2(row[2], row[1]) * 180) / Math.PI);
    for (const angle of degrees) expect(Math.abs(angle - Math.round(angle))).toBeLessThan(1e-9);
    expect(range(degrees.map(Math.round))).toEqual([-45, 44]);
    for (let angle = -45; angle < 45; angle += 9)
      expectShare(count(degrees.map(Math.round), angle), R, 1 / 90);
    for (const [kind, cos, sin, down, minusSin, cosAgain, right, fill] of rows) {
      expect([kind, -minusSin, cosAgain, fill]).toEqual([TURN, sin, cos, 1]);
      const frame = Math.floor(32 * (Math.abs(sin) + cos) + 0.5);
      const off = frame % 2 ? -0.5 : 0;
      expectClose('offset', [down, right], [off * (cos + sin), off * (cos - sin)], () => 1e-12);
    }
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
      families: ['shift', 'resize', 'turn'],
      mixed: true,
      rotate: 45,
    });
    const named = ['dsa', 'dc-mnist', 'resized-crop'].flatMap((name) => strategies[name].families);
    expect([...named, 'cutmix']).toEqual(families);
  });

  const wrong = ['', 'none', 'crop_', 'crop_crop', 'Crop', 'toString', 'resized-crop_crop', 'dsa:area=0.5'];
  test.each(wrong)('"%s" is none', (text) => {
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
    [{ families: ['turn'], rotate: 0.5 }, 'rotate'],
    [{ area: [0, 1] as const }, 'area'],
    [{ families: ['shift'], crop: 0.1 }, 'crop'],
  ])('%o cannot be recorded', (change, named) => {
    const r = new Recorder('wrong');
    const x = r.external('x', 1, [2, 1, 4, 4]);
    const strategy = { ...strategies.dsa, ...(change as Partial<Strategy>) };
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
