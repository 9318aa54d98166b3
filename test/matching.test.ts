/** The recordings behind gradient and distribution matching: groups as members, in turns, with what methods put around them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device, EngineName, Numbers } from '../src/engine/device.js';
import { loadWithTensors } from '../src/engine/load.js';
import { memberRange, perMember, together } from '../src/engine/members.js';
import { openDevice } from '../src/engine/open.js';
import { Recorder } from '../src/engine/program.js';
import { elements, type View } from '../src/engine/view.js';
import { createNetwork } from '../src/networks/index.js';
import { recordDistributionMatching } from '../src/train/distribution-matching.js';
import { distances, recordGradientMatching, recordGradients } from '../src/train/gradient-matching.js';
import { copyInto } from '../src/train/groups.js';
import { Owned } from '../src/util/owned.js';
import { Stream } from '../src/util/random.js';
import { poisoning } from './harness/cases.js';
import { dot, expectClose } from './harness/close.js';

/** What a recording makes of normal numbers, by the names it gives its inputs; its results go to slots of NaN. */
async function run(
  device: Device,
  record: (
    r: Recorder,
    input: (name: string, members: number, shape: readonly number[]) => View,
  ) => Record<string, View>,
): Promise<{ results: Record<string, Numbers>; steps: number }> {
  const r = new Recorder('matching');
  const inputs = new Map<string, View>();
  const recorded = record(r, (name, members, shape) => {
    const view = r.external(name, members, shape);
    inputs.set(name, view);
    return view;
  });
  for (const [name, view] of Object.entries(recorded))
    copyInto(r, view, r.external(`${name} out`, view.members, view.shape));
  const program = r.program();
  const owned = new Owned();
  const { tensors, executable } = await loadWithTensors(poisoning(device), program, owned);
  for (const [name, { slot }] of inputs) {
    const stream = new Stream(5, name.length);
    const values = Float32Array.from({ length: slot.length }, (_, i) => stream.normal(i));
    const change = { theta: (v: number) => 0.2 * v, statistics: Math.abs }[name];
    await tensors[name].write(change ? values.map(change) : values);
  }
  await executable.run();
  const results: Record<string, Numbers> = {};
  for (const name of Object.keys(recorded)) results[name] = await tensors[`${name} out`].read();
  owned.dispose();
  return { results, steps: program.steps.length };
}

const expectSame = (actual: Record<string, Numbers>, expected: Record<string, Numbers>, relative: number) => {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, want] of Object.entries(expected)) {
    const size = Math.sqrt(dot(want, want) / want.length);
    expect(size).toBeGreaterThan(0);
    expectClose(name, actual[name], want, () => relative * size);
  }
};

const limits: Record<EngineName, number> = { reference: 1e-12, cpu: 1e-4, webgpu: 1e-4 };
const network = createNetwork({ name: 'convnet', inputShape: [2, 8, 8], classes: 3, width: 4, depth: 2 });
const [G, n, B] = [3, 2, 4];
const image = network.inputShape;

