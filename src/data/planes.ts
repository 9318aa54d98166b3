/** Interleaved pixels of one image as it was decoded: bytes, or 16 bits per channel. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue, and possibly how opaque. */
  readonly channels: 3 | 4;
  readonly values: Uint8Array | Uint16Array;
}

/** From 0..255 to 0..65535. */
const WIDEN = 257;
/** White of 16 bits. */
export const DEEPEST = 65_535;

/** The largest value of the bits that `most` takes: 4095 of values up to 3000. */
export const fullScale = (most: number): number => 2 ** Math.ceil(Math.log2(most + 1)) - 1;

/** A value laid on another one, as opaque as `alpha` of `opaque` says. */
export const over = (value: number, behind: number, alpha: number, opaque: number): number =>
  (value * alpha + behind * (opaque - alpha)) / opaque;

/** Red, green and blue in 0..255 of `white`, `black` or `#rrggbb`; white when missing. */
export function colourOf(background = 'white'): readonly [number, number, number] {
  const name = background.toLowerCase();
  if (name === 'white') return [255, 255, 255];
  if (name === 'black') return [0, 0, 0];
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(background.slice(at, at + 2), 16));
  return [red, green, blue];
}

/** An image laid on a colour (in 0..255), and whether any of that shows. */
export function composed(
  image: Pixels,
  colour: readonly [number, number, number],
): { pixels: Pixels; wasTransparent: boolean } {
  const { channels, values } = image;
  if (channels === 3) return { pixels: image, wasTransparent: false };
  const deep = values instanceof Uint16Array;
  const opaque = deep ? DEEPEST : 255;
  const count = values.length / 4;
  const laid = deep ? new Uint16Array(3 * count) : new Uint8Array(3 * count);
  let wasTransparent = false;
  for (let i = 0; i < count; i++) {
    const alpha = values[4 * i + 3];
    if (alpha < opaque) wasTransparent = true;
    for (let c = 0; c < 3; c++) {
      const behind = deep ? colour[c] * WIDEN : colour[c];
      laid[3 * i + c] = Math.round(over(values[4 * i + c], behind, alpha, opaque));
    }
  }
  return { pixels: { ...image, channels: 3, values: laid }, wasTransparent };
}

/** Planes of red, green and blue of many images of one size; bytes until an image has more. */
export class PlaneBuffer {
  #data: Uint8Array | Uint16Array;
  #coloured = false;
  /** Images that came as bytes. */
  readonly #narrow = new Set<number>();

  constructor(
    count: number,
    readonly height: number,
    readonly width: number,
  ) {
    this.#data = new Uint8Array(count * 3 * height * width);
  }

  /** Puts an image without transparency in its place. */
  put(index: number, { values }: Pixels): void {
    if (values instanceof Uint8Array) this.#narrow.add(index);
    if (values instanceof Uint16Array && this.#data instanceof Uint8Array)
      this.#data = Uint16Array.from(this.#data, (value) => value * WIDEN);
    const scale = this.#data instanceof Uint16Array && values instanceof Uint8Array ? WIDEN : 1;
    const data = this.#data;
    const pixels = values.length / 3;
    const at = index * values.length;
    let difference = 0;
    for (let i = 0; i < pixels; i++) {
      const red = values[3 * i];
      const green = values[3 * i + 1];
      const blue = values[3 * i + 2];
      data[at + i] = red * scale;
      data[at + pixels + i] = green * scale;
      data[at + 2 * pixels + i] = blue * scale;
      difference |= (red ^ green) | (green ^ blue);
    }
    if (difference !== 0) this.#coloured = true;
  }

  /**
   * Some of the images, in one channel where none has a colour, unless `channels` says; `depth` is how many. 16-bit values that hold
   * more than bytes become floats in 0..1, of the range they use, or by the `divisor` of images that these are to be like.
   */
  images(
    kept: readonly number[],
    channels?: number,
    divisor?: number,
  ): { depth: 1 | 3; data: Uint8Array | Float32Array; divisor?: number; note?: string } {
    const depth = (channels ?? (this.#coloured ? 3 : 1)) === 3 ? 3 : 1;
    const data = this.#of(kept, depth);
    if (data instanceof Uint8Array) return { depth, data };
    if (divisor !== undefined) return { depth, ...this.#divided(data, kept, divisor) };
    if (data.every((value) => value % WIDEN === 0))
      return { depth, data: Uint8Array.from(data, (value) => value / WIDEN) };
    let [least, most] = [DEEPEST, 0];
    for (const value of data) {
      if (value < least) least = value;
      if (value > most) most = value;
    }
    const full = fullScale(most);
    return {
      depth,
      data: Float32Array.from(data, (value) => value / full),
      divisor: full,
      note: `16-bit images: their values reach from ${least} to ${most} and were divided by ${full}, to 0..1`,
    };
  }

  /** Bytes among them are parts of 255 as ever. */
  #divided(
    data: Uint16Array,
    kept: readonly number[],
    divisor: number,
  ): { data: Float32Array; note: string } {
    const length = data.length / kept.length;
    let most = 0;
    const out = Float32Array.from(data, (value, i) => {
      if (this.#narrow.has(kept[Math.floor(i / length)])) return value / DEEPEST;
      most = Math.max(most, value);
      return value / divisor;
    });
    const beyond = most > divisor ? `, beyond which they reach, to ${most}: their white is another` : '';
    return { data: out, note: `16-bit images: their values were divided by ${divisor}${beyond}` };
  }

  #of(kept: readonly number[], depth: 1 | 3): Uint8Array | Uint16Array {
    const pixels = this.height * this.width;
    const data = this.#data;
    const length = kept.length * depth * pixels;
    const out = data instanceof Uint16Array ? new Uint16Array(length) : new Uint8Array(length);
    for (const [to, from] of kept.entries()) {
      const image = data.subarray(from * 3 * pixels, (from + 1) * 3 * pixels);
      if (depth === 3) out.set(image, to * 3 * pixels);
      else for (let i = 0; i < pixels; i++) out[to * pixels + i] = luma(image, i, pixels);
    }
    return out;
  }
}

/** Of ITU-R BT.601, as every common tool has it: .299 R + .587 G + .114 B; grey stays what it is. */
const luma = (image: Uint8Array | Uint16Array, i: number, pixels: number): number =>
  Math.floor(
    (19_595 * image[i] + 38_470 * image[i + pixels] + 7471 * image[i + 2 * pixels] + 0x8000) / 65_536,
  );
