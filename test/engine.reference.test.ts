import { describe, expect, test } from 'vitest';
import type { Numbers } from '../src/engine/device.js';
import type { OpCase } from '../src/engine/kernel.js';
import * as avgpool2d from '../src/engine/ops/avgpool2d.js';
import * as conv2d from '../src/engine/ops/conv2d.js';
import * as linear from '../src/engine/ops/linear.js';
import * as maxpool2d from '../src/engine/ops/maxpool2d.js';
import { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { prepareCase, runCase } from './harness/cases.js';
import { dot } from './harness/close.js';

const device = new ReferenceDevice();

/** Outputs and inputs of a case without accumulation, by slot name. */
async function run(opCase: OpCase): Promise<Record<string, Numbers>> {
  const prepared = prepareCase(opCase);
  const all: Record<string, Numbers> = {};
  for (const [slot, values] of prepared.inputs) all[slot.name] = values;
  for (const [slot, values] of await runCase(device, prepared)) all[slot.name] = values;
  return all;
}

const find = (cases: readonly OpCase[], kernel: string) =>
  cases.filter((c) => c.name.startsWith(`${kernel} `) && !c.bench && !/accumulate|shared/.test(c.name));

describe('adjoint identities of the float64 definitions', () => {
  // <yBar, conv(x, w)> = <xBar, x> = <wBar, w>, each computed with the operands of its own case.
  const triples = find(conv2d.cases, 'conv2d.forward').map((c) => c.name.replace('conv2d.forward ', ''));
  test.each(triples)('conv2d %s', async (geometry) => {
    const named = (kernel: string) => conv2d.cases.find((c) => c.name === `${kernel} ${geometry}`)!;
    const forward = prepareCase(named('conv2d.forward'));
    const { x, w } = Object.fromEntries([...forward.inputs].map(([slot, values]) => [slot.name, values]));
    const step = forward.program.steps[0];
    const zero = new Map(
      [...forward.inputs].map(([slot, v]) => [slot, slot.name === 'b' ? v.map(() => 0) : v]),
    );
    const y = (await runCase(device, { ...forward, inputs: zero as typeof forward.inputs })).values().next()
      .value!;
    const backward = prepareCase(named('conv2d.backwardInput'));
    const yBar = [...backward.inputs].find(([slot]) => slot.name === 'yBar')![1];
    const withW = new Map([...backward.inputs].map(([slot, v]) => [slot, slot.name === 'w' ? w : v]));
    const xBar = (await runCase(device, { ...backward, inputs: withW })).values().next().value!;
    const weight = prepareCase(named('conv2d.backwardWeight'));
    const withXY = new Map(
      [...weight.inputs].map(([slot, v]) => [slot, slot.name === 'x' ? x : slot.name === 'yBar' ? yBar : v]),
    );
    const wBar = (await runCase(device, { ...weight, inputs: withXY })).values().next().value!;
    const left = dot(yBar, y);
    const scale = Math.sqrt(dot(yBar, yBar) * dot(y, y)) + 1e-300;
    expect(step.kernel.name).toBe('conv2d.forward');
    expect(Math.abs(left - dot(xBar, x)) / scale).toBeLessThan(1e-13);
    expect(Math.abs(left - dot(wBar, w)) / scale).toBeLessThan(1e-13);
  });

  test('linear and max pooling', async () => {
    const { y, x, w, b } = await run(find(linear.cases, 'linear.forward')[1]);
    expect(y.length).toBe(10 * 120);
    // One output by hand.
    let sum = b[7];
    for (let i = 0; i < 400; i++) sum += x[3 * 400 + i] * w[7 * 400 + i];
    expect(Math.abs(y[3 * 120 + 7] - sum)).toBeLessThan(1e-12);

    const tangent = find(maxpool2d.cases, 'maxpool2d.tangent')[0];
    const backward = find(maxpool2d.cases, 'maxpool2d.backward')[0];
    const t = prepareCase(tangent);
    const bw = prepareCase(backward);
    const input = (prepared: typeof t, name: string) =>
      [...prepared.inputs].find(([slot]) => slot.name === name)![1];
    const x0 = input(t, 'x');
    const same = new Map([...bw.inputs].map(([slot, v]) => [slot, slot.name === 'x' ? x0 : v]));
    const yDot = (await runCase(device, t)).values().next().value!;
    const xBar = (await runCase(device, { ...bw, inputs: same })).values().next().value!;
    expect(Math.abs(dot(input(bw, 'yBar'), yDot) - dot(xBar, input(t, 'xDot')))).toBeLessThan(1e-12);
  });
});

describe('average pooling', () => {
  async function pooled(values: number[], shape: number[], geometry: avgpool2d.AvgPoolGeometry) {
    return run({
      name: 'average pooling',
      fill: { x: { kind: 'values', values } },
      record(r) {
        const x = r.external('x', 1, shape);
        const [OH, OW] = avgpool2d.outputShape('test', shape.slice(2), geometry);
        avgpool2d.forward(r, { x }, geometry, { into: r.external('y', 1, [shape[0], shape[1], OH, OW]) });
      },
    });
  }

  test('divides every window by its size, pixels outside included', async () => {
    const image = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const { y } = await pooled(image, [1, 1, 3, 3], { kernel: 2, stride: 2, padding: 1 });
    expect([...y]).toEqual([1 / 4, 5 / 4, 11 / 4, 28 / 4]);
    const whole = await pooled([...image, 10, 11, 12], [1, 2, 3, 2], {
      kernel: [3, 2],
      stride: 1,
      padding: 0,
    });
    expect(whole.y[0]).toBeCloseTo(3.5, 12);
    expect(whole.y[1]).toBeCloseTo(9.5, 12);
  });

  test('a window that could lie outside the image is refused', () => {
    const r = new Recorder('outside');
    const x = r.external('x', 1, [1, 1, 5, 5]);
    expect(() => avgpool2d.forward(r, { x }, { kernel: [4, 2], stride: 1, padding: 2 })).toThrow(
      /padding is 2, expected at most half of kernel 4x2/,
    );
    expect(() => avgpool2d.forward(r, { x }, { kernel: 6, stride: 1, padding: 0 })).toThrow(/too small/);
  });
});
