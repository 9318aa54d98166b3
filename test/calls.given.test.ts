/** Calls on flat arrays: what they refuse and in which words, when they end, and what they leave. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as limbeck from '../src/index.js';

// Calls that TypeScript refuses, as JavaScript makes them.
// biome-ignore lint/suspicious/noExplicitAny: that is the point
const api = limbeck as any;

let device: limbeck.Device;
beforeAll(async () => {
  device = await limbeck.openDevice('reference');
});
afterAll(() => device.dispose());

const layers = [{ linear: 3 }];
const network: limbeck.NetworkOptions = { name: 'custom', inputShape: [1, 2, 2], classes: 3, layers };
const count = 15;
const waves = (length: number, size = 0.1) => new Float32Array(length).map((_, i) => size * Math.sin(i + 1));
const own = { network, images: waves(8), labels: waves(6) };
const real = { realImages: waves(16), realLabels: waves(12) };
const inner = { ...own, learningRates: [0.1], steps: 2, epochs: 1 };
const parameters = waves(count);
const given = {
  hessianVectorProduct: { ...own, parameters, vector: waves(count) },
  gradientMatching: { ...own, ...real, parameters, groups: 2, distance: 'rows' },
  distributionMatching: { network, images: own.images, realImages: real.realImages, parameters, groups: 2 },
  trajectoryMatching: { ...inner, start: parameters, target: waves(count, 0.2) },
  kernelRegression: { ...own, ...real, parameters, ridge: 0.1 },
  metaGradient: { ...inner, ...real, parameters },
};
type Name = keyof typeof given;
const names = Object.keys(given) as Name[];

/** What a call, or what records it, throws. */
async function thrownBy(call: () => unknown): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    return error;
  }
}

test.each(names)('%s takes the numbers as they are when it is called', async (name) => {
  const call = api[name] as (device: limbeck.Device, given: object) => Promise<unknown>;
  const expected = await call(device, given[name]);
  const arrays = structuredClone(given[name]);
  const answer = call(device, arrays);
  for (const values of Object.values(arrays)) if (values instanceof Float32Array) values.fill(Number.NaN);
  expect(await answer).toEqual(expected);
});

test('two networks with one name and as many parameters are two', async () => {
  const one = { ...network, inputShape: [1, 2, 2], layers: ['relu', { linear: 3 }] };
  const call = (of: object) =>
    api.hessianVectorProduct(device, { ...given.hessianVectorProduct, network: of });
  const [first, second] = [await call(network), await call(one)];
  await using fresh = await limbeck.openDevice('reference');
  expect(second).not.toEqual(first);
  expect(second).toEqual(
    await api.hessianVectorProduct(fresh, { ...given.hessianVectorProduct, network: one }),
  );
});

describe.each(['reference', 'cpu', 'webgpu'] as const)('on %s', (engine) => {
  test('kernel regression without parameters in front of the classifier: every network has the same answer', async () => {
    await using device = await limbeck.openDevice(engine);
    const alone = await limbeck.kernelRegression(device, given.kernelRegression);
    const several = { ...given.kernelRegression, parameters: waves(3 * count) };
    const all = await limbeck.kernelRegression(device, several);
    expect([...all.losses]).toEqual(Array(3).fill(alone.losses[0]));
    for (const name of ['images', 'labels'] as const)
      for (const [i, value] of all[name].entries()) expect(value).toBeCloseTo(alone[name][i], 5);
  });
});

describe('a signal', () => {
  test.each(names)('that was aborted before: %s loads nothing', async (name) => {
    await using device = await limbeck.openDevice('reference');
    const signal = AbortSignal.abort(new Error('why'));
    await expect(api[name](device, { ...given[name], signal })).rejects.toThrow('why');
    expect(device.memory()).toEqual({ tensors: 0, executables: 0, bytes: 0 });
  });

  test('that is aborted while a call waits ends it at once, and nothing of it is loaded', async () => {
    await using device = await limbeck.openDevice('reference');
    const order: string[] = [];
    const stop = new AbortController();
    const first = limbeck.metaGradient(device, given.metaGradient).then(() => order.push('first'));
    const other = { ...given.metaGradient, parameters: waves(2 * count), signal: stop.signal };
    const second = limbeck.metaGradient(device, other).catch((reason) => order.push(reason));
    stop.abort('second');
    await Promise.all([first, second]);
    expect(order).toEqual(['second', 'first']);
    const loaded = device.memory();
    await limbeck.metaGradient(device, given.metaGradient);
    expect(device.memory()).toEqual(loaded);
  });

  test.each([{ aborted: false }, { aborted: true, reason: 'r' }, new AbortController()])(
    'that is none is refused: %#',
    async (signal) => {
      await expect(api.metaGradient(device, { ...given.metaGradient, signal })).rejects.toMatchObject({
        code: 'ERR_OPTION',
        message: 'metaGradient: signal is another object, expected the signal of an AbortController',
      });
    },
  );
});

const optimizers: readonly (readonly [unknown, RegExp])[] = [
  ['adam', /optimizer is "adam", expected an object such as \{ kind: 'adam' \}$/],
  ['nesterov', /optimizer is "nesterov", expected an object such as \{ kind: 'nesterov' \}$/],
  [{}, /optimizer is \{\}, expected an object such as \{ kind: 'adam' \}/],
  [{ kind: 'lion' }, /optimizer "lion" is unknown; there are: sgd/],
  [{ kind: 'adam', beta1: 1n }, /optimizer adam: beta1 is 1n, expected a number from 0/],
  ...[null, '', 0, Number.NaN, false].map((value) => [value, /optimizer is .*, expected an object/] as const),
];

