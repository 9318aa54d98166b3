import type { Program } from '../../program.js';
import type { Step } from '../../step.js';
import { type Slot, sameElements } from '../../view.js';
import { maskOperand, type Rectification, rectifiable, rectifying } from '../ops/rectified.js';
import { joinNeighbours } from './neighbours.js';

/** Rectifiers: what the kernel before them does in their place, and their operand and result. */
const rectifiers: Readonly<Record<string, { how: Rectification; takes: string; gives: string }>> = {
  'relu.forward': { how: 'rectified', takes: 'x', gives: 'y' },
  'relu.mask': { how: 'masked', takes: 'u', gives: 'out' },
};

/** How many steps touch each slot. */
function touchesOf(steps: readonly Step[]): Map<Slot, number> {
  const touches = new Map<Slot, number>();
  for (const { operands } of steps)
    for (const slot of new Set(Object.values(operands).flatMap((view) => view?.slot ?? [])))
      touches.set(slot, (touches.get(slot) ?? 0) + 1);
  return touches;
}

/**
 * The same program where a step applies the rectifier, or mask, after it to its own result, if nothing else reads that: one
 * dispatch and one trip through memory less. `memoryOf` is the same for slots that are bound to the same tensor.
 */
export function rectified(program: Program, memoryOf: (slot: Slot) => unknown = (slot) => slot): Program {
  const touches = touchesOf(program.steps);

  return joinNeighbours(program, (step, next) => {
    const rectifier = rectifiers[next.kernel.name];
    const result = rectifiable(step.kernel);
    if (!rectifier || !result || step.accumulate || step.sizes.P !== next.sizes.P) return undefined;
    const { how, takes, gives } = rectifier;
    const [from, taken, to] = [step.operands[result]!, next.operands[takes]!, next.operands[gives]!];
    const between = sameElements(from, taken) && !from.slot.external && touches.get(from.slot) === 2;
    if (!between) return undefined;
    const mask = how === 'masked' ? { [maskOperand]: next.operands.y } : {};
    const operands: Step['operands'] = { ...step.operands, ...mask, [result]: to };
    const others = Object.entries(operands).flatMap(([name, view]) =>
      view && name !== result ? [view] : [],
    );
    // The slot between them is no longer written, and a step that writes to a tensor can use it only once.
    if (others.some(({ slot }) => slot === from.slot || memoryOf(slot) === memoryOf(to.slot)))
      return undefined;
    return { ...step, kernel: rectifying(step.kernel, how), operands };
  });
}
