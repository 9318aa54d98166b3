/** Gradient and distribution matching as runs: what was published for them, and the networks that they see images with. */
import { expect, test } from 'vitest';
import { generateDigits } from '../src/data/digits.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import type { DistillOptions } from '../src/methods/index.js';
import type { Process } from '../src/methods/method.js';
import { findMethod, resolveFor, resolveOptions } from '../src/runs/options.js';
import { settingFor, uploadTraining } from '../src/runs/setting.js';
import { streams } from '../src/train/streams.js';

const dataset = generateDigits({ train: 100, validation: 10, test: 10 });

/** The process of a run, on the reference engine. */
async function beginProcess(given: DistillOptions): Promise<Process> {
  const device = new ReferenceDevice();
  const options = resolveOptions(given);
  const train = await uploadTraining(device, dataset, options);
  return findMethod(options.method).begin(await settingFor(device, dataset, options, train));
}

test.each([
  [1, 1],
  [10, 50],
  [20, 25],
  [30, 20],
  [40, 15],
  [50, 10],
  [1000, 1],
])(
  'gradient matching with %i images per class: %i epochs between outer steps, a thousand networks',
  (ipc, innerLoop) => {
    for (const method of ['dc', 'dsa'] as const) {
      const common = { outerLoop: ipc, innerLoop, iterations: 1000 * ipc, validateEvery: 100 * ipc };
      expect(resolveOptions({ method, ipc })).toMatchObject(common);
    }
    const asked = { outerLoop: 3, innerLoop: 2 };
    const options = { ...asked, iterations: 3000, validateEvery: 300 };
    expect(resolveOptions({ method: 'dc', ipc, ...asked })).toMatchObject(options);
  },
);

test('gradient matching trains its networks on images augmented as those it matches, each by draws of its own', async () => {
  const small = { network: 'mlp:width=4', ipc: 2, batch: 4, iterations: 6, outerLoop: 2, innerLoop: 3 };
  const [plain, augmented] = await Promise.all(
    (['dc', 'dsa'] as const).map((method) => beginProcess({ ...small, method })),
  );
  await plain.advance(1);
  const state = await Promise.all(
    Object.entries(plain.tensors).map(async ([name, tensor]) => [name, await tensor.read()] as const),
  );
  /** The network of outer step `step`, trained from the same one on the same images. */
  const trainedFor = async (process: Process, step: number) => {
    for (const [name, values] of state) await process.tensors[name].write(values);
    await process.goTo(step);
    await process.advance(1);
    return process.tensors.theta.read();
  };
  const first = await trainedFor(augmented, 1);
  expect(await trainedFor(plain, 1)).not.toEqual(first);
  expect(await trainedFor(augmented, 3)).not.toEqual(first);
  expect(await trainedFor(augmented, 1)).toEqual(first);
  for (const process of [plain, augmented]) process.dispose();
});

test('gradient matching takes the statistics of batch norm from real images: its gradient is that of its loss', async () => {
  const layers = [{ conv: 2, kernel: 3 }, 'batchNorm', 'tanh', { avgPool: 13 }, { linear: 10 }];
  const options = { method: 'dc', ipc: 2, batch: 3, distance: 'squared', imageScale: 1 } as const;
  const process = await beginProcess({ ...options, network: { name: 'custom', layers } });
  const { pixels, 'pixels.v': velocity } = process.tensors;
  const first = Float64Array.from(await pixels.read());
  /** The loss of the first step on other images, whose gradient is then the velocity. */
  const lossAt = async (images: Float64Array) => {
    await pixels.write(images);
    await velocity.write(new Float64Array(images.length));
    await process.goTo(0);
    return (await process.advance(1)).loss;
  };
  await lossAt(first);
  const gradient = Float64Array.from(await velocity.read());
  const direction = first.map((_, i) => Math.sin(i * i));
  const moved = (by: number) => lossAt(first.map((value, i) => value + by * direction[i]));
  const slope = ((await moved(1e-5)) - (await moved(-1e-5))) / 2e-5;
  const expected = gradient.reduce((sum, value, i) => sum + value * direction[i], 0);
  process.dispose();
  expect(Math.abs(expected)).toBeGreaterThan(1e-6);
  expect(Math.abs(slope / expected - 1)).toBeLessThan(1e-5);
});

test('real and distilled images of a class are augmented by one draw, each class by its own', async () => {
  for (const method of ['dm', 'dsa', 'datadam', 'ncfm'] as const) {
    const network = 'convnet:width=2:depth=2';
    const process = await beginProcess({ method, network, ipc: 2, batch: 3, iterations: 2 });
    const draws = process.programs[0].steps.filter(({ kernel }) => kernel.name === 'augmentdraw.rows');
    // Once for the real ones and once for the distilled, from the same stream.
    expect(draws, method).toHaveLength(2);
    for (const { sizes } of draws)
      expect(sizes, method).toMatchObject({ P: 10, R: 1, stream: streams.siamese });
    process.dispose();
  }
});

test('attention is matched at the ends of blocks that are maps, and refused where there are none', async () => {
  const begin = (network: string) => beginProcess({ method: 'datadam', network, batch: 2, iterations: 2 });
  // Its linear layers end no map.
  const process = await begin('lenet');
  expect((await process.advance(1)).loss).toBeGreaterThan(0);
  process.dispose();
  await expect(begin('mlp:width=4')).rejects.toMatchObject({
    ...{ code: 'ERR_OPTION', message: expect.stringContaining('too few blocks, expected two or more') },
  });
});

test('an outer step reads as many real images as the method says', async () => {
  const small = { network: 'convnet:width=2:depth=2', ipc: 1, iterations: 2 };
  for (const method of ['dm', 'datadam', 'ncfm', 'dc', 'dsa', 'frepo', 'rat', 'at', 'unrolled'] as const) {
    const given: DistillOptions = { ...small, method, batch: 3 };
    const process = await beginProcess(given);
    const read = process.programs[0].steps
      .filter(({ operands }) => operands.data?.slot.name === 'data')
      .reduce((sum, { sizes }) => sum + sizes.P * sizes.B, 0);
    expect(read, method).toBe(findMethod(method).realImages(resolveOptions(given) as never, 10));
    expect(read, method).toBeGreaterThan(0);
    process.dispose();
  }
});

test('distribution matching takes ten times the rate from a hundred images per class on', () => {
  const rate = (options: DistillOptions) => resolveOptions({ method: 'dm', ...options }).lr;
  expect([1, 99, 100, 200].map((ipc) => rate({ ipc }))).toEqual([1, 1, 10, 10]);
  expect(rate({ ipc: 100, lr: 2 })).toBe(2);
});

test('what was published for a data set is taken where nothing is given, and is said to be', () => {
  const taken = (given: DistillOptions) => resolveFor('test', { method: 'dm', ...given }, dataset).taken;
  expect(taken({})).toEqual({ augmentation: 'dsa-digits', protocol: 'dsa-digits' });
  expect(taken({ augmentation: 'none' })).toEqual({ protocol: 'dsa-digits' });
  expect(resolveFor('test', { method: 'dm' }, { ...dataset, name: 'flowers' }).taken).toEqual({});
});
