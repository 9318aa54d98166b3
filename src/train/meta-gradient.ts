import type { Device, Executable, Numbers, Tensor } from '../engine/device.js';
import { loadWithTensors } from '../engine/load.js';
import { type Program, Recorder } from '../engine/program.js';
import { Turns } from '../engine/turns.js';
import { createNetwork, type Network, type NetworkOptions } from '../networks/index.js';
import { LimbeckError } from '../util/errors.js';
import { expectArgument, expectDevice, expectOptions, shown } from '../util/expect.js';
import { type Owned, owning } from '../util/owned.js';
import { type Keep, keeps } from './hypergradient.js';
import { type LossName, lossOf } from './loss.js';
import { type OptimizerOptions, plainTraining, resolveOptimizer, type Training } from './training.js';
import { recordUnrolled } from './unrolled.js';

/** Flat arrays; all sizes follow from the lengths. */
export interface MetaGradientOptions {
  /** The network that is trained. */
  readonly network: NetworkOptions;
  /** `[P, count]`: the networks before training, in PyTorch's parameter order. */
  readonly parameters: ArrayLike<number>;
  /** `[steps, n, C, H, W]`, normalised pixels. */
  readonly images: ArrayLike<number>;
  /** `[steps, n, K]`, hard or soft. */
  readonly labels: ArrayLike<number>;
  /** `[steps * epochs]`: inner step t trains on batch `t mod steps` with its own rate; `[1]`: one rate for all steps. */
  readonly learningRates: ArrayLike<number>;
  /** Batches of distilled images. */
  readonly steps: number;
  /** Times the batches are gone through. */
  readonly epochs: number;
  /** `[B, C, H, W]` */
  readonly realImages: ArrayLike<number>;
  /** `[B, K]` */
  readonly realLabels: ArrayLike<number>;
  /** What trains the networks; default plain SGD. */
  readonly optimizer?: OptimizerOptions;
  /** Loss of the inner steps; default cross-entropy. */
  readonly loss?: LossName;
  /** Loss on the real batch; default cross-entropy. */
  readonly outerLoss?: LossName;
  /**
   * Which inner steps are not computed again on the way back: `small` ones and the last (default), `none`, or `all`,
   * which is fastest and takes as much memory as a tape.
   */
  readonly keep?: Keep;
  /** Whether the gradient with respect to `parameters` is wanted too; default false. */
  readonly parametersGradient?: boolean;
  /** Stops the run; the promise then rejects with `signal.reason`. */
  readonly signal?: AbortSignal;
}

/** Float32Array on `cpu` and `webgpu`; Float64Array on `reference`, which computes in float64. */
export interface MetaGradient {
  /** Mean loss on the real batch after training, averaged over the population. */
  readonly loss: number;
  /** `[P]` */
  readonly losses: Numbers;
  /** Gradients of `loss`, of the same shapes as the inputs. */
  readonly images: Numbers;
  /** `[steps, n, K]`. */
  readonly labels: Numbers;
  /** `[steps * epochs]` or `[1]`. */
  readonly learningRates: Numbers;
  /** `[P, count]` after training. */
  readonly parameters: Numbers;
  /** `[P, count]`: gradient of `loss` with respect to the parameters before training, where it was asked for. */
  readonly parametersGradient?: Numbers;
}

/** Sizes of a meta-gradient: what its program depends on. */
export interface MetaGradientGeometry {
  /** The network that is trained. */
  readonly network: Network;
  /** Networks, P. */
  readonly members: number;
  /** Distilled images per step. */
  readonly n: number;
  /** Real images. */
  readonly B: number;
  /** Batches of distilled images. */
  readonly steps: number;
  /** Times the batches are gone through. */
  readonly epochs: number;
  /** 1 where all inner steps share a learning rate; default `steps * epochs`. */
  readonly rates?: number;
  /** Default plain SGD on cross-entropy. */
  readonly training?: Training;
  /** Default cross-entropy. */
  readonly outerLoss?: LossName;
  /** Which inner steps are not computed again on the way back; default `small`. */
  readonly keep?: Keep;
  /** Whether the gradient with respect to the parameters is computed too; default false. */
  readonly parametersGradient?: boolean;
}

const known = {
  network: true,
  parameters: true,
  images: true,
  labels: true,
  learningRates: true,
  steps: true,
  epochs: true,
  realImages: true,
  realLabels: true,
  optimizer: true,
  loss: true,
  outerLoss: true,
  keep: true,
  parametersGradient: true,
  signal: true,
} satisfies Record<keyof MetaGradientOptions, true>;
const inputs = ['parameters', 'images', 'labels', 'learningRates', 'realImages', 'realLabels'] as const;
const outputs = ['losses', 'imagesBar', 'labelsBar', 'learningRatesBar', 'trained'] as const;

