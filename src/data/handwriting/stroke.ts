import type { Draws } from './draws.js';
import type { SkeletonStroke } from './skeletons.js';

/** A drawn stroke as a polyline. */
export interface Stroke {
  readonly x: number[];
  readonly y: number[];
}

const STEPS_PER_SPAN = 5;

/**
 * The skeleton's points, each moved at random by `jitter` units, joined by a Catmull-Rom curve that is cut at the
 * corners.
 */
export function drawStroke(skeleton: SkeletonStroke, jitter: number, draws: Draws): Stroke {
  const points = skeleton.map(({ x, y, corner }) => ({
    x: x + draws.normal(jitter),
    y: y + draws.normal(jitter),
    corner,
  }));
  const x = [points[0].x];
  const y = [points[0].y];
  for (let i = 0; i + 1 < points.length; i++) {
    const from = points[i];
    const to = points[i + 1];
    // A neighbour beyond a corner or an end does not bend this span.
    const before = from.corner || i === 0 ? from : points[i - 1];
    const after = to.corner || i + 2 === points.length ? to : points[i + 2];
    for (let step = 1; step <= STEPS_PER_SPAN; step++) {
      const t = step / STEPS_PER_SPAN;
      x.push(catmullRom(before.x, from.x, to.x, after.x, t));
      y.push(catmullRom(before.y, from.y, to.y, after.y, t));
    }
  }
  return { x, y };
}

function catmullRom(p0: number, p1: number, p2: number, p3: number, t: number): number {
  return p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)));
}
