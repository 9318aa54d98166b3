import type { Dataset } from '../data/dataset.js';
import { normalisedImages } from '../data/on-device.js';
import type { Device } from '../engine/device.js';
import { type Bound, loadWithTensors, readFloats } from '../engine/load.js';
import { Recorder } from '../engine/program.js';
import type { Network } from '../networks/network.js';
import { copyInto } from '../train/groups.js';
import { lossOf } from '../train/loss.js';
import { LimbeckError } from '../util/errors.js';
import { repeated } from '../util/joined.js';
import { Owned } from '../util/owned.js';
import { addTo, dot } from '../util/vectors.js';
import { short } from '../util/words.js';

/** Whom to ask about which test images. */
export interface Asked {
  readonly device: Device;
  readonly dataset: Dataset;
  readonly network: Network;
  /** Of the test split. */
  readonly rows: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

/** Conjugate gradients end at this part of the right side's length, or after so many products. */
const tolerance = 1e-4;
const mostProducts = 200;

/** Directions of the parameters that are multiplied together. */
const directionsAtOnce = 8;

/** A network, and the images that it learned from. */
export interface Learned {
  readonly network: Network;
  /** `[count]` */
  readonly parameters: Float32Array;
  /** `[n, C, H, W]` */
  readonly images: Float32Array;
  /** `[n, K]` */
  readonly labels: Float32Array;
  readonly signal?: AbortSignal | undefined;
}

/** How the loss of each test image changes to first order where an image is left out, `[images]` by image of the set, a few of these at a time. */
export async function* influencesByProducts(
  asked: Asked,
  learned: Learned,
  damping: number,
): AsyncGenerator<Float64Array[]> {
  const owned = new Owned();
  try {
    let along: LossesAlong | undefined;
    for await (const few of solveDamped(asked.device, learned, damping)) {
      // The first are the most.
      along ??= await LossesAlong.load(asked, learned.parameters, few.length, owned);
      yield await along.of(few);
    }
  } finally {
    owned.dispose();
  }
}

/**
 * (G + damping)⁻¹ g_i / n `[count]` for the gradient g_i of each image's loss, a few at a time: to first order, how the network moves when that image is left
 * out (Koh & Liang 2017, equation 1). G is the Gauss-Newton matrix of the mean loss, the Hessian without the curvature of the network itself: it has no
 * negative eigenvalue, as that of networks with ReLU has after a short training. By conjugate gradients.
 */
export async function* solveDamped(
  device: Device,
  learned: Learned,
  damping: number,
): AsyncGenerator<Float64Array[]> {
  const n = learned.labels.length / learned.network.classes;
  const members = Math.min(n, directionsAtOnce);
  const owned = new Owned();
  try {
    const gradients = await ImageGradients.load(device, learned, members, owned);
    const matrix = await GaussNewton.load(device, learned, members, owned);
    for (let first = 0; first < n; first += members)
      yield await conjugateGradients(
        matrix,
        damping,
        await gradients.of(first, Math.min(n, first + members)),
      );
  } finally {
    owned.dispose();
  }
}

/** Products with the Gauss-Newton matrix: Jᵀ (d²loss/dz²) J v, a tangent pass there and a backward pass back. */
export class GaussNewton {
  private constructor(
    readonly members: number,
    private readonly bound: Bound,
    private readonly signal?: AbortSignal,
  ) {}

  static async load(
    device: Device,
    { network, parameters, images, labels, signal }: Learned,
    members: number,
    owned: Owned,
  ): Promise<GaussNewton> {
    const n = labels.length / network.classes;
    const r = new Recorder('products with the Gauss-Newton matrix');
    const x = r.external('images', 1, [n, ...network.inputShape]);
    const y = r.external('labels', 1, [n, network.classes]);
    const passes = network.forward(r, x, r.external('theta', members, [network.count]));
    const zDot = passes.tangentForward(r.external('vector', members, [network.count]));
    const { zBarDot } = lossOf('cross-entropy')
      .forward(r, passes.z, y)
      .tangentBackward(zDot, 1 / n);
    passes.backward(zBarDot, { thetaBar: r.external('product', members, [network.count]) });
    const bound = await loadWithTensors(device, r.program(), owned);
    await bound.tensors.images.write(images);
    await bound.tensors.labels.write(labels);
    await bound.tensors.theta.write(repeated(Float32Array, parameters, members));
    return new GaussNewton(members, bound, signal);
  }