describe.each(['metaGradient', 'trajectoryMatching'] as const)('%s', (name) => {
  test.each(optimizers)('refuses the optimizer %s', async (optimizer, message) => {
    const error = await thrownBy(() => api[name](device, { ...given[name], optimizer }));
    expect(error).toMatchObject({ code: 'ERR_OPTION', message: expect.stringMatching(message) });
    expect((error as Error).message).toMatch(new RegExp(`^${name}: `));
  });

  test.each([null, '', 0, Number.NaN, false, 'hinge', Symbol('s'), 1n, [1n]])(
    'refuses the loss %s',
    async (loss) => {
      await expect(api[name](device, { ...given[name], loss })).rejects.toMatchObject({
        code: 'ERR_OPTION',
        message: expect.stringMatching(new RegExp(`^${name}: loss .* is unknown; there are: cross-entropy`)),
      });
    },
  );
});

test.each([null, '', 0, 'x', {}, 1n])('parametersGradient is not %s', async (parametersGradient) => {
  await expect(api.metaGradient(device, { ...given.metaGradient, parametersGradient })).rejects.toMatchObject(
    {
      code: 'ERR_OPTION',
      message: expect.stringMatching(/parametersGradient is .*, expected true or false/),
    },
  );
});

test.each<[string, unknown, RegExp]>([
  ['learningRates', 0.1, /is 0.1, expected an array of 2 numbers: .*; a single one is \[0.1\]$/],
  ['learningRates', null, /is null, expected an array of/],
  ['images', 3, /is 3, expected an array of a multiple of 8 numbers: \[steps, n, C, H, W\]/],
  ['images', Promise.resolve([1]), /is a promise \(await it\), expected an array/],
  ['images', new ArrayBuffer(32), /is another object, expected an array/],
  ['images', { length: 1e12 }, /is another object, expected an array/],
  ['images', { length: -8 }, /is another object, expected an array/],
  ['labels', Symbol('s'), /is Symbol\(s\), expected an array of 6 numbers: \[steps, n, K\]/],
  ['realImages', undefined, /is undefined, expected an array of a multiple of 4 numbers: \[B, C, H, W\]/],
  ['parameters', () => 1, /expected an array of a multiple of 15 numbers: \[P, count\]/],
])('%s that are no array are shown, with what they should be: %#', async (name, value, message) => {
  const error = await thrownBy(() => api.metaGradient(device, { ...given.metaGradient, [name]: value }));
  expect(error).toMatchObject({ code: 'ERR_SHAPE', message: expect.stringMatching(message) });
  expect((error as Error).message).toMatch(new RegExp(`^metaGradient: ${name} is `));
});

test.each([{ engine: 'cpu' }, { engine: 'cpu', tensor: 1 }])('%j is no device', async (other) => {
  for (const name of names)
    await expect(api[name](other, given[name])).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: `${name}: device is another object, expected a device, as \`await openDevice()\` gives it`,
    });
});

describe('recordMetaGradient', () => {
  const geometry = {
    ...{ network: limbeck.createNetwork(network), members: 1, n: 1, B: 1, steps: 2, epochs: 1 },
  };

  test('records what metaGradient would', () => {
    const changes = { rates: 1, window: 1, keep: 'all', parametersGradient: true } as const;
    expect(limbeck.recordMetaGradient({ ...geometry, ...changes }).steps.length).toBeGreaterThan(0);
  });

  test.each<[unknown, RegExp]>([
    [undefined, /options is undefined, expected an object/],
    [null, /options is null, expected an object/],
    [{}, /network is undefined, expected a network, as `createNetwork\(options\)` gives it/],
    [{ ...geometry, network }, /network is another object, expected a network/],
    [{ ...geometry, window: 7 }, /window is 7, expected a whole number above 0 and at most 2/],
    [{ ...geometry, window: 0 }, /window is 0, expected a whole number/],
    [{ ...geometry, keep: 'x' }, /keep is "x", expected one of none, small, all, sqrt/],
    [{ ...geometry, members: 1.5 }, /members is 1.5, expected a whole number/],
    [{ ...geometry, steps: 0 }, /steps is 0, expected a whole number/],
    [{ ...geometry, rates: 5 }, /rates is 5, expected 1, or 2/],
    [{ ...geometry, training: 'adam' }, /training is "adam", expected an object with/],
    [{ ...geometry, training: { optimizer: 'adam' } }, /training.optimizer is "adam", expected an object/],
    [{ ...geometry, training: { optimizer: { kind: 'sgd' } } }, /training.loss undefined is unknown/],
    [{ ...geometry, outerLoss: 'x' }, /outerLoss "x" is unknown/],
    [{ ...geometry, parametersGradient: 1 }, /parametersGradient is 1, expected true or false/],
    [{ ...geometry, batch: 1 }, /option batch is unknown/],
  ])('refuses a geometry that is none: %#', async (wrong, message) => {
    const error = await thrownBy(() => api.recordMetaGradient(wrong));
    expect(error).toMatchObject({ code: 'ERR_OPTION', message: expect.stringMatching(message) });
    expect((error as Error).message).toMatch(/^recordMetaGradient: /);
  });
});
