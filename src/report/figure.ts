/** Line charts as inline SVG, coloured by the page's CSS variables so that they follow light and dark. */

export interface Series {
  readonly name: string;
  /** Points whose x or y is not finite are left out. */
  readonly points: readonly (readonly [number, number])[];
  /** 0..1: how strongly the line is drawn. */
  readonly strength?: number;
  /** Which of the page's tones it has, 0 to {@link tones} - 1; default the accent. */
  readonly tone?: number;
}

/** Lines of one chart that can be told apart by their colour. */
export const tones = 8;

export interface ChartOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Logarithmic y when every value is above 0 and they span more than this factor; default never. */
  readonly logarithmicFrom?: number;
  /** Logarithmic x, of which every value is above 0. */
  readonly logarithmicX?: boolean;
  /** Draws a mark on each point: for few of them. */
  readonly marks?: boolean;
  /** A point to point out, such as the best. */
  readonly highlight?: { readonly x: number; readonly y: number; readonly text: string };
  /** A horizontal line to compare with. */
  readonly reference?: { readonly y: number; readonly text: string };
  /** Whether y is in percent, of which there are 0 to 100. */
  readonly percent?: boolean;
  /** Whole numbers only on the x axis. */
  readonly wholeX?: boolean;
  /** Begins the x axis at zero. */
  readonly fromZero?: boolean;
}

const width = 460;
const height = 260;
const margin = { top: 14, right: 16, bottom: 44, left: 68 };
const inner = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };

export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** Round numbers from low to high, about `wanted` of them: steps of 1, 2 or 5 times a power of ten. */
export function ticks(low: number, high: number, wanted = 5, least = 0): number[] {
  if (!(high > low)) return [low];
  const raw = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = Math.max(least, power * ([1, 2, 5].find((factor) => factor * power >= raw * 0.999) ?? 10));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/** Powers of ten, with 2 and 5 between them where there are few. */
function logTicks(low: number, high: number): number[] {
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const factors = last - first > 3 ? [1] : [1, 2, 5];
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i))
    .flatMap((power) => factors.map((factor) => factor * power))
    .filter((value) => value >= low * 0.999 && value <= high * 1.001);
}

/** `12000` → `12k`, `0.00025` → `2.5e-4`; no digits that floating point made up. */
export function tickText(value: number): string {
  const size = Math.abs(value);
  if (size >= 10_000 && value % 100 === 0) return `${value / 1000}k`;
  if (size > 0 && (size < 0.001 || size >= 1e6)) return value.toExponential().replace(/\.(\d{2})\d+/, '.$1');
  return String(Number(value.toPrecision(6)));
}

interface Axis {
  readonly ticks: readonly number[];
  place(value: number): number;
}

/** What moves by less than this part of itself is drawn as steady: ticks that near to each other would read the same. */
const steady = 0.01;

/** A linear axis with a little room around the values; a single value, or what hardly moves, sits in the middle. */
function linearAxis(values: readonly number[], length: number, least: number, room: number): Axis {
  let low = Math.min(...values);
  let high = Math.max(...values);
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (high - low <= steady * size) {
    const middle = (low + high) / 2;
    const half = size * 0.1 || 1;
    low = middle - half;
    high = middle + half;
  } else {
    const extra = (high - low) * room;
    low -= low >= 0 ? Math.min(extra, low) : extra;
    high += extra;
  }
  return { ticks: ticks(low, high, 5, least), place: (value) => (length * (value - low)) / (high - low) };
}

function logAxis(values: readonly number[], length: number): Axis {
  const low = Math.min(...values) / 1.15;
  const high = Math.max(...values) * 1.15;
  return {
    ticks: logTicks(low, high),
    place: (value) => (length * Math.log(value / low)) / Math.log(high / low),
  };
}

const fixed = (value: number) => value.toFixed(1);

