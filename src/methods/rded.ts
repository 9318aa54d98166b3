import type { DistilledSet } from '../data/distilled-set.js';
import { normalisedImages } from '../data/on-device.js';
import { shuffledRows } from '../data/selection/by-class.js';
import { drawCrop, resizedCrop } from '../data/selection/crops.js';
import type { Tensor } from '../engine/device.js';
import { readFloats } from '../engine/load.js';
import { elements } from '../engine/view.js';
import { streams } from '../train/streams.js';
import { LimbeckError } from '../util/errors.js';
import { whole } from '../util/option.js';
import { type Owned, owning } from '../util/owned.js';
import { Stream } from '../util/random.js';
import { bestPatches, type Patch, putPatch } from './best-patches.js';
import { digitSets } from './datasets.js';
import { itemClasses, itemCount } from './items.js';
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
  // As published for images of 32 pixels.
  presets: [{ datasets: [...digitSets, 'cifar10', 'cifar100'], options: { factor: 1 } }],
  protocol: 'soft-labels',
  order: 'interleaved',
  readsOnHost: true,

  complete({ iterations, ipc, factor, batch }, given) {
    const enough = given('iterations')
      ? iterations
      : Math.max(iterations, Math.ceil((ipc * factor ** 2) / batch));
    return { iterations: enough, ...(given('validateEvery') ? {} : { validateEvery: enough }) };
  },

  check: checkTeacher,

  describe: ({ factor, crops, temperature }) =>
    `${factor} x ${factor} patches an image, ${crops} crops of each real one, labels at temperature ${temperature}`,

  realImages: ({ batch }, classes) => batch * classes,

  begin: (setting) => owning((owned) => PatchProcess.create(setting, setting.options, owned)),
});

type PatchOptions = Setting<typeof options>['options'];

/** What is there of the patches: of each class as many in a row as it has places for, the surest first. */
interface Kept {
  /** `[classes, most, C, h, w]` */
  readonly patches: Tensor;
  /** `[classes, most]` */
  readonly scores: Tensor;
  /** `[classes, most]`: rows of the training split, -1 where there is none yet. */
  readonly sources: Tensor;
}

class PatchProcess implements Process {
  step = 0;
  readonly programs;
  readonly executables;
  /** By class. */
  #kept: Patch[][];

  private constructor(
    private readonly setting: Setting<typeof options>,
    private readonly learner: Learner,
    private readonly teacher: TeacherOnDevice,
    readonly tensors: Kept & Readonly<Record<string, Tensor>>,
    /** Those of the learner. */
    private readonly stored: Readonly<Record<string, Tensor>>,
    /** Rows of every class in the order in which they are looked at; none where the run is blank. */
    private readonly rows: readonly Uint32Array[],
    private readonly owned: Owned,
  ) {
    this.programs = [teacher.program];
    this.executables = [teacher.executable];
    this.#kept = Array.from({ length: setting.items.classes }, () => []);
  }

  static async create(
    setting: Setting<typeof options>,
    { factor, batch, crops, iterations, seed }: PatchOptions,
    owned: Owned,
  ): Promise<PatchProcess> {
    const { device, items, dataset, blank } = setting;
    const [C, H, W] = items.shape;
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
    const most = (itemCount(items) / items.classes) * factor ** 2;
    if (iterations * batch < most)
      throw new LimbeckError(
        'ERR_OPTION',
        `iterations x batch is ${iterations * batch}, expected at least ${most}: as many real images of a class as patches of it are wanted`,
      );
    const teacher = await TeacherOnDevice.create(device, teacherOf(setting), batch * crops, owned);
    const tensor = async (length: number) => owned.own(await device.tensor('f32', length));
    const places = items.classes * most;
    const [patches, scores, sources] = [
      await tensor((places * C * H * W) / factor ** 2),
      await tensor(places),
      await tensor(places),
    ];
    await sources.write(new Float32Array(places).fill(-1));
    const stored: Record<string, Tensor> = {};
    for (const [name, shape] of Object.entries(items.decoder.variables))
      stored[name] = await tensor(elements(shape));
    const learner = new Learner(setting, undefined);
    await learner.start(stored, owned);
    const rows = blank ? [] : shuffledRows(dataset, seed, draw);
    return new PatchProcess(setting, learner, teacher, { patches, scores, sources }, stored, rows, owned);
  }

