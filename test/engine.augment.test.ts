import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device, EngineName, Numbers } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import * as op from '../src/engine/ops/augment.js';
import { COLOUR, COLUMNS, CUTOUT, RESIZE, TURN, WARP } from '../src/engine/ops/augment.js';
import { type Family, families } from '../src/engine/ops/augmentdraw.js';
import { add } from '../src/engine/ops/elementwise.js';
import type { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import type { View } from '../src/engine/view.js';
import { augment, strategies } from '../src/train/augmentation.js';
import { randomState } from '../src/train/streams.js';
import { apply, draw, flip, identity, normals, rowsOf, run, table, turn } from './harness/augment.js';
import { dot } from './harness/close.js';

/** Makes a temporary readable. */
const bringOut = (r: Recorder, view: View, name: string) =>
  add(r, { a: view, b: view }, 1, 0, r.external(name, view.members, view.shape));

/** Far tighter than what a wrong weight would do, and above rounding. */
const limits: Record<EngineName, number> = { reference: 1e-14, cpu: 2e-6, webgpu: 2e-6 };

describe.each(['reference', 'cpu', 'webgpu'] as const)('augmentation on %s', (engine) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(engine);
  });
  afterAll(() => device?.dispose());

  test('<yBar, A xDot> = <A^T yBar, xDot> for every family and for warps that nobody draws', async () => {
    const drawn = await draw(device, { ...strategies.dsa, mixed: true, rotate: 180 }, 60);
    const strange = [
      ...[
        identity,
        turn(90),
        turn(37),
        [WARP, 0.3, 0.5, -0.7, 1.9, -1.2, 0.4],
        [WARP, 0.5, 0.5, 0.2, 0.5, 0.5, 0.1],
      ],
      ...[
        [WARP, 6, 0, 0, 0, 0.2, 0],
        [WARP, 0.02, 0.01, 0, -0.01, 0.01, 0],
        [WARP, 1, 0, -2.5, 0, 1, 3.25],
      ],
      ...[
        [RESIZE, 11, 13, 1, -2],
        [RESIZE, 16, 4, -3, 1],
        [TURN, 0.81, 0.62, 0.117, -0.61, 0.79, -0.213, 1],
        [TURN, 1, 0, 0, 0, 1, 0, 1],
      ],
    ];
    const rows = [...rowsOf(drawn), ...strange];
    expect(new Set(rows.map(([kind]) => kind))).toEqual(new Set([WARP, COLOUR, CUTOUT, RESIZE, TURN]));
    const shape = [rows.length, 3, 13, 10];
    const out = await run(
      device,
      (r) => {
        const draws = r.external('draws', 1, [rows.length, COLUMNS]);
        const external = (name: string) => r.external(name, 1, shape);
        op.tangent(r, { xDot: external('xDot'), draws }, { into: external('yDot') });
        op.backward(r, { yBar: external('yBar'), draws }, { into: external('xBar') });
      },
      { draws: table(rows) },
    );
    const size = 3 * 13 * 10;
    rows.forEach((row, n) => {
      const image = (name: string) => out[name].slice(n * size, (n + 1) * size);
      const [xDot, yDot, xBar, yBar] = ['xDot', 'yDot', 'xBar', 'yBar'].map(image);
      const scale = Math.sqrt(dot(yBar, yBar) * dot(yDot, yDot));
      const difference = Math.abs(dot(yBar, yDot) - dot(xBar, xDot));
      expect(difference, `row ${row}`).toBeLessThanOrEqual(limits[engine] * scale);
    });
  });

  test('identity parameters and two reflections give the same bits', async () => {
    const x = normals(4 * 3 * 7 * 6, 1);
    const nothing = [identity, turn(0), [COLOUR, 0, 1, 1], [CUTOUT, 3, 3, 0, 6]];
    expect(Array.from(await apply(device, nothing, [3, 7, 6], x))).toEqual(Array.from(x));
    const once = await apply(device, Array(4).fill(flip), [3, 7, 6], x);
    expect(Array.from(once)).toEqual(Array.from(x, (_, i) => x[i - (i % 6) + 5 - (i % 6)]));
    expect(Array.from(await apply(device, Array(4).fill(flip), [3, 7, 6], once))).toEqual(Array.from(x));
  });

  test('a shift by whole pixels moves them and fills with zeros; so does its transpose, the other way', async () => {
    const [H, W] = [5, 8];
    const x = normals(2 * H * W, 2);
    const shifted = (down: number, right: number) =>
      Array.from(x, (_, i) => {
        const [h, w] = [(Math.floor(i / W) % H) + down, (i % W) + right];
        return h < 0 || h >= H || w < 0 || w >= W ? 0 : x[i + down * W + right];
      });
    for (const [down, right] of [
      [2, -3],
      [-4, 0],
      [0, 7],
      [5, 0],
      [0, -9],
    ]) {
      const rows = [[WARP, 1, 0, down, 0, 1, right]];
      expect(Array.from(await apply(device, rows, [2, H, W], x))).toEqual(shifted(down, right));
      const { xBar } = await run(
        device,
        (r) => {
          const operands = {
            yBar: r.external('yBar', 1, [1, 2, H, W]),
            draws: r.external('draws', 1, [1, COLUMNS]),
          };
          op.backward(r, operands, { into: r.external('xBar', 1, [1, 2, H, W]) });
        },
        { yBar: x, draws: table(rows) },
      );
      expect(Array.from(xBar)).toEqual(shifted(-down, -right));
    }
  });

  test('NaN comes through, and no further than it belongs', async () => {
    const x = new Float32Array(4 * 9).fill(1);
    for (let n = 0; n < 4; n++) x[n * 9 + 4] = Number.NaN;
    const rows = [identity, [WARP, 1, 0, 0, 0, 1, 0.5], [COLOUR, 0, 1, 0.5], [CUTOUT, 1, 2, 1, 2]];
    const y = await apply(device, rows, [1, 3, 3], x);
    const where = [0, 1, 2, 3].map((n) =>
      [0, 1, 2, 3, 4, 5, 6, 7, 8].filter((i) => Number.isNaN(y[n * 9 + i])),
    );
    expect(where).toEqual([[4], [3, 4], [0, 1, 2, 3, 4, 5, 6, 7, 8], []]);
  });

  test('the same state gives the same bits, another draw, stream or member others', async () => {
    const shape = [6, 3, 8, 8];
    const x = normals(6 * 3 * 8 * 8, 3);
    const augmented = async (state: number[], stream: number) => {
      const out = await run(
        device,
        (r) => {
          const images = r.external('x', 1, shape);
          const options = {
            strategy: { ...strategies.dsa, mixed: true },
            state: r.external('state', 1, [4], 'u32'),
          };
          for (const name of ['y', 'again']) {
            const { y } = augment(r, images, { ...options, stream, members: 2 });
            bringOut(r, y, name);
          }
        },
        { x, state },
      );
      expect(out.again).toEqual(out.y);
      return Array.from(out.y);
    };
    const y = await augmented(randomState(1, 7), 4);
    expect(await augmented(randomState(1, 7), 4)).toEqual(y);
    expect(y.slice(0, y.length / 2)).not.toEqual(y.slice(y.length / 2));
    for (const [state, stream] of [
      [randomState(2, 7), 4],
      [randomState(1, 8), 4],
      [randomState(1, 7), 5],
    ] as const)
      expect(await augmented(state, stream)).not.toEqual(y);
  });

  test('siamese: one draw for all images and for batches of any size', async () => {
    const rows: Record<string, number[]> = {};
    for (let draw = 0; draw < 8; draw++) {
      const x = normals(3 * 8 * 8, 4);
      const out = await run(
        device,
        (r) => {
          const state = r.external('state', 1, [4], 'u32');
          for (const N of [1, 5]) {
            const images = r.external(`x${N}`, 1, [N, 3, 8, 8]);
            bringOut(
              r,
              augment(r, images, { strategy: strategies.dsa, state, stream: 4, siamese: true }).y,
              `y${N}`,
            );
          }
        },
        {
          x1: x,
          x5: Float32Array.from({ length: 5 * x.length }, (_, i) => x[i % x.length]),
          state: randomState(9, draw),
        },
      );
      expect(Array.from(out.y5)).toEqual(Array.from({ length: 5 }, () => Array.from(out.y1)).flat());
      rows[draw] = Array.from(out.y1);
    }
    expect(new Set(Object.values(rows).map(String)).size).toBeGreaterThan(4);
  });

  test('every engine draws the same families and whole numbers', async () => {
    const strategy = { ...strategies.dsa, families, mixed: true };
    const [here, reference] = [device, new ReferenceDevice()].map((on) => draw(on, strategy, 600));
    const whole = (draws: Numbers) =>
      rowsOf(draws).map((row) =>
        row.map((value) => (Number.isInteger(value) || Math.abs(value) >= 2 ? value : '')),
      );
    expect(whole(await here)).toEqual(whole(await reference));
  });
});

test('what is drawn for images that are no squares goes by the length of each side', async () => {
  const size = { height: 16, width: 48 };
  await using device = await openDevice('reference');
  const rowsFor = async (family: Family) =>
    rowsOf(await draw(device, { ...strategies.dsa, families: [family], mixed: true }, 6000, 5, 1, size));
  const ranges = (rows: number[][], ...columns: number[]) =>
    columns.map((k) => [Math.min(...rows.map((row) => row[k])), Math.max(...rows.map((row) => row[k]))]);
  expect(ranges(await rowsFor('crop'), 3, 6)).toEqual([
    [-2, 2],
    [-6, 6],
  ]);
  expect(ranges(await rowsFor('shift'), 3, 6)).toEqual([
    [-2, 1],
    [-6, 5],
  ]);
  const cutouts = await rowsFor('cutout');
  expect(ranges(cutouts, 1, 3)).toEqual([
    [-4, 12],
    [-12, 36],
  ]);
  for (const [, top, bottom, left, right] of cutouts) expect([bottom - top, right - left]).toEqual([8, 24]);
  expect(ranges(await rowsFor('resize'), 1, 2)).toEqual([
    [13, 19],
    [40, 57],
  ]);
});
