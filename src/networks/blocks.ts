import { gelu, leakyRelu, sigmoid, softplus, swish, tanh } from '../layers/activation.js';
import { avgPool } from '../layers/avg-pool.js';
import { batchNorm } from '../layers/batch-norm.js';
import { groupNorm } from '../layers/group-norm.js';
import type { Layer } from '../layers/layer.js';
import { layerNorm } from '../layers/layer-norm.js';
import { linear } from '../layers/linear.js';
import { maxPool } from '../layers/max-pool.js';
import { oneLogit } from '../layers/one-logit.js';
import { relu } from '../layers/relu.js';
import type { NetworkOptions } from './network.js';
import { flag, oneOf, whole } from './options.js';

/** Choices that the networks of the field share, by the names in their options; the first is the field's own. */
const norms = {
  instance: () => [groupNorm('instance')],
  batch: () => [batchNorm()],
  layer: () => [layerNorm()],
  group: () => [groupNorm(4)],
  'one-group': () => [groupNorm(1)],
  none: () => [],
} satisfies Record<string, () => Layer[]>;

const activations = { relu, leakyrelu: leakyRelu, sigmoid, tanh, softplus, gelu, swish } satisfies Record<
  string,
  () => Layer
>;

const halving = { kernel: 2, stride: 2, padding: 0 };
const poolings = {
  avg: () => [avgPool(halving)],
  max: () => [maxPool(halving)],
  none: () => [],
} satisfies Record<string, () => Layer[]>;

const names = <T extends object>(table: T) => Object.keys(table) as (keyof T & string)[];

/**
 * `norm`: instance (one channel per group), batch, layer (all channels, a gamma and beta per element), group (of 4 groups),
 * one-group (all channels, a gamma and beta per channel) or none.
 */
export const normOption = oneOf(...names(norms));
export const activationOption = oneOf(...names(activations));
/** `pooling`: 2x2 average or maximum, or none. */
export const poolingOption = oneOf(...names(poolings));

/** Of recurrent networks; the published ones have two layers of 100 units, walked from both ends. */
export const recurrentOptions = { layers: whole(2), hidden: whole(100), bidirectional: flag(true) };

export const norm = (name: keyof typeof norms): Layer[] => norms[name]();
export const activation = (name: keyof typeof activations): Layer => activations[name]();
export const pooling = (name: keyof typeof poolings): Layer[] => poolings[name]();

/** Padding of the first 3x3 convolution: 3 for grey images of any size, so that those of 28x28 make maps of 32x32, else 1. */
export const firstPadding = ({ inputShape: [C] }: NetworkOptions): number => (C === 1 ? 3 : 1);

/** The last layers of a network: a linear one to the classes or, with `logits: 1`, to a single number that two classes share. */
export const head = ({ classes, logits }: NetworkOptions): Layer[] =>
  logits === 1 ? [linear(1), oneLogit()] : [linear(classes)];
