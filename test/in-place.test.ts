import { afterAll, describe, expect, test } from 'vitest';
import { CpuDevice } from '../src/engine/cpu/device.js';
import { inPlace } from '../src/engine/cpu/in-place.js';
import { describeProgram } from '../src/engine/cpu/serialise.js';
import { planStrips } from '../src/engine/cpu/strips.js';
import * as activation from '../src/engine/ops/activation.js';
import * as elementwise from '../src/engine/ops/elementwise.js';
import * as norm from '../src/engine/ops/norm.js';
import { type Program, Recorder } from '../src/engine/program.js';
import type { View } from '../src/engine/view.js';
import { atOnce } from '../src/util/breathe.js';
import { Stream } from '../src/util/random.js';

const device = new CpuDevice({ threads: 2 });
afterAll(() => device.dispose());

const [P, N, C] = [2, 3, 4];
const shape = [N, C, 5, 7];

/** A norm of `source + source` and its gradient, twice that in `result`; `more` reads its input once more. */
function normGradient(groups: number | 'batch', more: (r: Recorder, x: View) => void = () => {}): Program {
  const r = new Recorder('norm');
  const source = r.external('source', P, shape);
  const [gamma, beta] = ['gamma', 'beta'].map((name) => r.external(name, P, [C]));
  const geometry = { groups, eps: 1e-5, frozen: false };
  const x = elementwise.add(r, { a: source, b: source });
  const { y, saved } = norm.forward(r, { x, gamma, beta }, geometry);
  // All numbers differ, so that reading what is written already shows.
  const yBar = activation.derivative(r, { x: source, u: y }, { curve: 'gelu' });
  const { xBar } = norm.backward(r, { x, saved, yBar }, geometry);
  elementwise.add(r, { a: xBar, b: xBar }, 1, 1, r.external('result', P, shape));
  more(r, x);
  return r.program();
}

/** Whether xBar has the memory of x. */
function taken(program: Program): boolean {
  const units = atOnce(planStrips(program));
  const memoryOf = inPlace(units, (view, { strips }) => strips?.innerOffset(view) !== undefined);
  return [...memoryOf.keys()].some((slot) => slot.name === 'xBar');
}

async function result(program: Program): Promise<number[]> {
  const external = program.slots.filter((slot) => slot.external);
  const tensors = Object.fromEntries(
    await Promise.all(
      external.map(async ({ name, length, id }) => {
        const values = Float32Array.from({ length }, (_, i) => new Stream(2, id).normal(i));
        return [name, await device.tensor('f32', length, values)] as const;
      }),
    ),
  );
  const executable = await device.load(program, tensors);
  await executable.run();
  await executable.run();
  return Array.from(await tensors.result.read());
}

const readAgain = (r: Recorder, x: View) =>
  void elementwise.add(r, { a: x, b: x }, 1, 1, r.external('again', P, shape));

describe('the gradient of a norm', () => {
  test.each(['batch', 1, 2] as const)('is written over its input: groups %s', async (groups) => {
    const [over, beside] = [normGradient(groups), normGradient(groups, readAgain)];
    expect([taken(over), taken(beside)]).toEqual([true, false]);
    expect(await result(over)).toEqual(await result(beside));
    const bytes = (program: Program) =>
      atOnce(describeProgram(atOnce(planStrips(program)), device.kernels, new Map())).arenaBytes;
    expect(bytes(over)).toBeLessThan(bytes(beside));
  });
});
