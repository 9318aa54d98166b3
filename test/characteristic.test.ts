/** Characteristic functions: their ops at what is known, the objective against the tests' own differentiation, and a run's choices. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateDigits } from '../src/data/digits.js';
import type { Device, EngineName, Numbers } from '../src/engine/device.js';
import { loadWithTensors } from '../src/engine/load.js';
import { perMember } from '../src/engine/members.js';
import { openDevice } from '../src/engine/open.js';
import * as characteristic from '../src/engine/ops/characteristic.js';
import { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import type { View } from '../src/engine/view.js';
import type { DistillOptions } from '../src/methods/index.js';
import type { Process } from '../src/methods/method.js';
import { createNetwork } from '../src/networks/index.js';
import { findMethod, resolveOptions } from '../src/runs/options.js';
import { settingFor, uploadTraining } from '../src/runs/setting.js';
import { recordCharacteristicMatching } from '../src/train/characteristic-matching.js';
import { copyInto } from '../src/train/groups.js';
import { streams } from '../src/train/streams.js';
import { Owned } from '../src/util/owned.js';
import { freshParameters, normals } from './harness/arrays.js';
import { poisoning } from './harness/cases.js';
import { dot, relativeError } from './harness/close.js';
import { characteristicMatchingOracle } from './harness/oracle-matching.js';

const dataset = generateDigits({ train: 100, validation: 10, test: 10, size: 12 });

type Inputs = Readonly<Record<string, { shape: readonly number[]; values: ArrayLike<number> }>>;

/** What a recording makes of its inputs. */
async function run(
  device: Device,
  inputs: Inputs,
  record: (r: Recorder, input: Readonly<Record<string, View>>) => Readonly<Record<string, View | undefined>>,
): Promise<Record<string, Numbers>> {
  const r = new Recorder('characteristic');
  const views = Object.entries(inputs).map(([name, { shape }]) => [name, r.external(name, 1, shape)]);
  const recorded = record(r, Object.fromEntries(views));
  for (const [name, view] of Object.entries(recorded))
    if (view) copyInto(r, view, r.external(`${name} out`, view.members, view.shape));
  const owned = new Owned();
  const { tensors, executable } = await loadWithTensors(poisoning(device), r.program(), owned);
  for (const [name, { values }] of Object.entries(inputs)) await tensors[name].write(values);
  await executable.run();
  const results: Record<string, Numbers> = {};
  for (const name of Object.keys(recorded)) results[name] = await tensors[`${name} out`].read();
  owned.dispose();
  return results;
}

const limits: Record<EngineName, number> = { reference: 1e-9, cpu: 1e-4, webgpu: 1e-4 };
/** What the sine or cosine of a float32 may be off by: half a unit for rounding, and as much for the polynomial. */
const ofCircle: Record<EngineName, number> = { reference: 1e-15, cpu: 1.2e-7, webgpu: 1.2e-7 };

const oracle = { name: 'convnet', inputShape: [2, 8, 8], classes: 3, width: 4, depth: 2 } as const;
const network = createNetwork({ ...oracle });
const [G, n, B, F] = [3, 2, 5, 17];
const { features } = network;
const given: Inputs = {
  theta: { shape: [network.count], values: freshParameters({ ...oracle }, 1) },
  images: { shape: [G, n, ...oracle.inputShape], values: normals(G * n * 128, 1) },
  real: { shape: [G, B, ...oracle.inputShape], values: normals(G * B * 128, 2) },
  frequencies: { shape: [F, features], values: normals(F * features, 3) },
  scales: { shape: [features], values: normals(features, 4).map((x) => 1 + 0.3 * x) },
};
const alpha = 0.3;
const expected = characteristicMatchingOracle({
  ...{ network: oracle, groups: G, alpha, parameters: given.theta.values, realImages: given.real.values },
  ...{ images: given.images.values, frequencies: given.frequencies.values, scales: given.scales.values },
});

describe.each(['reference', 'cpu', 'webgpu'] as const)('on %s', (engine) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(engine);
  });
  afterAll(() => device?.dispose());

  test('a single phase has its cosine and sine, all the way to ten thousand', async () => {
    const sizes = [0, 1e-3, 0.5, ...[1, 2, 3, 4, 8].map((k) => (k * Math.PI) / 4), 33.3, 777, 9999];
    const values = Float32Array.from([...sizes, ...sizes.map((x) => -x)]);
    const { phi } = await run(device, { x: { shape: [1, values.length], values } }, (r, { x }) => ({
      phi: characteristic.forward(r, { x }),
    }));
    values.forEach((x, i) => {
      expect(Math.abs(phi[i] - Math.cos(x))).toBeLessThan(ofCircle[engine]);
      expect(Math.abs(phi[values.length + i] - Math.sin(x))).toBeLessThan(ofCircle[engine]);
    });
  });

  test('the distance and its gradients are those of the definition', async () => {
    const actual = await run(device, given, (r, { theta, images, real, frequencies, scales }) => ({
      ...recordCharacteristicMatching(r, {
        ...{ network, theta, images: perMember(images), real: perMember(real), frequencies, scales, alpha },
      }),
    }));
    expect(Object.keys(actual)).toEqual(Object.keys(expected));
    for (const [name, values] of Object.entries(actual)) {
      const error = relativeError(values, expected[name as keyof typeof expected]);
      console.log(`${engine}, characteristic functions: ${name} ${error.toExponential(1)}`);
      expect(error, name).toBeLessThan(limits[engine]);
    }
  });

  test('scales count up to a common factor, and equal ones are none', async () => {
    const at = async (scales?: ArrayLike<number>) => {
      const { scales: own, ...others } = given;
      const inputs = scales ? { ...others, scales: { ...own, values: scales } } : others;
      const { distances } = await run(device, inputs, (r, { images, real, ...views }) => {
        const { distances } = recordCharacteristicMatching(r, {
          ...{ network, theta: views.theta, images: perMember(images), real: perMember(real), alpha },
          ...{ frequencies: views.frequencies, scales: views.scales },
        });
        return { distances };
      });
      return distances;
    };
    const { values } = given.scales;
    const longer = await at(Float32Array.from(values, (value) => 4 * value));
    expect(relativeError(longer, expected.distances)).toBeLessThan(limits[engine]);
    const plain = await at();
    expect(relativeError(await at(new Float32Array(features).fill(0.7)), plain)).toBeLessThan(limits[engine]);
    expect(relativeError(plain, expected.distances)).toBeGreaterThan(0.001);
  });
});

