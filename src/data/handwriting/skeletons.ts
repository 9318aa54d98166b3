/**
 * How people write the ten digits: a few styles each, as the path of the pen. A box is one unit high and wide,
 * x to the right, y down.
 */

/** A point the pen passes: on a smooth curve, or at a corner, where it turns sharply. */
export interface SkeletonPoint {
  readonly x: number;
  readonly y: number;
  readonly corner: boolean;
}

/** In writing order. */
export type SkeletonStroke = readonly SkeletonPoint[];

export interface WritingStyle {
  /** How common it is among the styles of its digit. */
  readonly weight: number;
  readonly strokes: readonly SkeletonStroke[];
}

/** Strokes as text: `x y` in hundredths of the box, separated by commas, `!` behind a corner. */
function style(weight: number, ...strokes: readonly string[]): WritingStyle {
  return {
    weight,
    strokes: strokes.map((stroke) =>
      stroke.split(', ').map((point) => {
        const [x, y] = point.replace('!', '').split(' ').map(Number);
        return { x: x / 100, y: y / 100, corner: point.endsWith('!') };
      }),
    ),
  };
}

const ZERO = [
  // A closed oval.
  style(5, '53 4, 30 13, 17 45, 25 83, 50 97, 75 83, 84 50, 74 15, 50 4'),
  // Begun on the right, the end crossing the beginning.
  style(3, '70 14, 48 5, 25 28, 20 62, 38 94, 64 90, 80 58, 74 22, 50 10, 36 14'),
  // Narrow and not quite closed.
  style(2, '56 6, 36 20, 28 55, 38 92, 58 93, 72 60, 70 22, 62 7'),
];

const ONE = [
  // A plain line.
  style(5, '50 3, 50 50, 50 97'),
  // With a flag.
  style(3, '30 26, 42 16, 54 3!, 53 50, 52 97'),
  // With a flag and a base.
  style(2, '32 22, 52 4!, 51 50, 50 95', '26 96, 50 95, 76 95'),
];

const TWO = [
  // A corner at the lower left.
  style(4, '20 26, 34 8, 60 5, 76 22, 68 48, 44 74, 17 95!, 50 93, 86 94'),
  // A loop at the lower left.
  style(4, '22 20, 42 5, 68 12, 74 34, 58 64, 34 90, 17 90, 20 75, 42 80, 64 93, 90 86'),
  // A swan's neck: small head, wavy base.
  style(2, '30 30, 36 10, 58 4, 72 20, 62 50, 40 78, 20 92!, 42 84, 62 94, 84 96'),
];

const THREE = [
  // Two bows meeting in a corner.
  style(5, '20 16, 44 4, 70 14, 68 36, 40 47!, 70 54, 80 76, 54 96, 18 88'),
  // A flat top.
  style(2, '20 6, 48 6, 76 5!, 58 24, 42 41!, 70 50, 78 74, 54 96, 18 88'),
  // A small loop in the middle.
  style(3, '22 14, 48 3, 70 16, 60 38, 42 48, 36 43, 50 44, 76 60, 74 84, 46 97, 16 85'),
];

const FOUR = [
  // Open, with a corner.
  style(4, '26 6, 22 30, 18 54!, 50 53, 84 50', '70 5, 68 50, 65 97'),
  // Open and round, like a tall u.
  style(3, '24 8, 20 36, 34 52, 56 48, 73 36', '76 5, 71 50, 62 97'),
  // Closed, in two strokes.
  style(3, '62 4, 40 32, 14 62!, 50 62, 90 61', '63 4, 63 50, 62 97'),
];

const FIVE = [
  // In one stroke from the right.
  style(4, '80 6, 56 7, 30 7!, 27 25, 24 44!, 50 38, 76 50, 77 76, 53 96, 18 90'),
  // The top bar added last.
  style(4, '32 10, 29 28, 27 46!, 52 42, 74 58, 70 84, 46 97, 20 90', '31 10, 58 7, 86 4'),
  // Round, like an S.
  style(2, '76 6, 46 8, 30 22, 36 41, 62 52, 74 72, 58 93, 20 93'),
];

const SIX = [
  // A wide bow into a loop.
  style(5, '68 4, 42 20, 24 50, 22 78, 42 96, 68 90, 76 70, 60 55, 38 60, 24 76'),
  // A nearly straight back and a small loop.
  style(3, '44 3, 32 34, 25 70, 36 94, 60 94, 70 76, 54 64, 34 74, 28 82'),
  // Begun with a curl; the loop does not meet the back.
  style(2, '78 16, 62 4, 38 18, 22 52, 28 86, 54 96, 74 78, 64 56, 40 58'),
];

const SEVEN = [
  // Bar and leg.
  style(5, '18 9, 50 8, 82 7!, 63 48, 46 97'),
  // The leg crossed.
  style(3, '20 8, 50 8, 80 6!, 62 46, 44 97', '36 52, 58 50, 80 48'),
  // A serif at the left, the top round.
  style(3, '18 26, 21 10!, 50 9, 76 8, 78 20, 60 55, 50 97'),
];

const EIGHT = [
  // One stroke, begun as an S.
  style(6, '74 14, 50 3, 28 16, 36 38, 60 54, 74 76, 52 97, 28 82, 38 58, 64 36, 73 15'),
  // Two rings.
  style(
    2,
    '52 4, 32 14, 34 38, 52 46, 68 34, 68 13, 50 4',
    '52 46, 28 60, 26 84, 50 97, 74 84, 72 60, 50 46',
  ),
  // Slanted, open at the top.
  style(2, '70 5, 46 8, 34 26, 50 46, 66 70, 56 94, 34 93, 30 72, 50 46, 74 24, 80 10'),
];

const NINE = [
  // A ring, then a straight leg.
  style(5, '74 16, 52 5, 28 18, 26 40, 46 48, 68 36, 76 12!, 72 50, 66 97'),
  // The leg bent to the left.
  style(3, '72 22, 54 5, 30 14, 25 36, 44 50, 66 38, 74 16!, 76 50, 66 86, 44 96, 24 88'),
  // In one smooth move, ring and leg slanted.
  style(3, '66 10, 40 8, 26 28, 36 45, 58 36, 72 12, 70 30, 58 64, 46 97'),
];

/** By label. */
export const DIGIT_STYLES: readonly (readonly WritingStyle[])[] = [
  ZERO,
  ONE,
  TWO,
  THREE,
  FOUR,
  FIVE,
  SIX,
  SEVEN,
  EIGHT,
  NINE,
];
