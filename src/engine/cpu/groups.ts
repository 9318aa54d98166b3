import { bytesOf, elements, type Program, type Step } from '../program.js';
import { type Access, accessesOf, conflict, imagesOf, stripsAgree } from './accesses.js';

/**
 * Steps that run together, strip by strip over the images of their batch, so that what one step writes is still in
 * the second-level cache when the next reads it; or, with `images` left out, a single step that runs whole.
 */
export interface Unit {
  readonly steps: readonly Step[];
  readonly images?: number;
}

/** Into how many pieces a batch is cut at most, and how many images a piece should have. */
const kPieces = 16;
const kPieceImages = 4;

/** How many steps may be put off until behind a group. */
const kPutOff = 8;

/** Strips are about this long; how long exactly is decided when the whole group is known. */
const kStripImages = 8;

/** Bytes that could be read from the second-level cache while threads wait for each other between two steps. */
const kBarrierBytes = 256 * 1024;

/**
 * Cuts a program into units, in an order that changes no result: the longest runs of steps over one batch that can go strip by
 * strip, and between them single steps. A step that cannot join a group is put off until behind it; the group
 * ends before a step that has to wait for one.
 */
export function groupSteps(program: Program): Unit[] {
  const units: Unit[] = [];
  let rest: readonly Step[] = program.steps;
  while (rest.length > 0) {
    const { group, after } = firstGroup(rest);
    units.push(group.steps.length > 1 ? group : { steps: group.steps });
    rest = after;
  }
  return units;
}

/** The group that the first of `steps` begins, and the steps behind it. */
function firstGroup(steps: readonly Step[]): { group: Unit; after: readonly Step[] } {
  const images = pays(steps[0]) ? imagesOf(steps[0]) : undefined;
  const members = steps[0].sizes.P;
  const joined = [steps[0]];
  const touched = accessesOf(steps[0]);
  const putOff: Step[] = [];
  const waiting: Access[] = [];
  let next = 1;
  for (; images !== undefined && next < steps.length; next++) {
    const step = steps[next];
    const accesses = accessesOf(step);
    const joins =
      imagesOf(step) === images &&
      step.sizes.P === members &&
      pays(step) &&
      accesses.every((behind) => touched.every((before) => stripsAgree(before, behind)));
    const waits = accesses.some((a) => waiting.some((b) => conflict(a, b)));
    if (joins ? waits : putOff.length === kPutOff) break;
    (joins ? joined : putOff).push(step);
    (joins ? touched : waiting).push(...accesses);
  }
  return { group: { steps: joined, images }, after: [...putOff, ...steps.slice(next)] };
}

/** Into how many pieces a batch is cut: a piece is one thread's, strip after strip, with sums of its own. */
export const piecesOf = (images: number): number =>
  Math.max(1, Math.min(kPieces, Math.floor(images / kPieceImages)));

/**
 * Whether a step gains in a group: its images stay in cache and no thread waits for another, but what is not cut along the
 * batch is gone through again for every strip.
 */
function pays(step: Step): boolean {
  const images = imagesOf(step);
  if (images === undefined) return false;
  const pieces = piecesOf(images);
  const strips = pieces * Math.ceil(images / pieces / kStripImages);
  let [saved, again] = [kBarrierBytes, 0];
  for (const { role, view } of accessesOf(step)) {
    const bytes = elements(view.shape) * bytesOf[view.slot.dtype];
    if (role === 'cut') saved += bytes;
    else again += (strips - 1) * bytes;
  }
  return again <= saved;
}
