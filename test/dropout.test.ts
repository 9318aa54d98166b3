import { expect, test } from 'vitest';
import type { EngineName } from '../src/engine/device.js';
import { loadWithTensors } from '../src/engine/load.js';
import { openDevice } from '../src/engine/open.js';
import * as random from '../src/engine/ops/random.js';
import { Recorder } from '../src/engine/program.js';
import { slice } from '../src/engine/view.js';
import { dropout } from '../src/layers/dropout.js';
import { createNetwork } from '../src/networks/index.js';
import { recordCharacteristicMatching } from '../src/train/characteristic-matching.js';
import { recordDistributionMatching } from '../src/train/distribution-matching.js';
import { recordGradientMatching } from '../src/train/gradient-matching.js';
import { copyInto } from '../src/train/groups.js';
import { recordKernelRegression } from '../src/train/kernel-regression.js';
import { streams } from '../src/train/streams.js';
import { Owned } from '../src/util/owned.js';
import { normals } from './harness/arrays.js';

const P = 2;
const M = 20_000;
const rate = 0.3;

/** Two members under masks of their own (`own`), of a state of step 3 (`forked`), and of another stream (`other`). */
async function masksOn(engine: EngineName) {
  const r = new Recorder('dropout');
  const state = r.external('state', 1, [4], 'u32');
  const x = r.external('x', P, [M]);
  const into = (name: string) => ({ into: r.external(name, P, [M]) });
  const step = slice(random.fork(r, { state }, { count: 5, stream: 1 }), 12, [4]);
  random.dropout(r, { state, x }, { rate, stream: 6, masks: P }, into('own'));
  random.dropout(r, { state: step, x }, { rate, stream: 6, masks: P }, into('forked'));
  random.dropout(r, { state, x }, { rate, stream: 7, masks: P }, into('other'));
  const device = await openDevice(engine);
  const values = Float32Array.from({ length: P * M }, (_, i) => 1 + (i % 97) / 64);
  const tensors = {
    state: await device.tensor('u32', 4, [11, 12, 13, 0]),
    x: await device.tensor('f32', P * M, values),
    own: await device.tensor('f32', P * M),
    forked: await device.tensor('f32', P * M),
    other: await device.tensor('f32', P * M),
  };
  const executable = await device.load(r.program(), tensors);
  await executable.run();
  const [own, forked, other] = await Promise.all(
    [tensors.own, tensors.forked, tensors.other].map((tensor) => tensor.read()),
  );
  await device.dispose();
  return { own, forked, other, values };
}

test('drops its share, keeps the mean, and the same elements on every engine', async () => {
  const engines = ['reference', 'cpu', 'webgpu'] as const;
  const [reference, cpu, webgpu] = await Promise.all(engines.map(masksOn));
  expect(cpu.own).toEqual(webgpu.own);
  expect(cpu.forked).toEqual(webgpu.forked);
  const keeps = (numbers: ArrayLike<number>) => Array.from(numbers, (value) => value !== 0);
  expect(keeps(cpu.own)).toEqual(keeps(reference.own));
  expect(keeps(cpu.forked)).toEqual(keeps(reference.forked));

  const masks = [
    keeps(cpu.own).slice(0, M),
    keeps(cpu.own).slice(M),
    keeps(cpu.forked).slice(0, M),
    keeps(cpu.other).slice(0, M),
  ];
  // Five standard deviations of a mean of M draws.
  const five = (p: number) => 5 * Math.sqrt((p * (1 - p)) / M);
  const share = (mask: boolean[]) => mask.filter(Boolean).length / M;
  for (const [i, mask] of masks.entries()) {
    expect(Math.abs(share(mask) - (1 - rate))).toBeLessThan(five(rate));
    // Different members, states and streams have independent masks: both keep an element with probability .49.
    for (const other of masks.slice(0, i))
      expect(Math.abs(share(mask.map((kept, at) => kept && other[at])) - 0.49)).toBeLessThan(five(0.49));
  }
  cpu.own.forEach((value, i) => {
    if (value !== 0) expect(Math.abs(value - cpu.values[i] / 0.7)).toBeLessThan(1e-6);
  });
});

test('a rate that drops everything, or is none, is refused', () => {
  const r = new Recorder('refused');
  const operands = { state: r.external('state', 1, [4], 'u32'), x: r.external('x', 1, [8]) };
  for (const wrong of [1, -0.1, Number.NaN]) {
    const refused = expect.objectContaining({ code: 'ERR_OPTION' });
    expect(() => random.dropout(r, operands, { rate: wrong, stream: 0, masks: 1 })).toThrow(refused);
    expect(() => dropout(wrong)).toThrow(refused);
  }
});

test('real images have masks of their own beside distilled ones: the same images are apart', async () => {
  const [n, shape] = [4, [1, 3, 3]] as const;
  const distancesAt = async (rate: number) => {
    const layers = [{ linear: 12 }, ...(rate ? [{ dropout: rate }] : []), 'tanh', { linear: 3 }];
    const network = createNetwork({ name: 'custom', layers, inputShape: [...shape], classes: 3 });
    const r = new Recorder('the same images');
    const state = r.external('state', 1, [4], 'u32');
    const [theta, x] = [r.external('theta', 1, [network.count]), r.external('x', 1, [n, ...shape])];
    const labels = r.external('y', 1, [n, 3]);
    const groups = { network, theta, images: x, mode: { random: { state, stream: streams.dropout } } };
    const real = { images: x, labels };
    const frequencies = r.external('frequencies', 1, [8, network.features]);
    const recorded = [
      recordDistributionMatching(r, { ...groups, real: x }).distances,
      recordGradientMatching(r, { ...groups, labels, real, distance: 'squared' }).distances,
      recordCharacteristicMatching(r, { ...groups, real: x, frequencies, alpha: 0.5 }).distances,
      recordKernelRegression(r, { ...groups, labels, real, ridge: 1e-9 }).losses,
    ];
    for (const [i, one] of recorded.entries()) copyInto(r, one, r.external(`out ${i}`, 1, [1]));
    await using device = await openDevice('reference');
    const owned = new Owned();
    const { tensors, executable } = await loadWithTensors(device, r.program(), owned);
    for (const [i, name] of ['theta', 'x', 'y', 'frequencies'].entries())
      await tensors[name].write(normals(tensors[name].length, i));
    await executable.run();
    const distances = await Promise.all(recorded.map(async (_, i) => (await tensors[`out ${i}`].read())[0]));
    owned.dispose();
    return distances;
  };
  for (const distance of await distancesAt(0)) expect(Math.abs(distance)).toBeLessThan(1e-6);
  for (const distance of await distancesAt(0.5)) expect(distance).toBeGreaterThan(1e-3);
});
