// biome-ignore-all lint/suspicious/noControlCharactersInRegex: escape sequences are what this is about
/** Pictures in the terminal: what is written, decoded again, and which terminal gets what. */
import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { halfBlocks } from '../src/cli/pictures/half-blocks.js';
import { iterm2 } from '../src/cli/pictures/iterm2.js';
import { kitty } from '../src/cli/pictures/kitty.js';
import { protocolFor } from '../src/cli/pictures/protocol.js';
import { picturesText } from '../src/cli/pictures/show.js';
import { sixel } from '../src/cli/pictures/sixel.js';
import { gallery } from '../src/report/gallery.js';
import { resized } from '../src/report/resized.js';
import type { PngImage } from '../src/util/png.js';
import { decodeBlocks, decodePng, decodeSixel } from './harness/pictures.js';

/** Noise does not compress: several pieces for kitty; no side is a multiple of six. */
const noise = (channels: 1 | 3, width = 53, height = 47): PngImage => ({
  ...{ width, height, channels },
  data: Uint8Array.from(
    { length: width * height * channels },
    (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> ((i % 7) + 17),
  ),
});
/** Columns of one colour, so that letters repeat, and rows without any ink of some colours. */
const stripes: PngImage = {
  ...{ width: 20, height: 13, channels: 1 },
  data: Uint8Array.from({ length: 260 }, (_, i) => (i % 20 < 11 ? 255 : i < 140 ? 0 : 85)),
};

describe('what is written is the picture', () => {
  test.each([noise(1), noise(3), stripes])('kitty and iTerm2 get its PNG', (image) => {
    const pieces = [...kitty(image).matchAll(/\x1b_G([^;]*);([^\x1b]*)\x1b\\/g)];
    expect(kitty(image)).toBe(`${pieces.map(([piece]) => piece).join('')}\n`);
    const keys = pieces.map(([, keys]) => keys);
    expect(keys[0].replace(/m=\d$/, '')).toBe('a=T,f=100,q=2,');
    expect(keys.map((text) => /m=(\d)$/.exec(text)![1]).join('')).toMatch(/^1*0$/);
    for (const [, , text] of pieces) expect(text.length).toBeLessThanOrEqual(4096);
    // Every piece but the last is whole groups of base64.
    for (const [, , text] of pieces.slice(0, -1)) expect(text.length % 4).toBe(0);
    expect(decodePng(Buffer.from(pieces.map(([, , text]) => text).join(''), 'base64'))).toEqual(image);

    const [, size, base64] = /^\x1b\]1337;File=inline=1;size=(\d+);width=\d+px;height=\d+px:(.*)\x07\n$/.exec(
      iterm2(image),
    )!;
    const png = Buffer.from(base64, 'base64');
    expect(png).toHaveLength(Number(size));
    expect(decodePng(png)).toEqual(image);
  });

  test('a picture of noise is too long for one piece', () => {
    expect(kitty(noise(3)).split('\x1b_G').length).toBeGreaterThan(2);
  });

  test.each([noise(1), noise(3), stripes])('sixel gets the nearest of its colours', (image) => {
    const { width, height, channels } = image;
    const shown = decodeSixel(sixel(image));
    expect([shown.width, shown.height]).toEqual([width, height]);
    // Half a step between the 64 greys, or the 6 or 7 shades of a colour, and half a percent.
    const steps = channels === 1 ? [63, 63, 63] : [5, 6, 5];
    const off = shown.data.map((percent, i) => {
      const value = image.data[channels === 1 ? Math.floor(i / 3) : i];
      return Math.abs(percent - value / 2.55) <= 50 / steps[i % 3] + 0.5;
    });
    expect(off.filter((near) => !near)).toEqual([]);
  });

  test('repeated letters are counted', () => {
    expect(sixel(stripes)).toContain('!11~');
  });

  test.each([noise(1), noise(3)])('half blocks get two rows for each line', (image) => {
    const { width, height, channels, data } = image;
    const rows = decodeBlocks(halfBlocks(image, 24));
    const pixel = (i: number) =>
      `2;${[0, 1, 2].map((c) => data[i * channels + (channels === 1 ? 0 : c)]).join(';')}`;
    const expected = Array.from({ length: height }, (_, y) =>
      Array.from({ length: width }, (_, x) => pixel(y * width + x)),
    );
    expect(rows.slice(0, height)).toEqual(expected);
    // The line below the last row has no ink.
    expect(rows.slice(height)).toEqual([new Array(width).fill(undefined)]);
  });

  test('terminals of 256 colours get the nearest of them', () => {
    const image = (channels: 1 | 3, ...data: number[]): PngImage => ({
      ...{ width: data.length / channels, height: 1, channels, data: Uint8Array.from(data) },
    });
    const codes = (picture: PngImage) => decodeBlocks(halfBlocks(picture, 8))[0];
    // Black and white of the cube; 8 + 10 x 12 is grey 244.
    expect(codes(image(1, 0, 127, 255))).toEqual(['5;16', '5;244', '5;231']);
    expect(codes(image(3, 255, 0, 0, 95, 135, 200))).toEqual(['5;196', `5;${16 + 36 + 12 + 4}`]);
  });
});

