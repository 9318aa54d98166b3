import type { Step } from '../step.js';
import { type Slot, sameParts, type View } from '../view.js';
import { type Access, accessesOf } from './accesses.js';
import type { PlannedUnit } from './strips.js';

/**
 * Results that overwrite an operand which nothing reads afterwards, each with the slot whose memory it takes: where the kernel
 * allows it, and all steps of a group that touch the two take the same parts. Memory that was just read is in cache and need not
 * be fetched to be written.
 */
export function inPlace(
  units: readonly PlannedUnit[],
  isInner: (view: View, unit: PlannedUnit) => boolean,
): ReadonlyMap<Slot, Slot> {
  const first = new Map<Slot, Step>();
  const last = new Map<Slot, Step>();
  for (const { steps } of units)
    for (const step of steps)
      for (const { view } of accessesOf(step)) {
        if (!first.has(view.slot)) first.set(view.slot, step);
        last.set(view.slot, step);
      }

  const memoryOf = new Map<Slot, Slot>();
  for (const unit of units) {
    for (const step of unit.steps) {
      for (const [result, operand] of Object.entries(step.kernel.inPlaceOf ?? {})) {
        const [to, from] = [step.operands[result]!, step.operands[operand]!];
        if (
          [to, from].every((view) => !view.slot.external && !isInner(view, unit)) &&
          first.get(to.slot) === step &&
          last.get(from.slot) === step &&
          !step.accumulate &&
          to.slot.dtype === from.slot.dtype &&
          to.slot.length === from.slot.length &&
          touches(unit, to.slot, from.slot).every(
            ({ role, view }) => (role === 'cut' || unit.steps.length === 1) && sameParts(view, from),
          )
        )
          memoryOf.set(to.slot, memoryOf.get(from.slot) ?? from.slot);
      }
    }
  }
  return memoryOf;
}

/** How the steps of a unit touch some slots. */
const touches = ({ steps, strips }: PlannedUnit, ...slots: readonly Slot[]): Access[] =>
  steps.flatMap((step) => accessesOf(step, strips?.axis).filter(({ view }) => slots.includes(view.slot)));
