import { bytesOf, type Program, type Slot } from './program.js';

/** Where the temporaries of a program live: `block` of each slot, and the size of each block in bytes. */
export interface MemoryPlan {
  readonly blockOf: ReadonlyMap<Slot, number>;
  readonly blocks: readonly number[];
  /** All blocks together. */
  readonly bytes: number;
}

/**
 * Puts temporaries whose lives do not overlap into the same block, largest first. A slot lives from the first
 * to the last step that touches it, both included: within one step no operand shares memory with another
 * (WebGPU forbids reading and writing one buffer in one dispatch, even in disjoint ranges).
 * Blocks are rounded to 64 bytes so that every slot starts on a cache line.
 */
export function planMemory(program: Program): MemoryPlan {
  const lives = new Map<Slot, { first: number; last: number }>();
  program.steps.forEach((step, index) => {
    for (const view of Object.values(step.operands)) {
      if (!view || view.slot.external) continue;
      const life = lives.get(view.slot);
      if (life) life.last = index;
      else lives.set(view.slot, { first: index, last: index });
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