  async goTo(step: number): Promise<void> {
    const { patches, scores, sources } = this.tensors;
    const [pixels, score, source] = [
      await readFloats(patches),
      await readFloats(scores),
      await readFloats(sources),
    ];
    const most = source.length / this.#kept.length;
    const size = pixels.length / source.length;
    this.#kept = this.#kept.map((_, c) =>
      Array.from({ length: most }, (_, i) => c * most + i)
        .filter((at) => source[at] >= 0)
        .map((at) => ({
          source: source[at],
          score: score[at],
          pixels: pixels.slice(at * size, (at + 1) * size),
        })),
    );
    this.step = step;
  }

  /** Nothing has a rate. */
  async scaleRates(): Promise<void> {}

  async advance(steps: number, signal?: AbortSignal): Promise<Measures> {
    const most = this.tensors.scores.length / this.#kept.length;
    for (const end = this.step + steps; this.step < end; this.step++)
      for (const [c, kept] of this.#kept.entries()) {
        const perSource = this.rows.length ? Math.ceil(most / this.rows[c].length) : most;
        const found = await this.#candidates(c, signal);
        this.#kept[c] = bestPatches([...kept, ...found], { most, perSource });
      }
    await this.#write();
    const scores = this.#kept.flatMap((kept) => kept.map(({ score }) => score));
    return { loss: scores.reduce((sum, score) => sum + score, 0) / Math.max(1, scores.length) };
  }

  /** The best crop of each of the next images of a class, in the order of the images. */
  async #candidates(c: number, signal?: AbortSignal): Promise<Patch[]> {
    const { dataset, items, options: o, blank } = this.setting;
    const [C, H, W] = items.shape;
    const patch = [H / o.factor, W / o.factor] as const;
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

  async #write(): Promise<void> {
    const { patches, scores, sources } = this.tensors;
    const [pixels, score, source] = [patches, scores, sources].map(({ length }) => new Float32Array(length));
    source.fill(-1);
    const most = source.length / this.#kept.length;
    const size = pixels.length / source.length;
    for (const [c, kept] of this.#kept.entries())
      for (const [i, one] of kept.entries()) {
        const at = c * most + i;
        pixels.set(one.pixels, at * size);
        score[at] = one.score;
        source[at] = one.source;
      }
    await patches.write(pixels);
    await scores.write(score);
    await sources.write(source);
  }

  async result(): Promise<DistilledSet> {
    const { setting, learner, stored, teacher } = this;
    const { items, options: o } = setting;
    const { decoder, first } = items;
    if (this.step > 0) {
      const values = decoder.encode(
        this.#put(),
        decoder.given === undefined ? undefined : first[decoder.given],
      );
      for (const [name, tensor] of Object.entries(stored)) await tensor.write(values[name]);
    }
    const set = await learner.trainingSet(stored, 'rded', o.protocol);
    const labels = await teacher.labels(set.images, o.temperature);
    return { ...set, labels, teacher: { ...teacherOf(setting).record, temperature: o.temperature } };
  }

  /** The images `[count, C, H, W]` that the patches make: the surest of each in its first place, and so on; too few begin again. */
  #put(): Float32Array {
    const { items, options: o } = this.setting;
    const [C, H, W] = items.shape;
    const patch = [H / o.factor, W / o.factor] as const;
    const classes = itemClasses(items);
    const images = new Float32Array(classes.length * C * H * W);
    const perClass = classes.length / items.classes;
    const used = new Uint32Array(items.classes);
    for (const [i, c] of classes.entries()) {
      const j = used[c]++;
      const kept = this.#kept[c];
      for (let place = 0; kept.length && place < o.factor ** 2; place++) {
        const { pixels } = kept[(place * perClass + j) % kept.length];
        const corner = [Math.floor(place / o.factor) * patch[0], (place % o.factor) * patch[1]] as const;
        putPatch(images.subarray(i * C * H * W, (i + 1) * C * H * W), items.shape, pixels, patch, corner);
      }
    }
    return images;
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
