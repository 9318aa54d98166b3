import type { Sizes } from '../../kernel.js';
import { Program } from '../../program.js';
import type { Step } from '../../step.js';
import type { Slot, View } from '../../view.js';
import { accessesOf } from '../accesses.js';
import { backwardInputKernel, backwardWeightKernel, forwardKernel } from '../ops/pooled.js';

/** Kernels that take the place of those of conv2d. */
const replacements: Readonly<Record<string, Step['kernel']>> = {
  'conv2d.backwardInput': backwardInputKernel,
  'conv2d.backwardWeight': backwardWeightKernel,
};

/** Elements of one map. */
const outputsOf = ({ shape }: View): number => shape[2] * shape[3];

/**
 * Whether visiting nonzeros one by one pays: each costs about twice as much, in vectors of the taps of one line (taken for eight
 * lanes). Sums for a large image would not stay in cache.
 */
function pays(s: Sizes, pooled: View): boolean {
  const taps = s.KW * s.C;
  const row = Math.ceil(taps / 8) * 8;
  return (
    s.G === 1 &&
    s.dilation === 1 &&
    2 * outputsOf(pooled) * row <= s.OH * s.OW * taps &&
    ((s.OH - 1) * s.stride + s.KH) * s.OW * row <= 64 * 1024
  );
}

/**
 * Whether images can lie side by side in vectors of up to 16: few lanes stay empty, and what a window reads stays in the
 * first-level cache (taken for eight).
 */
function paysForward(s: Sizes, pooling: Sizes): boolean {
  const windows = pooling.KH === 2 && pooling.KW === 2 && pooling.stride === 2 && pooling.padding === 0;
  const bytes = 32 * s.C * (s.KH + 1) * (s.KW + 1) + 4 * s.OC * s.C * s.KH * s.KW;
  return (
    windows &&
    s.OH % 2 === 0 &&
    s.OW % 2 === 0 &&
    s.G === 1 &&
    s.dilation === 1 &&
    s.stride === 1 &&
    Math.ceil(s.N / 16) * 16 <= 1.1 * s.N &&
    bytes <= 24 * 1024
  );
}

const whole = ({ slot, offset, members, shape }: View): boolean =>
  offset === 0 && slot.length === members * shape.reduce((product, size) => product * size, 1);
const same = (a: View, b: View): boolean =>
  a.slot === b.slot && a.offset === b.offset && a.members === b.members;

/**
 * The same program with two changes. A convolution and the max pooling that alone reads its output become one step. Gradients of
 * convolutions behind max pooling are computed from the pooling's own gradient and winners, without its backward pass, where
 * nothing else reads the result of that.
 */
export function pooled(program: Program): Program {
  const touching = new Map<Slot, Step[]>();
  const writers = new Map<Slot, number>();
  for (const step of program.steps) {
    const accesses = accessesOf(step);
    for (const slot of new Set(accesses.map(({ view }) => view.slot)))
      touching.set(slot, [...(touching.get(slot) ?? []), step]);
    for (const { view, writes } of accesses)
      if (writes) writers.set(view.slot, (writers.get(view.slot) ?? 0) + 1);
  }

  /** Backward passes of pooling that can be left out, by what they write. */
  const sources = new Map<Slot, Step>();
  for (const step of program.steps) {
    const { yBar, index, xBar } = step.operands;
    if (step.kernel.name !== 'maxpool2d.backward' || !yBar || !index || !xBar) continue;
    const stay = [yBar, index].every(({ slot }) => !slot.external && writers.get(slot) === 1);
    if (stay && !xBar.slot.external && writers.get(xBar.slot) === 1 && whole(xBar))
      sources.set(xBar.slot, step);
  }
  const pooledOf = (view: View): View | undefined =>
    whole(view) ? sources.get(view.slot)?.operands.yBar : undefined;

  /** The step that does the same without the backward pass of pooling; undefined where there is none. */
  const replace = (step: Step): Step | undefined => {
    const { yBar, yBar2, ...others } = step.operands;
    const to = yBar && pooledOf(yBar);
    if (!to || Object.values(others).some((view) => view && sources.has(view.slot))) return undefined;
    if (step.kernel.name === 'bias.backward')
      return { ...step, operands: { ...others, yBar: to }, sizes: { ...step.sizes, S: outputsOf(to) } };
    const kernel = replacements[step.kernel.name];
    const index = sources.get(yBar.slot)!.operands.index!;
    const second = yBar2 && pooledOf(yBar2) && sources.get(yBar2.slot)!.operands;
    if (!kernel || !pays(step.sizes, to) || (yBar2 && !(second && same(second.index!, index))))
      return undefined;
    const operands = { ...others, yBar: to, yBar2: second?.yBar, index };
    return { ...step, kernel, operands, sizes: { ...step.sizes, outputs: outputsOf(to) } };
  };

  // One that has to stay keeps those that are read by the same step.
  for (let before = -1; before !== sources.size; ) {
    before = sources.size;
    for (const [slot, source] of sources)
      if (!touching.get(slot)!.every((step) => step === source || replace(step))) sources.delete(slot);
  }
  const left = new Set(sources.values());

  /** A convolution and its pooling as one step; undefined where another step touches what is between them. */
  const join = (convolution: Step | undefined, pooling: Step): Step | undefined => {
    if (convolution?.kernel.name !== 'conv2d.forward' || pooling.kernel.name !== 'maxpool2d.forward')
      return undefined;
    const { x, w, x2, b, y } = convolution.operands;
    const { x: map, y: to, index } = pooling.operands;
    const between = y!.slot === map!.slot && !y!.slot.external && touching.get(y!.slot)!.length === 2;
    if (!between || !whole(y!) || !whole(map!) || x2 || convolution.accumulate) return undefined;
    if (!paysForward(convolution.sizes, pooling.sizes)) return undefined;
    const sizes = { ...convolution.sizes, outputs: outputsOf(to!) };
    return { ...convolution, kernel: forwardKernel, operands: { x, w, b, y: to, index }, sizes };
  };

  const steps: Step[] = [];
  program.steps.forEach((step, i) => {
    if (left.has(step)) return;
    const joined = join(program.steps[i - 1], step);
    if (joined) steps.pop();
    steps.push(joined ?? replace(step) ?? step);
  });
  return new Program(program.name, program.slots, steps);
}
