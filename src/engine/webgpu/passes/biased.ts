import { elements, Program, type Step, type View } from '../../program.js';
import { biasedKernels } from '../ops/biased.js';

/** Products whose columns fill tiles to the last would get one more tile for the bias. */
const narrowestTile = 32;

const columnsOf = ({ wBar }: Step['operands']): number => elements(wBar!.shape) / wBar!.shape[0];

const same = (a: View, b: View): boolean =>
  a.slot === b.slot &&
  a.offset === b.offset &&
  a.members === b.members &&
  a.stride === b.stride &&
  elements(a.shape) === elements(b.shape);

/** The gradient of weights and the gradient of the bias after it as one step; undefined where they are not that. */
function join(weights: Step | undefined, bias: Step): Step | undefined {
  if (!weights || bias.kernel.name !== 'bias.backward') return undefined;
  const kernel = biasedKernels[weights.kernel.name];
  const { yBar, wBar } = weights.operands;
  const { bBar } = bias.operands;
  if (!kernel || !same(yBar!, bias.operands.yBar!) || weights.accumulate !== bias.accumulate)
    return undefined;
  const end = { ...wBar!, offset: wBar!.offset + elements(wBar!.shape), shape: bBar!.shape };
  if (!same(end, bBar!) || weights.sizes.P !== bias.sizes.P) return undefined;
  if (columnsOf(weights.operands) % narrowestTile === 0) return undefined;
  const both = { ...wBar!, shape: [elements(wBar!.shape) + elements(bBar!.shape)] };
  return {
    ...weights,
    kernel,
    operands: { ...weights.operands, wBar: both },
    sizes: { ...weights.sizes, BIAS: 1 },
  };
}

/** The same program where gradients of weights have that of the bias with them, which parameter vectors have behind them. */
export function biased(program: Program): Program {
  const steps: Step[] = [];
  for (const step of program.steps) {
    const joined = join(steps.at(-1), step);
    if (joined) steps.pop();
    steps.push(joined ?? step);
  }
  return new Program(program.name, program.slots, steps);
}
