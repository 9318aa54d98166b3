import { describe, expect, test } from 'vitest';
import { livesOf, planArena, planMemory, temporariesOf } from '../src/engine/memory.js';
import * as conv2d from '../src/engine/ops/conv2d.js';
import * as elementwise from '../src/engine/ops/elementwise.js';
import * as linear from '../src/engine/ops/linear.js';
import * as optimizer from '../src/engine/ops/optimizer.js';
import * as reduce from '../src/engine/ops/reduce.js';
import { Recorder } from '../src/engine/program.js';
import { Ranges } from '../src/engine/ranges.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { reshape, type Slot, slice } from '../src/engine/view.js';
import { createNetwork } from '../src/networks/index.js';
import { recordMetaGradient } from '../src/train/calls/meta-gradient.js';
import { Stream } from '../src/util/random.js';

const geometry = { stride: 1, padding: 0 };

describe('mistakes are caught while recording, by name', () => {
  test.each<[string, (r: Recorder) => void, RegExp]>([
    [
      'channels that differ',
      (r) =>
        conv2d.forward(
          r,
          { x: r.external('x', 1, [2, 3, 8, 8]), w: r.external('w', 1, [4, 1, 3, 3]) },
          geometry,
        ),
      /conv2d.forward: w is \[4, 1, 3, 3\], expected \[OC, C \/ groups, KH, KW\] with the C of x, which is \[2, 3, 8, 8\]/,
    ],
    [
      'a kernel larger than its input',
      (r) =>
        conv2d.forward(
          r,
          { x: r.external('x', 1, [2, 1, 4, 8]), w: r.external('w', 1, [4, 1, 5, 5]) },
          geometry,
        ),
      /the height of the input is 4, too small for a kernel of 5/,
    ],
    [
      'populations that differ',
      (r) => linear.forward(r, { x: r.external('x', 2, [5, 3]), w: r.external('w', 3, [4, 3]) }),
      /linear.forward: w has 3 members, the others 2/,
    ],
    [
      'a per-member gradient for something shared',
      (r) => {
        const yBar = r.external('yBar', 3, [5, 4]);
        linear.backwardInput(
          r,
          { yBar, w: r.external('w', 1, [4, 3]) },
          { into: r.external('xBar', 1, [5, 3]) },
        );
      },
      /xBar has 1 members, the result has 3; sum a shared gradient with reduce.members/,
    ],
    [
      'adding to nothing',
      (r) =>
        linear.forward(
          r,
          { x: r.external('x', 1, [5, 3]), w: r.external('w', 1, [4, 3]) },
          { accumulate: true },
        ),
      /accumulate needs a destination/,
    ],
    [
      'two slots of one name',
      (r) => [r.external('x', 1, [2]), r.external('x', 1, [2])],
      /already an external slot named x/,
    ],
    [
      'a slice beyond the end',
      (r) => slice(r.external('x', 1, [10]), 8, [3]),
      /\[3\] from element 8 does not fit/,
    ],
    ['a reshape that changes the size', (r) => reshape(r.external('x', 1, [10]), [3, 3]), /\[3, 3\] has 9/],
    ['an impossible size', (r) => r.temporary('x', 1, [0]), /sizes must be whole and positive/],
    [
      'a rate that is not one number',
      (r) =>
        optimizer.sgd(r, {
          theta: r.external('t', 1, [4]),
          g: r.external('g', 1, [4]),
          rate: r.external('r', 1, [2]),
        }),
      /rate is \[2\], expected \[1\]/,
    ],
  ])('%s', (_, record, message) => {
    expect(() => record(new Recorder('mistake'))).toThrowError(message);
  });

  test('reading a temporary, or a part of it, that nobody wrote', () => {
    const unwritten = new Recorder('unwritten');
    reduce.sum(unwritten, { x: unwritten.temporary('t', 1, [4]) });
    expect(() => unwritten.program()).toThrowError(
      /step 0 \(reduce.sum\) reads x=t member 0 before it was written/,
    );

    const half = new Recorder('half written');
    const t = half.temporary('t', 2, [4]);
    elementwise.fill(half, 1, slice(t, 0, [2]));
    reduce.sum(half, { x: t });
    expect(() => half.program()).toThrowError(/step 1 \(reduce.sum\) reads x=t member 0/);

    const whole = new Recorder('written in two pieces');
    const u = whole.temporary('u', 2, [4]);
    elementwise.fill(whole, 1, slice(u, 2, [2]));
    elementwise.fill(whole, 1, slice(u, 0, [2]));
    reduce.sum(whole, { x: u });
    expect(whole.program().steps.length).toBe(3);
  });
});

test('ranges cover what lies in one of them, in whatever order they came', () => {
  const stream = new Stream(5, 0);
  for (let round = 0; round < 200; round++) {
    const ranges = new Ranges();
    const held = new Array<boolean>(24).fill(false);
    for (let i = 0; i < 6; i++) {
      const [a, b] = [0, 1].map((at) => stream.u32(round * 100 + 2 * i + at) % 25);
      ranges.add(Math.min(a, b), Math.max(a, b));
      held.fill(true, Math.min(a, b), Math.max(a, b));
      for (let from = 0; from < 24; from++)
        for (let to = from + 1; to <= 24; to++)
          expect(ranges.covers(from, to), `${from} .. ${to}`).toBe(held.slice(from, to).every(Boolean));
    }
  }
});

