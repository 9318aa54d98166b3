import type { Step } from './step.js';
import { type Kept, type Slot, slotBytes } from './view.js';

/** Something that needs memory from the first to the last step that touches it, both included. */
export interface Life<T> {
  readonly of: T;
  readonly bytes: number;
  readonly first: number;
  last: number;
}

/** The lifetimes of everything that steps touch; each step lists what it touches, with its bytes. */
export function livesOf<T>(moments: readonly Iterable<readonly [of: T, bytes: number]>[]): Life<T>[] {
  const lives = new Map<T, Life<T>>();
  moments.forEach((touched, index) => {
    for (const [of, bytes] of touched) {
      const life = lives.get(of);
      if (life) life.last = index;
      else lives.set(of, { of, bytes, first: index, last: index });
    }
  });
  return [...lives.values()];
}

/** The temporaries that each step touches. */
export const temporariesOf = (steps: readonly Step[]) =>
  steps.map((step) =>
    Object.values(step.operands).flatMap((view): [Slot, number][] =>
      view && !view.slot.external ? [[view.slot, slotBytes(view.slot)]] : [],
    ),
  );

/** Bytes of what is kept for a way back, by what it is. */
export type KeptBytes = Readonly<Record<Kept, number>>;

/** What is kept of temporaries when most of them are alive. */
export function keptAtFullest(lives: readonly Life<Slot>[]): KeptBytes {
  const moments = 1 + lives.reduce((last, life) => Math.max(last, life.last), -1);
  const alive = (some: readonly Life<Slot>[]) => {
    const bytes = new Float64Array(moments + 1);
    for (const life of some) {
      bytes[life.first] += life.bytes;
      bytes[life.last + 1] -= life.bytes;
    }
    for (let at = 1; at < moments; at++) bytes[at] += bytes[at - 1];
    return bytes;
  };
  const all = alive(lives);
  let fullest = 0;
  for (let at = 1; at < moments; at++) if (all[at] > all[fullest]) fullest = at;
  const kept = (what: Kept) => alive(lives.filter(({ of }) => of.kept === what))[fullest];
  return { trajectory: kept('trajectory'), batches: kept('batches') };
}

/** Sizes rounded up to whole cache lines, largest first. */
const largestFirst = <T>(lives: readonly Life<T>[]): Life<T>[] =>
  lives
    .map((life) => ({ ...life, bytes: Math.ceil(life.bytes / 64) * 64 }))
    .sort((a, b) => b.bytes - a.bytes || a.first - b.first);

const apart = (a: Life<unknown>, b: Life<unknown>): boolean => a.last < b.first || b.last < a.first;

/** Where the temporaries of a program live: `block` of each slot, and the size of each block in bytes. */
export interface MemoryPlan {
  readonly blockOf: ReadonlyMap<Slot, number>;
  readonly blocks: readonly number[];
  /** All blocks together. */
  readonly bytes: number;
}

/**
 * Puts temporaries whose lives do not overlap into the same block, largest first: within one step no operand shares a
 * buffer with another (WebGPU forbids reading and writing one buffer in one dispatch, even in disjoint ranges).
 */
export function planMemory(steps: readonly Step[]): MemoryPlan {
  const blockOf = new Map<Slot, number>();
  const blocks: number[] = [];
  const tenants: Life<Slot>[][] = [];
  for (const life of largestFirst(livesOf(temporariesOf(steps)))) {
    let block = tenants.findIndex((others) => others.every((other) => apart(life, other)));
    if (block < 0) {
      block = blocks.length;
      blocks.push(life.bytes);
      tenants.push([]);
    }
    tenants[block].push(life);
    blockOf.set(life.of, block);
  }
  return { blockOf, blocks, bytes: blocks.reduce((sum, bytes) => sum + bytes, 0) };
}

/** A plan for one piece of memory: the first byte of each, on a cache line. */
export interface ArenaPlan<T> {
  readonly offsetOf: ReadonlyMap<T, number>;
  readonly bytes: number;
}

/**
 * Puts everything, largest first, into the lowest gap between what is alive at the same time. Several small ones can take
 * the place of a large one, so the total comes down to what is alive at once, a quarter less than with blocks.
 */
export function planArena<T>(lives: readonly Life<T>[]): ArenaPlan<T> {
  const placed: { life: Life<T>; from: number; to: number }[] = []; // by `from`
  const offsetOf = new Map<T, number>();
  let bytes = 0;
  for (const life of largestFirst(lives)) {
    let from = 0;
    for (const other of placed) {
      if (other.from >= from + life.bytes) break;
      if (other.to > from && !apart(life, other.life)) from = other.to;
    }
    const to = from + life.bytes;
    const behind = placed.findIndex((other) => other.from > from);
    placed.splice(behind < 0 ? placed.length : behind, 0, { life, from, to });
    offsetOf.set(life.of, from);
    bytes = Math.max(bytes, to);
  }
  return { offsetOf, bytes };
}
