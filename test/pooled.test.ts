import { afterAll, describe, expect, test } from 'vitest';
import { cpuInfo, openCpuDevice } from '../src/engine/cpu/device.js';
import { pooled } from '../src/engine/cpu/passes/pooled.js';
import type { OpCase } from '../src/engine/op.js';
import * as bias from '../src/engine/ops/bias.js';
import * as conv2d from '../src/engine/ops/conv2d.js';
import * as maxpool2d from '../src/engine/ops/maxpool2d.js';
import * as relu from '../src/engine/ops/relu.js';
import type { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { slice, type View } from '../src/engine/view.js';
import { prepareCase, runCase } from './harness/cases.js';
import { relativeError } from './harness/close.js';

const geometry = { stride: 1, padding: 2 };
const halves = { kernel: 2, stride: 2, padding: 0 };
const [P, N] = [2, 6];
const [x, w, y, u] = [
  [N, 3, 10, 12],
  [7, 3, 5, 5],
  [N, 7, 10, 12],
  [N, 7, 5, 6],
];

/** Winners of a map, and what two gradients of the pooling's output become in it. */
function pool(r: Recorder) {
  // Made within the program, as every index and gradient in training is.
  const { index } = maxpool2d.forward(r, { x: r.external('y', P, y) }, halves);
  const gradient = (name: string) => {
    const values = r.external(name, P, u);
    return maxpool2d.backward(r, { yBar: relu.mask(r, { y: values, u: values }), index }, halves, y);
  };
  return { index, yBar: gradient('uBar'), yBar2: gradient('uBar2') };
}

function gradients(r: Recorder, yBar: View, yBar2?: View): void {
  const images = (name: string) => r.external(name, P, x);
  const weights = (name: string) => r.external(name, P, w);
  const toX = yBar2 && { yBar: yBar2, w: weights('w2') };
  const toW = yBar2 && { x: images('x2'), yBar: yBar2 };
  const [xBar, wBar] = [images('xBar'), weights('wBar')];
  conv2d.backwardInput(r, { yBar, w: weights('w'), second: toX }, geometry, x, { into: xBar });
  conv2d.backwardWeight(r, { x: images('x'), yBar, second: toW }, geometry, w, { into: wBar });
  bias.backward(r, { yBar }, { into: r.external('bBar', P, [7]) });
}

const taken: OpCase[] = [
  {
    name: 'one gradient',
    record(r) {
      gradients(r, pool(r).yBar);
    },
  },
  {
    name: 'two gradients behind one pooling',
    record(r) {
      const { yBar, yBar2 } = pool(r);
      gradients(r, yBar, yBar2);
    },
  },
];
const left: OpCase[] = [
  {
    name: 'a gradient that something else reads',
    record(r) {
      const { yBar } = pool(r);
      gradients(r, yBar);
      relu.mask(r, { y: yBar, u: yBar }, { into: r.external('masked', P, y) });
    },
  },
  {
    name: 'a second gradient that pooling did not make',
    record(r) {
      const { yBar } = pool(r);
      gradients(r, yBar, r.external('dense', P, y));
    },
  },
  {
    name: 'a gradient of some images',
    record(r) {
      const { yBar } = pool(r);
      bias.backward(r, { yBar: slice(yBar, 0, [1, ...y.slice(1)]) }, { into: r.external('bBar', P, [7]) });
    },
  },
];

const names = (opCase: OpCase) =>
  pooled(prepareCase(opCase).program)
    .steps.map((step) => step.kernel.name)
    .filter((name) => /pooled|conv2d|maxpool2d.backward/.test(name));
const reference = new ReferenceDevice();
const open = await Promise.all(cpuInfo().isas.map((isa) => openCpuDevice({ isa, threads: 2 })));
afterAll(() => Promise.all(open.map((device) => device.dispose())));

describe('gradients of a convolution behind max pooling', () => {
  test.each(taken)('are made of those of its output: $name', (opCase) => {
    expect(names(opCase)).toEqual(['pooled.backwardInput', 'pooled.backwardWeight']);
  });

  test.each(left)('stay as they are: $name', (opCase) => {
    expect(names(opCase).filter((name) => /pooled/.test(name))).toEqual([]);
  });

  test.each([...taken, ...left])('agree with the reference: $name', async (opCase) => {
    const prepared = prepareCase(opCase);
    const expected = await runCase(reference, prepared);
    for (const device of open)
      for (const [slot, values] of await runCase(device, prepared))
        expect(relativeError(values, expected.get(slot)!)).toBeLessThan(1e-6);
  });
});

/** A convolution, max pooling of its output by windows of `kernel`, and what else is done to them. */
const joinable = (
  name: string,
  images: number,
  pool = halves,
  { before, after }: Partial<Record<'before' | 'after', (r: Recorder, map: View) => void>> = {},
): OpCase => ({
  name,
  record(r) {
    const map = conv2d.forward(
      r,
      {
        x: r.external('x', P, [images, 6, 14, 14]),
        w: r.external('w', 1, [16, 6, 5, 5]),
        b: r.external('b', P, [16]),
      },
      { stride: 1, padding: 0 },
    );
    before?.(r, map);
    const { index } = maxpool2d.forward(r, { x: map }, pool, { y: r.external('y', P, [images, 16, 5, 5]) });
    after?.(r, map);
    const uBar = r.external('uBar', P, [images, 16, 5, 5]);
    maxpool2d.backward(r, { yBar: uBar, index }, pool, [images, 16, 10, 10], {
      into: r.external('mapBar', P, [images, 16, 10, 10]),
    });
  },
});
const joined = [joinable('45 images', 45)];
const apart = [
  joinable('vectors half empty', 10),
  joinable('windows that overlap', 45, { kernel: 3, stride: 2, padding: 1 }),
  ...(['before', 'after'] as const).map((when) =>
    joinable(`an output that something else reads ${when} the pooling`, 45, halves, {
      [when]: (r: Recorder, map: View) =>
        void relu.forward(r, { x: map }, { into: r.external('again', P, map.shape) }),
    }),
  ),
];

describe('a convolution and max pooling of its output', () => {
  const names = (opCase: OpCase) => pooled(prepareCase(opCase).program).steps.map((step) => step.kernel.name);

  test.each(joined)('become one step: $name', (opCase) => {
    expect(names(opCase)).toEqual(['pooled.forward', 'maxpool2d.backward']);
  });

  test.each(apart)('stay two: $name', (opCase) => {
    expect(names(opCase)).toContain('conv2d.forward');
    expect(names(opCase)).toContain('maxpool2d.forward');
  });

  test.each([...joined, ...apart])('agree with the reference: $name', async (opCase) => {
    const prepared = prepareCase(opCase);
    const expected = await runCase(reference, prepared);
    for (const device of open)
      for (const [slot, values] of await runCase(device, prepared))
        expect(relativeError(values, expected.get(slot)!)).toBeLessThan(1e-6);
  });
});
