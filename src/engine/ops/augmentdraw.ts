import { LimbeckError } from '../../util/errors.js';
import { threefry4x32, uniform } from '../../util/random.js';
import type { Kernel, Sizes } from '../kernel.js';
import { destination, expectShape, expectShared, type OpCase } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';
import { backward, COLOUR, COLUMNS, CUTOUT, forward, RESIZE, TURN, WARP } from './augment.js';

/**
 * What augmentation does to each image, drawn from counter-based random numbers: rows of `augment.ts`. The first six families
 * are those of differentiable siamese augmentation (DSA, Zhao & Bilen 2021), whose affine grids know nothing of pixels: their
 * coordinates go from -1 to 1 along either side. The next three are those of DC (Zhao et al. 2020), then comes the random resized crop of
 * ordinary training (Szegedy et al. 2015), and the box that CutMix (Yun et al. 2019) takes from another image. Image n of member p takes one block of Threefry-4x32-20 with
 *
 *     key = [seed low, seed high, stream, first + p]      counter = [n, draw, 0, 0]
 *
 * where `state` is seed low, seed high, draw, first member as in random.ts: word 0 chooses the family, words 1 to 3 are its
 * parameters. A resized crop that does not fit into the image is drawn again, from the block of counter [n, draw, attempt, 0]. The choices and
 * whole numbers are the same on every engine, but for a crop that fits within rounding; cosines and the like differ by rounding.
 */
export const families = [
  ...['color', 'crop', 'cutout', 'flip', 'scale', 'rotate'],
  ...['shift', 'resize', 'turn', 'resizedcrop', 'cutmix'],
] as const;
export type Family = (typeof families)[number];

/** What may be drawn. With u uniform in (0, 1): */
export interface Strategy {
  /** One of these is drawn, each as likely. */
  readonly families: readonly Family[];
  /** Whether every image draws a family of its own; otherwise all share the first one's, not its parameters. */
  readonly mixed: boolean;
  /** color: x + brightness (u - 1/2). */
  readonly brightness: number;
  /** color: saturation u (x - m) + m. */
  readonly saturation: number;
  /** color: (contrast + u) (x - M) + M. */
  readonly contrast: number;
  /**
   * crop: a shift of at most this fraction of the side, in whole pixels. shift: the same, but not by the most in the
   * direction in which pixels come from further down or right; filled with what `augment` is given.
   */
  readonly crop: number;
  /** cutout: sides of the rectangle as a fraction of the image's; its middle is anywhere in the image. */
  readonly cutout: number;
  /**
   * scale: the factors between the pixels of y and those of x, from the first to the second, for each axis its own.
   * resize: the factors of the sides, which become whole numbers of pixels.
   */
  readonly scale: readonly [number, number];
  /**
   * rotate: by at most so many degrees in either direction, around the middle. turn: the same in whole degrees, but not by
   * the most in the positive direction; filled as in a shift.
   */
  readonly rotate: number;
  /**
   * resizedcrop: the parts of the image's area, from the first to the second; sides of 3:4 to 4:3, as likely wider as higher; anywhere in the
   * image. The middles of its outermost pixels come to those of the image, so that nothing is seen from outside it.
   */
  readonly area: readonly [number, number];
  /** resizedcrop: whether half of them are mirrored as well. */
  readonly mirrored: boolean;
}

/** Base-2 logarithm of the most by which the sides of a resized crop differ from those of a square. */
const STRETCH = Math.log2(4 / 3) / 2;
/** How often a resized crop is drawn that does not fit, before it is the largest in the middle of the image. */
const ATTEMPTS = 10;

export const rowsKernel: Kernel = {
  name: 'augmentdraw.rows',
  operands: { state: 'read', draws: 'write' },
  sizes: [
    ...['P', 'R', 'H', 'W', 'stream', 'firstMember', 'families', 'mixed'],
    ...['shiftH', 'shiftW', 'cutH', 'cutW', 'sizeFrom', 'sizeSpan', 'degrees', 'mirrored'],
  ],
  constants: ['brightness', 'saturation', 'contrast', 'scaleLow', 'scaleHigh', 'turn', 'areaLow', 'areaHigh'],
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 20 * s.P * s.R,
  reference({ state, draws }, s, c) {
    const words = new Uint32Array(4);
    const [low, high, draw, first] = state(0);
    const chosen = families.filter((_, bit) => s.families & (1 << bit));
    for (let p = 0; p < s.P; p++)
      for (let n = 0; n < s.R; n++) {
        const block = (image: number, attempt = 0) =>
          threefry4x32(
            [low, high, s.stream, (first + s.firstMember + p) >>> 0],
            [image, draw, attempt, 0],
            words,
          );
        block(s.mixed ? n : 0);
        const family = chosen[words[0] % chosen.length];
        block(n);
        const again = (attempt: number) => block(n, attempt);
        const row = family === 'resizedcrop' ? croppedRow(words, again, s, c) : rowOf(family, words, s, c);
        for (let k = 0; k < COLUMNS; k++) draws(p)[n * COLUMNS + k] = row[k] ?? 0;
      }
  },
};

