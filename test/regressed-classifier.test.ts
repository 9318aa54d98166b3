/** Networks whose classifier is that of kernel regression on the images they were trained on. */
import { afterAll, describe, expect, it } from 'vitest';
import type { Device } from '../src/engine/device.js';
import { loadWithTensors } from '../src/engine/load.js';
import { openDevice } from '../src/engine/open.js';
import { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { findProtocol } from '../src/eval/find-protocol.js';
import { Population } from '../src/eval/population.js';
import { geometryUnder } from '../src/eval/under-protocol.js';
import { createNetwork } from '../src/networks/index.js';
import { kernelRegression } from '../src/train/calls/kernel-regression.js';
import { copyInto } from '../src/train/groups.js';
import type { MinibatchTraining } from '../src/train/minibatch.js';
import { Owned } from '../src/util/owned.js';
import { expectClose } from './harness/close.js';
import { normals } from './harness/decoding.js';
import { learnedSet } from './harness/distilled-set.js';

const device = new ReferenceDevice();
afterAll(() => device.dispose());

const network = createNetwork({ name: 'mlp', inputShape: [1, 2, 3], classes: 3, width: 8 });
const [B, members] = [4, 2];
const [realImages, realLabels] = [normals(B * 6, 3), normals(B * 3, 4)];
const drawn = (rows: number) => ({ images: normals(rows * 6, 1), labels: normals(rows * 3, 2) });
const set = learnedSet({
  network: { ...network, name: 'mlp', width: 8 },
  ...drawn(5),
  learningRates: new Float32Array([0.1]),
});
const minibatches: MinibatchTraining = {
  optimizer: { kind: 'sgd' },
  loss: 'squared-error',
  batch: 2,
  epochs: 2,
  schedule: { kind: 'constant' },
};

/** The parameters `[members, count]` after training, with the classifier that `ridge` asks for. */
async function trained(n: number, ridge?: number, on: Device = device): Promise<Float64Array> {
  const geometry = { network, members, steps: 1, epochs: 1, n, minibatches, ridge };
  const population = await Population.create(on, geometry);
  try {
    await population.train({ ...drawn(n), learningRates: [0.001] }, normals(members * network.count, 5));
    return Float64Array.from(await population.trained.read());
  } finally {
    population.dispose();
  }
}

/** `[members, B, K]` */
async function logits(parameters: ArrayLike<number>): Promise<Float64Array> {
  const r = new Recorder('logits');
  const theta = r.external('theta', members, [network.count]);
  const { z } = network.forward(r, r.external('x', 1, [B, 1, 2, 3]), theta);
  copyInto(r, z, r.external('z', members, [B, 3]));
  const owned = new Owned();
  const { tensors, executable } = await loadWithTensors(device, r.program(), owned);
  await tensors.theta.write(parameters);
  await tensors.x.write(realImages);
  await executable.run();
  const values = Float64Array.from(await tensors.z.read());
  owned.dispose();
  return values;
}

describe('a classifier by kernel regression', () => {
  const ridge = 0.3;

  // Of more images than the 8 features it is solved in these.
  it.each([5, 8, 30])(
    'predicts as the method does on %d images, under the features that training ended with',
    async (rows) => {
      const [before, after] = [await trained(rows), await trained(rows, ridge)];
      const { features, count } = network;
      const own = count - 3 * features - 3;
      for (let p = 0; p < members; p++)
        expect(after.slice(p * count, p * count + own)).toEqual(before.slice(p * count, p * count + own));
      const options = {
        network: { name: 'mlp', inputShape: [1, 2, 3], classes: 3, width: 8 } as const,
        ...drawn(rows),
        realImages,
        realLabels,
        ridge,
      };
      const { losses } = await kernelRegression(device, { ...options, parameters: before });
      const z = await logits(after);
      const expected = Array.from({ length: members }, (_, p) => {
        const squares = Array.from(realLabels, (label, i) => (z[p * B * 3 + i] - label) ** 2 / (2 * B));
        return squares.reduce((a, b) => a + b, 0);
      });
      expectClose('losses', losses, expected, (p) => 1e-12 * expected[p]);
    },
  );

  it('is what a protocol asks for', () => {
    const of = (name: string) => geometryUnder(findProtocol(name), set, network, 5).ridge;
    expect([of('frepo'), of('frepo-regression')]).toEqual([undefined, 1e-6]);
  });

  it('is found in float32 of many more images than features, where the kernel of all images has no factor', async () => {
    const cpu = await openDevice('cpu', { threads: 1 });
    try {
      const [exact, found] = [await trained(200, 1e-6), await trained(200, 1e-6, cpu)];
      const at = network.count - 3 * network.features - 3;
      const size = Math.max(...exact.subarray(at, network.count).map(Math.abs));
      // The kernel of the features has a condition of some thousands, of 2 ** -24 each.
      expectClose('parameters', found, exact, () => 2e-3 * size);
    } finally {
      await cpu.dispose();
    }
  });

  it('that there is none of is refused, not scored as guessing', async () => {
    // Networks of zeros have features of zero, whose kernel no ridge in parts of its diagonal helps.
    const geometry = { network, members, steps: 1, epochs: 1, n: 8, minibatches, ridge: 1e-6 };
    const population = await Population.create(device, geometry);
    const zeros = new Float32Array(members * network.count);
    await expect(population.train({ ...drawn(8), learningRates: [0.001] }, zeros)).rejects.toMatchObject({
      code: 'ERR_DIVERGED',
      message: expect.stringMatching(/8 images on 8 features has no solution in float32/),
    });
    population.dispose();
  });
});
