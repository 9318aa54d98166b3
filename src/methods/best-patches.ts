/** A piece of a real image, and how sure the teacher is of it. */
export interface Patch {
  /** Row of its image in the training split. */
  readonly source: number;
  /** Cross-entropy of the teacher with the class: the smaller, the surer. */
  readonly score: number;
  /** `[C, h, w]` */
  readonly pixels: Float32Array;
}

/**
 * The `most` patches of the least score, of one image `perSource` at most; what was there before stands first where scores are the same. Patches
 * that are merged bit by bit give what they would give together.
 */
export function bestPatches(
  patches: readonly Patch[],
  { most, perSource }: { readonly most: number; readonly perSource: number },
): Patch[] {
  const used = new Map<number, number>();
  const best: Patch[] = [];
  for (const patch of [...patches].sort((a, b) => a.score - b.score)) {
    const before = used.get(patch.source) ?? 0;
    if (before === perSource) continue;
    used.set(patch.source, before + 1);
    best.push(patch);
    if (best.length === most) break;
  }
  return best;
}

/** A patch `[C, h, w]` in a picture `[C, H, W]`, from (top, left) on. */
export function putPatch(
  picture: Float32Array,
  [C, H, W]: readonly [number, number, number],
  pixels: Float32Array,
  [h, w]: readonly [number, number],
  [top, left]: readonly [number, number],
): void {
  for (let c = 0; c < C; c++)
    for (let y = 0; y < h; y++) {
      const from = (c * h + y) * w;
      picture.set(pixels.subarray(from, from + w), (c * H + top + y) * W + left);
    }
}