/** The row of a family from the words 1 to 3 of an image's block. */
function rowOf(
  family: Exclude<Family, 'resizedcrop'>,
  words: Uint32Array,
  s: Sizes,
  c: Readonly<Record<string, number>>,
): number[] {
  const [, first, second, third] = words;
  const shift = (word: number, most: number) => (word % (2 * most + 1)) - most;
  const factor = (word: number) => c.scaleLow + uniform(word) * (c.scaleHigh - c.scaleLow);
  const below = (word: number, most: number) => (word % (2 * most)) - most;
  // In units of 2^-16, so that all engines come to the same whole number.
  const sized = (word: number, side: number) => {
    const by = s.sizeFrom + Math.floor(((word >>> 16) * s.sizeSpan) / 65536);
    return Math.max(1, Math.floor((side * by) / 65536));
  };
  const cut = (word: number, size: number, side: number) => {
    const start = (word % (side + 1 - (size % 2))) - Math.floor(size / 2);
    return [start, start + size];
  };
  const angle = 2 * Math.PI * c.turn * (2 * uniform(first) - 1);
  switch (family) {
    case 'color': {
      const brightness = c.brightness * (uniform(first) - 0.5);
      return [COLOUR, brightness, c.saturation * uniform(second), c.contrast + uniform(third)];
    }
    case 'crop':
      return [WARP, 1, 0, shift(first, s.shiftH), 0, 1, shift(second, s.shiftW)];
    case 'cutout':
      return [CUTOUT, ...cut(first, s.cutH, s.H), ...cut(second, s.cutW, s.W)];
    case 'flip':
      return [WARP, 1, 0, 0, 0, first >>> 31 ? -1 : 1, 0];
    case 'scale':
      return [WARP, factor(first), 0, 0, 0, factor(second), 0];
    case 'rotate':
      return turned(angle, s.H / s.W);
    case 'shift':
      return [WARP, 1, 0, below(first, s.shiftH), 0, 1, below(second, s.shiftW), 1];
    case 'resize': {
      const sides = [sized(first, s.H), sized(second, s.W)];
      const canvas = Math.max(...sides, s.H, s.W);
      const corner = (side: number, size: number) =>
        Math.floor((canvas - side) / 2) - Math.floor((canvas - size) / 2);
      return [RESIZE, ...sides, corner(s.H, sides[0]), corner(s.W, sides[1])];
    }
    case 'cutmix': {
      // The larger of two uniform numbers is the root of one: of an area that is uniform.
      const part = Math.max(first >>> 16, first & 0xffff);
      const around = (word: number, side: number) => {
        const half = Math.floor((side * part) / 2 ** 17);
        return [(word % side) - half, (word % side) + half];
      };
      return [CUTOUT, ...around(second, s.H), ...around(third, s.W)];
    }
    case 'turn':
      return turnedInFrame((2 * Math.PI * below(first, s.degrees)) / 360, s);
  }
}

/** The row of a resized crop; `again` brings the words of another attempt. */
function croppedRow(
  words: Uint32Array,
  again: (attempt: number) => void,
  { H, W, mirrored }: Sizes,
  { areaLow, areaHigh }: Readonly<Record<string, number>>,
): number[] {
  const direction = mirrored && words[0] >>> 31 ? -1 : 1;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt) again(attempt);
    const side = Math.sqrt((areaLow + uniform(words[1]) * (areaHigh - areaLow)) * H * W);
    const stretch = 2 ** (STRETCH * (2 * uniform(words[2]) - 1));
    const [h, w] = [side / stretch, side * stretch];
    if (h <= H && w <= W) return cropped([h, w], [words[3] >>> 16, words[3] & 0xffff], direction, { H, W });
  }
  const [h, w] = [Math.min(H, (W * 4) / 3), Math.min(W, (H * 4) / 3)];
  return cropped([h, w], [0x7fff, 0x7fff], direction, { H, W });
}

