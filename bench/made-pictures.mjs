/**
 * Makes a folder of pictures of shapes, with as many classes as asked for: `train/CLASS/*.png` and `test/CLASS/*.png`. A class is a shape, a hue
 * and, where there are many, the direction of stripes; place, size, light, turn and what lies around it are other ones in every picture.
 *
 *     node bench/made-pictures.mjs OUT --classes 20 --size 128 --train 60 --test 20
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodePng } from '../dist/index.js';
import { readArguments, refuse } from './suite/arguments.mjs';

const { flags, positionals } = readArguments(
  'node bench/made-pictures.mjs OUT [options]',
  {
    classes: { value: 'N', least: 1, default: 20, help: 'each a shape of a hue' },
    size: { value: 'N', least: 1, default: 128, help: 'pixels of a side' },
    train: { value: 'N', least: 0, default: 60, help: 'pictures a class' },
    test: { value: 'N', least: 0, default: 20, help: 'pictures a class' },
  },
  { most: 1 },
);
const [out = refuse('OUT is missing, expected the folder to make')] = positionals;
const { classes, size, train, test } = flags;

/** Whether a place, in radii of the shape from its middle, is in it. */
const shapes = {
  disc: (x, y) => Math.hypot(x, y) < 1,
  ring: (x, y) => Math.hypot(x, y) < 1 && Math.hypot(x, y) > 0.55,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 0.85,
  cross: (x, y) => Math.min(Math.abs(x), Math.abs(y)) < 0.33 && Math.max(Math.abs(x), Math.abs(y)) < 1,
  triangle: (x, y) => y < 0.6 && y > 1.9 * Math.abs(x) - 1,
};
const names = Object.keys(shapes);
const hues = Math.min(8, Math.max(1, Math.ceil(classes / names.length)));

/** Numbers in 0..1 from a seed: mulberry32. */
function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Red, green and blue of a hue in turns. */
const colour = (hue, light) =>
  [0, 1 / 3, 2 / 3].map((by) => light * (0.55 + 0.45 * Math.cos(2 * Math.PI * (hue - by))));

function picture(label, random) {
  const inside = shapes[names[label % names.length]];
  const hue = (Math.floor(label / names.length) % hues) / hues;
  const stripes = Math.floor(label / (names.length * hues));
  const between = (low, high) => low + (high - low) * random();
  const [x0, y0, radius] = [between(0.3, 0.7), between(0.3, 0.7), between(0.17, 0.3)].map(
    (part) => part * size,
  );
  const [turn, own] = [between(-0.5, 0.5), colour(hue + between(-0.02, 0.02), between(0.7, 1))];
  const [behind, slope] = [colour(random(), between(0.2, 0.8)), between(-0.4, 0.4)];
  const spots = Array.from({ length: 4 }, () => ({
    ...{ x: random() * size, y: random() * size, r: between(0.04, 0.1) * size },
    colour: colour(random(), between(0.3, 1)),
  }));
  const direction = (stripes * Math.PI) / 5;
  const data = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) {
      const [u, v] = [(x - x0) / radius, (y - y0) / radius];
      const [a, b] = [Math.cos(turn) * u + Math.sin(turn) * v, Math.cos(turn) * v - Math.sin(turn) * u];
      const spot = spots.find((one) => Math.hypot(x - one.x, y - one.y) < one.r);
      const band = 0.75 + 0.25 * Math.sign(Math.sin(9 * (Math.cos(direction) * u + Math.sin(direction) * v)));
      const light = 1 + slope * (y / size - 0.5) + 0.15 * (random() - 0.5);
      const shown = inside(a, b) ? own.map((one) => one * band) : (spot?.colour ?? behind);
      for (let c = 0; c < 3; c++)
        data[(y * size + x) * 3 + c] = Math.max(0, Math.min(255, 255 * light * shown[c]));
    }
  return encodePng({ width: size, height: size, channels: 3, data });
}

for (const [split, count] of Object.entries({ train, test }))
  for (let label = 0; label < classes; label++) {
    const folder = join(out, split, `class${String(label).padStart(3, '0')}`);
    mkdirSync(folder, { recursive: true });
    for (let i = 0; i < count; i++) {
      const random = randomOf((split === 'test' ? 1e6 : 0) + label * 1000 + i);
      writeFileSync(join(folder, `${i}.png`), picture(label, random));
    }
  }
