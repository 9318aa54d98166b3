import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import { CUTOUT } from '../src/engine/ops/augment.js';
import { add } from '../src/engine/ops/elementwise.js';
import * as random from '../src/engine/ops/random.js';
import type { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import type { View } from '../src/engine/view.js';
import { findProtocol } from '../src/eval/find-protocol.js';
import { isDifferentiable, parseStrategy } from '../src/train/augmentation.js';
import { gatherRows } from '../src/train/gather-rows.js';
import { recordMinibatch } from '../src/train/minibatch.js';
import { randomState, streams } from '../src/train/streams.js';
import { draw, normals, rowsOf, run } from './harness/augment.js';
import { expectClose } from './harness/close.js';

const [B, C, H, W, K, members] = [7, 2, 6, 9, 3, 2];
const size = C * H * W;
const box = { ...parseStrategy('cutmix'), families: ['cutmix'] as const };

/** Makes a temporary readable. */
const bringOut = (r: Recorder, view: View, name: string) =>
  add(r, { a: view, b: view }, 1, 0, r.external(name, view.members, view.shape));

/** A batch of all images of a set in a drawn order, mixed as the text says, and which images it is made of. */
function mixed(device: Device, text: string, state: number[], x: ArrayLike<number>, y: ArrayLike<number>) {
  const record = (r: Recorder) => {
    const images = r.external('x', 1, [B, C, H, W]);
    const labels = r.external('y', 1, [B, K]);
    const state = r.external('state', 1, [4], 'u32');
    const batch = recordMinibatch(
      r,
      {
        ...{ state, rows: B, augmentation: parseStrategy(text) },
        gather: (r, index) => gatherRows(r, { images, labels, index }),
      },
      { B, members },
    );
    bringOut(r, batch.x, 'images');
    bringOut(r, batch.y, 'labels');
    const order = (name: string, stream: number) =>
      random.batch(r, { state }, { B, rows: B, stream }, { into: r.external(name, 1, [B], 'u32') });
    order('index', streams.minibatch);
    order('others', streams.cutmixOthers);
    expect(() => batch.backward!(batch.x)).toThrow(expect.objectContaining({ code: 'ERR_PROGRAM' }));
  };
  const unset = new Uint32Array(B);
  return run(device, record, { x, y, state, index: unset, others: unset });
}

describe.each(['reference', 'cpu', 'webgpu'] as const)('CutMix on %s', (engine) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(engine);
  });
  afterAll(() => device?.dispose());

  test('pastes a box of another image, bit by bit, and mixes the labels by area', async () => {
    const x = normals(B * size, 3);
    const y = normals(B * K, 4);
    let boxes = 0;
    for (let step = 0; step < 12; step++) {
      const { images, labels, index, others } = await mixed(device, 'cutmix', randomState(4, step), x, y);
      expect([...others].sort()).toEqual([...Array(B).keys()]);
      const where = { height: H, width: W, stream: streams.cutmix, step };
      const drawn = await draw(new ReferenceDevice(), box, 1, 4, members, where);
      rowsOf(drawn).forEach(([kind, top, bottom, left, right], member) => {
        expect(kind).toBe(CUTOUT);
        const within = (i: number) => {
          const [h, w] = [Math.floor(i / W) % H, i % W];
          return top <= h && h < bottom && left <= w && w < right;
        };
        const part = [...Array(H * W).keys()].filter(within).length / (H * W);
        boxes += part;
        for (let b = 0; b < B; b++) {
          const [own, other] = [index[b], index[others[b]]];
          const image = images.slice((member * B + b) * size, (member * B + b + 1) * size);
          const expected = Array.from(image, (_, i) => x[(within(i) ? other : own) * size + i]);
          expect(Array.from(image)).toEqual(expected);
          const label = labels.slice((member * B + b) * K, (member * B + b + 1) * K);
          const exact = Array.from(label, (_, k) => (1 - part) * y[own * K + k] + part * y[other * K + k]);
          // A sum of three products of numbers of at most four, each rounded.
          expectClose('label', label, exact, () => (engine === 'reference' ? 1e-15 * 8 : 12 * 2 ** -22));
        }
      });
    }
    expect(boxes).toBeGreaterThan(1);
  });

  test('the same boxes as on every engine', async () => {
    const [here, there] = [device, new ReferenceDevice()].map((on) =>
      draw(on, { ...box, mixed: true }, 300, 5, 1, { height: 31, width: 47 }),
    );
    expect(Array.from(await here)).toEqual(Array.from(await there));
  });

  test('comes after what moves the images', async () => {
    const ones = new Float32Array(B * size).fill(1);
    const y = normals(B * K, 4);
    // Of a shift that nothing fills and a box: zeros where both are, ones elsewhere, and the same labels as of the box alone.
    const [plain, moved] = await Promise.all(
      ['cutmix', 'crop+cutmix'].map((text) => mixed(device, text, randomState(9, 1), ones, y)),
    );
    expect(Array.from(moved.labels)).toEqual(Array.from(plain.labels));
    expect(Array.from(plain.images)).toEqual(Array.from({ length: members * B * size }, () => 1));
    expect(new Set(moved.images)).toEqual(new Set([0, 1]));
  });
});

test('a part of the area that is uniform, around any pixel', async () => {
  const R = 6000;
  const rows = rowsOf(await draw(new ReferenceDevice(), { ...box, mixed: true }, R));
  // Within five standard deviations of the mean of a binomial distribution.
  const share = (is: (row: number[]) => boolean, p: number) =>
    expect(Math.abs(rows.filter(is).length - R * p)).toBeLessThan(5 * Math.sqrt(R * p * (1 - p)));
  // Of 32 x 32 pixels half a side is below k where the root of the area is below k / 16.
  const half = ([, top, bottom]: number[]) => (bottom - top) / 2;
  const middle = ([, top, bottom, left, right]: number[]) => [(top + bottom) / 2, (left + right) / 2];
  for (const k of [2, 5, 8, 12, 15]) share((row) => half(row) < k, (k / 16) ** 2);
  for (const [axis, k] of [0, 1].flatMap((axis) => [1, 10, 31].map((k) => [axis, k]))) {
    share((row) => middle(row)[axis] < k, k / 32);
    share((row) => middle(row)[axis] < k && half(row) < 8, k / 128);
  }
  share((row) => middle(row)[0] < 16 && middle(row)[1] < 8, 1 / 8);
  for (const row of rows) {
    expect(row[2] - row[1]).toBe(row[4] - row[3]);
    for (const at of middle(row)) expect(at >= 0 && at < 32 && Number.isInteger(at)).toBe(true);
  }
});

test('is named after what moves images, or alone', () => {
  expect(parseStrategy('cutmix')).toMatchObject({ families: [], cutmix: true });
  expect(parseStrategy('resized-crop:area=0.5+cutmix')).toEqual({
    ...parseStrategy('resized-crop:area=0.5'),
    cutmix: true,
  });
  for (const wrong of ['+cutmix', 'cutmix+cutmix', 'cutmix_crop', 'none+cutmix', 'crop+mixup'])
    expect(() => parseStrategy(wrong)).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }));
  expect(isDifferentiable(parseStrategy('flip+cutmix'))).toBe(false);
  expect(findProtocol('soft-labels', { augmentation: 'resized-crop+cutmix' }).augmentation).toBe(
    'resized-crop+cutmix',
  );
});