/** A warp that brings a crop of so many pixels to the size of the image; its place among all there are in units of 2^-16. */
function cropped(
  [high, wide]: readonly [number, number],
  [down, right]: readonly [number, number],
  direction: number,
  { H, W }: Pick<Sizes, 'H' | 'W'>,
): number[] {
  const [h, w] = [Math.max(1, high), Math.max(1, wide)];
  const off = (place: number, room: number) => ((2 * place + 1) / 65536 - 1) * 0.5 * room;
  const [hh, ww] = [(h - 1) / Math.max(1, H - 1), (w - 1) / Math.max(1, W - 1)];
  return [WARP, hh, 0, off(down, H - h), 0, direction * ww, off(right, W - w)];
}

/** A warp by an angle around the middle, where `ratio` is height over width: in coordinates from -1 to 1. */
function turned(angle: number, ratio: number): number[] {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return [WARP, cos, sin * ratio, 0, -sin / ratio, cos, 0];
}

/**
 * A turn in a frame just large enough for all of the image, of which the middle is seen: half a pixel off where the frame is
 * an odd number of pixels larger.
 */
function turnedInFrame(angle: number, { H, W }: Sizes): number[] {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const off = (side: number, other: number) => {
    const more = Math.floor(Math.abs(cos) * side + Math.abs(sin) * other + 0.5) - side;
    return Math.floor(more / 2) - more / 2;
  };
  const [down, right] = [off(H, W), off(W, H)];
  return [TURN, cos, sin, cos * down + sin * right, -sin, cos, cos * right - sin * down, 1];
}

function checkStrategy(op: string, { strategy, height, width }: DrawOptions): void {
  const fail = (what: string, expected: string): never => {
    throw new LimbeckError('ERR_OPTION', `${op}: ${what}, expected ${expected}`);
  };
  const unknown = strategy.families.filter((family) => !families.includes(family));
  if (unknown.length || !strategy.families.length)
    fail(`families are [${strategy.families.join(', ')}]`, `some of ${families.join(', ')}`);
  for (const name of ['brightness', 'saturation', 'contrast'] as const)
    if (!(strategy[name] >= 0 && strategy[name] < Number.POSITIVE_INFINITY))
      fail(`${name} is ${strategy[name]}`, 'a number from 0');
  for (const name of ['crop', 'cutout'] as const)
    if (!(strategy[name] >= 0 && strategy[name] <= 1))
      fail(`${name} is ${strategy[name]}`, 'a fraction of the side, from 0 to 1');
  const [low, high] = strategy.scale;
  if (!(low > 0 && low <= high && high < Number.POSITIVE_INFINITY))
    fail(`scale is from ${low} to ${high}`, 'two numbers above 0 in order');
  if (!(strategy.rotate >= 0 && strategy.rotate <= 180))
    fail(`rotate is ${strategy.rotate}`, 'degrees from 0 to 180');
  const [least, most] = strategy.area;
  if (!(least > 0 && least <= most && most <= 1))
    fail(`area is from ${least} to ${most}`, 'two parts of the image above 0 and at most 1, in order');
  if (strategy.families.includes('shift') && Math.min(height, width) * strategy.crop < 0.5)
    fail(`crop is ${strategy.crop}`, 'at least half a pixel of either side, for shifts');
  if (strategy.families.includes('turn') && !(Number.isInteger(strategy.rotate) && strategy.rotate > 0))
    fail(`rotate is ${strategy.rotate}`, 'whole degrees above 0, for turns');
}

/** What `rows` needs besides the state. */
export interface DrawOptions {
  readonly strategy: Strategy;
  readonly stream: number;
  /** Global number of the first member: 0 unless a population is split. */
  readonly firstMember?: number;
  readonly height: number;
  readonly width: number;
  /** How many sets of draws: 1 for one that the whole population shares. */
  readonly members: number;
  /** The number of images, or 1 for one draw for all of them (siamese). */
  readonly R: number;
}

