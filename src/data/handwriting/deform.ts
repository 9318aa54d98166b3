import type { Draws } from './draws.js';
import type { Stroke } from './stroke.js';

const DEGREE = Math.PI / 180;
/** Kept free beside the strokes for the width of the pen, pixels of 28. */
const PEN_MARGIN = 3.5;

/**
 * Bends the strokes of one digit as a hand would: a smooth elastic field, then slant, width, height and rotation.
 * In place; all lengths in units of the skeleton's box.
 */
export function deform(strokes: readonly Stroke[], draws: Draws): void {
  const fieldX = smoothField(draws);
  const fieldY = smoothField(draws);
  const slant = draws.normal(0.2, 0.12);
  const width = Math.exp(draws.normal(0.16, -0.08));
  const angle = draws.normal(6 * DEGREE);
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  for (const { x, y } of strokes) {
    for (let i = 0; i < x.length; i++) {
      const bentX = x[i] + fieldX(x[i], y[i]) - 0.5;
      const bentY = y[i] + fieldY(x[i], y[i]) - 0.5;
      const slantedX = width * bentX - slant * bentY; // the top leans to the right
      x[i] = cos * slantedX - sin * bentY;
      y[i] = sin * slantedX + cos * bentY;
    }
  }
}

/** A sum of three plane waves about one box long, with a deviation of about 0.03. */
function smoothField(draws: Draws): (x: number, y: number) => number {
  const waves = Array.from({ length: 3 }, () => ({
    kx: draws.normal(3.5),
    ky: draws.normal(3.5),
    phase: draws.uniform(0, 2 * Math.PI),
    amplitude: draws.normal(0.026),
  }));
  return (x, y) =>
    waves.reduce(
      (sum, { kx, ky, phase, amplitude }) => sum + amplitude * Math.sin(kx * x + ky * y + phase),
      0,
    );
}

/**
 * Scales and moves the strokes into an image of `size` pixels: as in MNIST the digit's longer side takes about 20
 * of 28 pixels and its middle lies near the image's, but neither exactly. In place.
 */
export function placeInImage(strokes: readonly Stroke[], size: number, draws: Draws): void {
  const [left, right] = range(strokes.map(({ x }) => x));
  const [top, bottom] = range(strokes.map(({ y }) => y));
  const pixel = size / 28;
  const scale = ((18.8 + draws.normal(1.1)) * pixel) / Math.max(bottom - top, right - left);
  const offset = (length: number) => {
    const room = Math.max(0, (size - scale * length) / 2 - PEN_MARGIN * pixel);
    return Math.max(-room, Math.min(room, draws.normal(0.9) * pixel));
  };
  const moveX = size / 2 + offset(right - left) - (scale * (left + right)) / 2;
  const moveY = size / 2 + offset(bottom - top) - (scale * (top + bottom)) / 2;
  for (const { x, y } of strokes) {
    for (let i = 0; i < x.length; i++) {
      x[i] = scale * x[i] + moveX;
      y[i] = scale * y[i] + moveY;
    }
  }
}

function range(lists: readonly (readonly number[])[]): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const list of lists) {
    for (const value of list) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return [low, high];
}
