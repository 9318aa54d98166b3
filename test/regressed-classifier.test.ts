/** Networks whose classifier is that of kernel regression on the images they were trained on. */
import { afterAll, describe, expect, it } from 'vitest';
import { loadWithTensors } from '../src/engine/load.js';
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
const [rows, B, members] = [5, 4, 2];
const [images, labels] = [normals(rows * 6, 1), normals(rows * 3, 2)];
const [realImages, realLabels] = [normals(B * 6, 3), normals(B * 3, 4)];
const set = learnedSet({
  network: { ...network, name: 'mlp', width: 8 },
  images,
  labels,
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
async function trained(ridge?: number): Promise<Float64Array> {
  const geometry = { network, members, steps: 1, epochs: 1, n: rows, minibatches, ridge };
  const population = await Population.create(device, geometry);
  await population.train({ images, labels, learningRates: [0.1] }, normals(members * network.count, 5));
  const parameters = Float64Array.from(await population.trained.read());
  population.dispose();
  return parameters;
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

  it('predicts as the method does, under the features that training ended with', async () => {
    const [before, after] = [await trained(), await trained(ridge)];
    const { features, count } = network;
    const own = count - 3 * features - 3;
    for (let p = 0; p < members; p++)
      expect(after.slice(p * count, p * count + own)).toEqual(before.slice(p * count, p * count + own));
    const options = {
      network: { name: 'mlp', inputShape: [1, 2, 3], classes: 3, width: 8 } as const,
      images,
      labels,
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
  });

  it('is what a protocol asks for', () => {
    const of = (name: string) => geometryUnder(findProtocol(name), set, network, rows).ridge;
    expect([of('frepo'), of('frepo-regression')]).toEqual([undefined, 1e-6]);
  });
});
