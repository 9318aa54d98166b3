import { atOnce } from '../../../util/breathe.js';
import { Program } from '../../program.js';
import type { Step } from '../../step.js';
import { elements, type Slot, slotBytes, type View } from '../../view.js';
import { accessesOf } from '../accesses.js';
import { groupSteps, kindOf, type Unit } from '../groups.js';
import { recomputeNorm } from '../ops/normalise.js';

/** Smaller results stay in the caches, and the memory they take is not worth computing them again. */
const leastBytes = 2 ** 20;

/** Most operations an element: they take less time than its way to memory and back. A 3x3 convolution of colours has 55. */
const mostFlops = 60;

/**
 * The same program with cheap results recomputed where they are read much later by steps that run plane by plane: the output of
 * ReLU after a norm, say, which the masks of the backward and tangent passes read. Each computation is then part of the strip
 * that reads it, so that the result never becomes a tensor.
 *
 * A result is recomputed for its latest readers: an earlier one that needs the tensor keeps it alive for those before it. The
 * operands must not have changed, and must be alive anyway, or be recomputed in turn, or be kept longer where that takes at most
 * half as much memory. The same kernels on the same numbers give the same bits. The order of sums over images depends on
 * which steps a strip holds, so groups of images stay as they are.
 */
export function rematerialise(program: Program, least = leastBytes): Program {
  const large = program.slots.filter((slot) => slotBytes(slot) >= least);
  if (!large.length) return program;
  const work = new Rematerialisation(program);
  for (const slot of large) work.shorten(slot);
  return work.program();
}

/** How to recompute a slot: the steps by the slot that each writes, in order; slots that live longer for it; all that is read. */
interface Recipe {
  readonly steps: Map<Slot, Step>;
  readonly longer: Set<Slot>;
  readonly read: Set<Slot>;
}

/** A slot with the same contents as another, from a step of a unit on, and the step that makes it. */
interface Copy {
  readonly slot: Slot;
  readonly step: Step;
  at: number;
  /** The originals of what is read to make it. */
  readonly from: ReadonlySet<Slot>;
}

class Rematerialisation {
  readonly #name: string;
  readonly #slots: Slot[];
  readonly #steps: readonly Step[];
  /** The steps, reading copies instead of the originals. */
  readonly #changed: Step[];
  readonly #unitOf: readonly Unit[];
  /** What each step reads and writes. */
  readonly #readBy: readonly ReadonlySet<Slot>[];
  readonly #writtenBy: readonly (readonly View[])[];
  readonly #copies = new Map<Unit, Map<Slot, Copy>>();
  readonly #before = new Map<number, Step[]>();
  /** Numbers of the steps that read a slot, and of those that write it, in order. */
  readonly #reads = new Map<Slot, number[]>();
  readonly #writes = new Map<Slot, number[]>();

