import { memberRange } from '../engine/members.js';
import * as elementwise from '../engine/ops/elementwise.js';
import { fork } from '../engine/ops/random.js';
import { Recorder } from '../engine/program.js';
import { slice, type View } from '../engine/view.js';
import type { Network, NetworkMode } from '../networks/network.js';
import { streams } from './streams.js';

/**
 * Batches of groups (classes) and the network that sees them. Groups are members of a population: of the images, and of
 * everything else that is not shared by them.
 */
export interface Groups {
  readonly network: Network;
  /** `[count]`: one network for all groups, or one each. */
  readonly theta: View;
  /** `[N, C, H, W]` */
  readonly images: View;
  /** `[N, K]` */
  readonly labels?: View;
  /** Given statistics, random numbers for dropout. */
  readonly mode?: NetworkMode;
}

/** The mode in which the network sees real images beside distilled ones: dropout masks are each side's own. */
export const modeOfReal = (mode: NetworkMode | undefined): NetworkMode | undefined =>
  mode?.random ? { ...mode, random: { ...mode.random, stream: streams.dropoutOfReal } } : mode;

/** How many groups there are. */
export const groupCount = ({ theta, images, labels }: Groups): number =>
  Math.max(theta.members, images.members, labels?.members ?? 1);

/** What belongs to some of the groups. */
function someGroups<T extends Groups>(groups: T, first: number, count: number): T {
  const range = <V extends View | undefined>(view: V) => view && memberRange(view, first, count);
  const { theta, images, labels, mode } = groups;
  return {
    ...groups,
    theta: range(theta),
    images: range(images),
    labels: range(labels),
    mode: mode && { ...mode, frozen: range(mode.frozen), collect: range(mode.collect) },
  };
}

/** What the temporaries of groups that are recorded together may take in bytes, if none shared memory. */
const most = 2 ** 30;

/** Every turn draws dropout masks of its own: which member it is says where a mask comes from, and turns begin at member 0. */
function ofTurns<T extends Groups>(r: Recorder, groups: T, turns: number): (turn: number) => T {
  const { mode } = groups;
  if (!mode?.random || turns === 1) return () => groups;
  const { state, stream } = mode.random;
  const states = fork(r, { state }, { count: turns, stream });
  return (turn) => ({
    ...groups,
    mode: { ...mode, random: { state: slice(states, 4 * turn, [4]), stream } },
  });
}

/**
 * Records something for all groups, as many at once as memory allows: small ones together, so that a few images fill the
 * device, and large ones one after the other. `record` gets the groups whose turn it is, and takes their part of what
 * all groups have.
 */
export function inTurns<T extends Groups>(
  r: Recorder,
  groups: T,
  record: (r: Recorder, groups: T, partOf: (view: View) => View) => void,
): void {
  const turn = (r: Recorder, groups: T, first: number, count: number) =>
    record(r, someGroups(groups, first, count), (view) => memberRange(view, first, count));
  const one = new Recorder(r.name);
  turn(one, groups, 0, 1);
  const all = groupCount(groups);
  let count = all;
  // Turns of one size, which are one geometry for the engines.
  while (count > 1 && (count * one.temporaryBytes > most || all % count)) count--;
  const own = ofTurns(r, groups, all / count);
  for (let first = 0; first < all; first += count) turn(r, own(first / count), first, count);
}

/** Where a result of so many members goes: all of `to` at once, or, of a result that all members share, each of them. */
export const partsFor = (from: View, to: View): readonly View[] =>
  from.members === to.members
    ? [to]
    : Array.from({ length: to.members }, (_, member) => memberRange(to, member, 1));

/** Records a copy, for every member where all share what is copied. */
export function copyInto(r: Recorder, from: View, to: View): void {
  for (const into of partsFor(from, to)) elementwise.add(r, { a: from, b: from }, 1, 0, into);
}
