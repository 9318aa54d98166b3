import { elements, type Step, type View } from '../program.js';

/**
 * How a step touches the memory of one operand when it runs strip by strip: `cut` along the batch, `whole` by every
 * strip, or as a `sum` to which every strip adds.
 */
export interface Access {
  readonly name: string;
  readonly view: View;
  readonly role: 'cut' | 'whole' | 'sum';
  readonly writes: boolean;
  /** Whether it adds to what is there. */
  readonly adds: boolean;
}

/** What a step touches; all of it `whole` unless its kernel works on images independently of each other. */
export function accessesOf(step: Step): Access[] {
  const { batch, operands } = step.kernel;
  return Object.entries(operands).flatMap(([name, access]): Access[] => {
    const view = step.operands[name];
    if (!view) return [];
    const role = !batch || batch.whole?.includes(name) ? 'whole' : batch.sums?.includes(name) ? 'sum' : 'cut';
    const writes = access === 'write' || access === 'update';
    return [{ name, view, role, writes, adds: writes && step.accumulate }];
  });
}

/** How many images a step can be cut into; undefined where it cannot be cut. */
export function imagesOf(step: Step): number | undefined {
  const { batch } = step.kernel;
  if (!batch) return undefined;
  const cut = accessesOf(step).filter(({ role }) => role === 'cut');
  const images = cut[0].view.shape[0];
  const even =
    cut.every(({ view }) => view.shape[0] === images) &&
    batch.sizes.every((name) => step.sizes[name] % images === 0);
  return even ? images : undefined;
}

/** Elements from the first that a view touches in a member, and of that member's stride. */
function overlaps(a: View, b: View): boolean {
  if (a.slot !== b.slot) return false;
  const end = (view: View) => view.offset + elements(view.shape);
  // Views of the same members overlap as they do within one member; any others are taken to reach over all members.
  if (a.stride === b.stride && a.members === b.members) return a.offset < end(b) && b.offset < end(a);
  const reach = (view: View) => end(view) + (view.members - 1) * view.stride;
  return a.offset < reach(b) && b.offset < reach(a);
}

/** Whether two views are cut into the same pieces of memory. */
function sameCut(a: View, b: View): boolean {
  return (
    a.offset === b.offset &&
    a.members === b.members &&
    a.stride === b.stride &&
    a.shape[0] === b.shape[0] &&
    elements(a.shape) === elements(b.shape)
  );
}

/** Whether the order of two accesses matters. */
export function conflict(a: Access, b: Access): boolean {
  return (a.writes || b.writes) && overlaps(a.view, b.view);
}

/** Whether two steps do strip by strip what they do one behind the other, as far as these accesses go. */
export function stripsAgree(before: Access, behind: Access): boolean {
  if (!conflict(before, behind)) return true;
  if (!sameCut(before.view, behind.view) || before.role !== behind.role) return false;
  return before.role === 'cut' || (before.role === 'sum' && behind.adds);
}