  constructor({ name, slots, steps }: Program) {
    this.#name = name;
    this.#slots = [...slots];
    this.#steps = steps;
    this.#changed = [...steps];
    const units = atOnce(groupSteps(new Program(name, slots, steps)));
    const unitOf = new Map(units.flatMap((unit) => unit.steps.map((step) => [step, unit])));
    this.#unitOf = steps.map((step) => unitOf.get(step)!);
    this.#readBy = steps.map(readBy);
    this.#writtenBy = steps.map(writtenBy);
    for (const slot of slots) for (const table of [this.#reads, this.#writes]) table.set(slot, []);
    steps.forEach((_, index) => {
      for (const slot of this.#readBy[index]) this.#reads.get(slot)!.push(index);
      for (const { slot } of this.#writtenBy[index]) this.#writes.get(slot)!.push(index);
    });
  }

  program(): Program {
    const steps = this.#changed.flatMap((step, index) => [...(this.#before.get(index) ?? []), step]);
    return new Program(this.#name, this.#slots, steps);
  }

  /** Recomputes a slot for as many of its latest readers as possible. */
  shorten(slot: Slot): void {
    const made = this.#madeBy(slot);
    if (made === undefined) return;
    const readers = new Map<Unit, number[]>();
    for (const index of this.#reads.get(slot)!) {
      const unit = this.#unitOf[index];
      readers.set(unit, [...(readers.get(unit) ?? []), index]);
    }
    const plans: { unit: Unit; indices: number[]; recipe: Recipe }[] = [];
    // The first reader comes right after it was written: nothing would be gained.
    for (const [unit, indices] of [...readers].slice(1).reverse()) {
      if (unit === this.#unitOf[made]) break;
      const recipe = this.#readsParts(unit, indices, slot) ? this.#recipe(slot, indices[0]) : undefined;
      if (!recipe) break;
      plans.push({ unit, indices, recipe });
    }
    const longer = new Set(plans.flatMap(({ recipe }) => [...recipe.longer]));
    if (2 * bytesOfAll(longer) > slotBytes(slot)) return;
    for (const { unit, indices, recipe } of plans) this.#apply(slot, unit, indices, recipe);
  }

  /** The step that alone writes a slot, as a whole, unless it is in a group of images. */
  #madeBy(slot: Slot): number | undefined {
    const [index, ...others] = this.#writes.get(slot)!;
    if (slot.external || index === undefined || others.length) return undefined;
    const view = this.#writtenBy[index].find((written) => written.slot === slot)!;
    const whole = view.members * elements(view.shape) === slot.length;
    const afresh = !this.#readBy[index].has(slot);
    return whole && afresh && this.#unitOf[index].axis !== 'images' ? index : undefined;
  }

  /** Whether these steps of a unit take the slot plane by plane. */
  #readsParts(unit: Unit, indices: readonly number[], slot: Slot): boolean {
    if (unit.axis === 'images') return false;
    return indices.every((index) =>
      accessesOf(this.#steps[index], 'planes').every(
        ({ view, role }) => view.slot !== slot || role === 'cut',
      ),
    );
  }

  /** How to recompute a slot right before a step; undefined where that is impossible or not cheap. */
  #recipe(slot: Slot, at: number): Recipe | undefined {
    const made = this.#madeBy(slot);
    if (made === undefined) return undefined;
    const step = recomputation(this.#steps[made], slot);
    const kind = step && kindOf(step, 'planes');
    if (!kind || kind !== kindOf(this.#steps[at], 'planes')) return undefined;
    const recipe: Recipe = { steps: new Map(), longer: new Set(), read: new Set() };
    for (const from of readBy(step)) {
      if (this.#copies.get(this.#unitOf[at])?.has(from)) continue;
      const kept = this.#unchanged(from, made, at) ? this.#bytesToKeep(from, at) : Number.POSITIVE_INFINITY;
      const other = kept > 0 ? this.#recipe(from, at) : undefined;
      if (other && bytesOfAll(other.longer) < kept) {
        for (const [of, earlier] of other.steps) recipe.steps.set(of, earlier);
        for (const longer of other.longer) recipe.longer.add(longer);
        for (const read of other.read) recipe.read.add(read);
      } else {
        if (kept === Number.POSITIVE_INFINITY) return undefined;
        if (kept > 0) recipe.longer.add(from);
        recipe.read.add(from);
      }
    }
    recipe.steps.set(slot, step);
    return recipe;
  }

  /** Whether the contents that a step read (or wrote beside its result) are the same before step `at`. */
  #unchanged(slot: Slot, since: number, at: number): boolean {
    const first = this.#readBy[since].has(slot) ? since : since + 1;
    return !this.#writes.get(slot)!.some((index) => index >= first && index < at);
  }

  /** The memory it takes to keep a slot alive until a step. */
  #bytesToKeep(slot: Slot, at: number): number {
    if (slot.external || this.#reads.get(slot)!.some((index) => index >= at)) return 0;
    const inImages = this.#writes.get(slot)!.some((index) => this.#unitOf[index].axis === 'images');
    return inImages ? Number.POSITIVE_INFINITY : slotBytes(slot);
  }

  /** The copy of a slot that was recomputed earlier in the unit of a step. */
  #copyOf(slot: Slot, at: number): Slot | undefined {
    const copy = this.#copies.get(this.#unitOf[at])?.get(slot);
    return copy && copy.at <= at ? copy.slot : undefined;
  }

  #insert(at: number, step: Step): void {
    this.#before.set(at, [...(this.#before.get(at) ?? []), step]);
  }

  /** Makes a copy that a unit has, and those it is made from, before step `at` already. */
  #bringForward(slot: Slot, copies: ReadonlyMap<Slot, Copy>, at: number): void {
    const copy = copies.get(slot);
    if (!copy || copy.at <= at) return;
    for (const from of copy.from) this.#bringForward(from, copies, at);
    this.#before.set(
      copy.at,
      this.#before.get(copy.at)!.filter((step) => step !== copy.step),
    );
    this.#insert(at, copy.step);
    copy.at = at;
  }

  #apply(slot: Slot, unit: Unit, indices: readonly number[], recipe: Recipe): void {
    const [at] = indices;
    let copies = this.#copies.get(unit);
    if (!copies) this.#copies.set(unit, (copies = new Map()));
    for (const [of, step] of recipe.steps) {
      const from = readBy(step);
      for (const source of from) this.#bringForward(source, copies, at);
      const copy: Slot = { ...of, id: this.#slots.length, name: `${of.name}, recomputed` };
      this.#slots.push(copy);
      const making = inPlaceOf(step, (slot) => (slot === of ? copy : this.#copyOf(slot, at)));
      copies.set(of, { slot: copy, step: making, at, from });
      this.#insert(at, making);
    }
    for (const read of recipe.read)
      this.#reads.set(
        read,
        [...this.#reads.get(read)!, at].sort((a, b) => a - b),
      );
    for (const index of indices)
      this.#changed[index] = inPlaceOf(this.#changed[index], (from) =>
        from === slot ? this.#copyOf(slot, index) : undefined,
      );
    const left = this.#reads.get(slot)!.filter((index) => !indices.includes(index));
    this.#reads.set(slot, left);
  }
}

const writtenBy = (step: Step) => accessesOf(step).flatMap(({ view, writes }) => (writes ? [view] : []));

const readBy = (step: Step) =>
  new Set(
    accessesOf(step).flatMap(({ view, name, adds }) =>
      adds || step.kernel.operands[name] !== 'write' ? [view.slot] : [],
    ),
  );

const bytesOfAll = (slots: ReadonlySet<Slot>) => [...slots].reduce((sum, slot) => sum + slotBytes(slot), 0);

/** The step that recomputes a slot, where that is cheap and writes nothing else. */
function recomputation(step: Step, slot: Slot): Step | undefined {
  const result = recomputeNorm(step) ?? step;
  const [written, ...others] = writtenBy(result);
  const cheap = result.kernel.flops(result.sizes, result.operands) <= mostFlops * slot.length;
  return written.slot === slot && !others.length && cheap ? result : undefined;
}

function inPlaceOf(step: Step, other: (slot: Slot) => Slot | undefined): Step {
  const operands = Object.fromEntries(
    Object.entries(step.operands).map(([name, view]) => {
      const slot = view && other(view.slot);
      return [name, slot ? { ...view, slot } : view];
    }),
  );
  return { ...step, operands };
}
