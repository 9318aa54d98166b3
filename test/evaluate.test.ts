import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateDigits } from '../src/data/digits.js';
import { normalisedImages } from '../src/data/on-device.js';
import { classMeans } from '../src/data/selection/class-means.js';
import { randomReal } from '../src/data/selection/random-real.js';
import type { Device } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import { Evaluator } from '../src/eval/evaluator.js';
import { heldOutNetworks } from '../src/eval/first-networks.js';
import { percentRight } from '../src/eval/statistics.js';
import { createNetwork } from '../src/networks/index.js';

const digits = generateDigits();
const network = createNetwork({ name: 'lenet', inputShape: digits.imageShape, classes: 10 });
const oneHot = (labels: ArrayLike<number>) =>
  Float32Array.from({ length: labels.length * 10 }, (_, i) =>
    labels[Math.floor(i / 10)] === i % 10 ? 1 : 0,
  );

let device: Device;
let parameters: Float32Array;
beforeAll(async () => {
  device = await openDevice('cpu');
  parameters = await heldOutNetworks(device, network, 1, 0, 0);
});
afterAll(() => device.dispose());

/** Test accuracy of one LeNet after plain SGD on `images`, in batches of n. */
async function accuracy(
  set: { images: Float32Array; labels: Float32Array },
  n: number,
  epochs: number,
  rate: (t: number) => number,
) {
  const steps = set.labels.length / 10 / n;
  const evaluator = await Evaluator.create(device, digits, digits.test, {
    network,
    members: 1,
    steps,
    epochs,
    n,
  });
  const learningRates = Float32Array.from({ length: steps * epochs }, (_, t) => rate(t / (steps * epochs)));
  const [value] = (await evaluator.answers({ ...set, learningRates }, parameters)).map(percentRight);
  evaluator.dispose();
  return value;
}

test('the digits teach a LeNet more than 98 %, and ten of them do not get near that', async () => {
  const every = Array.from({ length: digits.train.count }, (_, i) => i);
  const all = { images: normalisedImages(digits, digits.train, every), labels: oneHot(digits.train.labels) };
  const full = await accuracy(all, 50, 8, (t) => 0.1 * (1 - t));
  const ten = [];
  for (let draw = 0; draw < 5; draw++) {
    const images = await randomReal(digits, 1, 0, draw);
    ten.push(await accuracy({ images, labels: oneHot([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) }, 10, 60, () => 0.1));
  }
  console.log(
    `LeNet on generated digits, test accuracy: all 10,000 images ${full.toFixed(2)} %, ten images ${ten.map((v) => v.toFixed(1)).join(', ')} %`,
  );
  expect(full).toBeGreaterThan(98);
  for (const value of ten) expect(value).toBeLessThan(75);
});

test('baselines are real images of the right class: means of few are near the mean of all', async () => {
  const pixels = 28 * 28;
  const one = await randomReal(digits, 3, 5, 0);
  expect(one.length).toBe(30 * pixels);
  expect(await randomReal(digits, 3, 5, 0)).toEqual(one);
  expect(await randomReal(digits, 3, 5, 1)).not.toEqual(one);
  // Every random image is in the training split under its class.
  const rows = Array.from({ length: digits.train.count }, (_, i) => i);
  const all = normalisedImages(digits, digits.train, rows);
  const at = (images: Float32Array, i: number) => images.subarray(i * pixels, (i + 1) * pixels);
  for (const i of [0, 7, 13, 29]) {
    const row = rows.find((r) => at(all, r).every((value, s) => value === one[i * pixels + s]));
    expect(digits.train.labels[row!]).toBe(i % 10);
  }
  // The mean of a class, by hand.
  const means = await classMeans(digits, 1, 5, 0);
  const ofClass = rows.filter((r) => digits.train.labels[r] === 4);
  const pixel = 14 * 28 + 14;
  const mean = ofClass.reduce((sum, r) => sum + all[r * pixels + pixel], 0) / ofClass.length;
  expect(Math.abs(means[4 * pixels + pixel] - mean)).toBeLessThan(1e-5);
});