describe('memory', () => {
  const network = createNetwork({ name: 'lenet', inputShape: [1, 16, 16], classes: 4 });
  const program = recordMetaGradient({ network, members: 2, n: 4, B: 8, steps: 2, epochs: 2 });
  const lives = new Map<Slot, [number, number]>();
  program.steps.forEach((step, index) => {
    for (const view of Object.values(step.operands))
      if (view && !view.slot.external) lives.set(view.slot, [lives.get(view.slot)?.[0] ?? index, index]);
  });
  const slots = [...lives.keys()];

  /** Throws where two slots that share memory live at the same time. */
  function expectApart(share: (a: Slot, b: Slot) => boolean): void {
    expect(slots.length).toBeGreaterThan(100);
    let sharing = 0;
    for (const a of slots)
      for (const b of slots) {
        if (a.id >= b.id || !share(a, b)) continue;
        sharing++;
        const [[startA, endA], [startB, endB]] = [lives.get(a)!, lives.get(b)!];
        expect(endA < startB || endB < startA, `${a.name} and ${b.name}`).toBe(true);
      }
    expect(sharing).toBeGreaterThan(100);
  }

  test('slots that live at the same time never overlap in an arena, which is as small as can be', () => {
    const { offsetOf, bytes } = planArena(livesOf(temporariesOf(program.steps)));
    const end = (slot: Slot) => offsetOf.get(slot)! + slot.length * 4;
    expectApart((a, b) => offsetOf.get(a)! < end(b) && offsetOf.get(b)! < end(a));
    for (const slot of slots) {
      expect(offsetOf.get(slot)! % 64).toBe(0);
      expect(end(slot)).toBeLessThanOrEqual(bytes);
    }
    const alive = program.steps.map((_, index) => {
      const now = slots.filter((slot) => lives.get(slot)![0] <= index && index <= lives.get(slot)![1]);
      return now.reduce((sum, { length }) => sum + 64 * Math.ceil(length / 16), 0);
    });
    expect(bytes).toBeLessThan(1.02 * Math.max(...alive));
  });

  test('slots that live at the same time never share a block', () => {
    const { blockOf, blocks, bytes } = planMemory(program.steps);
    expectApart((a, b) => blockOf.get(a) === blockOf.get(b));
    for (const slot of slots) expect(blocks[blockOf.get(slot)!]).toBeGreaterThanOrEqual(slot.length * 4);
    expect(bytes).toBe(blocks.reduce((sum, block) => sum + block, 0));
  });
});

test('a program prints its steps, and counts them by hand', () => {
  const r = new Recorder('small');
  const x = r.external('x', 1, [2, 3, 8, 8]);
  const w = r.external('w', 4, [5, 3, 3, 3]);
  conv2d.forward(r, { x, w }, geometry, { into: r.external('y', 4, [2, 5, 6, 6]) });
  const program = r.program();
  expect(program.flops()).toBe(2 * 4 * 2 * 5 * 6 * 6 * 3 * 3 * 3);
  expect(program.bytes()).toEqual({
    external: 4 * (384 + 540 + 1440),
    temporary: 0,
    total: 4 * (384 + 540 + 1440),
  });
  expect(program.print()).toMatch(
    /program small: 1 steps[^\n]*\n\s+0 {2}conv2d.forward\s+x=x\[2, 3, 8, 8\] w=w\(4\)/,
  );
});

describe('what a recorded program does not do', () => {
  test('a run reads its tensors anew: numbers that change live in slots', async () => {
    const device = new ReferenceDevice();
    const r = new Recorder('twice');
    elementwise.add(
      r,
      { a: r.external('a', 1, [2]), b: r.external('b', 1, [2]) },
      1,
      1,
      r.external('out', 1, [2]),
    );
    const [a, b, out] = await Promise.all(
      [
        [1, 2],
        [10, 20],
        [0, 0],
      ].map((v) => device.tensor('f32', 2, v)),
    );
    const executable = await device.load(r.program(), { a, b, out });
    await executable.run();
    expect([...(await out.read())]).toEqual([11, 22]);
    await a.write([5, 6]);
    await executable.run();
    expect([...(await out.read())]).toEqual([15, 26]);
  });

  test('read() copies: a later run does not change what was read', async () => {
    const device = new ReferenceDevice();
    const r = new Recorder('copy');
    elementwise.fill(r, 3, r.external('out', 1, [2]));
    const out = await device.tensor('f32', 2);
    const before = await out.read();
    await (await device.load(r.program(), { out })).run();
    expect([...before]).toEqual([0, 0]);
    expect([...(await out.read())]).toEqual([3, 3]);
  });

  test('bindings are checked: missing, of another type, of another device, unknown', async () => {
    const device = new ReferenceDevice();
    const r = new Recorder('bind');
    elementwise.fill(r, 3, r.external('out', 1, [2]));
    const program = r.program();
    const load = (bindings: Parameters<typeof device.load>[1]) => device.load(program, bindings);
    await expect(load({})).rejects.toThrowError(/nothing is bound to the external slot out/);
    await expect(load({ out: await device.tensor('u32', 2) })).rejects.toThrowError(/2 u32, expected 2 f32/);
    await expect(load({ out: await device.tensor('f32', 3) })).rejects.toThrowError(/3 f32, expected 2 f32/);
    await expect(load({ out: await new ReferenceDevice().tensor('f32', 2) })).rejects.toThrowError(
      /another device/,
    );
    const out = await device.tensor('f32', 2);
    await expect(load({ out, more: out })).rejects.toThrowError(/no external slot named more/);
    await expect(out.write([1, 2, 3])).rejects.toThrowError(
      /write of 3 f32 at element 0 does not fit in a tensor of 2/,
    );
  });
});