function geometryOf(o: MetaGradientOptions): MetaGradientGeometry {
  expectArgument('metaGradient', 'network', o.network, 'name', 'an object with name, inputShape and classes');
  const network = createNetwork(o.network);
  const pixels = network.inputShape[0] * network.inputShape[1] * network.inputShape[2];
  const { steps, epochs, outerLoss, keep, parametersGradient } = o;
  const { optimizer = plainTraining.optimizer, loss = plainTraining.loss } = o;
  const training = { optimizer, loss };
  resolveOptimizer(optimizer);
  lossOf(loss);
  if (outerLoss !== undefined) lossOf(outerLoss);
  if (keep !== undefined && !keeps.includes(keep))
    throw new LimbeckError(
      'ERR_OPTION',
      `metaGradient: keep is ${shown(keep)}, expected one of ${keeps.join(', ')}`,
    );
  for (const [name, value] of [
    ['steps', steps],
    ['epochs', epochs],
  ] as const)
    if (!Number.isInteger(value) || value < 1)
      throw new LimbeckError(
        'ERR_OPTION',
        `metaGradient: ${name} is ${value}, expected a whole number above 0`,
      );
  const rows = (name: (typeof inputs)[number], per: number, of: string) => {
    const count = o[name]?.length / per;
    if (!Number.isInteger(count) || count < 1)
      throw new LimbeckError(
        'ERR_SHAPE',
        `metaGradient: ${name} has ${o[name]?.length} numbers, expected a multiple of ${per} (${of})`,
      );
    return count;
  };
  const members = rows('parameters', network.count, `parameters of ${network.name}`);
  const n = rows('images', steps * pixels, 'steps x C x H x W');
  const B = rows('realImages', pixels, 'C x H x W');
  const expect = (name: (typeof inputs)[number], length: number, of: string) => {
    if (o[name]?.length !== length)
      throw new LimbeckError(
        'ERR_SHAPE',
        `metaGradient: ${name} has ${o[name]?.length} numbers, expected ${length} (${of})`,
      );
  };
  expect('labels', steps * n * network.classes, 'steps x n x K');
  const rates = o.learningRates?.length === 1 ? 1 : steps * epochs;
  expect('learningRates', rates, 'steps x epochs, or one for all');
  expect('realLabels', B * network.classes, 'B x K');
  return { network, members, n, B, steps, epochs, rates, training, outerLoss, keep, parametersGradient };
}

/** The program behind `metaGradient`: to print, to count its bytes, or to load it elsewhere. */
export function recordMetaGradient(geometry: MetaGradientGeometry): Program {
  const { network, members, n, B, steps, epochs, training, outerLoss, keep } = geometry;
  const r = new Recorder('meta-gradient');
  const K = network.classes;
  const theta = r.external('parameters', members, [network.count]);
  const images = r.external('images', 1, [steps, n, ...network.inputShape]);
  const labels = r.external('labels', 1, [steps, n, K]);
  const rates = r.external('learningRates', 1, [geometry.rates ?? steps * epochs]);
  const real = {
    x: r.external('realImages', 1, [B, ...network.inputShape]),
    y: r.external('realLabels', 1, [B, K]),
  };
  const loop = { network, theta, images, labels, rates, steps, epochs, training };
  const results = {
    losses: r.external('losses', members, [1]),
    images: r.external('imagesBar', 1, images.shape),
    labels: r.external('labelsBar', 1, labels.shape),
    rates: r.external('learningRatesBar', 1, rates.shape),
    trained: r.external('trained', members, [network.count]),
    theta: geometry.parametersGradient ? r.external('parametersBar', members, [network.count]) : undefined,
  };
  recordUnrolled(r, members, loop, real, results, { outerLoss, keep });
  return r.program();
}

/** A loaded program for one geometry; calls share its tensors, so they take turns. */
interface Loaded {
  readonly key: string;
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly executable: Executable;
  readonly owned: Owned;
}

/** What a device keeps between calls: the last geometry stays loaded, so that a loop of calls records once. */
class Cache {
  readonly turns = new Turns();
  #loaded: Loaded | undefined;

  async load(device: Device, key: string, geometry: MetaGradientGeometry): Promise<Loaded> {
    if (this.#loaded?.key === key) return this.#loaded;
    this.#loaded?.owned.dispose();
    this.#loaded = undefined;
    this.#loaded = await owning(async (owned) => {
      const program = recordMetaGradient(geometry);
      const { tensors, executable } = await loadWithTensors(device, program, owned);
      return { key, tensors, executable, owned };
    });
    return this.#loaded;
  }
}

const caches = new WeakMap<Device, Cache>();

/**
 * The exact gradient of the loss after training on distilled data, with respect to that data: for tools that bring
 * their own outer loop. It is that of Wang et al. 2018 through all inner steps, by one tangent pass for each in the place of a
 * tape: memory grows by one parameter vector per step; the last step and small ones, up to 128 MiB, are kept whole
 * beside it (`keep`). Calls of the same sizes record and load a program once.
 *
 * Numbers that are not finite are not refused: they come back as such.
 *
 * @throws ERR_SHAPE or ERR_OPTION for arrays or options that do not fit together; ERR_OUT_OF_MEMORY; ERR_DEVICE when the device was
 * lost
 */
export async function metaGradient(device: Device, options: MetaGradientOptions): Promise<MetaGradient> {
  expectDevice('metaGradient', device);
  expectOptions('metaGradient', options, known);
  const geometry = geometryOf(options);
  const { network: _, ...sizes } = geometry;
  const key = JSON.stringify([options.network, sizes]);
  let cache = caches.get(device);
  if (!cache) caches.set(device, (cache = new Cache()));
  const { turns } = cache;
  return turns.take(async () => {
    const { tensors, executable } = await cache.load(device, key, geometry);
    for (const name of inputs) await tensors[name].write(options[name]);
    await executable.run({ signal: options.signal });
    const [losses, images, labels, learningRates, parameters] = await Promise.all(
      outputs.map((name) => tensors[name].read()),
    );
    let loss = 0;
    for (const value of losses) loss += value / losses.length;
    const parametersGradient = await tensors.parametersBar?.read();
    return { loss, losses, images, labels, learningRates, parameters, parametersGradient };
  });
}
