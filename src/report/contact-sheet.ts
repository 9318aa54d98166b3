import type { DistilledSet } from '../data/distilled-set.js';
import { expectArgument } from '../util/expect.js';
import type { PngImage } from '../util/png.js';
import { Canvas } from './canvas.js';
import { gridOf, stepsOf } from './grid.js';
import { glyphHeight, textColumns } from './pixel-font.js';
import { displayWindow, imagePixels, type Look } from './pixels.js';

/** Widest sheet, and the size small images are brought up to. */
const widest = 4000;
const comfortable = 112;

/** What a row of the sheet shows, one picture of each class, and its name. */
interface Row {
  readonly name: string;
  /** Of the rows that stand together. */
  readonly group: number;
  readonly pictures: readonly (PngImage | undefined)[];
}

/**
 * All images of a set on one sheet: a column per class, its name above; rows as in `gridOf`, the step at the left. With more
 * classes than fit side by side, the classes of a row wrap onto further lines. `examples`, a real picture of each class, stand above.
 */
export function contactSheet(
  set: DistilledSet,
  look: Look,
  examples?: readonly (PngImage | undefined)[],
): PngImage {
  for (const property of ['images', 'use', 'network'])
    expectArgument('contactSheet', 'set', set, property, 'a distilled set: `set` of what `distill` gives');
  const expected = 'what a data set looks like: the data set, or `dataset` of the record of a run';
  for (const property of ['imageShape', 'classNames', 'mean', 'std'])
    expectArgument('contactSheet', 'look', look, property, expected);
  const [C, H, W] = look.imageShape;
  const classes = set.network.classes;
  const columns = Math.min(classes, 20);
  const scale = Math.max(
    1,
    Math.min(Math.ceil(comfortable / Math.max(H, W)), Math.floor(widest / (columns * (W + 2)))),
  );
  const gap = Math.max(2, 2 * scale);
  const letters = scale > 1 ? 3 : 1;
  const line = glyphHeight * letters;
  const rows = [
    ...(examples ? [{ name: 'real', group: 0, pictures: examples }] : []),
    ...distilledRows(set, look, Boolean(examples)),
  ];
  const margin =
    gap +
    Math.max(...rows.map((row) => textColumns(row.name).length * letters + gap * Math.sign(row.name.length)));

  const linesPerRow = Math.ceil(classes / columns);
  const wraps = linesPerRow > 1;
  const cell = { width: W * scale + gap, height: H * scale + gap + (wraps ? line + letters * 2 : 0) };
  const head = wraps ? gap : gap + line + letters * 2;
  // Groups of several lines stand apart.
  const groups = rows.at(-1)!.group + 1;
  const apart = groups > 1 && (rows.length > groups || wraps || examples) ? gap : 0;
  const height = head + rows.length * linesPerRow * cell.height + groups * apart;
  const sheet = new Canvas(margin + columns * cell.width, height, C === 3 ? 3 : 1);

  const name = (k: number, x: number, y: number) =>
    sheet.text(x, y, look.classNames[k] ?? String(k), letters, cell.width - letters);
  if (!wraps) for (let k = 0; k < classes; k++) name(k, margin + k * cell.width, gap);
  rows.forEach((row, place) => {
    const top = head + place * linesPerRow * cell.height + row.group * apart;
    if (row.name) {
      const middle = top + (Math.min(H * scale, cell.height) - line) / 2;
      sheet.text(gap, Math.floor(middle), row.name, letters, margin);
    }
    row.pictures.forEach((picture, k) => {
      const x = margin + (k % columns) * cell.width;
      let y = top + Math.floor(k / columns) * cell.height;
      if (wraps) {
        name(k, x, y);
        y += line + letters * 2;
      }
      if (picture) sheet.image(x, y, picture, scale);
    });
  });
  return sheet;
}

/** The rows of the set, named by their step, or as distilled where real ones stand above. */
function distilledRows(set: DistilledSet, look: Look, beside: boolean): Row[] {
  const window = displayWindow(set, look);
  const steps = stepsOf(set.use);
  return gridOf(set).map(({ step, items }, row, grid) => {
    const begins = grid[row - 1]?.step !== step;
    const name = steps > 1 ? `step ${step + 1}` : beside ? 'distilled' : '';
    const pictures = items.map((item) => (item === undefined ? item : imagePixels(set, look, item, window)));
    return { name: begins ? name : '', group: step + Number(beside), pictures };
  });
}
