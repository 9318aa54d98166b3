import { gelu, leakyRelu, sigmoid, softplus, tanh } from '../layers/activation.js';
import { avgPool } from '../layers/avg-pool.js';
import { batchNorm } from '../layers/batch-norm.js';
import { groupNorm } from '../layers/group-norm.js';
import type { Layer } from '../layers/layer.js';
import { maxPool } from '../layers/max-pool.js';
import { relu } from '../layers/relu.js';
import { oneOf } from './options.js';

/** Choices that the networks of the field share, by the names in their options; the first is the field's own. */
const norms = {
  instance: () => [groupNorm('instance')],
  batch: () => [batchNorm()],
  layer: () => [groupNorm('layer')],
  group: () => [groupNorm(4)],
  none: () => [],
} satisfies Record<string, () => Layer[]>;

const activations = { relu, leakyrelu: leakyRelu, sigmoid, tanh, softplus, gelu } satisfies Record<
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

/** `norm`: instance (one channel per group), batch, layer (one group), group (of 4 groups) or none. */
export const normOption = oneOf(...names(norms));
export const activationOption = oneOf(...names(activations));
/** `pooling`: 2x2 average or maximum, or none. */
export const poolingOption = oneOf(...names(poolings));

export const norm = (name: keyof typeof norms): Layer[] => norms[name]();
export const activation = (name: keyof typeof activations): Layer => activations[name]();
export const pooling = (name: keyof typeof poolings): Layer[] => poolings[name]();
