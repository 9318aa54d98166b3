import type { DistilledSet } from '../data/distilled-set.js';
import { normalisedImages } from '../data/on-device.js';
import { shuffledRows } from '../data/selection/by-class.js';
import { drawCrop, resizedCrop } from '../data/selection/crops.js';
import type { Tensor } from '../engine/device.js';
import { elements } from '../engine/view.js';
import { parametrisationFor } from '../parametrisations/index.js';
import { streams } from '../train/streams.js';
import { LimbeckError } from '../util/errors.js';
import { roundedToHalf } from '../util/half.js';
import { whole } from '../util/option.js';
import { type Owned, owning } from '../util/owned.js';
import { Stream } from '../util/random.js';
import { type Patch, putPatch } from './best-patches.js';
import { cifar10, cifar100, digitSets } from './datasets.js';
import { KeptPatches } from './kept-patches.js';
import { Learner } from './learner.js';
import { defineMethod, type Measures, type Process, type Setting } from './method.js';
import { TeacherOnDevice } from './teacher.js';
import { checkTeacher, teacherOf, teacherOptions } from './teacher-options.js';

const options = {
  ...teacherOptions,
  factor: whole(2, 'patches per side of an image, which has factor x factor of them'),
  batch: whole(10, 'real images of each class per outer step'),
  crops: whole(5, 'random crops of each, of which the one that the teacher is surest of is a candidate'),
};

/** First images and baselines are drawn otherwise. */
const draw = 2 ** 32 - 2;

/**
 * Realistic, diverse and efficient distillation: of many crops of real images those that a trained network is surest of are put together,
 * factor x factor in an image, and the labels are what that network says of the result. Nothing is optimised. An outer step looks at more
 * images of every class and keeps the best patches so far, one of an image unless there are too few images.
 */
export const method = defineMethod({
  name: 'rded',
  source: 'Sun, Shi, Yu, Lin: On the Diversity and Realism of Distilled Dataset, 2024',
  summary:
    'the crops of real images that a trained network is surest of, put together, with its answers as labels',
  options,
  defaults: { network: 'convnet', first: 'real', iterations: 30, validationNetworks: 2, networks: 5 },
  presets: [
    { datasets: [...cifar10, ...cifar100], options: { factor: 1 } },
    // Digits are no larger.
    { datasets: digitSets, own: true, options: { factor: 1 } },
  ],
  protocol: 'soft-labels',
  order: 'interleaved',
  readsOnHost: true,

  /** As many real images of a class as there are to be patches of it. */
  leastIterations({ ipc, factor, batch, parametrisation: given }) {
    const { parametrisation, values } = parametrisationFor(given);
    return Math.ceil((ipc * parametrisation.perPicture(values) * factor ** 2) / batch);
  },

  complete: ({ iterations }, given) => (given('validateEvery') ? {} : { validateEvery: iterations }),

  idle: () => ({
    average: 'method rded chooses images and moves none, so there is nothing to average, expected none',
  }),

  check: checkTeacher,

  describe: ({ factor, crops, temperature }) =>
    `${factor} x ${factor} patches an image, ${crops} crops of each real one, labels at temperature ${temperature}`,

  realImages: ({ batch }, classes) => batch * classes,

  begin: (setting) => owning((owned) => PatchProcess.create(setting, setting.options, owned)),
});

type PatchOptions = Setting<typeof options>['options'];

class PatchProcess implements Process {
  step = 0;
  readonly programs;
  readonly executables;
  readonly tensors;

  private constructor(
    private readonly setting: Setting<typeof options>,
    private readonly learner: Learner,
    private readonly teacher: TeacherOnDevice,
    private readonly kept: KeptPatches,
    /** Those of the learner. */
    private readonly stored: Readonly<Record<string, Tensor>>,
    /** Rows of every class in the order in which they are looked at; none where the run is blank. */
    private readonly rows: readonly Uint32Array[],
    private readonly owned: Owned,
  ) {
    this.programs = [teacher.program];
    this.executables = [teacher.executable];
    this.tensors = kept.tensors;
  }

