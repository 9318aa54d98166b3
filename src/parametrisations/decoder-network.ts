import { elements } from '../engine/view.js';
import type { Layer } from '../layers/layer.js';
import { type Sequence, sequence } from '../layers/sequence.js';
import { type LayerSpec, layersOf } from '../networks/layer-specs.js';
import { inARow, type Parameter } from '../networks/network.js';
import { streams } from '../train/streams.js';
import { LimbeckError } from '../util/errors.js';
import { Stream } from '../util/random.js';
import { tooMany } from './parametrisation.js';

/** Below zero the usual decoder goes on with this slope. */
const slope = 0.2;

/** Layers for latents of a shape, and where their parameters lie in one vector. */
export interface Plan {
  readonly layer: Sequence;
  readonly latent: readonly number[];
  readonly parameters: readonly Parameter[];
  readonly count: number;
}

export function plan(layers: readonly Layer[], latent: readonly number[]): Plan {
  const layer = sequence(...layers);
  const [parameters, count] = inARow(layer.parameters(latent));
  return { layer, latent, parameters, count };
}

/** The usual decoder, its latents with as many channels as the budget holds. */
export function usual(
  [C, H, W]: readonly number[],
  { N, budget, images, width }: { N: number; budget: number; images: number; width: number },
): Plan {
  if (width < 2 * C)
    throw new LimbeckError(
      'ERR_OPTION',
      `parametrisation decoder: width is ${width}, expected at least ${2 * C}, two for each channel of an image`,
    );
  const doublings = [2, 1, 0].find((k) => H % 2 ** k === 0 && W % 2 ** k === 0)!;
  const double: LayerSpec[] = [
    { convTranspose: width, kernel: 4, stride: 2, padding: 1 },
    { leakyRelu: slope },
  ];
  const specs = [...Array(doublings).fill(double).flat(), { conv: C, kernel: 3, padding: 1 }];
  const of = (channels: number) =>
    plan(layersOf(specs, 'layers'), [channels, H / 2 ** doublings, W / 2 ** doublings]);
  const size = (channels: number) => of(channels).count + N * elements(of(channels).latent);
  const perChannel = size(2) - size(1);
  const channels = 1 + Math.floor((budget - size(1)) / perChannel);
  if (channels < C)
    throw tooMany(
      images,
      `each has ${C} channels of latents beside the decoder, in ${budget} numbers of which these take ${size(C)}`,
    );
  return of(channels);
}

export const noise = (count: number, seed: number): Float32Array => {
  const source = new Stream(seed, streams.decoder);
  return Float32Array.from({ length: count }, (_, i) => source.normal(i));
};

/** Normal weights of variance 1 / fan-in, no biases; norms 1 and 0. */
export function fresh(parameters: readonly Parameter[], count: number, seed: number): Float32Array {
  const first = new Float32Array(count);
  parameters.forEach(({ kind, offset, shape, fanIn }, index) => {
    const source = new Stream(seed, streams.decoder, index + 1);
    for (let i = 0; i < elements(shape); i++)
      first[offset + i] = kind === 'weight' ? source.normal(i) / Math.sqrt(fanIn) : kind === 'scale' ? 1 : 0;
  });
  return first;
}

/**
 * Makes the usual decoder interpolate: channel c of the first C latents is in two maps, one with its sign turned, whose difference is
 * the same behind a leaky ReLU but for a factor. Other latents begin as zeros, and other maps count nothing in the images.
 */
export function interpolating(first: Float32Array, parameters: readonly Parameter[], C: number): void {
  const weights = parameters.filter(({ kind }) => kind === 'weight');
  weights.forEach(({ offset, shape }, layer) => {
    const last = layer === weights.length - 1;
    const [inputs, outputs] = last ? [shape[1], shape[0]] : shape;
    // A map of a stage is one channel of the latents, or one of two signed maps.
    const signs = (map: number, stage: number) =>
      stage === 0
        ? { c: map, sign: map < C ? 1 : 0 }
        : { c: map >> 1, sign: map < 2 * C ? (map % 2 ? -1 : 1) : 0 };
    const kernel = last ? [0, 1, 0] : [0.25, 0.75, 0.75, 0.25];
    const K = kernel.length;
    for (let i = 0; i < inputs; i++)
      for (let o = 0; o < outputs; o++) {
        const [from, to] = [signs(i, layer), last ? { c: o, sign: 1 } : signs(o, 1)];
        const free = to.sign === 0 || (layer === 0 && i >= C);
        if (free) continue;
        const factor = from.c === to.c ? (from.sign * to.sign) / (layer === 0 ? 1 : 1 + slope) : 0;
        const at = offset + (last ? o * inputs + i : i * outputs + o) * K * K;
        for (let k = 0; k < K * K; k++) first[at + k] = factor * kernel[Math.floor(k / K)] * kernel[k % K];
      }
  });
}

/** The first channels of latents: each number is the mean of the pixels it stands for. */
export function shrunk(
  items: Float32Array,
  [C, H, W]: readonly number[],
  latent: readonly number[],
): Float32Array {
  const [L, h, w] = latent;
  const [down, right] = [H / h, W / w];
  const latents = new Float32Array((items.length / (C * H * W)) * L * h * w);
  items.forEach((value, i) => {
    const [column, row, map] = [i % W, Math.floor(i / W) % H, Math.floor(i / (H * W))];
    const to = (Math.floor(map / C) * L + (map % C)) * h * w;
    latents[to + Math.floor(row / down) * w + Math.floor(column / right)] += value / (down * right);
  });
  return latents;
}
