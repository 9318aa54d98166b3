import type { Dataset, Split } from '../data/dataset.js';
import { SplitOnDevice } from '../data/on-device.js';
import type { Device, Executable, Tensor } from '../engine/device.js';
import { loadWithTensors } from '../engine/load.js';
import * as accuracy from '../engine/ops/accuracy.js';
import * as arccosine from '../engine/ops/arccosine.js';
import * as cholesky from '../engine/ops/cholesky.js';
import * as linear from '../engine/ops/linear.js';
import { type Program, Recorder } from '../engine/program.js';
import { slice } from '../engine/view.js';
import { asRows, squaredNorms } from '../train/infinite-width.js';
import { LimbeckError } from '../util/errors.js';
import { type Owned, owning } from '../util/owned.js';
import type { PopulationGeometry, TrainingSet } from './population.js';
import { confusions } from './scoring.js';
import type { Confusion } from './statistics.js';

/** Images that are predicted together. */
const imagesAtOnce = 2048;

/** Kernel ridge regression with infinitely wide networks in the place of a population that trains: the same every time, one member. */
export class KernelEvaluator {
  readonly members = 1;

  private constructor(
    private readonly geometry: PopulationGeometry,
    private readonly tensors: Readonly<Record<string, Tensor>>,
    private readonly executable: Executable,
    private readonly owned: Owned,
  ) {}

  static create(
    device: Device,
    dataset: Dataset,
    split: Split,
    geometry: PopulationGeometry,
  ): Promise<KernelEvaluator> {
    return owning(async (owned) => {
      const uploaded = owned.own(await SplitOnDevice.upload(device, dataset, split));
      const rows = Uint32Array.from({ length: split.count }, (_, i) => i);
      const bound = {
        ...uploaded.tensors,
        order: owned.own(await device.tensor('u32', split.count, rows)),
      };
      const program = recordAnswers(geometry, uploaded);
      const { tensors, executable } = await loadWithTensors(device, program, owned, bound);
      return new KernelEvaluator(geometry, tensors, executable, owned);
    });
  }

  /** What regression on the images takes those of the split for; ERR_DIVERGED where it has no solution. */
  async answers(
    { images, labels }: TrainingSet,
    _parameters: ArrayLike<number>,
    signal?: AbortSignal,
  ): Promise<Confusion[]> {
    const { tensors, geometry } = this;
    await tensors.images.write(images);
    await tensors.labels.write(labels);
    await this.executable.run({ signal });
    // Predictions of NaN would be scored as guessing.
    if (!(await tensors.alpha.read()).every(Number.isFinite))
      throw new LimbeckError(
        'ERR_DIVERGED',
        `kernel regression of ${geometry.steps * geometry.n} images has no solution in float32 at a ridge of ${geometry.ridge}: some of them ` +
          'may be the same; train on the set instead: --protocol frepo.',
      );
    return confusions(await tensors.counts.read(), geometry.network.classes);
  }

  dispose(): void {
    this.owned.dispose();
  }
}

function recordAnswers(
  { network, steps, n, kernel, ridge }: PopulationGeometry,
  split: SplitOnDevice,
): Program {
  const r = new Recorder('kernel regression');
  const [rows, K] = [steps * n, network.classes];
  const externals = split.declare(r);
  const order = r.external('order', 1, [split.count], 'u32');
  const counts = r.external('counts', 1, [K, K]);
  const alpha = r.external('alpha', 1, [rows, K]);
  const labels = r.external('labels', 1, [rows, K]);
  const x = asRows(r.external('images', 1, [rows, ...network.inputShape]));
  const gram = arccosine.gram(r, { g: linear.forward(r, { x, w: x }) }, kernel!);
  cholesky.solve(r, { l: cholesky.factor(r, { a: gram }, ridge!), b: labels }, { into: alpha });
  const b = squaredNorms(r, x);
  for (let start = 0; start < split.count; start += imagesAtOnce) {
    const index = slice(order, start, [Math.min(imagesAtOnce, split.count - start)]);
    const batch = split.batch(r, externals, index);
    const t = asRows(batch.x);
    const products = { g: linear.forward(r, { x: t, w: x }), a: squaredNorms(r, t), b };
    const k = arccosine.cross(r, products, kernel!);
    const z = linear.backwardInput(r, { yBar: k, w: alpha });
    accuracy.confusion(r, { z, y: batch.y }, { into: counts, accumulate: start > 0 });
  }
  return r.program();
}
