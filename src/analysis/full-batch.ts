import type { Device } from '../engine/device.js';
import { loadWithTensors, readFloats } from '../engine/load.js';
import { type Program, Recorder } from '../engine/program.js';
import { membersThatFit } from '../eval/first-networks.js';
import { protocols } from '../eval/protocols.js';
import type { Network } from '../networks/network.js';
import {
  declareMinibatches,
  type MinibatchTraining,
  runMinibatches,
  startMinibatches,
} from '../train/minibatch.js';
import { owning } from '../util/owned.js';

/** Networks, and the few images that they learn from. */
export interface FullBatch {
  readonly network: Network;
  /** `[P, count]`: the networks before they are trained. */
  readonly parameters: Float32Array;
  /** `[n, C, H, W]`, normalised. */
  readonly images: Float32Array;
  /** `[n, K]`, or `[P, n, K]`: for each network its own. */
  readonly labels: Float32Array;
  /** Passes over the images, one step each. */
  readonly steps: number;
  /** Of SGD with momentum 0.9. */
  readonly rate: number;
  /** Of dropout. */
  readonly seed: number;
  readonly signal?: AbortSignal;
}

/** Networks `[P, count]` after training on all images at once, as protocol `full-batch` has it; as many at a time as memory takes. */
export function trainFullBatch(
  device: Device,
  { network, parameters, images, labels, steps, rate, seed, signal }: FullBatch,
): Promise<Float32Array> {
  return owning(async (owned) => {
    const { count, inputShape, classes } = network;
    const P = parameters.length / count;
    const rows = images.length / inputShape.reduce((a, b) => a * b, 1);
    const perNetwork = labels.length > rows * classes ? rows * classes : 0;
    const training = { ...fullBatch, epochs: steps };
    const record = (members: number): Program => {
      const r = new Recorder('train on all images at once');
      const x = r.external('images', 1, [rows, ...inputShape]);
      const y = r.external('labels', perNetwork ? members : 1, [rows, classes]);
      declareMinibatches(r, members, { network, training, rows, gather: () => ({ x, y }) });
      return r.program();
    };
    const choices = [10, 5, 2, 1].map((members) => Math.min(members, P));
    const members = membersThatFit(device, choices, (count) => [record(count)]);
    const { executable, tensors } = await loadWithTensors(device, record(members), owned);
    await tensors.images.write(images);
    if (!perNetwork) await tensors.labels.write(labels);
    const trained = new Float32Array(parameters.length);
    for (let next = 0; next < P; next += members) {
      // The last group reaches back into the one before it.
      const first = Math.min(next, P - members);
      const part = (values: Float32Array, size: number) =>
        values.subarray(first * size, (first + members) * size);
      await tensors.theta.write(part(parameters, count));
      if (perNetwork) await tensors.labels.write(part(labels, perNetwork));
      await startMinibatches(tensors, training, { rows, rate, seed, firstMember: first });
      await runMinibatches(executable, tensors, training, { rows, signal });
      trained.set(await readFloats(tensors.theta), first * count);
    }
    owned.dispose();
    return trained;
  });
}

const fullBatch = protocols.find(({ name }) => name === 'full-batch')!.training as MinibatchTraining;
