import type { InPieces } from '../../util/breathe.js';
import { type Life, livesOf, planArena } from '../memory.js';
import type { Program } from '../program.js';
import type { Step } from '../step.js';
import { elements, type Slot, type View } from '../view.js';
import { type Axis, accessesOf, isSum, partsOf } from './accesses.js';
import type { StripSizes } from './binding.js';
import { bytesOfView, groupSteps, leastStripsOf, stripBytes, type Unit } from './groups.js';

/** Most pieces of a group: enough for threads to end at nearly the same time; a quarter where adding up partial sums is expensive. */
const mostPieces = 64;
const fewSumFloats = 16 * 1024;
/** Fewer are no work for several threads. */
const leastPieces = 8;

/** Kernels with images side by side in the lanes take this many or half as many at a time: a strip has whole vectors. */
const vectorImages = 16;

/** Multiply-adds below which waking another thread does not pay. */
const aloneMultiplyAdds = 256 * 1024;

/** A result that is a sum over the batch: every piece has a partial sum, and these are added up in order. */
export interface StripSum {
  readonly view: View;
  /** Floats from the beginning of a piece's partial sums. */
  readonly offset: number;
  readonly accumulate: boolean;
}

export interface StripPlan {
  readonly steps: readonly Step[];
  readonly axis: Axis;
  readonly sizes: StripSizes;
  readonly sums: readonly StripSum[];
  /** Where a view that no other unit touches lives, in bytes from the beginning of a worker's own strip memory. */
  innerOffset(view: View): number | undefined;
  sumOf(view: View): StripSum;
}

/** A single step (`strips` left out), or a group of them. */
export interface PlannedUnit {
  readonly steps: readonly Step[];
  readonly strips?: StripPlan;
}

/** The units of a program in the order in which they run, with the memory that stays within each. */
export function* planStrips(program: Program): InPieces<PlannedUnit[]> {
  const touching = new Map<Slot, number>();
  for (const step of program.steps)
    for (const slot of slotsOf(step)) touching.set(slot, (touching.get(slot) ?? 0) + 1);
  /** Slots that are cut by every step of the program that touches them, all of which are in this group. */
  const inner = (unit: Unit): Set<Slot> => {
    const cut = new Map<Slot, number>();
    for (const step of unit.steps) {
      const roles = new Map<Slot, boolean>();
      for (const { view, role } of accessesOf(step, unit.axis))
        roles.set(view.slot, (roles.get(view.slot) ?? true) && role === 'cut');
      for (const [slot, all] of roles) if (all) cut.set(slot, (cut.get(slot) ?? 0) + 1);
    }
    return new Set(
      [...cut].filter(([slot, n]) => !slot.external && touching.get(slot) === n).map(([slot]) => slot),
    );
  };
  yield;
  const units = yield* groupSteps(program);
  yield;
  return units.map((unit) => {
    const { steps, axis } = unit;
    return axis ? { steps, strips: plan(unit, axis, inner(unit)) } : { steps };
  });
}

const slotsOf = (step: Step) => new Set(accessesOf(step).map(({ view }) => view.slot));
const keyOf = ({ slot, offset }: View) => `${slot.id}+${offset}`;

/** When the parts of inner slots live, in steps of the unit. */
function innerLives({ steps, axis }: Unit, inner: ReadonlySet<Slot>): Life<string>[] {
  return livesOf(
    steps.map((step) =>
      accessesOf(step, axis).flatMap(({ view }): [string, number][] =>
        inner.has(view.slot) ? [[keyOf(view), bytesOfView(view)]] : [],
      ),
    ),
  );
}

/** The most bytes that a step of a unit touches or has to keep, for all parts together. */
function liveBytes(unit: Unit, inner: ReadonlySet<Slot>): number {
  const live = unit.steps.map(() => 0);
  for (const { bytes, first, last } of innerLives(unit, inner))
    for (let index = first; index <= last; index++) live[index] += bytes;
  unit.steps.forEach((step, index) => {
    for (const { view, role } of accessesOf(step, unit.axis))
      if (role === 'cut' && !inner.has(view.slot)) live[index] += bytesOfView(view);
  });
  return Math.max(...live);
}

/** How many strips and pieces there are; `sumFloats` are the partial sums of a piece. */
function cutUp(axis: Axis, bytes: number, images: number, channels: number, sumFloats: number) {
  let fit = Math.max(1, Math.floor((stripBytes[axis] * images * channels) / bytes));
  if (axis === 'images' && fit > vectorImages) fit -= fit % vectorImages;
  let strips = Math.max(leastStripsOf(images), Math.ceil(images / fit));
  if (axis === 'planes') {
    // A strip of planes lies within one image, so that its channels follow each other.
    let strip = Math.min(fit, channels);
    while (channels % strip) strip--;
    strips = (images * channels) / strip;
  }
  const most = Math.min(strips, sumFloats > fewSumFloats ? mostPieces / 4 : mostPieces);
  return { strips, pieces: (axis === 'planes' && sumFloats > 0 && piecesOfImages(images, most)) || most };
}

/**
 * Sums over planes are cut between images where that makes enough pieces, so that their order does not depend on the length of a
 * strip; undefined where it does not, and for two images, which any order adds up alike.
 */
function piecesOfImages(images: number, most: number): number | undefined {
  let pieces = Math.min(images, most);
  while (images % pieces) pieces--;
  return images > 2 && pieces >= Math.min(images, leastPieces) ? pieces : undefined;
}

function plan(unit: Unit, axis: Axis, inner: ReadonlySet<Slot>): StripPlan {
  const { steps } = unit;
  const [images, channels] = partsOf(steps[0], axis)!;
  const parts = images * channels;
  const sums = new Map<string, StripSum>();
  let sumFloats = 0;
  for (const step of steps)
    for (const access of accessesOf(step, axis)) {
      const { view } = access;
      if (!isSum(access) || sums.has(keyOf(view))) continue;
      sums.set(keyOf(view), { view, offset: sumFloats, accumulate: step.accumulate });
      sumFloats += Math.ceil(elements(view.shape) / 16) * 16;
    }

  const { strips, pieces } = cutUp(axis, liveBytes(unit, inner), images, channels, sumFloats);
  const share = Math.ceil(parts / strips) / parts;
  const arena = planArena(innerLives(unit, inner).map((life) => ({ ...life, bytes: life.bytes * share })));
  const members = steps[0].sizes.P;
  const flops = steps.reduce((sum, step) => sum + step.kernel.flops(step.sizes, step.operands), 0);
  const alone = flops < 2 * aloneMultiplyAdds;
  return {
    steps,
    axis,
    sizes: { parts, channels, members, strips, pieces, alone, innerBytes: arena.bytes, sumFloats },
    sums: [...sums.values()],
    innerOffset: (view) => (inner.has(view.slot) ? arena.offsetOf.get(keyOf(view)) : undefined),
    sumOf: (view) => sums.get(keyOf(view))!,
  };
}
