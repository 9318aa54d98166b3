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
import { Owned } from '../util/owned.js';

/** How networks learn from a few images. */
interface FullBatchTraining {
  readonly network: Network;
  /** `[n, C, H, W]`, normalised. */
  readonly images: Float32Array;
  /** Passes over the images, one step each. */
  readonly steps: number;
  /** Of SGD with momentum 0.9. */
  readonly rate: number;
  /** Of dropout. */
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/** Networks, and the few images that they learn from. */
export interface FullBatch extends FullBatchTraining {
  /** `[P, count]`: the networks before they are trained. */
  readonly parameters: Float32Array;
  /** `[n, K]` */
  readonly labels: Float32Array;
}

/** Some of many networks. */
type Of = (first: number, members: number) => Float32Array;

/** Many networks, of which a few are there at a time. */
export interface FullBatchGroups extends FullBatchTraining {
  /** P */
  readonly networks: number;
  /** `[members, count]`: before they are trained. */
  readonly parameters: Of;
  /** `[n, K]`, or `[members, n, K]`: for each network its own. */
  readonly labels: Float32Array | Of;
}

/** Networks from number `first` on, after training. */
export interface TrainedGroup {
  readonly first: number;
  /** `[members, count]`, as many in every group. */
  readonly parameters: Float32Array;
}

/**
 * Networks after training on all images at once, as protocol `full-batch` has it; as many at a time as memory takes. The last group reaches back into
 * the one before it, whose networks are the same there.
 */
export async function* fullBatchGroups(
  device: Device,
  { network, networks: P, parameters, images, labels, steps, rate, seed, signal }: FullBatchGroups,
): AsyncGenerator<TrainedGroup> {
  const { inputShape, classes } = network;
  const rows = images.length / inputShape.reduce((a, b) => a * b, 1);
  const shared = typeof labels !== 'function';
  const training = { ...fullBatch, epochs: steps };
  const record = (members: number): Program => {
    const r = new Recorder('train on all images at once');
    const x = r.external('images', 1, [rows, ...inputShape]);
    const y = r.external('labels', shared ? 1 : members, [rows, classes]);
    declareMinibatches(r, members, { network, training, rows, gather: () => ({ x, y }) });
    return r.program();
  };
  const choices = [10, 5, 2, 1].map((members) => Math.min(members, P));
  const members = membersThatFit(device, choices, (count) => [record(count)]);
  const owned = new Owned();
  try {
    const { executable, tensors } = await loadWithTensors(device, record(members), owned);
    await tensors.images.write(images);
    if (shared) await tensors.labels.write(labels);
    for (let next = 0; next < P; next += members) {
      const first = Math.min(next, P - members);
      await tensors.theta.write(parameters(first, members));
      if (!shared) await tensors.labels.write(labels(first, members));
      await startMinibatches(tensors, training, { rows, rate, seed, firstMember: first });
      await runMinibatches(executable, tensors, training, { rows, signal });
      yield { first, parameters: await readFloats(tensors.theta) };
    }
  } finally {
    owned.dispose();
  }
}

/** The same of networks that are all there: `[P, count]`. */
export async function trainFullBatch(
  device: Device,
  { parameters: before, ...given }: FullBatch,
): Promise<Float32Array> {
  const { count } = given.network;
  const trained = new Float32Array(before.length);
  const groups = fullBatchGroups(device, {
    ...{ ...given, networks: before.length / count },
    parameters: (first, members) => before.subarray(first * count, (first + members) * count),
  });
  for await (const { first, parameters } of groups) trained.set(parameters, first * count);
  return trained;
}

const fullBatch = protocols.find(({ name }) => name === 'full-batch')!.training as MinibatchTraining;