  /** At most `members` vectors. */
  async times(vectors: readonly Float64Array[]): Promise<Float64Array[]> {
    const { tensors, executable } = this.bound;
    const count = vectors[0].length;
    const all = new Float32Array(this.members * count);
    for (const [i, vector] of vectors.entries()) all.set(vector, i * count);
    await tensors.vector.write(all);
    await executable.run({ signal: this.signal });
    const products = await tensors.product.read();
    return vectors.map((_, i) => Float64Array.from(products.subarray(i * count, (i + 1) * count)));
  }
}

/** The solutions for a few right sides, all of which take as many products as the slowest. */
async function conjugateGradients(
  matrix: GaussNewton,
  damping: number,
  rightSides: readonly Float64Array[],
): Promise<Float64Array[]> {
  const systems = rightSides.map((b) => {
    const squared = dot(b, b);
    return {
      ...{ x: new Float64Array(b.length), r: b.slice(), p: b.slice() },
      ...{ squared, least: tolerance ** 2 * squared },
    };
  });
  for (let product = 0; product < mostProducts; product++) {
    const open = systems.filter(({ squared, least }) => !(squared <= least));
    if (!open.length) return systems.map(({ x }) => x);
    const products = await matrix.times(open.map(({ p }) => p));
    for (const [i, system] of open.entries()) {
      const { x, r, p } = system;
      const q = products[i];
      addTo(q, p, damping);
      const step = system.squared / dot(p, q);
      addTo(x, p, step);
      addTo(r, q, -step);
      const squared = dot(r, r);
      for (let j = 0; j < p.length; j++) p[j] = r[j] + (squared / system.squared) * p[j];
      system.squared = squared;
    }
  }
  throw new LimbeckError(
    'ERR_OPTION',
    `influence: damping is ${short(damping)}, with which ${mostProducts} products are not enough to solve for the images; give a larger one`,
  );
}

/** The gradient of the loss of an image alone, divided by their number. */
class ImageGradients {
  private constructor(
    private readonly learned: Learned,
    private readonly bound: Bound,
  ) {}

  /** For `members` images at a time. */
  static async load(
    device: Device,
    learned: Learned,
    members: number,
    owned: Owned,
  ): Promise<ImageGradients> {
    const { network, parameters, labels } = learned;
    const { inputShape, classes: K, count } = network;
    const r = new Recorder('gradient of each image');
    const x = r.external('images', members, [1, ...inputShape]);
    const y = r.external('labels', members, [1, K]);
    const passes = network.forward(r, x, r.external('theta', members, [count]));
    const zBar = lossOf('cross-entropy')
      .forward(r, passes.z, y)
      .backward(K / labels.length);
    passes.backward(zBar, { thetaBar: r.external('gradient', members, [count]) });
    const bound = await loadWithTensors(device, r.program(), owned);
    await bound.tensors.theta.write(repeated(Float32Array, parameters, members));
    return new ImageGradients(learned, bound);
  }

  /** Of images `first` up to, not including, `end`. */
  async of(first: number, end: number): Promise<Float64Array[]> {
    const { network, images, labels, signal } = this.learned;
    const { tensors, executable } = this.bound;
    const part = (values: Float32Array, size: number) => values.subarray(first * size, end * size);
    await tensors.images.write(
      part(
        images,
        network.inputShape.reduce((a, b) => a * b, 1),
      ),
      0,
    );
    await tensors.labels.write(part(labels, network.classes), 0);
    await executable.run({ signal });
    const all = await readFloats(tensors.gradient);
    return Array.from({ length: end - first }, (_, p) =>
      Float64Array.from(all.subarray(p * network.count, (p + 1) * network.count)),
    );
  }
}

/** Test images that go through the network together. */
const atOnce = 256;

/** How the loss of every test image changes along directions of the parameters, to first order. */
export class LossesAlong {
  private constructor(
    private readonly asked: Asked,
    private readonly members: number,
    private readonly bound: Bound,
  ) {}

  /** At a network `[count]`, for at most `members` directions at a time. */
  static async load(
    asked: Asked,
    parameters: Float32Array,
    members: number,
    owned: Owned,
  ): Promise<LossesAlong> {
    const { device, network, rows } = asked;
    const { inputShape, classes: K, count } = network;
    const shape = [Math.min(rows.length, atOnce), K];
    const r = new Recorder('losses along directions');
    const x = r.external('images', 1, [shape[0], ...inputShape]);
    const y = r.external('labels', 1, shape);
    const passes = network.forward(r, x, r.external('theta', members, [count]));
    const zBar = lossOf('cross-entropy').forward(r, passes.z, y).backward(1);
    copyInto(r, zBar, r.external('outputsBar', members, shape));
    const zDot = passes.tangentForward(r.external('direction', members, [count]));
    copyInto(r, zDot, r.external('outputsDot', members, shape));
    const bound = await loadWithTensors(device, r.program(), owned);
    await bound.tensors.theta.write(repeated(Float32Array, parameters, members));
    return new LossesAlong(asked, members, bound);
  }

  /** `[directions]` of `[images]` */
  async of(directions: readonly Float64Array[]): Promise<Float64Array[]> {
    const { dataset, network, rows, signal } = this.asked;
    const { executable, tensors } = this.bound;
    const { classes: K, count } = network;
    const N = Math.min(rows.length, atOnce);
    const group = new Float32Array(this.members * count);
    for (const [p, direction] of directions.entries()) group.set(direction, p * count);
    await tensors.direction.write(group);
    const along = directions.map(() => new Float64Array(rows.length));
    for (let from = 0; from < rows.length; from += N) {
      // The last piece reaches back into the one before it.
      const start = Math.min(from, rows.length - N);
      const piece = rows.slice(start, start + N);
      const labels = new Float32Array(N * K);
      for (const [i, row] of piece.entries()) labels[i * K + dataset.test.labels[row]] = 1;
      await tensors.images.write(normalisedImages(dataset, dataset.test, piece));
      await tensors.labels.write(labels);
      await executable.run({ signal });
      const [bar, tangent] = [await readFloats(tensors.outputsBar), await readFloats(tensors.outputsDot)];
      for (const [p, own] of along.entries())
        for (let i = 0; i < N; i++) {
          let sum = 0;
          for (let k = 0; k < K; k++) {
            const at = (p * N + i) * K + k;
            sum += bar[at] * tangent[at];
          }
          own[start + i] = sum;
        }
    }
    return along;
  }
}