describe('sizes', () => {
  const picture = noise(1, 4, 4);
  test('a whole multiple repeats pixels, half of the size takes means of four', () => {
    const twice = resized(picture, { width: 8, height: 8 });
    for (const [i, value] of twice.data.entries())
      expect(value).toBe(picture.data[(i >> 4) * 4 + ((i % 8) >> 1)]);
    const half = resized(picture, { width: 2, height: 2 });
    const mean = (...at: number[]) => Math.round(at.reduce((sum, i) => sum + picture.data[i], 0) / 4);
    expect([...half.data]).toEqual([
      mean(0, 1, 4, 5),
      mean(2, 3, 6, 7),
      mean(8, 9, 12, 13),
      mean(10, 11, 14, 15),
    ]);
    // Three pixels on two: each new one has a whole old one and half of the middle.
    const row: PngImage = { width: 3, height: 1, channels: 1, data: Uint8Array.of(30, 60, 240) };
    expect([...resized(row, { width: 2, height: 1 }).data]).toEqual([40, 180]);
  });

  test('a gallery has every picture in its place', () => {
    const items = [10, 20, 30].map((grey) => ({
      name: String(grey),
      picture: { width: 2, height: 2, channels: 1 as const, data: new Uint8Array(4).fill(grey) },
    }));
    const { width, height, data } = gallery(items, { side: 5, columns: 2, gap: 1, letters: 0 });
    // Twice their size, since 5 is no multiple.
    expect([width, height]).toEqual([1 + 2 * 5, 1 + 2 * 5]);
    const at = (x: number, y: number) => data[y * width + x];
    expect([at(1, 1), at(4, 4), at(6, 1), at(1, 6), at(4, 9)]).toEqual([10, 10, 20, 30, 30]);
    expect(new Set([at(0, 0), at(5, 3), at(8, 8)])).toEqual(new Set([24]));
  });

  test('fit the terminal', () => {
    const items = Array.from({ length: 16 }, (_, i) => ({ name: String(i), picture: noise(1, 28, 28) }));
    const terminal = (columns: number) => ({ isTTY: true, columns, getColorDepth: () => 24 });
    for (const columns of [40, 80, 200]) {
      const rows = decodeBlocks(picturesText(() => items, terminal(columns), 'auto', { TERM: 'xterm' }));
      expect(rows[0].length).toBeLessThan(columns);
    }
    expect(decodeSixel(picturesText(() => items, terminal(80), 'sixel', {})).width).toBeLessThanOrEqual(640);
  });
});

describe('which terminal gets what', () => {
  const terminal = { isTTY: true, columns: 80, getColorDepth: () => 24 };
  test.each([
    [{ TERM: 'xterm-kitty' }, 'kitty'],
    [{ TERM: 'xterm-ghostty', TERM_PROGRAM: 'ghostty' }, 'kitty'],
    [{ TERM: 'xterm-256color', TERM_PROGRAM: 'iTerm.app' }, 'iterm2'],
    [{ TERM: 'xterm-256color', LC_TERMINAL: 'iTerm2' }, 'iterm2'],
    [{ TERM: 'xterm-256color', TERM_PROGRAM: 'WezTerm' }, 'iterm2'],
    [{ TERM: 'foot' }, 'sixel'],
    [{ TERM: 'xterm', TERM_PROGRAM: 'mintty' }, 'sixel'],
    [{ TERM: 'xterm-256color', KONSOLE_VERSION: '220401' }, 'sixel'],
    [{ TERM: 'xterm-256color', KONSOLE_VERSION: '210400' }, 'blocks'],
    // Begun from Konsole, or within a multiplexer that passes on no pictures.
    [{ TERM: 'xterm-256color', KONSOLE_VERSION: '220401', TERM_PROGRAM: 'vscode' }, 'blocks'],
    [{ TERM: 'tmux-256color', TERM_PROGRAM: 'iTerm.app' }, 'blocks'],
    [{ TERM: 'xterm-kitty', TMUX: '/tmp/tmux-0/default,1,0' }, 'blocks'],
    [{ TERM: 'xterm-256color' }, 'blocks'],
    [{ TERM: 'dumb' }, undefined],
    [{ TERM: 'xterm-kitty', NO_COLOR: '1' }, undefined],
    [{ TERM: 'xterm-kitty', NO_COLOR: '' }, 'kitty'],
  ] as [Record<string, string>, string | undefined][])('%j: %s', (env, protocol) => {
    expect(protocolFor(terminal, env)).toBe(protocol);
    expect(protocolFor({ ...terminal, isTTY: false }, env)).toBeUndefined();
    expect(protocolFor(terminal, env, 'none')).toBeUndefined();
    expect(protocolFor({}, env, 'sixel')).toBe('sixel');
  });

  test('without 256 colours there are no half blocks', () => {
    expect(protocolFor({ ...terminal, getColorDepth: () => 4 }, { TERM: 'linux' })).toBeUndefined();
  });
});
