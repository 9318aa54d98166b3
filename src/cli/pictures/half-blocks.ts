import type { PngImage } from '../../util/png.js';

type Colour = readonly [red: number, green: number, blue: number];

/** A picture in letters: each is an upper half block, its ink the upper of two pixels, its ground the lower one. */
export function halfBlocks({ width, height, channels, data }: PngImage, depth: number): string {
  const code = depth >= 24 ? trueColour : ofPalette;
  const colour = (x: number, y: number): string => {
    const at = (y * width + x) * channels;
    return code(channels === 3 ? [data[at], data[at + 1], data[at + 2]] : [data[at], data[at], data[at]]);
  };
  const lines: string[] = [];
  for (let y = 0; y < height; y += 2) {
    let line = '';
    let before = '';
    for (let x = 0; x < width; x++) {
      const ground = y + 1 < height ? `48;${colour(x, y + 1)}` : '49';
      const codes = `\x1b[38;${colour(x, y)};${ground}m`;
      line += `${codes === before ? '' : codes}▀`;
      before = codes;
    }
    lines.push(`${line}\x1b[0m\n`);
  }
  return lines.join('');
}

const trueColour = (colour: Colour): string => `2;${colour.join(';')}`;

/** Levels of the cube of 216 colours in the palette of 256. */
const cube = [0, 95, 135, 175, 215, 255];

/** Of that palette the nearest: 24 greys from 8 on in steps of 10, or one of the cube. */
function ofPalette(colour: Colour): string {
  const [r, g, b] = colour;
  if (r === g && g === b) {
    const step = Math.round((r - 8) / 10);
    return `5;${step < 0 ? 16 : step > 23 ? 231 : 232 + step}`;
  }
  const [red, green, blue] = colour.map((value) => {
    const distances = cube.map((level) => Math.abs(level - value));
    return distances.indexOf(Math.min(...distances));
  });
  return `5;${16 + 36 * red + 6 * green + blue}`;
}