/** The draws `[R, 8]` of every member. */
export function rows(
  r: Recorder,
  { state }: { state: View },
  options: DrawOptions,
  { into }: { into?: View } = {},
): View {
  const op = rowsKernel.name;
  const { strategy, stream, firstMember = 0, height: H, width: W, members, R } = options;
  expectShape(op, 'state', state, [4], '(seed low, seed high, draw, first member)');
  expectShared(op, 'state', state);
  checkStrategy(op, options);
  const draws = destination(r, op, 'draws', members, [R, COLUMNS], { into });
  const pixels = (side: number, fraction: number) => Math.floor(side * fraction + 0.5);
  const { brightness, saturation, contrast, scale, rotate, crop, cutout, area } = strategy;
  let mask = 0;
  for (const family of strategy.families) mask |= 1 << families.indexOf(family);
  const sizes = {
    ...{ P: members, R, H, W, stream, firstMember, families: mask, mixed: Number(strategy.mixed) },
    ...{ shiftH: pixels(H, crop), shiftW: pixels(W, crop), cutH: pixels(H, cutout), cutW: pixels(W, cutout) },
  };
  const inSteps = (factor: number) => Math.round(65536 * factor);
  const whole = {
    ...{ sizeFrom: inSteps(scale[0]), sizeSpan: inSteps(scale[1] - scale[0]), degrees: Math.round(rotate) },
    mirrored: Number(strategy.mirrored),
  };
  const ranges = {
    scaleLow: scale[0],
    scaleHigh: scale[1],
    turn: rotate / 360,
    areaLow: area[0],
    areaHigh: area[1],
  };
  const constants = { brightness, saturation, contrast, ...ranges };
  r.push({
    kernel: rowsKernel,
    operands: { state, draws },
    sizes: { ...sizes, ...whole },
    constants,
    accumulate: false,
  });
  return draws;
}

const everything: Strategy = {
  ...{ families, mixed: true, brightness: 1, saturation: 2, contrast: 0.5 },
  ...{ crop: 0.25, cutout: 0.4, scale: [0.8, 1.2], rotate: 170, area: [0.2, 1], mirrored: true },
};
/**
 * The rows of turns and of resized crops are numbers that rounding changes, by more than what other constants do to them: augment.ts has cases
 * with rows that are given. A box of CutMix is a cutout.
 */
const left: readonly Family[] = ['turn', 'resizedcrop', 'cutmix'];
const applied = { ...everything, families: families.filter((family) => !left.includes(family)) };
const stateFill = { kind: 'values', values: () => [12345, 6, 7, 3] } as const;

const drawCase = (P: number, R: number, mixed: boolean, changes: Partial<Strategy> = {}): OpCase => ({
  name: `augmentdraw.rows P=${P} R=${R}${mixed ? ' mixed' : ''} ${Object.values(changes).join(' ')}`.trimEnd(),
  fill: { state: stateFill },
  record(r) {
    const options = { stream: 5, firstMember: 2, height: 9, width: 12, members: P, R };
    const strategy = { ...everything, mixed, ...changes };
    const state = r.external('state', 1, [4], 'u32');
    rows(r, { state }, { strategy, ...options }, { into: r.external('draws', P, [R, COLUMNS]) });
  },
});

/** Draws at work on images `[N, 3, size, size]`. */
const appliedCase = (pass: 'forward' | 'backward', N: number, size: number, bench: boolean): OpCase => ({
  name: `augmentdraw.rows and augment.${pass} P=1 N=${N} 3x${size}x${size}`,
  bench,
  fill: { state: stateFill },
  record(r) {
    const state = r.external('state', 1, [4], 'u32');
    const options = { stream: 5, height: size, width: size, members: 1, R: N };
    const draws = rows(r, { state }, { strategy: applied, ...options });
    const [x, into] = ['x', 'y'].map((name) => r.external(name, 1, [N, 3, size, size]));
    if (pass === 'forward') forward(r, { x, draws }, { into });
    else backward(r, { yBar: x, draws }, { into });
  },
});

export const cases: readonly OpCase[] = [
  drawCase(1, 67, true),
  drawCase(3, 19, false),
  drawCase(2, 1, false),
  drawCase(2, 40, true, { families: ['resizedcrop'] }),
  // Of nearly all of the area few fit into an image that is no square.
  drawCase(1, 40, true, { families: ['resizedcrop'], area: [0.9, 0.99], mirrored: false }),
  appliedCase('forward', 24, 12, false),
  appliedCase('forward', 256, 32, true),
  appliedCase('backward', 256, 32, true),
];
