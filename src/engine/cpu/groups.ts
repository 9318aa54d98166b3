import { bytesOf, elements, type Program, type Step, type View } from '../program.js';
import { type Axis, accessesOf, conflict, partsAgree, partsOf, Touched } from './accesses.js';

/**
 * Steps that run together, strip by strip over the images of their batch or over its planes, so that what one step writes is
 * still in cache when the next reads it; or, with `axis` left out, a single step that runs whole.
 */
export interface Unit {
  readonly steps: readonly Step[];
  readonly axis?: Axis;
}

/**
 * Memory that the strips of one unit should fit in: of the second-level cache of a core, beside the weights, for images;
 * of the first-level cache for planes. Constants, not the machine's sizes: sums over strips, and so
 * results, must not depend on the machine.
 */
export const stripBytes: Record<Axis, number> = { images: 256 * 1024, planes: 48 * 1024 };

/** A batch is cut into so many strips at least, unless they would have fewer images than weights are worth reading for. */
const leastStrips = 16;
const leastImages = 4;

/** Strips of images are about this long; how long exactly is decided when the whole group is known. */
const usualStripImages = 8;

/** Steps in a group at most: a run is stopped between two groups. */
const mostSteps = 256;

/** How many steps may be put off until behind a group. */
const mostPutOff = 8;

/** Bytes that could be read from the second-level cache while threads wait for each other between two steps. */
const barrierBytes = 512 * 1024;

/** Into how many strips images are cut at least, so that threads have something to share. */
export const leastStripsOf = (images: number): number =>
  Math.max(1, Math.min(leastStrips, Math.floor(images / leastImages)));

export const bytesOfView = (view: View): number => elements(view.shape) * bytesOf[view.slot.dtype];

/**
 * Cuts a program into units, in an order that changes no result: the longest runs of steps that can go strip by strip, and between
 * them single steps. A step that cannot join a group is put off until behind it; the group ends before a step that
 * has to wait for one.
 */
export function groupSteps(program: Program): Unit[] {
  const units: Unit[] = [];
  let rest: Rest = { putOff: [], steps: program.steps, next: 0 };
  while (at(rest, 0)) {
    const [images, planes] = [firstGroup(rest, 'images'), firstGroup(rest, 'planes')];
    const { unit, after } = images.unit.steps.length > planes.unit.steps.length ? images : planes;
    units.push(unit.steps.length > 1 ? unit : { steps: unit.steps });
    rest = after;
  }
  return units;
}

/** Steps that are in no unit yet: those put off come before steps[next] and those behind it. */
interface Rest {
  readonly putOff: readonly Step[];
  readonly steps: readonly Step[];
  readonly next: number;
}

const at = ({ putOff, steps, next }: Rest, i: number): Step | undefined =>
  i < putOff.length ? putOff[i] : steps[next + i - putOff.length];

/** The group that the first step begins, and what is left then. */
function firstGroup(rest: Rest, axis: Axis): { unit: Unit; after: Rest } {
  const first = at(rest, 0)!;
  const parts = String(partsOf(first, axis));
  const joined = [first];
  const [touched, waiting] = [new Touched(), new Touched()];
  touched.add(accessesOf(first, axis));
  const putOff: Step[] = [];
  const begins = pays(first, axis);
  let i = 1;
  for (let step = at(rest, i); begins && step && joined.length < mostSteps; step = at(rest, ++i)) {
    const accesses = accessesOf(step, axis);
    const joins =
      String(partsOf(step, axis)) === parts &&
      step.sizes.P === first.sizes.P &&
      pays(step, axis) &&
      accesses.every((access) => touched.every(access, partsAgree));
    const waits = !accesses.every((access) => waiting.every(access, (a, b) => !conflict(a, b)));
    if (joins ? waits : putOff.length === mostPutOff) break;
    (joins ? joined : putOff).push(step);
    (joins ? touched : waiting).add(accesses);
  }
  const next = rest.next + Math.max(0, i - rest.putOff.length);
  const after = { putOff: [...putOff, ...rest.putOff.slice(i)], steps: rest.steps, next };
  return { unit: { steps: joined, axis }, after };
}

/**
 * Whether a step gains in a group: its parts stay in cache and no thread waits for another, but what is not cut is gone
 * through again for every strip.
 */
export function pays(step: Step, axis: Axis): boolean {
  const parts = partsOf(step, axis);
  if (!parts) return false;
  const [images, channels] = parts;
  const accesses = accessesOf(step, axis);
  const cut = accesses
    .filter(({ role }) => role === 'cut')
    .reduce((sum, { view }) => sum + bytesOfView(view), 0);
  if (cut / images / channels > stripBytes[axis]) return false;
  const least = leastStripsOf(images);
  const strips = least * Math.ceil(images / least / usualStripImages);
  const again = accesses
    .filter(({ role }) => role === 'whole' || role === 'sum')
    .reduce((sum, { view }) => sum + (strips - 1) * bytesOfView(view), 0);
  return again <= cut + barrierBytes;
}
