import { keeps } from '../train/hypergradient.js';
import { lossNames } from '../train/loss.js';
import {
  describeOptimizer,
  isAdam,
  type OptimizerOptions,
  optimizerKinds,
  type Training,
} from '../train/training.js';
import { fraction, notNegative, oneOf, positive, type ValuesOf } from '../util/option.js';

/** Options of what trains on the distilled images inside an outer step: an optimiser, `kind` unless another is named, and a loss. */
export const innerOptions = (kind: OptimizerOptions['kind']) => ({
  optimizer: oneOf(optimizerKinds, kind, 'what trains on the distilled images'),
  momentum: fraction(0.9, 'of momentum and nesterov'),
  weightDecay: notNegative(0, 'of the inner optimiser; decoupled for adamw'),
  innerBeta1: fraction(0.9, "inner Adam's decay of the mean"),
  innerBeta2: fraction(0.999, "inner Adam's decay of the square"),
  innerEpsilon: positive(1e-8, "inner Adam's epsilon"),
  loss: oneOf(lossNames, 'cross-entropy', 'what the inner steps minimise'),
});

/** What the way back through inner steps keeps. */
export const keepOption = oneOf(
  keeps,
  'small',
  'inner steps kept for the way back: all is fastest and takes most memory, sqrt takes least',
);

/** Of these, constants that the optimiser does not have; see `Method.idle`. */
export function idleConstants({ optimizer }: Pick<ValuesOf<ReturnType<typeof innerOptions>>, 'optimizer'>) {
  const adam = `optimizer is ${optimizer}, which has none, expected optimizer: adam or adamw beside it`;
  const momentum = `optimizer is ${optimizer}, which has none, expected optimizer: momentum or nesterov beside it`;
  return {
    ...(optimizer !== 'momentum' && optimizer !== 'nesterov' && { momentum }),
    ...(!isAdam(optimizer) && { innerBeta1: adam, innerBeta2: adam, innerEpsilon: adam }),
  };
}

/** The inner optimiser and loss that these options say. */
export function innerTraining(o: ValuesOf<ReturnType<typeof innerOptions>>): Training {
  const { momentum, weightDecay, innerBeta1: beta1, innerBeta2: beta2, innerEpsilon: epsilon } = o;
  const constants = { momentum, weightDecay, beta1, beta2, epsilon };
  return { optimizer: describeOptimizer(o.optimizer, constants), loss: o.loss };
}
