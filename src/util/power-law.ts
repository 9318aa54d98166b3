import { Stream } from './random.js';

/** An error, in percent, measured at a size, with its standard error. */
export interface ErrorAt {
  readonly size: number;
  readonly error: number;
  readonly standardError: number;
}

/** The size at which an error is reached: half of the draws need no more, and 80 % of them lie between `low` and `high`. */
export interface SizeNeeded {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

const DRAWS = 2000;
/** An excess error that is measured as 0 or less: logarithms need some. Percent. */
const LEAST = 0.05;

/**
 * The size at which errors fall to `wanted`, in percent, if what is above `floor` falls as a power of the size:
 * error = floor + scale · size^-exponent (Hestness et al. 2017, arXiv 1712.00409). Errors and floor are drawn around what was measured,
 * by their standard errors and the residuals of the fit, so that the spread says what the measurements leave open. Infinity where
 * errors do not fall, or not so far.
 *
 * @param points two or more sizes
 * @param floor the error at endless size; `size` is not read
 */
export function sizeNeeded(points: readonly ErrorAt[], floor: ErrorAt, wanted: number): SizeNeeded {
  const x = points.map(({ size }) => Math.log(size));
  const excess = (error: number, least: number) => Math.log(Math.max(error - least, LEAST));
  const measured = points.map(({ error }) => excess(error, floor.error));
  const { residual } = lineThrough(x, measured);
  const stream = new Stream(0, 0);
  const sizes = Array.from({ length: DRAWS }, (_, draw) => {
    stream.draw = draw;
    const least = floor.error + floor.standardError * stream.normal(0);
    const y = points.map(
      ({ error, standardError }, i) =>
        excess(error + standardError * stream.normal(2 * i + 1), least) + residual * stream.normal(2 * i + 2),
    );
    const { slope, at } = lineThrough(x, y);
    if (slope >= 0 || wanted <= least) return Number.POSITIVE_INFINITY;
    return Math.exp((Math.log(wanted - least) - at) / slope);
  }).sort((a, b) => a - b);
  const at = (part: number) => sizes[Math.floor(part * (DRAWS - 1))];
  return { low: at(0.1), median: at(0.5), high: at(0.9) };
}

/** The exponent of y as a power of x, by a straight line through logarithms, and its standard error; of two points or more, all above 0. */
export function powerOf(points: readonly (readonly [x: number, y: number])[]): {
  exponent: number;
  error: number;
} {
  const x = points.map(([value]) => Math.log(value));
  const { slope, residual } = lineThrough(
    x,
    points.map(([, value]) => Math.log(value)),
  );
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  return {
    exponent: slope,
    error: residual / Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0)),
  };
}

/** By least squares: y = at + slope · x, and the standard deviation of what is left; 0 of two points. */
function lineThrough(x: readonly number[], y: readonly number[]) {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const products = x.reduce((sum, xi, i) => sum + (xi - mx) * (y[i] - my), 0);
  const slope = products / x.reduce((sum, xi) => sum + (xi - mx) ** 2, 0);
  const at = my - slope * mx;
  const squares = x.reduce((sum, xi, i) => sum + (y[i] - at - slope * xi) ** 2, 0);
  return { slope, at, residual: x.length > 2 ? Math.sqrt(squares / (x.length - 2)) : 0 };
}
