/** What devices can do beyond the least, and the path without it: subgroup operations, half precision by matrix units. */
import { afterAll, describe, expect, test } from 'vitest';
import type { Tensor } from '../src/engine/device.js';
import type { OpCase } from '../src/engine/op.js';
import { ops } from '../src/engine/ops/index.gen.js';
import { Recorder } from '../src/engine/program.js';
import {
  type Abilities,
  type AdapterAbilities,
  abilitiesOf,
  type MatrixUnit,
} from '../src/engine/webgpu/abilities.js';
import { openDawnDevice } from '../src/engine/webgpu/dawn.js';
import { WebgpuDevice } from '../src/engine/webgpu/device.js';
import { moduleText } from '../src/engine/webgpu/modules.js';
import { halfKernels } from '../src/engine/webgpu/ops/tiled.js';
import { tiled } from '../src/engine/webgpu/passes/tiled.js';
import { shaders } from '../src/engine/webgpu/shaders.gen.js';
import {
  bytesOf,
  fitsMatrices,
  halfTiles,
  lanesOf,
  type Tile,
  tilingOf,
} from '../src/engine/webgpu/tiles.js';
import { expectCaseAgrees, prepareCase, runCase } from './harness/cases.js';

/**
 * Bytes of workgroup memory that `shaders/with/matrices.wgsl` takes: for a tile in f16, or the sums of one row of blocks of its
 * matrix unit, and for the largest number of each subgroup.
 */
function halfBytesOf(tile: Tile, unit: MatrixUnit, subgroup: number): number {
  const { ROWS, LY, COLUMNS, LX, DEPTH } = tile;
  const halves = DEPTH * (ROWS * LY + COLUMNS * LX + 4);
  return 8 * (Math.max(halves, unit.ROWS * (2 * COLUMNS * LX + 2)) + lanesOf(tile) / subgroup);
}

const recorded = (opCase: OpCase) => {
  const recorder = new Recorder(opCase.name);
  opCase.record(recorder);
  return recorder.program();
};
const light = (cases: readonly OpCase[]) =>
  cases.filter((opCase) => !opCase.bench && recorded(opCase).flops() < 1e5);

describe('what an adapter is asked for', () => {
  const config = { componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 };
  const adapter = (features: readonly string[], info: AdapterAbilities['info'] = {}): AdapterAbilities => ({
    features: new Set(features),
    limits: { maxComputeWorkgroupStorageSize: 49152 },
    info: { subgroupMinSize: 32, subgroupMaxSize: 32, subgroupMatrixConfigs: [config], ...info },
  });
  const all = ['subgroups', 'shader-f16', 'chromium-experimental-subgroup-matrix'];
  const half = { precision: 'half' } as const;

  test('subgroup operations where it has them and they are wanted, nothing else', () => {
    expect(abilitiesOf(adapter(all), {}, 'A')).toEqual({
      features: ['subgroups'],
      abilities: { subgroup: 32 },
    });
    const without = { features: [], abilities: { subgroup: 0 } };
    expect(abilitiesOf(adapter(all), { subgroups: false }, 'A')).toEqual(without);
    expect(abilitiesOf(adapter([]), {}, 'A')).toEqual(without);
  });

  test('the largest matrices of f16 that are added up in f32', () => {
    const subgroupMatrixConfigs = [
      { ...config, K: 8 },
      { ...config, resultComponentType: 'f16' },
      config,
      { ...config, componentType: 'f32' },
    ];
    const { features, abilities } = abilitiesOf(adapter(all, { subgroupMatrixConfigs }), half, 'A');
    expect(features).toEqual(all);
    expect(abilities).toEqual({ subgroup: 32, matrices: { ROWS: 16, COLUMNS: 16, TERMS: 16 } });
  });

  test.each([
    [adapter(all.slice(0, 1)), /A lacks shader-f16, chromium-experimental-subgroup-matrix; leave precision/],
    [adapter(all, { subgroupMinSize: 8 }), /A has subgroups of 8 to 32 lanes/],
    [
      adapter(all, { subgroupMatrixConfigs: [{ ...config, resultComponentType: 'f16' }] }),
      /A offers f16 to f16 16x16x16/,
    ],
    [adapter(all, { subgroupMatrixConfigs: undefined }), /A offers no matrices/],
    [
      { ...adapter(all), limits: { maxComputeWorkgroupStorageSize: 16384 } },
      /A has 16384 bytes of workgroup memory/,
    ],
  ])('an adapter that cannot is refused with what it lacks', (given, message) => {
    const refused = { code: 'ERR_DEVICE', message: expect.stringMatching(message) };
    expect(() => abilitiesOf(given, half, 'A')).toThrow(expect.objectContaining(refused));
  });

  test('a precision that does not exist is refused with those that do', () => {
    const precision = 'quarter' as 'half';
    const refused = { code: 'ERR_OPTION', message: expect.stringMatching(/"quarter".*single, half/) };
    expect(() => abilitiesOf(adapter(all), { precision }, 'A')).toThrow(expect.objectContaining(refused));
  });
});

