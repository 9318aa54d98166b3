import { afterAll, describe, expect, test } from 'vitest';
import { cpuInfo, openCpuDevice } from '../src/engine/cpu/device.js';
import { winograd } from '../src/engine/cpu/passes/winograd.js';
import type { OpCase } from '../src/engine/op.js';
import * as conv2d from '../src/engine/ops/conv2d.js';
import { Recorder } from '../src/engine/program.js';
import { expectCaseAgrees, prepareCase } from './harness/cases.js';

interface Shape {
  P: number;
  N: number;
  C: number;
  H: number;
  W: number;
  OC: number;
  padding: number;
  /** Which factor the population shares. */
  shared?: 'first' | 'second';
  accumulate?: boolean;
}

/** The three kernels of a convolution that the pass takes. */
function casesOf({ P, N, C, H, W, OC, padding, shared, accumulate = false }: Shape): OpCase[] {
  const geometry = { stride: 1, padding };
  const [x, w] = [
    [N, C, H, W],
    [OC, C, 3, 3],
  ];
  const y = [N, OC, H + 2 * padding - 2, W + 2 * padding - 2];
  const [first, second] = [shared === 'first' ? 1 : P, shared === 'second' ? 1 : P];
  const name =
    `P=${P} N=${N} ${C}x${H}x${W} -> ${OC} p${padding}` +
    `${shared ? ` ${shared} shared` : ''}${accumulate ? ' accumulate' : ''}`;
  return [
    {
      name: `forward ${name}`,
      record(r) {
        const views = { x: r.external('x', first, x), w: r.external('w', second, w) };
        const b = accumulate ? undefined : r.external('b', second, [OC]);
        conv2d.forward(r, { ...views, b }, geometry, { into: r.external('y', P, y), accumulate });
      },
    },
    {
      name: `backwardInput ${name}`,
      record(r) {
        const views = { yBar: r.external('yBar', first, y), w: r.external('w', second, w) };
        conv2d.backwardInput(r, views, geometry, x, { into: r.external('xBar', P, x), accumulate });
      },
    },
    {
      name: `backwardWeight ${name}`,
      record(r) {
        const views = { x: r.external('x', first, x), yBar: r.external('yBar', second, y) };
        conv2d.backwardWeight(r, views, geometry, w, { into: r.external('wBar', P, w), accumulate });
      },
    },
  ];
}

const cases = [
  { P: 1, N: 3, C: 16, H: 8, W: 8, OC: 16, padding: 1 },
  { P: 1, N: 2, C: 17, H: 9, W: 7, OC: 35, padding: 0 },
  { P: 3, N: 1, C: 18, H: 7, W: 12, OC: 16, padding: 2, shared: 'first' as const },
  { P: 3, N: 2, C: 16, H: 8, W: 6, OC: 20, padding: 1, shared: 'second' as const, accumulate: true },
].flatMap(casesOf);
/** As deep as in the networks of the field, and more than one block of tiles. */
const deep = [
  { P: 1, N: 2, C: 128, H: 16, W: 16, OC: 40, padding: 1 },
  { P: 1, N: 9, C: 16, H: 18, W: 17, OC: 24, padding: 1 },
].flatMap(casesOf);

const chosen = (opCase: OpCase) =>
  winograd(prepareCase(opCase).program).steps.map((step) => step.kernel.name);
const open = await Promise.all(cpuInfo().isas.map((isa) => openCpuDevice({ isa, threads: 2 })));
afterAll(() => Promise.all(open.map((device) => device.dispose())));

describe('Winograd', () => {
  // The pass is part of the engine: what is compared is a plain convolution, to the tolerance of a plain convolution.
  describe.each(open.map((device) => [device.description, device] as const))('on %s', (_, device) => {
    test.each([...cases, ...deep].map((opCase) => [opCase.name, opCase] as const))(
      '%s is within the tolerance of sums of products',
      async (_, opCase) => {
        expect(chosen(opCase)).toEqual([expect.stringMatching(/^winograd\./)]);
        await expectCaseAgrees(device, opCase);
      },
    );
  });

  test('is left alone where it would not pay, or would be of another convolution', () => {
    const names = (shape: Partial<Shape>, other: Partial<conv2d.ConvGeometry> & { kernel?: number } = {}) =>
      chosen({
        name: 'a convolution',
        record(r) {
          const { N, C, H, W, OC } = { N: 4, C: 16, H: 8, W: 8, OC: 16, ...shape };
          const { kernel: K = 3, ...geometry } = { stride: 1, padding: 1, ...other };
          const w = r.external('w', 1, [OC, C / (geometry.groups ?? 1), K, K]);
          conv2d.forward(r, { x: r.external('x', 1, [N, C, H, W]), w }, geometry);
        },
      });
    expect(names({})).toEqual(['winograd.forward']);
    const plain = [
      ...[names({ C: 3 }), names({ OC: 8 }), names({ H: 2, W: 2 }), names({}, { stride: 2 })],
      ...[names({}, { dilation: 2, padding: 2 }), names({ C: 32, OC: 32 }, { groups: 2 })],
      ...[names({}, { kernel: 5, padding: 2 })],
    ];
    for (const one of plain) expect(one).toEqual(['conv2d.forward']);
  });
});

test.each([
  [undefined, ['winograd.forward']],
  [[], ['conv2d.forward']],
])('a device opened with passes %j runs %j', async (passes, kernels) => {
  const device = await openCpuDevice({ threads: 1, passes });
  const r = new Recorder('one');
  const x = r.external('x', 1, [4, 16, 8, 8]);
  conv2d.forward(r, { x, w: r.external('w', 1, [16, 16, 3, 3]) }, { stride: 1, padding: 1 });
  const tensors = { x: await device.tensor('f32', 4 * 16 * 64), w: await device.tensor('f32', 16 * 16 * 9) };
  const executable = await device.load(r.program(), tensors);
  const { steps } = await executable.profile!();
  expect(steps.map(({ kernel }) => kernel.name)).toEqual(kernels);
  await device.dispose();
});
