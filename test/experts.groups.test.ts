/** Which experts are trained together: a training that goes on has the groups it began with. */
import { expect, it } from 'vitest';
import type { Found } from '../src/runs/experts/folder.js';
import { groupsOf } from '../src/runs/experts/groups.js';

const fresh = (number: number): Found => ({ number, finished: false, states: [] });
/** With snapshots up to `epoch`, and states of `states`. */
const begun = (number: number, epoch: number, states: readonly number[] = []): Found =>
  ({ number, finished: false, part: { snapshots: epoch + 1 }, states }) as unknown as Found;
const finished = (number: number): Found => ({ number, finished: true, states: [] });
const experts = (count: number, one: (number: number) => Found) =>
  Array.from({ length: count }, (_, number) => one(number));

it('are shared out in order', () => {
  const groups = [
    { first: 0, members: 5, epoch: 0 },
    { first: 5, members: 5, epoch: 0 },
    { first: 10, members: 3, epoch: 0 },
  ];
  expect(groupsOf(experts(13, fresh), 5, true)).toEqual(groups);
  expect(groupsOf(experts(13, finished), 5, true)).toEqual([]);
  // One that is missing between others cannot be trained with those on its two sides.
  const gap = [finished(0), fresh(1), finished(2), fresh(3), fresh(4)];
  expect(groupsOf(gap, 5, false).map(({ first, members }) => [first, members])).toEqual([
    [1, 1],
    [3, 2],
  ]);
});

it('are the same after a kill at any moment, and begin at an epoch that all members have', () => {
  const whole = groupsOf(experts(13, fresh), 5, true);
  // So many members have been written at that epoch, one after the other.
  for (const [place, { first, members }] of whole.entries())
    for (const epoch of [0, 1, 2, 7])
      for (let written = 1; written <= members; written++) {
        const going = (stateful: boolean) =>
          experts(13, (number) => {
            const p = number - first;
            if (p < 0) return finished(number);
            if (p >= members) return fresh(number);
            if (p >= written)
              return epoch === 0 ? fresh(number) : begun(number, epoch - 1, [epoch - 1, epoch]);
            // The old states go when all members are written.
            const old = written === members && p < 2 ? [] : [epoch - 1];
            return begun(number, epoch, stateful && epoch > 0 ? [...old, epoch] : []);
          });
        const start = written === members ? epoch : Math.max(0, epoch - 1);
        const expected = [{ first, members, epoch: start }, ...whole.slice(place + 1)];
        for (const stateful of [false, true])
          expect(groupsOf(going(stateful), 5, stateful), JSON.stringify({ place, epoch, written })).toEqual(
            expected,
          );
      }
});

it('leave behind who is further than that: it does not wait', () => {
  const found = [begun(0, 9, [9]), begun(1, 9, [9]), begun(2, 3, [3]), begun(3, 2, [2]), fresh(4)];
  expect(groupsOf(found, 5, true)).toEqual([
    { first: 0, members: 2, epoch: 9 },
    { first: 2, members: 1, epoch: 3 },
    { first: 3, members: 1, epoch: 2 },
    { first: 4, members: 1, epoch: 0 },
  ]);
  // Without a state every snapshot is one to go on from.
  expect(groupsOf(found, 5, false).map(({ first, members, epoch }) => [first, members, epoch])).toEqual([
    [0, 2, 9],
    [2, 2, 2],
    [4, 1, 0],
  ]);
});

it('do not bring back one that is far ahead to one that is begun anew', () => {
  const found = [fresh(0), begun(1, 40, [40])];
  expect(groupsOf(found, 5, true)).toEqual([
    { first: 0, members: 1, epoch: 0 },
    { first: 1, members: 1, epoch: 40 },
  ]);
});
