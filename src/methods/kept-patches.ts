import type { Device, Tensor } from '../engine/device.js';
import { readFloats } from '../engine/load.js';
import type { Owned } from '../util/owned.js';
import { bestPatches, type Patch, putPatch } from './best-patches.js';
import { type Items, itemClasses, itemCount } from './items.js';

/** What is there of the patches: of each class as many in a row as it has places for, the surest first. */
interface Tensors {
  /** `[classes, most, C, h, w]` */
  readonly patches: Tensor;
  /** `[classes, most]` */
  readonly scores: Tensor;
  /** `[classes, most]`: rows of the training split, -1 where there is none yet. */
  readonly sources: Tensor;
}

/** The best patches so far of every class, and the images that they make: factor x factor in each. */
export class KeptPatches {
  /** By class. */
  #kept: Patch[][];

  private constructor(
    private readonly items: Items,
    private readonly factor: number,
    /** Of a class. */
    readonly most: number,
    readonly tensors: Tensors & Readonly<Record<string, Tensor>>,
  ) {
    this.#kept = Array.from({ length: items.classes }, () => []);
  }

  static async create(device: Device, items: Items, factor: number, owned: Owned): Promise<KeptPatches> {
    const [C, H, W] = items.shape;
    const most = (itemCount(items) / items.classes) * factor ** 2;
    const places = items.classes * most;
    const tensor = async (length: number) => owned.own(await device.tensor('f32', length));
    const [patches, scores, sources] = [
      await tensor((places * C * H * W) / factor ** 2),
      await tensor(places),
      await tensor(places),
    ];
    await sources.write(new Float32Array(places).fill(-1));
    return new KeptPatches(items, factor, most, { patches, scores, sources });
  }

  /** Height and width of a patch. */
  get size(): readonly [number, number] {
    const [, H, W] = this.items.shape;
    return [H / this.factor, W / this.factor];
  }

  /** Takes what is best of a class with those that were found: at most `perSource` of an image. */
  add(label: number, found: readonly Patch[], perSource: number): void {
    this.#kept[label] = bestPatches([...this.#kept[label], ...found], { most: this.most, perSource });
  }

  /** The mean of all scores; 0 where there is none. */
  get meanScore(): number {
    const scores = this.#kept.flatMap((kept) => kept.map(({ score }) => score));
    return scores.reduce((sum, score) => sum + score, 0) / Math.max(1, scores.length);
  }

  /** Takes what the tensors hold. */
  async read(): Promise<void> {
    const { patches, scores, sources } = this.tensors;
    const [pixels, score, source] = [
      await readFloats(patches),
      await readFloats(scores),
      await readFloats(sources),
    ];
    const { most } = this;
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
  }

  /** Brings the tensors to what there is. */
  async write(): Promise<void> {
    const { patches, scores, sources } = this.tensors;
    const [pixels, score, source] = [patches, scores, sources].map(({ length }) => new Float32Array(length));
    source.fill(-1);
    const size = pixels.length / source.length;
    for (const [c, kept] of this.#kept.entries())
      for (const [i, one] of kept.entries()) {
        const at = c * this.most + i;
        pixels.set(one.pixels, at * size);
        score[at] = one.score;
        source[at] = one.source;
      }
    await patches.write(pixels);
    await scores.write(score);
    await sources.write(source);
  }

  /** The images `[count, C, H, W]` that the patches make: the surest of each in its first place, and so on; too few begin again. */
  images(): Float32Array {
    const { items, factor, size } = this;
    const [C, H, W] = items.shape;
    const classes = itemClasses(items);
    const images = new Float32Array(classes.length * C * H * W);
    const perClass = classes.length / items.classes;
    const used = new Uint32Array(items.classes);
    for (const [i, c] of classes.entries()) {
      const j = used[c]++;
      const kept = this.#kept[c];
      for (let place = 0; kept.length && place < factor ** 2; place++) {
        const { pixels } = kept[(place * perClass + j) % kept.length];
        const corner = [Math.floor(place / factor) * size[0], (place % factor) * size[1]] as const;
        putPatch(images.subarray(i * C * H * W, (i + 1) * C * H * W), items.shape, pixels, size, corner);
      }
    }
    return images;
  }
}
