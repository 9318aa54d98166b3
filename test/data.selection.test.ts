import { describe, expect, it } from 'vitest';
import { herd } from '../src/data/selection/herding.js';
import { centres } from '../src/data/selection/k-centre.js';
import { cluster } from '../src/data/selection/k-means.js';
import { randomRows } from '../src/data/selection/random-rows.js';
import { type ClassImages, squaredDistance } from '../src/data/selection/vectors.js';
import { Stream } from '../src/util/random.js';
import { twoClasses } from './harness/made-data.js';

const stream = new Stream(3, 77);
/** N points in D dimensions around a few middles. */
function points(N: number, D: number, middles: number, draw: number): ClassImages {
  stream.draw = draw;
  const images = Float32Array.from({ length: N * D }, (_, i) => {
    const row = Math.floor(i / D);
    return stream.normal(i) + 4 * Math.sin(7 * (row % middles) + 3 * (i % D));
  });
  return { label: 0, count: N, pixels: D, images };
}
const distance = (a: ClassImages, i: number, b: Float32Array, j: number) =>
  squaredDistance(a.images, i * a.pixels, b, j * a.pixels, a.pixels);

describe('k-means', () => {
  const all = points(300, 5, 6, 0);
  const run = (passes?: number) => cluster(all, 8, new Stream(1, 5), passes);
  const inertia = (centroids: Float32Array) =>
    Array.from({ length: all.count }, (_, i) =>
      Math.min(...Array.from({ length: 8 }, (_, j) => distance(all, i, centroids, j))),
    ).reduce((a, b) => a + b, 0);

  it('lowers the inertia pass by pass and ends at a fixed point of the plain algorithm', async () => {
    const { centroids, assigned } = await run();
    const course = [];
    for (let passes = 0; passes < 12; passes++) course.push(inertia((await run(passes)).centroids));
    for (let pass = 1; pass < course.length; pass++)
      expect(course[pass]).toBeLessThanOrEqual(course[pass - 1] * (1 + 1e-6));
    expect(course.at(-1)!).toBeLessThan(0.9 * course[0]);
    for (let i = 0; i < all.count; i++) {
      const own = distance(all, i, centroids, assigned[i]);
      for (let j = 0; j < 8; j++) expect(own).toBeLessThanOrEqual(distance(all, i, centroids, j) + 1e-5);
    }
    for (let j = 0; j < 8; j++) {
      const members = [...assigned.keys()].filter((i) => assigned[i] === j);
      for (let s = 0; s < 5; s++) {
        const mean = members.reduce((sum, i) => sum + all.images[i * 5 + s], 0) / members.length;
        expect(Math.abs(centroids[j * 5 + s] - mean)).toBeLessThan(1e-5);
      }
    }
  });

  it('does in every pass what assigning every point anew does', async () => {
    // Lloyd without any bounds, from the same start.
    const { centroids } = await run(0);
    const plain = Float32Array.from(centroids);
    for (let passes = 1; passes < 6; passes++) {
      const near = Array.from({ length: all.count }, (_, i) => {
        const to = Array.from({ length: 8 }, (_, j) => distance(all, i, plain, j));
        return to.indexOf(Math.min(...to));
      });
      for (let j = 0; j < 8; j++)
        for (let s = 0; s < 5; s++) {
          const members = near.flatMap((own, i) => (own === j ? [all.images[i * 5 + s]] : []));
          plain[j * 5 + s] = members.reduce((a, b) => a + b, 0) / members.length;
        }
      const bounded = await run(passes);
      bounded.centroids.forEach((value, i) => {
        expect(Math.abs(value - plain[i])).toBeLessThan(1e-5);
      });
    }
  });

  it('takes copies, and more clusters than points', async () => {
    const copies = { label: 0, count: 4, pixels: 2, images: Float32Array.from([1, 2, 1, 2, 1, 2, 1, 2]) };
    const { centroids } = await cluster(copies, 9, new Stream(0, 5));
    expect([...centroids]).toEqual([1, 2, 1, 2, 1, 2, 1, 2]);
  });
});

describe('selections', () => {
  it('herding takes, one by one, the image that brings the mean nearest to that of the class', () => {
    const all = points(40, 3, 4, 1);
    const { images, count } = all;
    const mean = (rows: readonly number[]) =>
      [0, 1, 2].map((s) => rows.reduce((sum, i) => sum + images[i * 3 + s], 0) / rows.length);
    const target = mean([...Array(count).keys()]);
    const rows: number[] = [];
    for (let place = 0; place < 12; place++) {
      const off = Array.from({ length: count }, (_, i) =>
        rows.includes(i)
          ? Number.POSITIVE_INFINITY
          : mean([...rows, i]).reduce((sum, value, s) => sum + (value - target[s]) ** 2, 0),
      );
      rows.push(off.indexOf(Math.min(...off)));
    }
    expect(herd(all, 12)).toEqual(rows);
    expect(herd(all, 99)).toHaveLength(40);
    expect(new Set(herd(all, 99)).size).toBe(40);
  });

  it('k-centre is within twice the least radius, and starts at the image nearest to the mean', () => {
    const all = points(16, 2, 4, 2);
    const radius = (rows: readonly number[]) =>
      Math.max(
        ...Array.from({ length: 16 }, (_, i) =>
          Math.min(...rows.map((row) => Math.sqrt(distance(all, i, all.images, row)))),
        ),
      );
    const rows = centres(all, 3);
    let least = Number.POSITIVE_INFINITY;
    for (let a = 0; a < 16; a++)
      for (let b = a + 1; b < 16; b++)
        for (let c = b + 1; c < 16; c++) least = Math.min(least, radius([a, b, c]));
    expect(radius(rows)).toBeLessThanOrEqual(2 * least);
    const mean = [0, 1].map((s) => all.images.filter((_, i) => i % 2 === s).reduce((a, b) => a + b, 0) / 16);
    const fromMean = Array.from({ length: 16 }, (_, i) => distance(all, i, Float32Array.from(mean), 0));
    expect(rows[0]).toBe(fromMean.indexOf(Math.min(...fromMean)));
    expect(new Set(centres(all, 16)).size).toBe(16);
  });

  it('random rows without the first of each class are the others of the same draw', async () => {
    const data = twoClasses();
    const [all, rest] = [await randomRows(data, 5, 3), await randomRows(data, 5, 3, 2)];
    // Classes in turn: the first two of each are the first four.
    expect(rest.images).toEqual(all.images.subarray(4 * 6));
    expect(rest.classes).toEqual(Uint16Array.of(0, 1, 0, 1, 0, 1));
    expect([...rest.labels]).toEqual([0, 1, 2].flatMap(() => [1, 0, 0, 1]));
    expect(rest.images).not.toEqual(all.images.subarray(0, 6 * 6));
  });
});