  static async create(
    setting: Setting<typeof options>,
    { factor, batch, crops, iterations, seed }: PatchOptions,
    owned: Owned,
  ): Promise<PatchProcess> {
    const { device, items, dataset, blank } = setting;
    const [, H, W] = items.shape;
    if (dataset.text)
      throw new LimbeckError(
        'ERR_OPTION',
        `${dataset.name} holds texts, of which there are no crops, expected images: another method takes these`,
      );
    if (H % factor || W % factor)
      throw new LimbeckError(
        'ERR_OPTION',
        `factor is ${factor} and images are ${H} x ${W}, expected a factor that divides both, such as 1`,
      );
    const kept = await KeptPatches.create(device, items, factor, owned);
    if (iterations * batch < kept.most)
      throw new LimbeckError(
        'ERR_OPTION',
        `iterations x batch is ${iterations * batch}, expected at least ${kept.most}: as many real images of a class as patches of it are wanted`,
      );
    const teacher = await TeacherOnDevice.create(device, teacherOf(setting), batch * crops, owned);
    const stored: Record<string, Tensor> = {};
    for (const [name, shape] of Object.entries(items.decoder.variables))
      stored[name] = owned.own(await device.tensor('f32', elements(shape)));
    const learner = new Learner(setting, undefined);
    await learner.start(stored, owned);
    const rows = blank ? [] : shuffledRows(dataset, seed, draw);
    return new PatchProcess(setting, learner, teacher, kept, stored, rows, owned);
  }

  async goTo(step: number): Promise<void> {
    await this.kept.read();
    this.step = step;
  }

  /** Nothing has a rate. */
  async scaleRates(): Promise<void> {}

  async advance(steps: number, signal?: AbortSignal): Promise<Measures> {
    const { kept, rows, setting } = this;
    for (const end = this.step + steps; this.step < end; this.step++)
      for (let c = 0; c < setting.items.classes; c++) {
        const perSource = rows.length ? Math.ceil(kept.most / rows[c].length) : kept.most;
        kept.add(c, await this.#candidates(c, signal), perSource);
      }
    await kept.write();
    return { loss: kept.meanScore };
  }

  /** The best crop of each of the next images of a class, in the order of the images. */
  async #candidates(c: number, signal?: AbortSignal): Promise<Patch[]> {
    const { dataset, items, options: o, blank } = this.setting;
    const [C, H, W] = items.shape;
    const patch = this.kept.size;
    // In the middle of a picture that is grey for the rest, as in their program.
    const middle = [(H - patch[0]) >> 1, (W - patch[1]) >> 1] as const;
    const pictures = new Float32Array(o.batch * o.crops * C * H * W);
    const stream = new Stream(o.seed, streams.crops, c);
    const made: Omit<Patch, 'score'>[] = [];
    for (let i = 0; i < (blank ? 0 : o.batch); i++) {
      stream.draw = this.step * o.batch + i;
      const source = this.rows[c][stream.draw % this.rows[c].length];
      const image = normalisedImages(dataset, dataset.train, [source]);
      for (let k = 0; k < o.crops; k++) {
        const pixels = resizedCrop(image, items.shape, drawCrop(stream, k, [H, W]), patch);
        const at = made.push({ source, pixels }) - 1;
        const picture = pictures.subarray(at * C * H * W, (at + 1) * C * H * W);
        putPatch(picture, items.shape, pixels, patch, middle);
      }
    }
    const logits = await this.teacher.logits(pictures, signal);
    const scored = made.map((one, at) => ({
      ...one,
      // Rounded as it is kept.
      score: Math.fround(crossEntropy(logits.subarray(at * items.classes, (at + 1) * items.classes), c)),
    }));
    return Array.from({ length: made.length / o.crops }, (_, i) => {
      const ofImage = scored.slice(i * o.crops, (i + 1) * o.crops);
      return ofImage.reduce((a, b) => (b.score < a.score ? b : a));
    });
  }

  async result(): Promise<DistilledSet> {
    const { setting, learner, stored, teacher, kept } = this;
    const { items, options: o } = setting;
    const { decoder, first } = items;
    if (this.step > 0) {
      const given = decoder.given === undefined ? undefined : first[decoder.given];
      const values = decoder.encode(kept.images(), { seed: o.seed, given });
      for (const [name, tensor] of Object.entries(stored)) await tensor.write(values[name]);
    }
    const set = await learner.trainingSet(stored, 'rded', o.protocol);
    const labels = roundedToHalf(await teacher.labels(set.images, o.temperature));
    return { ...set, labels, teacher: { ...teacherOf(setting).record, temperature: o.temperature } };
  }

  dispose(): void {
    this.owned.dispose();
  }
}

/** -log softmax(z)[c] */
function crossEntropy(z: Float32Array, c: number): number {
  const largest = Math.max(...z);
  return Math.log(z.reduce((sum, value) => sum + Math.exp(value - largest), 0)) + largest - z[c];
}
