// biome-ignore-all lint/suspicious/noControlCharactersInRegex: escape sequences are what this is about
/** Decoders of what the terminal and the page get: strict readers of what limbeck writes, and of nothing else. */
import { inflateSync } from 'node:zlib';
import type { PngImage } from '../../src/util/png.js';

/** A PNG of 8 bits per channel, grey or RGB, whose rows are not filtered. */
export function decodePng(bytes: Uint8Array): PngImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0) !== 0x89504e47) throw new Error('not a PNG');
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const channels = bytes[25] === 2 ? 3 : 1;
  const rows = inflateSync(bytes.subarray(41, 41 + view.getUint32(33)));
  const stride = width * channels;
  const data = new Uint8Array(stride * height);
  for (let row = 0; row < height; row++) {
    if (rows[row * (stride + 1)] !== 0) throw new Error('a row is filtered');
    data.set(rows.subarray(row * (stride + 1) + 1, (row + 1) * (stride + 1)), row * stride);
  }
  return { width, height, channels, data };
}

/** The RGB pixels of a sixel picture, in percent; those that nothing was drawn on are -1. */
export function decodeSixel(text: string): { width: number; height: number; data: number[] } {
  const whole = /^\x1bPq"1;1;(\d+);(\d+)(.*)\x1b\\\n$/s.exec(text);
  if (!whole) throw new Error('not a sixel picture');
  const [width, height] = [Number(whole[1]), Number(whole[2])];
  const data = new Array<number>(width * height * 3).fill(-1);
  const palette = new Map<number, number[]>();
  let [x, top, colour, rest] = [0, 0, -1, whole[3]];
  while (rest) {
    const [token, register, rgb, times, letter] =
      /^(?:#(\d+)(?:;2;(\d+;\d+;\d+))?|(?:!(\d+))?([?-~])|[$-])/.exec(rest) ?? [];
    if (!token) throw new Error(`cannot read ${rest.slice(0, 20)}`);
    rest = rest.slice(token.length);
    if (rgb) palette.set(Number(register), rgb.split(';').map(Number));
    else if (register) colour = Number(register);
    else if (token === '$') x = 0;
    else if (token === '-') [x, top] = [0, top + 6];
    else
      for (let n = Number(times ?? 1); n > 0; n--, x++)
        for (let bit = 0; bit < 6; bit++) {
          if (!((letter.charCodeAt(0) - 63) & (1 << bit))) continue;
          if (x >= width || top + bit >= height) throw new Error(`a pixel outside: ${x}, ${top + bit}`);
          data.splice(((top + bit) * width + x) * 3, 3, ...palette.get(colour)!);
        }
  }
  return { width, height, data };
}

/** Rows of codes of half blocks: two rows of pixels for each line, `2;r;g;b` or `5;n`; undefined where there is no ink. */
export function decodeBlocks(text: string): (string | undefined)[][] {
  return text
    .split('\n')
    .slice(0, -1)
    .flatMap((line) => {
      const rows: (string | undefined)[][] = [[], []];
      let [ink, ground]: (string | undefined)[] = [];
      if (!line.endsWith('\x1b[0m')) throw new Error('colours run on into the next line');
      for (const [token, codes] of line.slice(0, -4).matchAll(/\x1b\[38;([\d;]+)m|▀|./gs)) {
        if (codes) [ink, ground] = /^(2;\d+;\d+;\d+|5;\d+);(?:48;(.*)|49)$/.exec(codes)!.slice(1);
        else if (token === '▀') rows.map((row, i) => row.push(i ? ground : ink));
        else throw new Error(`cannot read ${token}`);
      }
      return rows;
    });
}
