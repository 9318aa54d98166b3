import type { PngImage } from '../util/png.js';
import { Canvas } from './canvas.js';
import { glyphHeight } from './pixel-font.js';
import { resized } from './resized.js';

/** A picture and what it shows. */
export interface Named {
  readonly name: string;
  readonly picture: PngImage;
}

export interface GalleryLayout {
  /** Pixels that a picture has to be brought to: at a whole multiple of its own where it is smaller. */
  readonly side: number;
  readonly columns: number;
  readonly gap: number;
  /** Pixels of a dot of the letters; 0 leaves out the names. */
  readonly letters: number;
}

/** Pictures of one size in rows, the name of each above it. */
export function gallery(items: readonly Named[], { side, columns, gap, letters }: GalleryLayout): PngImage {
  const pictures = items.map(({ picture }) => resized(picture, fitted(picture, side)));
  const [{ width, height, channels }] = pictures;
  const head = letters && glyphHeight * letters + 2 * letters;
  const cell = { width: width + gap, height: height + gap + head };
  const sheet = new Canvas(
    gap + columns * cell.width,
    gap + Math.ceil(items.length / columns) * cell.height,
    channels,
  );
  for (const [place, { name }] of items.entries()) {
    const x = gap + (place % columns) * cell.width;
    const y = gap + Math.floor(place / columns) * cell.height;
    if (letters) sheet.text(x, y, name, letters, width);
    sheet.image(x, y + head, pictures[place], 1);
  }
  return sheet;
}

/** The size of a picture whose longer side is to be so long, or, as a whole multiple, as near to it as goes. */
export function fitted({ width, height }: PngImage, side: number): { width: number; height: number } {
  const scale = side / Math.max(width, height);
  const [wide, high] = [width, height].map((size) =>
    Math.max(1, Math.round(size * (scale > 1 ? Math.floor(scale) : scale))),
  );
  return { width: wide, height: high };
}
