import { bytesOf, type Program, type Slot, type Step } from './program.js';

/** Where the temporaries of a program live: `block` of each slot, and the size of each block in bytes. */
export interface MemoryPlan {
  readonly blockOf: ReadonlyMap<Slot, number>;
  readonly blocks: readonly number[];
  /** All blocks together. */
  readonly bytes: number;
}

/**
 * Puts temporaries whose lives do not overlap into the same block, largest first. A slot lives from the first
 * to the last moment that has it (by default a step), both included: within one step no operand shares memory with another
 * (WebGPU forbids reading and writing one buffer in one dispatch, even in disjoint ranges).
 * Blocks are rounded to 64 bytes so that every slot starts on a cache line.
 */
export function planMemory(
  program: Program,
  moments: readonly Iterable<Slot>[] = program.steps.map(temporariesOf),
): MemoryPlan {
  const lives = new Map<Slot, { first: number; last: number }>();
  moments.forEach((slots, index) => {
    for (const slot of slots) {
      const life = lives.get(slot);
      if (life) life.last = index;
      else lives.set(slot, { first: index, last: index });
    }
  });

  const size = (slot: Slot) => Math.ceil((slot.length * bytesOf[slot.dtype]) / 64) * 64;
  const largestFirst = [...lives.keys()].sort((a, b) => size(b) - size(a) || a.id - b.id);
  const blockOf = new Map<Slot, number>();
  const blocks: number[] = [];
  const tenants: { first: number; last: number }[][] = [];
  for (const slot of largestFirst) {
    const life = lives.get(slot)!;
    let block = tenants.findIndex((others) =>
      others.every((other) => other.last < life.first || life.last < other.first),
    );
    if (block < 0) {
      block = blocks.length;
      blocks.push(size(slot));
      tenants.push([]);
    }
    tenants[block].push(life);
    blockOf.set(slot, block);
  }
  return { blockOf, blocks, bytes: blocks.reduce((sum, bytes) => sum + bytes, 0) };
}

/** The temporaries that a step touches. */
export function temporariesOf(step: Step): Slot[] {
  return Object.values(step.operands).flatMap((view) => (view && !view.slot.external ? [view.slot] : []));
}