describe.each(['reference', 'cpu', 'webgpu'] as const)('on %s', (engine) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(engine);
  });
  afterAll(() => device?.dispose());

  test.each(distances)(
    'gradients of groups with a network each are those of every group alone: %s',
    async (distance) => {
      const inputs = (input: Parameters<Parameters<typeof run>[1]>[1]) => ({
        theta: input('theta', G, [network.count]),
        images: perMember(input('x', 1, [G, n, ...image])),
        labels: perMember(input('labels', 1, [G, n, 3])),
        real: { images: perMember(input('real', 1, [G, B, ...image])), labels: input('one', 1, [B, 3]) },
      });
      const all = await run(device, (r, input) => ({
        ...recordGradientMatching(r, { network, ...inputs(input), distance }),
      }));
      const alone = await run(device, (r, input) => {
        const { theta, images, labels, real } = inputs(input);
        const results: Record<string, View> = {};
        for (let g = 0; g < G; g++) {
          const own = (view: View) => memberRange(view, g, 1);
          const matched = recordGradientMatching(r, {
            network,
            theta: own(theta),
            images: own(images),
            labels: own(labels),
            real: { images: own(real.images), labels: real.labels },
            distance,
          });
          for (const [name, view] of Object.entries(matched)) {
            results[name] ??= r.temporary(name, G, view.shape);
            copyInto(r, view, own(results[name]));
          }
        }
        return results;
      });
      expectSame(all.results, alone.results, limits[engine]);
    },
  );

  test('features of groups with a network each are those of every group alone', async () => {
    const inputs = (input: Parameters<Parameters<typeof run>[1]>[1]) => ({
      theta: input('theta', G, [network.count]),
      images: perMember(input('x', 1, [G, n, ...image])),
      real: input('real', 1, [B, ...image]),
    });
    const all = await run(device, (r, input) => {
      const { real, ...own } = inputs(input);
      return { ...recordDistributionMatching(r, { network, ...own, real }) };
    });
    const alone = await run(device, (r, input) => {
      const { theta, images, real } = inputs(input);
      const results: Record<string, View> = {};
      for (let g = 0; g < G; g++) {
        const own = (view: View) => memberRange(view, g, 1);
        const matched = recordDistributionMatching(r, {
          network,
          theta: own(theta),
          images: own(images),
          real,
        });
        for (const [name, view] of Object.entries(matched)) {
          results[name] ??= r.temporary(name, G, view.shape);
          copyInto(r, view, own(results[name]));
        }
      }
      return results;
    });
    expectSame(all.results, alone.results, limits[engine]);
  });
});

describe('large groups', () => {
  const wide = createNetwork({ name: 'convnet', inputShape: [1, 28, 28], classes: 2, depth: 1 });
  const groups =
    (count: number, N: number) => (_: Recorder, input: Parameters<Parameters<typeof run>[1]>[1]) => ({
      network: wide,
      theta: input('theta', 1, [wide.count]),
      images: perMember(input('x', 1, [count, N, 1, 28, 28])),
      labels: input('labels', 1, [N, 2]),
    });

  const real = (input: Parameters<Parameters<typeof run>[1]>[1]) => ({
    images: input('real', 1, [4, 1, 28, 28]),
    labels: input('one', 1, [4, 2]),
  });

  test('come one after the other, with the same results', async () => {
    await using device = await openDevice('cpu');
    const gradients = (count: number) =>
      run(device, (r, input) => ({ g: recordGradients(r, groups(count, 180)(r, input)) }));
    const [two, one] = [await gradients(2), await gradients(1)];
    expect(two.steps).toBe(2 * (one.steps - 1) + 1);
    expectSame({ g: two.results.g.slice(0, wide.count) }, one.results, 1e-6);

    const matched = (count: number) =>
      run(device, (r, input) => {
        const given = groups(count, 120)(r, input);
        return { ...recordGradientMatching(r, { ...given, real: real(input), distance: 'squared' }) };
      });
    const [both, first] = [await matched(2), await matched(1)];
    // The gradient of real images that all groups share is recorded once.
    const shared = await run(device, (r, input) => ({
      g: recordGradients(r, { ...groups(1, 120)(r, input), ...real(input) }),
    }));
    expect(both.steps).toBe(2 * (first.steps - shared.steps - 2) + shared.steps + 2);
    const half = Object.entries(both.results).map(([name, values]) => [
      name,
      values.slice(0, values.length / 2),
    ]);
    expectSame(Object.fromEntries(half), first.results, 1e-6);
  });
});

