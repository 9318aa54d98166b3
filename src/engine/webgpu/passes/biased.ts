import type { Program } from '../../program.js';
import type { Step } from '../../step.js';
import { elements, sameElements, type View } from '../../view.js';
import { biasedKernels, setsKernel } from '../ops/biased.js';
import { joinNeighbours } from './neighbours.js';

/** Columns of the narrowest tile: a product whose columns are a multiple would get one more tile for the bias. */
const narrowestTile = 32;
/** Operations of that tile that take no longer than the dispatch it saves. */
const ofDispatch = 2 ** 26;

/** The elements that follow a view, in the shape of another one. */
const behind = (view: View, { shape }: View): View => ({
  ...view,
  offset: view.offset + elements(view.shape),
  shape,
});

/** Two views that follow each other as one. */
const both = (first: View, second: View): View => ({
  ...first,
  shape: [elements(first.shape) + elements(second.shape)],
});

/** The gradient of weights and the gradient of the bias after it as one step; undefined where they are not that. */
function withWeights(weights: Step, bias: Step): Step | undefined {
  const kernel = biasedKernels[weights.kernel.name];
  if (!kernel || weights.sizes.BIAS || weights.accumulate !== bias.accumulate) return undefined;
  const { C, S } = kernel.geometry(weights.sizes);
  if (bias.sizes.N !== weights.sizes.N || bias.sizes.C !== C || bias.sizes.S !== S) return undefined;
  const { yBar, wBar } = weights.operands as { yBar: View; wBar: View };
  const { bBar } = bias.operands as { bBar: View };
  if (!sameElements(yBar, bias.operands.yBar!) || !sameElements(behind(wBar, bBar), bBar)) return undefined;
  const columns = elements(wBar.shape) / wBar.shape[0];
  const tile = (weights.kernel.flops(weights.sizes, weights.operands) * narrowestTile) / columns;
  if (columns % narrowestTile === 0 && tile > ofDispatch) return undefined;
  return {
    ...weights,
    kernel,
    operands: { ...weights.operands, wBar: both(wBar, bBar) },
    sizes: { ...weights.sizes, BIAS: 1 },
  };
}

/** Gradients of biases of the same size that follow each other, as gamma and beta of a norm do, as one step. */
function withOthers(before: Step, bias: Step): Step | undefined {
  if (before.kernel.name !== bias.kernel.name || before.accumulate !== bias.accumulate) return undefined;
  if ((['N', 'C', 'S'] as const).some((size) => before.sizes[size] !== bias.sizes[size])) return undefined;
  const operands: Record<string, View> = {};
  for (const name of ['yBar', 'bBar'] as const) {
    const [first, second] = [before.operands[name]!, bias.operands[name]!];
    if (!sameElements(behind(first, second), second)) return undefined;
    operands[name] = both(first, second);
  }
  return {
    ...before,
    kernel: setsKernel,
    operands,
    sizes: { ...before.sizes, SETS: (before.sizes.SETS ?? 1) + 1 },
  };
}

/**
 * The same program where the gradient of a bias is computed together with the one before it in the parameter vector: of the weights,
 * or of another bias. One dispatch less for each. Without `ones` no bias is computed as the weight of an input that is always 1.
 */
export const biased = (program: Program, { ones = true } = {}): Program =>
  joinNeighbours(program, (before, step) =>
    step.kernel.name === 'bias.backward'
      ? ((ones ? withWeights(before, step) : undefined) ?? withOthers(before, step))
      : undefined,
  );
