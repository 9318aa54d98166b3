import type { Cut } from '../kernel.js';
import type { Step } from '../step.js';
import { elements, type Slot, sameParts, type View } from '../view.js';

/** The axis along which steps are cut: the images of a batch, or its planes (the channels of all images). */
export type Axis = 'images' | 'planes';

/**
 * How a step touches the memory of one operand when it runs part by part: `cut` along the axis, `whole` by every part, as a
 * `sum` to which every part adds, or a `channelSum` to which the planes of one channel add, one row `perChannel` or `perImage`, or
 * `placed` by the kernel.
 */
export interface Access {
  readonly name: string;
  readonly view: View;
  readonly role: 'cut' | 'whole' | 'sum' | 'channelSum' | 'perChannel' | 'perImage' | 'placed';
  readonly writes: boolean;
  /** Whether it adds to what is there. */
  readonly adds: boolean;
}

function roleOf(cut: Cut | undefined, name: string): Access['role'] {
  if (!cut || cut.whole?.includes(name)) return 'whole';
  if (cut.sums?.includes(name)) return 'sum';
  if (cut.channelSums?.includes(name)) return 'channelSum';
  if (cut.perChannel?.includes(name)) return 'perChannel';
  if (cut.perImage?.includes(name)) return 'perImage';
  return cut.placed?.includes(name) ? 'placed' : 'cut';
}

/** What a step touches; all of it `whole` where the step cannot be cut. */
export function accessesOf(step: Step, axis?: Axis): Access[] {
  const cut = axis && step.kernel.cuts?.[axis];
  const accesses: Access[] = [];
  for (const name in step.kernel.operands) {
    const view = step.operands[name];
    if (!view) continue;
    const access = step.kernel.operands[name];
    const writes = access === 'write' || access === 'update';
    accesses.push({ name, view, role: roleOf(cut, name), writes, adds: writes && step.accumulate });
  }
  return accesses;
}

/** How many images or planes a step has, as `[images, channels]` (one channel where images are cut); undefined: it cannot be cut. */
export function partsOf(step: Step, axis: Axis): readonly [images: number, channels: number] | undefined {
  const cut = step.kernel.cuts?.[axis];
  if (!cut) return undefined;
  const views = accessesOf(step, axis).flatMap(({ role, view }) => (role === 'cut' ? [view] : []));
  const [images, channels] = axis === 'images' ? [views[0].shape[0], 1] : views[0].shape;
  const all = (names: readonly string[] = [], fits: (size: number) => boolean) =>
    names.every((name) => fits(step.sizes[name]));
  const fits =
    views.every(
      ({ shape }) =>
        shape[0] === images && (axis === 'images' || (shape.length > 2 && shape[1] === channels)),
    ) &&
    all(cut.sizes, (size) => size % (images * channels) === 0) &&
    all(cut.channels, (size) => size === channels) &&
    all(cut.images, (size) => size === images);
  return fits ? [images, channels] : undefined;
}

/** Whether two views have elements in common. */
function overlaps(a: View, b: View): boolean {
  if (a.slot !== b.slot) return false;
  const end = (view: View) => view.offset + elements(view.shape);
  // Views of the same members overlap as they do within one member; any others are taken to reach over all members.
  if (a.stride === b.stride && a.members === b.members) return a.offset < end(b) && b.offset < end(a);
  const reach = (view: View) => end(view) + (view.members - 1) * view.stride;
  return a.offset < reach(b) && b.offset < reach(a);
}

/** Whether the order of two accesses does not matter. */
export const inAnyOrder = (a: Access, b: Access): boolean =>
  !(a.writes || b.writes) || !overlaps(a.view, b.view);

export const isSum = ({ role }: Access): boolean => role === 'sum' || role === 'channelSum';

/** Whether two steps, run part by part, do what they do one after the other, as far as these accesses go. */
export function partsAgree(before: Access, behind: Access): boolean {
  if (inAnyOrder(before, behind)) return true;
  if (!sameParts(before.view, behind.view) || before.role !== behind.role) return false;
  return before.role === 'cut' || (isSum(before) && behind.adds);
}

/** What some steps touch, each access once, so that another step is cheap to check against all of them. */
export class Touched {
  readonly #bySlot = new Map<Slot, Access[]>();

  add(accesses: readonly Access[]): void {
    for (const access of accesses) {
      const of = this.#bySlot.get(access.view.slot);
      if (!of) this.#bySlot.set(access.view.slot, [access]);
      else if (!of.some((other) => alike(other, access))) of.push(access);
    }
  }

  has(slot: Slot): boolean {
    return this.#bySlot.has(slot);
  }

  every(behind: Access, fits: (before: Access, behind: Access) => boolean): boolean {
    return this.#bySlot.get(behind.view.slot)?.every((before) => fits(before, behind)) ?? true;
  }
}

const alike = (a: Access, b: Access): boolean =>
  a.role === b.role && a.writes === b.writes && sameParts(a.view, b.view);
