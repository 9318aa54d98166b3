import type { Kernel, Sizes } from './kernel.js';
import type { Operands } from './view.js';

/** One call of a kernel on views. */
export interface Step {
  readonly kernel: Kernel;
  readonly operands: Operands;
  /** Whole numbers that fix the geometry: `P N C H W …`. */
  readonly sizes: Sizes;
  /** Real numbers that never change between runs. */
  readonly constants: Readonly<Record<string, number>>;
  /** Whether the written operand is added to (`true`) or overwritten. */
  readonly accumulate: boolean;
}
