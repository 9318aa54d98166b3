import type { Dataset } from '../data/dataset.js';
import { expectDataset } from '../data/expect-dataset.js';
import type { Device } from '../engine/device.js';
import { expectDevice, expectOptions } from '../util/expect.js';
import { alongTraining } from './along-training.js';
import { type HessianTrace, hessianEigenvalues, hessianTrace } from './hessian.js';
import {
  type AlongOptions,
  alongNames,
  checkLearnable,
  type NamedSet,
  realSample,
  resolveAlong,
  wholeFrom,
} from './sets.js';

/** How exactly curvature is found. */
export interface CurvatureOptions extends AlongOptions {
  /** Random directions for a trace; default 32. */
  readonly vectors?: number;
  /** Real training images that stand for all; default 1,000. */
  readonly real?: number;
}

/** The curvature of a loss along training. */
export interface CurvatureOf {
  /** What the loss is of. */
  readonly name: string;
  /** `[looks]`: the trace of the Hessian, with its standard error over the directions. */
  readonly trace: readonly HessianTrace[];
  /** `[looks]`: its largest eigenvalue. */
  readonly largest: readonly number[];
}

/** Curvature along real training, of real images and of distilled ones. */
export interface Curvature {
  /** Training steps, `[looks]`. */
  readonly steps: readonly number[];
  /** Real images first, then the sets. */
  readonly losses: readonly CurvatureOf[];
}

/**
 * The curvature of the loss on real images and on distilled sets at the same networks, along training on real images (Yang et al. 2024,
 * section 4): where that of a set has become flat, networks have learned from it what it has to say.
 *
 * @throws ERR_OPTION for options that are unknown or out of range, labels that are for regression; ERR_SHAPE for sets of other images; ERR_OUT_OF_MEMORY
 */
export async function curvature(
  device: Device,
  dataset: Dataset,
  sets: readonly NamedSet[],
  options: CurvatureOptions = {},
): Promise<Curvature> {
  expectDevice('curvature', device);
  expectDataset('curvature', dataset);
  expectOptions('curvature', options, { ...alongNames, vectors: true, real: true });
  const { vectors = 32, real = 1000, signal, onProgress } = options;
  wholeFrom('curvature', 'vectors', vectors, 2);
  wholeFrom('curvature', 'real', real, 1);
  const { options: asked, network, at, seed } = resolveAlong('curvature', dataset, sets, options);
  checkLearnable('curvature', sets);
  const losses = [
    { name: 'real images', ...(await realSample(dataset, real, seed)) },
    ...sets.map(({ name, set: { images, labels } }) => ({ name, images, labels })),
  ];
  const found = losses.map((): { trace: HessianTrace[]; largest: number[] } => ({ trace: [], largest: [] }));
  for await (const { step, parameters } of alongTraining(device, dataset, {
    network,
    networks: 1,
    seed,
    at,
    signal,
  })) {
    for (const [i, { images, labels }] of losses.entries()) {
      const of = { network: asked, parameters, images, labels, seed, signal };
      found[i].trace.push(await hessianTrace(device, { ...of, vectors }));
      const { values } = await hessianEigenvalues(device, { ...of, steps: 30, tolerance: 1e-3 });
      found[i].largest.push(values[0]);
    }
    onProgress?.({ step, steps: at[at.length - 1] });
  }
  return { steps: at, losses: losses.map(({ name }, i) => ({ name, ...found[i] })) };
}
