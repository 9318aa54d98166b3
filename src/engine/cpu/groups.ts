import type { InPieces } from '../../util/breathe.js';
import type { Program } from '../program.js';
import type { Step } from '../step.js';
import { bytesOf, elements, type View } from '../view.js';
import { type Access, type Axis, accessesOf, inAnyOrder, partsAgree, partsOf, Touched } from './accesses.js';

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
export const stripBytes: Record<Axis, number> = { images: 256 * 1024, planes: 128 * 1024 };

/** The least number of strips of a batch; and of images in a strip, below which reading the weights costs too much. */
const leastStrips = 16;
const leastImages = 4;

/** The usual length of a strip of images; the exact one is decided when the whole group is known. */
const usualStripImages = 8;

/** Steps in a group at most: a run is stopped between two groups. */
const mostSteps = 256;

/** How many steps may be put off until after a group. */
const mostPutOff = 8;

/** The cost of a barrier between two steps, in bytes read from the second-level cache. */
const barrierBytes = 512 * 1024;

/** The least number of strips that images are cut into, so that threads have something to share. */
export const leastStripsOf = (images: number): number =>
  Math.max(1, Math.min(leastStrips, Math.floor(images / leastImages)));

export const bytesOfView = (view: View): number => elements(view.shape) * bytesOf[view.slot.dtype];

/** Steps that are put into groups before other work may run. */
const piece = 500;

/**
 * Cuts a program into units, in an order that changes no result: the longest groups of steps that can go strip by strip, and
 * single steps between them. A step that cannot join a group is put off until after it; the group ends before a step that depends
 * on one that was put off. Planes join across others only where they share a map with the group: what is recomputed for a later group is
 * no gain to an earlier one.
 */
export function* groupSteps(program: Program): InPieces<Unit[]> {
  let grouped = 0;
  const units: Unit[] = [];
  const cuts = { images: new Cuts('images'), planes: new Cuts('planes') };
  let rest: Rest = { putOff: [], steps: program.steps, next: 0 };
  while (at(rest, 0)) {
    const [images, planes] = [firstGroup(rest, cuts.images), firstGroup(rest, cuts.planes)];
    const { unit, after } = images.unit.steps.length > planes.unit.steps.length ? images : planes;
    units.push(unit.steps.length > 1 ? unit : { steps: unit.steps });
    rest = after;
    const before = grouped;
    grouped += unit.steps.length;
    if (Math.floor(grouped / piece) > Math.floor(before / piece)) yield;
    for (const step of unit.steps) for (const axis of [cuts.images, cuts.planes]) axis.forget(step);
  }
  return units;
}

/** Steps that are in no unit yet: those put off, then those from steps[next] on. */
interface Rest {
  readonly putOff: readonly Step[];
  readonly steps: readonly Step[];
  readonly next: number;
}

const at = ({ putOff, steps, next }: Rest, i: number): Step | undefined =>
  i < putOff.length ? putOff[i] : steps[next + i - putOff.length];

/** What is left after the first `count` steps, of which some were put off. */
const behind = ({ putOff, steps, next }: Rest, putOffNow: readonly Step[], count: number): Rest => ({
  putOff: [...putOffNow, ...putOff.slice(count)],
  steps,
  next: next + Math.max(0, count - putOff.length),
});

/** What a step touches along an axis; steps of the same `kind` can run part by part together, those without one cannot. */
interface Cuttable {
  readonly accesses: readonly Access[];
  readonly kind?: string;
}

/** A cache of that: a step is considered for many groups. */
class Cuts {
  readonly #seen = new Map<Step, Cuttable>();

  constructor(readonly axis: Axis) {}

  of(step: Step): Cuttable {
    let cut = this.#seen.get(step);
    if (!cut)
      this.#seen.set(step, (cut = { accesses: accessesOf(step, this.axis), kind: kindOf(step, this.axis) }));
    return cut;
  }

  forget(step: Step): void {
    this.#seen.delete(step);
  }
}

/** Steps of the same kind have the same parts, and gain in a group; undefined where a step has to run whole. */
export const kindOf = (step: Step, axis: Axis): string | undefined =>
  pays(step, axis) ? [...partsOf(step, axis)!, step.sizes.P].join() : undefined;

/** The group that the first step begins, and what is left then. */
function firstGroup(rest: Rest, cuts: Cuts): { unit: Unit; after: Rest } {
  const first = at(rest, 0)!;
  const { kind, accesses: ofFirst } = cuts.of(first);
  const joined = [first];
  if (!kind) return { unit: { steps: joined }, after: behind(rest, [], 1) };
  const [touched, waiting] = [new Touched(), new Touched()];
  touched.add(ofFirst);
  const putOff: Step[] = [];
  let i = 1;
  for (let step = at(rest, i); step && joined.length < mostSteps; step = at(rest, ++i)) {
    const { accesses, kind: own } = cuts.of(step);
    const near =
      cuts.axis === 'images' ||
      putOff.length === 0 ||
      accesses.some(({ role, view }) => role === 'cut' && touched.has(view.slot));
    const joins = near && own === kind && accesses.every((access) => touched.every(access, partsAgree));
    const waits = joins && !accesses.every((access) => waiting.every(access, inAnyOrder));
    if (waits || (!joins && putOff.length === mostPutOff)) break;
    (joins ? joined : putOff).push(step);
    (joins ? touched : waiting).add(accesses);
  }
  return { unit: { steps: joined, axis: cuts.axis }, after: behind(rest, putOff, i) };
}

/**
 * Whether a step gains in a group: its parts stay in cache and threads need no barrier, but what is not cut is read again for
 * every strip.
 */
function pays(step: Step, axis: Axis): boolean {
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
