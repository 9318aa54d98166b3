/** Which networks answer like those that learned from a set. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { heldOutNetworks } from '../src/eval/first-networks.js';
import { agreement, createNetwork, type Device, openDevice, setOfImages } from '../src/index.js';
import { smallNetwork, twoClasses } from './harness/made-data.js';
import { writtenTo } from './harness/written.js';

const data = twoClasses();
let device: Device;
beforeAll(async () => {
  device = await openDevice('reference');
});
afterAll(() => device.dispose());

const set = (labels: ArrayLike<number>) =>
  setOfImages(data, { images: data.train.images, labels }, { values: 'pixels', network: smallNetwork });
const options = { steps: 40, every: 20, networks: 3, seed: 3 };

describe('agreement', () => {
  test('pairs networks that are right as often, each with as many as there are', async () => {
    const sets = [
      { name: 'right', set: set(data.train.labels) },
      { name: 'wrong', set: set(Array.from(data.train.labels, (label) => 1 - label)) },
    ];
    const found = await agreement(device, data, sets, options);
    expect(found.images).toBe(24);
    expect(found.early.map(({ steps }) => steps)).toEqual([0, 20, 40]);
    const [right, wrong] = found.sets;
    expect([right.name, wrong.name]).toEqual(['right', 'wrong']);
    for (const one of found.sets) {
      expect(one.early.same.networks).toBe(9);
      expect(one.few.same.networks).toBe(9);
      expect(one.itself!.same.networks).toBe(3);
      for (const { same, gap } of [one.early, one.few, one.itself!]) {
        // With two classes, who differs from another is right where the other is wrong.
        expect(same.mean + gap).toBeLessThanOrEqual(100 + 1e-9);
        expect(same.mean).toBeGreaterThanOrEqual(0);
      }
    }
    expect(right.accuracy.mean).toBeGreaterThan(80);
    expect(wrong.accuracy.mean).toBeLessThan(20);
    expect(right.early.gap).toBeLessThan(wrong.early.gap);
    expect(right.few.same.mean).toBeGreaterThan(wrong.few.same.mean);
  });

  test('few real images become more until they do better than every set', async () => {
    const sets = [{ name: 'right', set: set(data.train.labels) }];
    const { few, sets: found } = await agreement(device, data, sets, options);
    expect(few.map(({ perClass }) => perClass)).toEqual(few.map((_, i) => 2 ** i));
    const best = found[0].accuracy.mean;
    for (const { accuracy } of few.slice(0, -1)) expect(accuracy.mean).toBeLessThanOrEqual(best);
    const { perClass, accuracy } = few[few.length - 1];
    // Fifteen of each class are there.
    expect(accuracy.mean > best || perClass === 8).toBe(true);
  });

  test('few real images become as many as the smallest class has', async () => {
    // Eight of each class; no more than all of them can be better than all of them.
    const train = { ...data.train, images: data.train.images.subarray(0, 16 * 6), count: 16 };
    const of = { ...data, train: { ...train, labels: data.train.labels.subarray(0, 16) } };
    const { images, labels } = of.train;
    const whole = setOfImages(of, { images, labels }, { values: 'pixels', network: smallNetwork });
    const { few } = await agreement(device, of, [{ name: 'whole', set: whole }], options);
    expect(few.map(({ perClass }) => perClass)).toEqual([1, 2, 4, 8]);
  });

  test('networks of each kind begin with weights of their own', async () => {
    const own = await openDevice('reference');
    const network = createNetwork({ ...smallNetwork, inputShape: data.imageShape, classes: data.classes });
    const written = writtenTo(own, 3 * network.count);
    const alone = writtenTo(own, network.count);
    // One of each class.
    const few = writtenTo(own, 2 * 6);
    await agreement(own, data, [{ name: 'right', set: set(data.train.labels) }], options);
    for (const draw of [0, 1]) {
      const first = await heldOutNetworks(own, network, 3, options.seed, draw);
      expect(written).toContainEqual([...first]);
    }
    // Those of few images each by itself, for they have images of their own.
    const first = [...(await heldOutNetworks(own, network, 3, options.seed, 2))];
    for (const p of [0, 1, 2])
      expect(alone).toContainEqual(first.slice(p * network.count, (p + 1) * network.count));
    expect(new Set(few.map((images) => images.join())).size).toBe(3);
    await own.dispose();
  });

  test('a single network has nobody to be compared with of its own kind', async () => {
    const sets = [{ name: 'right', set: set(data.train.labels) }];
    const { sets: found } = await agreement(device, data, sets, { ...options, networks: 1 });
    expect(found[0].itself).toBeUndefined();
    expect(found[0].early.same.networks).toBe(1);
  });

  test.each([
    [{ networks: 0 }, /networks is 0/],
    [{ images: 0 }, /images is 0/],
    [{ looks: 1 }, /looks/],
  ])('refuses %j', async (wrong, message) => {
    const sets = [{ name: 'right', set: set(data.train.labels) }];
    await expect(agreement(device, data, sets, wrong as never)).rejects.toThrow(message);
  });
});