describe('sums over a workgroup', () => {
  const cases = ['bias', 'reduce', 'norm', 'augment'].flatMap((op) => {
    const own = light((ops as unknown as Record<string, { cases: readonly OpCase[] }>)[op].cases);
    return own.filter((_, index) => index % 4 === 0);
  });

  test.each([true, false])('agree with the reference; subgroup operations wanted: %s', async (subgroups) => {
    const device = await openDawnDevice({ subgroups });
    if (!subgroups) expect(device.pipelines.abilities.subgroup).toBe(0);
    for (const opCase of cases) await expectCaseAgrees(device, opCase);
    const prepared = prepareCase(cases[0]);
    const first = await runCase(device, prepared);
    expect(await runCase(device, prepared)).toEqual(first);
    await device.dispose();
  });

  test('only modules with such sums change, and their lines keep their numbers', () => {
    const changed = Object.keys(shaders).filter(
      (op) => moduleText(op, { subgroup: 32 }) !== shaders[op].code,
    );
    expect(changed).toEqual([
      'arccosine',
      'augment',
      'bias',
      'conv2d',
      'norm',
      'normpool',
      'orthonormalise',
      'reduce',
      'rowcosine',
      'unitrows',
    ]);
    for (const op of changed) {
      const lines = moduleText(op, { subgroup: 32 }).split('\n');
      expect(moduleText(op, { subgroup: 32 })).toMatch(/^enable subgroups;.*\n/);
      const code = shaders[op].code.split('\n');
      const entry = code.findIndex((line) => line.startsWith('@compute'));
      expect(lines[entry]).toBe(code[entry]);
    }
  });
});

describe.each<Abilities & { name: string }>([
  { name: '16x16x16 of 32 lanes', subgroup: 32, matrices: { ROWS: 16, COLUMNS: 16, TERMS: 16 } },
  { name: '8x8x8 of 8 lanes', subgroup: 8, matrices: { ROWS: 8, COLUMNS: 8, TERMS: 8 } },
])('matrix units $name, on the null backend', ({ subgroup, matrices }) => {
  const abilities = { subgroup, matrices };
  const opened = (async () => {
    // The null backend has every feature and no matrices of its own; it takes any.
    const { gpu } = await openDawnDevice({ backend: 'null' });
    const { create } = await import('webgpu');
    const options = ['backend=null', 'enable-dawn-features=allow_unsafe_apis'];
    const unsafe = ((globalThis as Record<string, unknown>).limbeckNullUnsafe ??=
      create(options)) as typeof gpu;
    const adapter = (await unsafe.requestAdapter())!;
    const requiredFeatures = ['subgroups', 'shader-f16', 'chromium-experimental-subgroup-matrix'];
    const raw = await adapter.requestDevice({ requiredFeatures: requiredFeatures as GPUFeatureName[] });
    return new WebgpuDevice(unsafe, raw, 'null', false, abilities);
  })();
  afterAll(async () => (await opened).dispose());

  test('take every tile for them', () => {
    for (const tile of halfTiles) {
      expect(fitsMatrices(tile, abilities)).toBe(true);
      expect(halfBytesOf(tile, matrices!, subgroup)).toBeLessThanOrEqual(32768);
      expect(bytesOf(tile)).toBeGreaterThan(0);
    }
    expect(fitsMatrices({ ...halfTiles[0], LY: 1, ROWS: 1 }, { subgroup: 32, matrices })).toBe(false);
  });

  const within = halfTiles.filter((tile) => halfBytesOf(tile, matrices!, subgroup) <= 16384);
  test.each(within)('$LX x $LY lanes, $SLICES slices: every kernel compiles', async (tile) => {
    const device = await opened;
    const kernels = new Set<string>();
    for (const opCase of light([...ops.conv2d.cases, ...ops.linear.cases]).filter(({ name }) =>
      / paired/.test(name),
    )) {
      const program = tiled(recorded(opCase), () => ({ tile, split: 2, half: true }));
      if (program.steps.every(({ kernel }) => kernels.has(kernel.name))) continue;
      const bound: Record<string, Tensor> = {};
      for (const { name, dtype, length, external } of program.slots)
        if (external) bound[name] = await device.tensor(dtype, length);
      (await device.load(program, bound)).dispose();
      for (const tensor of Object.values(bound)) tensor.dispose();
      for (const { kernel } of program.steps) kernels.add(kernel.name);
    }
    const expected = Object.values(halfKernels).map(({ name }) => name);
    expect([...kernels].filter((name) => name.startsWith('half')).sort()).toEqual(expected.sort());
  });

  test('are chosen for large products, and not for what they would leave empty', () => {
    const tilings = [...ops.conv2d.cases, ...ops.linear.cases].map(
      (opCase) => tilingOf(recorded(opCase).steps[0], abilities)?.half ?? false,
    );
    expect(tilings).toContain(true);
    expect(tilings).toContain(false);
  });
});
