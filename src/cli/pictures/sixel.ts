import type { PngImage } from '../../util/png.js';

/** Shades of grey, and of red, green and blue: terminals have 256 registers for colours. */
const greys = 64;
const shades = [6, 7, 6] as const;

/**
 * A picture as DEC's sixel graphics: bands of six rows, in each band one colour after the other. A letter holds six pixels of a column,
 * the uppermost as its lowest bit; `!` repeats one, `$` goes back to the left, `-` to the next band.
 */
export function sixel(image: PngImage): string {
  const { width, height } = image;
  const colours = coloursOf(image);
  const bands: string[] = [];
  for (let top = 0; top < height; top += 6) {
    const columns = new Map<number, Uint8Array>();
    for (let y = top; y < Math.min(height, top + 6); y++)
      for (let x = 0; x < width; x++) {
        const colour = colours[y * width + x];
        let column = columns.get(colour);
        if (!column) columns.set(colour, (column = new Uint8Array(width)));
        column[x] |= 1 << (y - top);
      }
    bands.push([...columns].map(([colour, column]) => `#${colour}${letters(column)}`).join('$'));
  }
  const used = [...new Set(colours)].map((colour) => `#${colour};2;${percents(image, colour).join(';')}`);
  return `\x1bPq"1;1;${width};${height}${used.join('')}${bands.join('-')}\x1b\\\n`;
}

/** `[height * width]`: the register of every pixel's colour. */
function coloursOf({ channels, data }: PngImage): Uint8Array {
  if (channels === 1) return data.map((value) => nearest(value, greys));
  const [red, green, blue] = shades;
  return Uint8Array.from({ length: data.length / 3 }, (_, i) => {
    const [r, g, b] = data.subarray(3 * i, 3 * i + 3);
    return (nearest(r, red) * green + nearest(g, green)) * blue + nearest(b, blue);
  });
}

const nearest = (value: number, levels: number): number => Math.round((value * (levels - 1)) / 255);

/** Red, green and blue of a register, of a hundred each. */
function percents({ channels }: PngImage, colour: number): number[] {
  const percent = (level: number, levels: number) => Math.round((100 * level) / (levels - 1));
  if (channels === 1) return new Array<number>(3).fill(percent(colour, greys));
  const [red, green, blue] = shades;
  return [
    percent(Math.floor(colour / (green * blue)), red),
    percent(Math.floor(colour / blue) % green, green),
    percent(colour % blue, blue),
  ];
}

/** The columns of a band as letters; what is empty at the end is left out. */
function letters(column: Uint8Array): string {
  const text = String.fromCharCode(...column.map((bits) => 63 + bits)).replace(/\?+$/, '');
  return text.replace(/(.)\1{3,}/g, (run, letter) => `!${run.length}${letter}`);
}