const small: DistillOptions = {
  ...{ method: 'ncfm', network: 'convnet:width=2:depth=2', ipc: 2, batch: 3, frequencies: 20, iterations: 3 },
  ...{ beta1: 0.5, lr: 0.01 },
};

/** The process of a run on the reference engine; `parameters` of networks that were trained before. */
async function begin(given: DistillOptions, parameters?: Float32Array): Promise<Process> {
  const device = new ReferenceDevice();
  const options = resolveOptions({ ...small, ...given });
  const train = await uploadTraining(device, dataset, options);
  const setting = await settingFor(device, dataset, { ...options, init: 'random' } as never, train);
  return findMethod(options.method).begin({
    ...{ ...setting, options: options as never, pretrained: parameters && { parameters } },
  });
}

/** The loss of the first step on other values of a tensor, what moves them beginning afresh. */
async function lossAt(process: Process, name: string, values: ArrayLike<number>): Promise<number> {
  for (const part of ['m', 's']) {
    const moment = process.tensors[`${name}.${part}`];
    await moment.write(new Float32Array(moment.length));
  }
  await process.tensors[name].write(values);
  await process.goTo(0);
  return (await process.advance(1)).loss;
}

test('scales of frequencies go up the distance that images go down', async () => {
  const process = await begin({ frequencyLr: 0.02 });
  const [pixels, scales] = [process.tensors.pixels, process.tensors.scales];
  const firstPixels = Float64Array.from(await pixels.read());
  const firstScales = Float64Array.from(await scales.read());
  expect(new Set(firstScales)).toEqual(new Set([1]));
  const before = await lossAt(process, 'pixels', firstPixels);
  const [laterPixels, laterScales] = [await pixels.read(), await scales.read()].map((v) =>
    Float64Array.from(v),
  );
  // Adam's first step is by the rate, whatever the gradient.
  expect(Math.max(...laterScales.map((v) => Math.abs(v - 1)))).toBeCloseTo(0.02, 6);
  expect(Math.max(...laterPixels.map((v, i) => Math.abs(v - firstPixels[i])))).toBeCloseTo(0.01, 6);
  await pixels.write(firstPixels);
  expect(await lossAt(process, 'scales', laterScales)).toBeGreaterThan(before);
  await scales.write(firstScales);
  expect(await lossAt(process, 'pixels', laterPixels)).toBeLessThan(before);
  process.dispose();
});

test('without a rate there are no scales, and every step draws other frequencies', async () => {
  const process = await begin({});
  expect(Object.keys(process.tensors)).toEqual(['pixels', 'pixels.m', 'pixels.s']);
  const draws = process.programs[0].steps.filter(({ sizes }) => sizes.stream === streams.frequencies);
  const features = createNetwork({
    name: 'convnet',
    inputShape: dataset.imageShape,
    classes: 10,
    width: 2,
    depth: 2,
  });
  expect(draws.map(({ kernel, sizes }) => [kernel.name, sizes.M])).toEqual([
    ['random.normal', 20 * features.features],
  ]);
  process.dispose();
});

test('trained networks calibrate: their loss on the images counts, and so does its gradient', async () => {
  const at = { init: 'pretrained:nets', augmentation: 'none' } as const;
  expect(resolveOptions({ ...small, ...at })).toMatchObject({ calibration: 1 / 300 });
  expect(resolveOptions(small)).toMatchObject({ calibration: 0 });
  expect(() => resolveOptions({ ...small, calibration: 0.1 })).toThrow(
    /calibration is 0.1 and init is random: .* expected calibration: 0, or init: pretrained:DIR/,
  );
  const { count } = createNetwork({
    name: 'convnet',
    inputShape: dataset.imageShape,
    classes: 10,
    width: 2,
    depth: 2,
  });
  // A network of zeros has neither features nor an opinion: what is left is the loss of guessing, once for each class.
  const blank = await begin({ ...at, calibration: 0.5 }, new Float32Array(count));
  expect((await blank.advance(1)).loss).toBeCloseTo(0.5 * 10 * Math.log(10), 9);
  blank.dispose();

  const parameters = normals(count, 6, 0.3);
  const process = await begin({ ...at, calibration: 0.5 }, parameters);
  const first = Float64Array.from(await process.tensors.pixels.read());
  await lossAt(process, 'pixels', first);
  // Adam's mean begins at 0 and takes half of it.
  const gradient = Float64Array.from(await process.tensors['pixels.m'].read(), (value) => 2 * value);
  const direction = first.map((_, i) => Math.sin(i * i));
  const moved = (by: number) =>
    lossAt(
      process,
      'pixels',
      first.map((value, i) => value + by * direction[i]),
    );
  const slope = ((await moved(1e-6)) - (await moved(-1e-6))) / 2e-6;
  const along = dot(gradient, direction);
  expect(Math.abs(along)).toBeGreaterThan(1e-6);
  expect(Math.abs(slope / along - 1)).toBeLessThan(1e-4);
  process.dispose();
});
