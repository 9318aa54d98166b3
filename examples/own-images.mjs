/**
 * Images of your own, once as arrays in memory and once as a folder with a subfolder for every class (which takes the optional
 * package sharp): three kinds of pictures, coloured and noisy, and six images that teach a small network to tell them apart.
 *
 *     node examples/own-images.mjs
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { datasetFromArrays, distill, encodePng, evaluate, loadDataset, openDevice } from 'limbeck';

const size = 16;
const shapes = {
  cross: (x, y) => Math.min(Math.abs(x), Math.abs(y)) < 0.25,
  disc: (x, y) => x * x + y * y < 0.5,
  stripes: (x, y) => Math.sin(9 * (x + y)) > 0,
};
const names = Object.keys(shapes);

// Noise that is the same in every run.
let state = 1;
const random = () => (state = (state * 48271) % 2147483647) / 2147483647;

/** `[3, size, size]`: a shape somewhere in the picture, of some colour. */
function picture(name) {
  const [left, top] = [random() - 0.5, random() - 0.5];
  const colour = [random(), random(), random()].map((part) => 100 + 155 * part);
  return Uint8Array.from({ length: 3 * size * size }, (_, i) => {
    const [c, y, x] = [Math.floor(i / size ** 2), Math.floor(i / size) % size, i % size];
    const inside = shapes[name]((2 * x) / size - 1 + left, (2 * y) / size - 1 + top);
    return 60 * random() + (inside ? 0.7 * colour[c] : 20);
  });
}

/** Flat arrays: pictures one after the other, and their classes as numbers. */
function split(count) {
  const labels = Array.from({ length: count }, (_, i) => i % names.length);
  const images = new Uint8Array(count * 3 * size * size);
  for (const [i, label] of labels.entries()) images.set(picture(names[label]), i * 3 * size * size);
  return { images, labels };
}

/** Two images per class, and what a network reaches that trains on them. */
async function distillFrom(device, data) {
  console.log(`${data.name}: ${data.train.count} training images, classes ${data.classNames.join(', ')}`);
  const options = { network: 'mlp', ipc: 2, iterations: 200, batch: 128, imageScale: 0.3 };
  const { set } = await distill(device, data, options);
  const { accuracy, baselines } = await evaluate(device, data, set);
  const random = baselines.randomReal.mean.toFixed(1);
  console.log(`  six distilled images: ${accuracy.mean.toFixed(1)} %, six random ones: ${random} %`);
  if (!(accuracy.mean > 60)) throw new Error(`expected more than 60 %, got ${accuracy.mean} %`);
}

/** `folder/train/cross/0.png` and so on. */
async function writePictures(folder, { images, labels }) {
  for (const name of names) await mkdir(join(folder, name), { recursive: true });
  for (const [i, label] of labels.entries()) {
    const pixels = images.subarray(i * 3 * size * size);
    // A picture file has the three colours of a pixel side by side.
    const data = Uint8Array.from(
      { length: 3 * size * size },
      (_, at) => pixels[(at % 3) * size * size + Math.floor(at / 3)],
    );
    const png = encodePng({ width: size, height: size, channels: 3, data });
    await writeFile(join(folder, names[label], `${i}.png`), png);
  }
}

const [train, test] = [split(1200), split(300)];
const device = await openDevice('auto');

await distillFrom(device, datasetFromArrays({ name: 'arrays', imageShape: [3, size, size], train, test }));

const folder = await mkdtemp(join(tmpdir(), 'limbeck-pictures-'));
try {
  await writePictures(join(folder, 'train'), train);
  await writePictures(join(folder, 'test'), test);
  await distillFrom(device, await loadDataset(folder));
} finally {
  await rm(folder, { recursive: true });
  await device.dispose();
}