export function lineChart(options: ChartOptions): string {
  const { title, xLabel, yLabel, reference, highlight, marks } = options;
  const series = options.series.map((one) => ({
    ...one,
    points: one.points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y)),
  }));
  const points = series.flatMap((one) => one.points);
  const open = `<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)}">`;
  if (!points.length)
    return `${open}<text class="note" x="${width / 2}" y="${height / 2}" text-anchor="middle">nothing to draw yet</text></svg>`;

  const xs = [...points.map(([x]) => x), ...(options.fromZero ? [0] : [])];
  const ys = [...points.map(([, y]) => y), ...(reference ? [reference.y] : [])];
  const span = Math.max(...ys) / Math.min(...ys);
  const logarithmic = Math.min(...ys) > 0 && span >= (options.logarithmicFrom ?? Number.POSITIVE_INFINITY);
  const xAxis = options.logarithmicX
    ? logAxis(xs, inner.width)
    : linearAxis(xs, inner.width, options.wholeX ? 1 : 0, 0);
  const yAxis = logarithmic
    ? logAxis(ys, inner.height)
    : linearAxis(ys, inner.height, 0, highlight ? 0.15 : 0.06);
  const x = (value: number) => fixed(margin.left + xAxis.place(value));
  const y = (value: number) => fixed(margin.top + inner.height - yAxis.place(value));
  const right = margin.left + inner.width;
  const bottom = margin.top + inner.height;

  const parts = [open];
  const possible = (value: number) => !options.percent || (value >= 0 && value <= 100);
  for (const value of yAxis.ticks.filter(possible))
    parts.push(
      `<line class="grid" x1="${margin.left}" x2="${right}" y1="${y(value)}" y2="${y(value)}"/>`,
      `<text class="tick" x="${margin.left - 8}" y="${y(value)}" dy="0.32em" text-anchor="end">${tickText(value)}</text>`,
    );
  for (const value of xAxis.ticks)
    parts.push(
      `<line class="axis" x1="${x(value)}" x2="${x(value)}" y1="${bottom}" y2="${bottom + 4}"/>`,
      `<text class="tick" x="${x(value)}" y="${bottom + 17}" text-anchor="middle">${tickText(value)}</text>`,
    );
  parts.push(`<line class="axis" x1="${margin.left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`);
  parts.push(
    `<text class="label" x="${margin.left + inner.width / 2}" y="${height - 8}" text-anchor="middle">${escapeHtml(xLabel)}${options.logarithmicX ? ' (log)' : ''}</text>`,
    `<text class="label" transform="translate(14 ${margin.top + inner.height / 2}) rotate(-90)" text-anchor="middle">${escapeHtml(yLabel)}${logarithmic ? ' (log)' : ''}</text>`,
  );
  if (reference)
    parts.push(
      `<line class="reference" x1="${margin.left}" x2="${right}" y1="${y(reference.y)}" y2="${y(reference.y)}"/>`,
      `<text class="tick" x="${right}" y="${y(reference.y)}" dy="-5" text-anchor="end">${escapeHtml(reference.text)}</text>`,
    );
  for (const { name, points: own, strength = 1, tone } of series) {
    const kind = tone === undefined ? '' : ` t${tone % tones}`;
    const path = own.map(([px, py]) => `${x(px)},${y(py)}`).join(' ');
    const label = `<title>${escapeHtml(name)}</title>`;
    if (own.length > 1)
      parts.push(
        `<polyline class="line${kind}" style="opacity:${strength}" points="${path}">${label}</polyline>`,
      );
    if (own.length === 1 || marks)
      for (const [px, py] of own)
        parts.push(
          `<circle class="mark${kind}" style="opacity:${strength}" cx="${x(px)}" cy="${y(py)}" r="3">${label}</circle>`,
        );
  }
  if (highlight && Number.isFinite(highlight.x) && Number.isFinite(highlight.y)) {
    // Above the point, and to the side where there is room.
    const left = xAxis.place(highlight.x) > inner.width / 2;
    parts.push(
      `<circle class="best" cx="${x(highlight.x)}" cy="${y(highlight.y)}" r="4.5"/>`,
      `<text class="note" x="${x(highlight.x)}" y="${y(highlight.y)}" dx="${left ? 6 : -6}" dy="-11" ` +
        `text-anchor="${left ? 'end' : 'start'}">${escapeHtml(highlight.text)}</text>`,
    );
  }
  parts.push('</svg>');
  return parts.join('');
}
