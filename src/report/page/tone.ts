import type { PixelScale } from '../../data/pixel-scale.js';
import { encodePng } from '../../util/png.js';
import { short } from '../../util/words.js';
import type { Look, Window } from '../pixels.js';
import { pngTag } from './picture.js';

/**
 * Grey pictures hold bytes from their darkest to their lightest pixel. The page shows them in signed colours: what is darker than black in
 * blue, what is lighter than white in orange, by a filter over the bytes, so that they are in the page once.
 */

/** How far a window may leave 0 to 1 before it is worth colours. */
const slack = 0.05;
const samples = 65;

/** Whether images are shown in signed colours. Those in colour have no room for others; where black and white are is known of 0 to 1 alone. */
export const isSigned = (
  { imageShape, range }: Pick<Look, 'imageShape'> & PixelScale,
  { black, white }: Window,
): boolean => imageShape[0] !== 3 && !range && (black < -slack || white > 1 + slack);

/** What is shown in the strongest colours: so far outside of 0 to 1, and the lightest grey where pixels end before 1. */
export interface Strength {
  readonly reach: number;
  readonly light: number;
}

/** Such that what is little outside looks it. */
const leastReach = 0.25;

/** The strength for all of these windows together. */
export const strengthOf = (windows: readonly Window[]): Strength => ({
  reach: Math.max(leastReach, ...windows.flatMap(({ black, white }) => [-black, white - 1])),
  light: Math.min(1, Math.max(leastReach, ...windows.map(({ white }) => white))),
});

/** Red, green and blue, 0..1, of a pixel. */
export function signedColour(value: number, { reach, light }: Strength): readonly [number, number, number] {
  if (value < 0) {
    const t = Math.min(1, -value / reach);
    return [0.1 * t, 0.42 * t, 0.95 * t];
  }
  const t = Math.min(1, Math.max(0, (value - 1) / reach));
  const grey = Math.min(1, value / light);
  return [grey, grey - 0.55 * t, grey - 0.95 * t];
}

/** The filter that makes such colours of the bytes of a window. */
export function signedFilter(id: string, { black, white }: Window, strength: Strength): string {
  const table = Array.from({ length: samples }, (_, i) =>
    signedColour(black + (i / (samples - 1)) * (white - black), strength),
  );
  const channel = (name: string, c: number) =>
    `<feFunc${name} type="table" tableValues="${table.map((colour) => Number(colour[c].toFixed(3))).join(' ')}"/>`;
  return (
    `<filter id="${id}" color-interpolation-filters="sRGB"><feComponentTransfer>` +
    `${['R', 'G', 'B'].map(channel).join('')}</feComponentTransfer></filter>`
  );
}

/** Filters take no room. */
export const filters = (all: readonly string[]): string =>
  `<svg class="filters" width="0" height="0" aria-hidden="true">${all.join('')}</svg>`;

/** Labels no nearer to each other than this part of a scale do not overlap. */
const room = 0.1;

/** Where real pixels begin and end, where that is inside, and the ends where there is room beside these. */
function scaleTicks({ black, white }: Window, real: readonly number[]): { at: string; part: number }[] {
  const place = (value: number) => (value - black) / (white - black);
  const inside = real.filter((value) => value >= black && value <= white);
  const ends = [black, white].filter((end) =>
    inside.every((value) => Math.abs(place(value) - place(end)) >= room),
  );
  return [
    ...inside.map((value) => ({ at: short(value), part: place(value) })),
    ...ends.map((value) => ({ at: level(value), part: place(value) })),
  ].sort((a, b) => a.part - b.part);
}

/** From the darkest pixel to the lightest, with the ends of the pixels of real pictures, 0 and 1 or `real`, marked. */
export function colourScale({ black, white }: Window, real: PixelScale['range'] = [0, 1]): string {
  const ramp = Uint8Array.from({ length: 256 }, (_, i) => i);
  const alt = `scale from ${level(black)} to ${level(white)}`;
  const tag = pngTag(encodePng({ width: 256, height: 1, channels: 1, data: ramp }), {
    ...{ kind: 'distilled', alt, width: 256, height: 1 },
  });
  const places = scaleTicks({ black, white }, real).map(({ at, part }) => {
    // Those at the ends stay inside.
    const end = part < room / 2 ? ' class="low"' : part > 1 - room / 2 ? ' class="high"' : '';
    return `<span${end} style="left:${(100 * part).toFixed(1)}%">${at}</span>`;
  });
  return `<div class="scale">${tag}<div>${places.join('')}</div></div>`;
}

/** `−0.31`, and a zero without a sign. */
export const level = (value: number): string =>
  value
    .toFixed(2)
    .replace(/^-(?=.*[1-9])/, '−')
    .replace('-', '');
