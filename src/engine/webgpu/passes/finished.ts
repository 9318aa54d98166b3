import { elements, Program, type Slot, type Step, type View } from '../../program.js';
import { type Finish, finishedBy, finishing } from '../ops/finished.js';

/** Rectifiers: what a kernel before them does in their place, what they take of it and what they give. */
const rectifiers: Readonly<Record<string, { finish: Finish; takes: string; gives: string }>> = {
  'relu.forward': { finish: 'rectified', takes: 'x', gives: 'y' },
  'relu.mask': { finish: 'masked', takes: 'u', gives: 'out' },
};

/** Whether a view is all of its slot. */
const whole = ({ slot, offset, members, shape }: View): boolean =>
  offset === 0 && slot.length === members * elements(shape);

/** How many steps touch each slot. */
function touchesOf(steps: readonly Step[]): Map<Slot, number> {
  const touches = new Map<Slot, number>();
  for (const { operands } of steps)
    for (const slot of new Set(Object.values(operands).flatMap((view) => view?.slot ?? [])))
      touches.set(slot, (touches.get(slot) ?? 0) + 1);
  return touches;
}

/**
 * The same program where a step does what a rectifier after it would do with its result, or the mask of one, which nobody else
 * reads: a launch and a trip through memory less.
 */
export function finished(program: Program): Program {
  const touches = touchesOf(program.steps);

  const join = (step: Step | undefined, next: Step): Step | undefined => {
    const rectifier = rectifiers[next.kernel.name];
    const result = step && finishedBy(step.kernel);
    if (!rectifier || !result || step.accumulate || step.sizes.P !== next.sizes.P) return undefined;
    const { finish, takes, gives } = rectifier;
    const [from, taken, to] = [step.operands[result]!, next.operands[takes]!, next.operands[gives]!];
    const between = from.slot === taken.slot && !from.slot.external && touches.get(from.slot) === 2;
    if (!between || !whole(from) || !whole(taken)) return undefined;
    const mask = finish === 'masked' ? { mask: next.operands.y } : {};
    const operands: Step['operands'] = { ...step.operands, [result]: to, ...mask };
    const others = Object.entries(operands).filter(([name]) => name !== result);
    // A step that writes to a tensor can use it only once.
    if (others.some(([, view]) => view?.slot === to.slot)) return undefined;
    return { ...step, kernel: finishing(step.kernel, finish), operands };
  };

  const steps: Step[] = [];
  for (const step of program.steps) {
    const joined = join(steps.at(-1), step);
    if (joined) steps.pop();
    steps.push(joined ?? step);
  }
  return new Program(program.name, program.slots, steps);
}