describe('what a network is seen with', () => {
  const normed = createNetwork({
    name: 'convnet',
    inputShape: [2, 8, 8],
    classes: 3,
    width: 4,
    depth: 1,
    norm: 'batch',
  });

  test('given statistics belong to the groups, or to all', async () => {
    await using device = await openDevice('reference');
    const gradients = (members: number, N: number) =>
      run(device, (r, input) => {
        const frozen = input('statistics', members, [normed.statisticsCount]);
        const g = recordGradients(r, {
          network: normed,
          theta: input('theta', 1, [normed.count]),
          images: perMember(input('x', 1, [4 / N, N, 2, 8, 8])),
          labels: perMember(input('labels', 1, [4 / N, N, 3])),
          mode: { frozen },
        });
        return { g };
      });
    // With given statistics images do not depend on each other, so the gradient of four is the mean of theirs.
    const [alone, batch] = [await gradients(1, 1), await gradients(1, 4)];
    const mean = Float64Array.from({ length: normed.count }, (_, i) => {
      let sum = 0;
      for (let g = 0; g < 4; g++) sum += alone.results.g[g * normed.count + i] / 4;
      return sum;
    });
    expectSame({ g: mean }, batch.results, 1e-12);
    const own = await gradients(4, 1);
    expect(own.results.g.slice(0, normed.count)).toEqual(alone.results.g.slice(0, normed.count));
    expect(own.results.g.slice(normed.count)).not.toEqual(alone.results.g.slice(normed.count));
  });

  test('features are what enters the last layer', () => {
    const features = (name: string, options = {}) =>
      createNetwork({ name, inputShape: [3, 32, 32], classes: 10, ...options }).features;
    expect(features('convnet')).toBe(2048);
    expect(features('lenet')).toBe(84);
    expect(features('resnet18')).toBe(512);
    expect(features('custom', { layers: [{ linear: 10 }] })).toBe(3 * 32 * 32);
    const layers = [{ conv: 10, kernel: 1 }, 'globalAvgPool'];
    expect(() => features('custom', { layers })).toThrow(
      /custom has no features: its last layer is not fully connected/,
    );
  });
});

describe('views of members', () => {
  const r = new Recorder('views');
  const view = r.external('x', 1, [3, 4, 5]);

  test('are the same elements', () => {
    const members = perMember(view);
    expect(members).toMatchObject({ members: 3, stride: 20, shape: [4, 5] });
    expect(together(members)).toEqual(view);
    expect(memberRange(members, 1, 2)).toMatchObject({ members: 2, offset: 20, stride: 20 });
    expect(memberRange(members, 2, 1)).toMatchObject({ members: 1, offset: 40, stride: 0 });
    expect(memberRange(view, 2, 1)).toBe(view);
    expect(elements(memberRange(members, 0, 3).shape)).toBe(20);
  });

  test('that there are not', () => {
    const members = perMember(view);
    expect(() => memberRange(members, 2, 2)).toThrow(/members of x: 2 to 3 of 3/);
    expect(() => perMember(members)).toThrow(/it has 3 already, expected something shared/);
    expect(() => together({ ...members, stride: 40 })).toThrow(
      /lie 40 elements apart, expected one behind the other/,
    );
  });
});

test('of groups that take turns every one has dropout masks of its own', () => {
  const layers = [{ dropout: 0.5 }, { linear: 2 }];
  const network = createNetwork({ name: 'custom', inputShape: [1, 64, 64], classes: 2, layers });
  const r = new Recorder('turns');
  const groups = 4;
  recordGradients(r, {
    network,
    theta: r.external('theta', 1, [network.count]),
    // One group takes more than half of what groups may take together.
    images: r.external('images', groups, [40_000, 1, 64, 64]),
    labels: r.external('labels', groups, [40_000, 2]),
    mode: { random: { state: r.external('state', 1, [4], 'u32'), stream: 7 } },
  });
  const masks = r.program().steps.filter(({ kernel }) => kernel.name === 'random.dropout');
  const states = new Set(masks.map(({ operands: { state } }) => `${state!.slot.name} ${state!.offset}`));
  expect(states.size).toBe(groups);
});
