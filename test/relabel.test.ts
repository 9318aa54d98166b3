/** Labels that a teacher gives to every batch, as it is augmented. */
import { afterAll, describe, expect, it } from 'vitest';
import type { Device } from '../src/engine/device.js';
import { add } from '../src/engine/ops/elementwise.js';
import type { Recorder } from '../src/engine/program.js';
import { findProtocol } from '../src/eval/find-protocol.js';
import { checksumOf } from '../src/eval/pretrained.js';
import { setOfImages } from '../src/eval/set-of-images.js';
import { labelsUnder } from '../src/eval/under-protocol.js';
import { type EvaluateOptions, evaluate, openDevice, trainNetworks } from '../src/index.js';
import { createNetwork } from '../src/networks/index.js';
import { parseStrategy } from '../src/train/augmentation.js';
import { gatherRows } from '../src/train/gather-rows.js';
import { recordMinibatch, recordMinibatchStep } from '../src/train/minibatch.js';
import { randomState } from '../src/train/streams.js';
import { normals, run } from './harness/augment.js';
import { relativeError } from './harness/close.js';
import { smallNetwork, twoClasses } from './harness/made-data.js';

const [rows, pixels, K, members, T] = [5, 16, 3, 2, 7];
const network = createNetwork({
  ...{ name: 'custom', layers: [{ linear: K }] as const, inputShape: [1, 4, 4], classes: K },
});

describe.each(['reference', 'cpu', 'webgpu'] as const)('on %s', (engine) => {
  it('networks learn what the teacher says of the images as they see them, at one temperature', async () => {
    await using device: Device = await openDevice(engine);
    const { count } = network;
    const [start, teacher] = [normals(members * count, 1), normals(count, 2)];
    const record = (r: Recorder) => {
      const images = r.external('images', 1, [rows, 1, 4, 4]);
      const labels = r.external('labels', 1, [rows, K]);
      const step = {
        ...{ rows, state: r.external('state', 1, [4], 'u32'), augmentation: parseStrategy('scale+cutmix') },
        gather: (r: Recorder, index: typeof images) => gatherRows(r, { images, labels, index }),
      };
      const { x } = recordMinibatch(r, step, { B: rows, members });
      add(r, { a: x, b: x }, 1, 0, r.external('seen', members, x.shape));
      recordMinibatchStep(r, {
        ...step,
        network,
        training: {
          ...{ optimizer: { kind: 'sgd' }, loss: 'cross-entropy', batch: rows, epochs: 1 },
          schedule: { kind: 'constant' },
        },
        rates: r.external('rates', 1, [1]),
        theta: r.external('theta', members, [count]),
        temperature: T,
        labeller: { network, theta: r.external('teacher', 1, [count]) },
      });
    };
    const given = { images: normals(rows * pixels, 3), state: randomState(3, 0), rates: [1] };
    const { seen, theta } = await run(device, record, { ...given, theta: start, teacher });
    expect(Array.from(seen.slice(0, rows * pixels))).not.toEqual(Array.from(seen.slice(rows * pixels)));
    // w [K, pixels], b [K]; the gradient of T² times the mean over rows of -Σ q log softmax(z / T), q the teacher's.
    const softmaxOf = (parameters: ArrayLike<number>, from: number, image: ArrayLike<number>) => {
      const powers = [0, 1, 2].map((k) => {
        let z = parameters[from + K * pixels + k];
        for (let i = 0; i < pixels; i++) z += parameters[from + k * pixels + i] * image[i];
        return Math.exp(z / T);
      });
      return powers.map((power) => power / (powers[0] + powers[1] + powers[2]));
    };
    const expected = Float64Array.from(start);
    for (let p = 0; p < members; p++)
      for (let n = 0; n < rows; n++) {
        const image = seen.slice((p * rows + n) * pixels, (p * rows + n + 1) * pixels);
        const [own, said] = [softmaxOf(start, p * count, image), softmaxOf(teacher, 0, image)];
        for (let k = 0; k < K; k++) {
          const bar = (T * (own[k] - said[k])) / rows;
          for (let i = 0; i < pixels; i++) expected[p * count + k * pixels + i] -= bar * image[i];
          expected[p * count + K * pixels + k] -= bar;
        }
      }
    // Against how far they moved, so that what did not move is wrong.
    const by = (values: ArrayLike<number>) => start.map((value, i) => values[i] - value);
    expect(relativeError(by(theta), by(expected))).toBeLessThan(engine === 'reference' ? 1e-6 : 1e-5);
  });
});

describe('evaluate with labels of a teacher', async () => {
  const data = twoClasses();
  const device = await openDevice('cpu');
  afterAll(() => device.dispose());
  const training = { network: 'mlp:width=8', epochs: 40, batch: 10, learningRate: 0.1 } as const;
  const { model } = await trainNetworks(device, data, training);
  const other = { ...data, train: { ...data.train, labels: data.train.labels.map((one) => 1 - one) } };
  const { model: contrary } = await trainNetworks(device, other, training);
  const { images, count } = data.train;
  const labels = Float32Array.from({ length: 2 * count }, (_, i) =>
    Number(data.train.labels[i >> 1] === i % 2),
  );
  const set = {
    ...setOfImages(
      data,
      { images, labels },
      { values: 'pixels', network: smallNetwork, protocol: 'soft-labels' },
    ),
    teacher: { network: 'mlp:width=8', checksum: checksumOf(model), temperature: 2 },
  };
  const asked = (options: EvaluateOptions) =>
    evaluate(device, data, set, {
      ...{ networks: 3, labels: 'teacher', learningRate: 0.03, epochs: 100 },
      baselines: ['randomReal', 'randomTeacher'],
      ...options,
    });

  it('are those of the teacher, whatever is stored, beside random images that it labels alike', async () => {
    let labelling = 0;
    const { load } = device;
    device.load = (program, bindings) => {
      labelling += Number(program.slots.some(({ name }) => name === 'labeller'));
      return load.call(device, program, bindings);
    };
    const right = await asked({ teacher: model });
    device.load = load;
    // The set, and random images with the answers of the teacher; not those with hard labels.
    expect(labelling).toBe(2);
    const wrong = await asked({ teacher: contrary });
    expect(right.accuracy.mean).toBeGreaterThan(80);
    expect(wrong.accuracy.mean).toBeLessThan(20);
    expect(right.baselines.randomTeacher.mean).toBeGreaterThan(wrong.baselines.randomTeacher.mean + 30);
    expect(right.baselines.randomReal).toEqual(wrong.baselines.randomReal);
    expect(right.protocol).toContain(
      `every batch labelled by mlp:width=8 ${checksumOf(model)} at temperature 2`,
    );
    expect((await asked({ teacher: model })).accuracy).toEqual(right.accuracy);
    // Epochs of all images; two classes, two bytes.
    const seen = 100 * count;
    expect(right.relabelling).toEqual({ images: seen, numbers: 2 * seen, bytes: 4 * seen });
    expect((await asked({ teacher: model, labels: 'stored', epochs: 1 })).relabelling).toBeUndefined();
  });

  it('are refused without one, and where nothing has one', async () => {
    const refused = { code: 'ERR_OPTION' };
    await expect(asked({ baselines: [] })).rejects.toMatchObject(refused);
    await expect(asked({ teacher: model, protocol: 'frepo' })).rejects.toMatchObject(refused);
    expect(() => labelsUnder(findProtocol('soft-labels', { labels: 'teacher' }), set)).toThrow(
      expect.objectContaining(refused),
    );
  });
});
