/** What rded chooses and how it puts it together. */
import { describe, expect, it } from 'vitest';
import { drawCrop, resizedCrop } from '../src/data/selection/crops.js';
import { bestPatches, type Patch, putPatch } from '../src/methods/best-patches.js';
import { Stream } from '../src/util/random.js';

const patch = (source: number, score: number): Patch => ({ source, score, pixels: Float32Array.of(score) });

describe('the best patches', () => {
  const all = [patch(4, 2), patch(1, 0.5), patch(1, 0.25), patch(2, 1), patch(3, 2), patch(2, 0.75)];

  it('are those of the least score, one of an image, what was there first before its equals', () => {
    const best = bestPatches(all, { most: 3, perSource: 1 });
    expect(best.map(({ source, score }) => [source, score])).toEqual([
      [1, 0.25],
      [2, 0.75],
      [4, 2],
    ]);
  });

  it('may be as many of an image as is said', () => {
    const best = bestPatches(all, { most: 5, perSource: 2 });
    expect(best.map(({ score }) => score)).toEqual([0.25, 0.5, 0.75, 1, 2]);
  });

  it('are the same bit by bit', () => {
    const random = new Stream(3, 1);
    const many = Array.from({ length: 200 }, (_, i) =>
      patch(random.u32(2 * i) % 20, random.u32(2 * i + 1) % 50),
    );
    for (const limits of [
      { most: 7, perSource: 1 },
      { most: 30, perSource: 3 },
    ]) {
      let kept: Patch[] = [];
      for (let at = 0; at < many.length; at += 9)
        kept = bestPatches([...kept, ...many.slice(at, at + 9)], limits);
      expect(kept).toEqual(bestPatches(many, limits));
    }
  });
});

it('a patch is put where it is said, channel by channel', () => {
  const picture = new Float32Array(2 * 2 * 3);
  putPatch(picture, [2, 2, 3], Float32Array.of(1, 2, 3, 4), [1, 2], [1, 1]);
  expect([...picture]).toEqual([0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 3, 4]);
});

describe('crops', () => {
  it('lie within the image, of its proportions and from a twelfth of its area to all of it', () => {
    const stream = new Stream(0, 5);
    const crops = Array.from({ length: 2000 }, (_, k) => drawCrop(stream, k, [40, 80]));
    for (const { top, left, height, width } of crops) {
      expect(Math.min(top, left, 40 - top - height, 80 - left - width)).toBeGreaterThanOrEqual(0);
      expect(Math.abs(width - 2 * height)).toBeLessThanOrEqual(1);
    }
    const areas = crops.map(({ height, width }) => (height * width) / 3200);
    expect(Math.min(...areas)).toBeGreaterThan(0.07);
    expect(Math.max(...areas)).toBeGreaterThan(0.98);
    // Uniform from 0.08 to 1, with a standard error of 0.006.
    expect(Math.abs(areas.reduce((a, b) => a + b) / 2000 - 0.54)).toBeLessThan(0.02);
    // Where there is room, both ends of it are met.
    const small = crops.filter(({ height }) => height < 20);
    expect(small.some(({ top }) => top === 0)).toBe(true);
    expect(small.some(({ top, height }) => top + height === 40)).toBe(true);
    // Not on the diagonal alone.
    expect(small.some(({ top, left }) => top < 5 && left > 30)).toBe(true);
  });

  it('are what they show: as they are, or means where they shrink', () => {
    const image = Float32Array.from({ length: 2 * 4 * 4 }, (_, i) => i);
    const whole = { top: 0, left: 0, height: 4, width: 4 };
    expect(resizedCrop(image, [2, 4, 4], whole, [4, 4])).toEqual(image);
    const corner = { top: 1, left: 2, height: 2, width: 2 };
    expect([...resizedCrop(image, [2, 4, 4], corner, [2, 2])]).toEqual([6, 7, 10, 11, 22, 23, 26, 27]);
    expect([...resizedCrop(image, [2, 4, 4], corner, [1, 1])]).toEqual([8.5, 24.5]);
  });
});
