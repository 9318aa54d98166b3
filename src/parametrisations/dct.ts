import * as linear from '../engine/ops/linear.js';
import { reshape } from '../engine/view.js';
import { images, type Parametrisation, tooMany } from './parametrisation.js';

const options = { images };

/**
 * The coefficients of lowest frequency of every item's discrete cosine transform (type II, orthonormal), channel by channel: of
 * `H W / images` numbers each, those nearest to frequency zero when each axis counts in parts of its length. The authors choose by the
 * variance that frequencies explain in the data; here the choice is the same for all data.
 *
 * The transform is orthonormal: a step of the coefficients changes an image as much as one of the same length of its pixels.
 */
export const parametrisation: Parametrisation<typeof options> = {
  name: 'dct',
  source: 'Shin, Shin, Moon: Frequency Domain-based Dataset Distillation, 2023',
  options,
  perPicture: ({ images }) => images,
  decoder(pictures, [C, H, W], { images }) {
    const [N, count] = [pictures * images, Math.floor((H * W) / images)];
    if (count < 1) throw tooMany(images, `each keeps one of its ${H * W} coefficients`);
    const waves = lowest(count, H, W);
    const maps = [N * C, H * W];
    return {
      perPicture: images,
      variables: { coefficients: [N, C, count] },
      encode: (items) => ({ coefficients: project(items, waves, count) }),
      decode(r, { coefficients }, bars) {
        const w = r.constant('cosines', [H * W, count], waves);
        const flat = [N * C, count];
        const items = linear.forward(r, { x: reshape(coefficients, flat), w });
        const itemsBar = bars && r.temporary('itemsBar', 1, [N, C, H, W]);
        return {
          items: reshape(items, [N, C, H, W]),
          itemsBar,
          backward() {
            if (itemsBar)
              linear.backwardInput(
                r,
                { yBar: reshape(itemsBar, maps), w },
                { into: reshape(bars.coefficients, flat) },
              );
          },
        };
      },
    };
  },
};

/** `[H * W, count]`: what each pixel is in the waves of lowest frequency, from the lowest on. */
function lowest(count: number, H: number, W: number): Float64Array {
  const frequencies = Array.from({ length: H * W }, (_, k) => [Math.floor(k / W), k % W] as const);
  const distance = ([i, j]: readonly [number, number]) => (i / H) ** 2 + (j / W) ** 2;
  // Ties stay in the order of rows.
  const kept = frequencies.sort((a, b) => distance(a) - distance(b)).slice(0, count);
  const wave = (size: number, frequency: number, at: number) =>
    Math.sqrt((frequency ? 2 : 1) / size) * Math.cos((Math.PI * frequency * (at + 0.5)) / size);
  return Float64Array.from({ length: H * W * count }, (_, at) => {
    const [pixel, [i, j]] = [Math.floor(at / count), kept[at % count]];
    return wave(H, i, Math.floor(pixel / W)) * wave(W, j, pixel % W);
  });
}

/** The inner products of every map of the items with the waves. */
function project(items: Float32Array, waves: Float64Array, count: number): Float32Array {
  const pixels = waves.length / count;
  const coefficients = new Float32Array((items.length / pixels) * count);
  for (let map = 0; map < items.length / pixels; map++) {
    const sums = new Float64Array(count);
    for (let i = 0; i < pixels; i++) {
      const value = items[map * pixels + i];
      for (let k = 0; k < count; k++) sums[k] += value * waves[i * count + k];
    }
    coefficients.set(sums, map * count);
  }
  return coefficients;
}
