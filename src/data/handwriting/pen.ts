import type { Draws } from './draws.js';
import type { Stroke } from './stroke.js';

/**
 * Inks strokes with a round pen whose pressure varies along the way, with soft edges.
 *
 * @param strokes in pixels of the image; pixel `(i, j)` covers `[j, j + 1] x [i, i + 1]`
 * @param image `[size, size]`, receives 0 (paper) .. 255 (ink)
 */
export function inkStrokes(strokes: readonly Stroke[], size: number, image: Uint8Array, draws: Draws): void {
  const pixel = size / 28;
  const radius = Math.exp(draws.normal(0.24, 0.19)) * pixel;
  const softness = draws.uniform(1.1, 1.9) * pixel; // pixels over which ink fades to paper
  const darkness = draws.uniform(0.86, 1);
  const reach = radius * 1.5 + softness;
  const distance = new Float64Array(size * size).fill(reach);
  for (const stroke of strokes)
    markDistances(stroke, pressureAlong(stroke, radius, draws), reach, size, distance);
  for (let at = 0; at < image.length; at++) {
    const ink = Math.min(1, Math.max(0, 0.5 - distance[at] / softness));
    image[at] = Math.round(255 * darkness * ink * ink * (3 - 2 * ink));
  }
}

/** The pen's radius at each point: a slow wave, and a light touch at the end. */
function pressureAlong({ x }: Stroke, radius: number, draws: Draws): Float64Array {
  const depth = draws.uniform(0, 0.28);
  const waves = draws.uniform(2, 7);
  const phase = draws.uniform(0, 2 * Math.PI);
  const taper = draws.uniform(0.55, 1);
  return Float64Array.from(x, (_, i) => {
    const t = i / (x.length - 1);
    const lift = t > 0.8 ? 1 - ((1 - taper) * (t - 0.8)) / 0.2 : 1;
    return radius * (1 + depth * Math.sin(waves * t + phase)) * lift;
  });
}

/**
 * Lowers `distance` (from each pixel's middle to the edge of the ink, negative inside) to that of this stroke,
 * looking no further than `reach` from its line.
 */
function markDistances(
  { x, y }: Stroke,
  radius: Float64Array,
  reach: number,
  size: number,
  distance: Float64Array,
): void {
  for (let i = 0; i + 1 < x.length; i++) {
    const alongX = x[i + 1] - x[i];
    const alongY = y[i + 1] - y[i];
    const squaredLength = Math.max(alongX * alongX + alongY * alongY, 1e-12);
    const firstColumn = Math.max(0, Math.floor(Math.min(x[i], x[i + 1]) - reach));
    const lastColumn = Math.min(size - 1, Math.floor(Math.max(x[i], x[i + 1]) + reach));
    const firstRow = Math.max(0, Math.floor(Math.min(y[i], y[i + 1]) - reach));
    const lastRow = Math.min(size - 1, Math.floor(Math.max(y[i], y[i + 1]) + reach));
    for (let row = firstRow; row <= lastRow; row++) {
      for (let column = firstColumn; column <= lastColumn; column++) {
        const px = column + 0.5 - x[i];
        const py = row + 0.5 - y[i];
        const t = Math.min(1, Math.max(0, (px * alongX + py * alongY) / squaredLength));
        const offX = px - t * alongX;
        const offY = py - t * alongY;
        const edge = Math.sqrt(offX * offX + offY * offY) - (radius[i] + t * (radius[i + 1] - radius[i]));
        const at = row * size + column;
        if (edge < distance[at]) distance[at] = edge;
      }
    }
  }
}
