import type { DistilledSet } from '../data/distilled-set.js';
import type { PngImage } from '../util/png.js';
import { Canvas } from './canvas.js';
import { gridOf, stepsOf } from './grid.js';
import { glyphHeight, textColumns } from './pixel-font.js';
import { displayWindow, imagePixels, type Look } from './pixels.js';

/** Widest sheet, and the size small images are brought up to. */
const widest = 4000;
const comfortable = 112;

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
