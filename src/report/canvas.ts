import type { PngImage } from '../util/png.js';
import { textColumns } from './pixel-font.js';

const background = 24;
const ink = 200;

/** A picture to draw images and words on. */
export class Canvas implements PngImage {
  readonly data: Uint8Array;

  constructor(
    readonly width: number,
    readonly height: number,
    readonly channels: 1 | 3,
  ) {
    this.data = new Uint8Array(width * height * channels).fill(background);
  }

  square(x: number, y: number, size: number, colour: (channel: number) => number): void {
    for (let row = y; row < y + size; row++)
      for (let column = x; column < x + size; column++)
        for (let c = 0; c < this.channels; c++)
          this.data[(row * this.width + column) * this.channels + c] = colour(c);
  }

  image(x: number, y: number, image: PngImage, scale: number): void {
    for (let i = 0; i < image.width * image.height; i++) {
      const left = x + (i % image.width) * scale;
      const top = y + Math.floor(i / image.width) * scale;
      this.square(left, top, scale, (c) => image.data[i * image.channels + c]);
    }
  }

  /** Drawn from `x` on; what does not fit into `room` pixels is left out. */
  text(x: number, y: number, text: string, scale: number, room: number): void {
    const columns = textColumns(text).slice(0, Math.max(0, Math.floor(room / scale)));
    columns.forEach((rows, column) => {
      rows.forEach((on, row) => {
        if (on) this.square(x + column * scale, y + row * scale, scale, () => ink);
      });
    });
  }
}
