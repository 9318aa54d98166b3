import type { DistilledSet } from '../data/distilled-set.js';
import type { PngImage } from '../util/png.js';
import { gridOf, stepsOf } from './grid.js';
import { glyphHeight, textColumns } from './pixel-font.js';
import { displayWindow, imagePixels, type Look } from './pixels.js';

const background = 24;
const ink = 200;
/** Widest sheet, and the size small images are brought up to. */
const widest = 4000;
const comfortable = 112;

class Canvas implements PngImage {
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

/**
 * All images of a set on one sheet: a column per class, its name above; rows as in `gridOf`, the step at the left. With more
 * classes than fit side by side, the classes of a row wrap onto further lines.
 */
export function contactSheet(set: DistilledSet, look: Look): PngImage {
  const [C, H, W] = look.imageShape;
  const classes = set.network.classes;
  const window = displayWindow(set, look);
  const grid = gridOf(set);
  const steps = stepsOf(set.use);
  const columns = Math.min(classes, 20);
  const scale = Math.max(
    1,
    Math.min(Math.ceil(comfortable / Math.max(H, W)), Math.floor(widest / (columns * (W + 2)))),
  );
  const gap = Math.max(2, 2 * scale);
  const letters = scale > 1 ? 3 : 1;
  const line = glyphHeight * letters;
  const margin = steps > 1 ? textColumns(`step ${steps}`).length * letters + 2 * gap : gap;

  const linesPerRow = Math.ceil(classes / columns);
  const wraps = linesPerRow > 1;
  const cell = { width: W * scale + gap, height: H * scale + gap + (wraps ? line + letters * 2 : 0) };
  const head = wraps ? gap : gap + line + letters * 2;
  // Steps of several lines stand apart.
  const apart = grid.length > steps || wraps ? gap : 0;
  const height = head + grid.length * linesPerRow * cell.height + steps * apart;
  const sheet = new Canvas(margin + columns * cell.width, height, C === 3 ? 3 : 1);

  const name = (k: number, x: number, y: number) =>
    sheet.text(x, y, look.classNames[k] ?? String(k), letters, cell.width - letters);
  if (!wraps) for (let k = 0; k < classes; k++) name(k, margin + k * cell.width, gap);
  grid.forEach(({ step, items }, row) => {
    const top = head + row * linesPerRow * cell.height + step * apart;
    if (steps > 1 && grid[row - 1]?.step !== step) {
      const middle = top + (Math.min(H * scale, cell.height) - line) / 2;
      sheet.text(gap, Math.floor(middle), `step ${step + 1}`, letters, margin);
    }
    items.forEach((item, k) => {
      const x = margin + (k % columns) * cell.width;
      let y = top + Math.floor(k / columns) * cell.height;
      if (wraps) {
        name(k, x, y);
        y += line + letters * 2;
      }
      if (item !== undefined) sheet.image(x, y, imagePixels(set, look, item, window), scale);
    });
  });
  return sheet;
}
