import type { Curvature } from '../analysis/curvature.js';
import type { Recognised } from '../analysis/recognise.js';
import { escapeHtml, lineChart, type Series, tones } from './figure.js';
import { framed } from './page/frame.js';

/** What was found about sets. */
export interface Analysis {
  readonly dataset: string;
  readonly recognise?: Recognised;
  readonly curvature?: Curvature;
}

/** A page of charts of an analysis, which needs nothing but itself. */
export function analysisPage({ dataset, recognise, curvature }: Analysis): string {
  const title = recognise
    ? 'Do networks recognise distilled images?'
    : 'How curved is the loss on distilled images?';
  return framed(escapeHtml(title), [
    `<header><p class="kicker">limbeck · ${escapeHtml(dataset)}</p><h1>${title}</h1>`,
    `<p class="lead">Networks learn from real images, by SGD with momentum 0.9 at rate 0.01 in batches of 256, and are looked at on the way.</p></header>`,
    recognise ? recognised(recognise) : curved(curvature!),
  ]);
}

function recognised({ steps, real, sets }: Recognised): string {
  const lines = [{ name: 'real images', accuracy: real }, ...sets].map(({ name, accuracy }) => ({
    name,
    points: accuracy.map(({ mean }, i) => [steps[i], mean] as const),
  }));
  return section(
    'Recognised, percent',
    'Percent of the images that the networks take for the class that they are of. The networks have never seen the distilled ones.',
    [chart('Percent recognised', 'percent of the images', lines)],
    lines.map(({ name }) => name),
  );
}

function curved({ steps, losses }: Curvature): string {
  const lines = (value: (of: Curvature['losses'][number], i: number) => number) =>
    losses.map((of) => ({ name: of.name, points: steps.map((step, i) => [step, value(of, i)] as const) }));
  return section(
    'Curvature',
    'The Hessian of the loss on real images and on distilled ones, at the same networks. Where that of a set is flat, networks that learn from ' +
      'real images have nothing left to learn from it.',
    [
      chart(
        'Trace',
        'trace of the Hessian',
        lines(({ trace }, i) => trace[i].trace),
      ),
      chart(
        'Largest eigenvalue',
        'largest eigenvalue',
        lines(({ largest }, i) => largest[i]),
      ),
    ],
    losses.map(({ name }) => name),
  );
}

const chart = (title: string, yLabel: string, lines: readonly Pick<Series, 'name' | 'points'>[]): string => {
  const series = lines.map((line, tone) => ({ ...line, tone: tone % tones }));
  const options = {
    title,
    xLabel: 'training steps',
    yLabel,
    series,
    fromZero: true,
    wholeX: true,
    marks: true,
  };
  return `<div class="card"><h3>${title}</h3>${lineChart({ ...options, logarithmicFrom: 20 })}</div>`;
};

const section = (
  heading: string,
  text: string,
  charts: readonly string[],
  names: readonly string[],
): string =>
  `<section><h2>${heading}</h2><p class="about">${text}</p><div class="charts">${charts.join('')}</div><p class="keys">` +
  `${names.map((name, i) => `<span><i class="key t${i % tones}"></i>${escapeHtml(name)}</span>`).join('')}</p></section>`;
