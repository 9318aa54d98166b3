import type { Curvature } from '../analysis/curvature.js';
import type { Mixed } from '../analysis/mix.js';
import type { Recognised } from '../analysis/recognise.js';
import { escapeHtml, lineChart, type Series, tones } from './figure.js';
import { framed } from './page/frame.js';

/** What was found about sets: one of these. */
export interface Analysis {
  readonly recognise?: Recognised;
  readonly curvature?: Curvature;
  readonly mix?: Mixed;
}

/** A page of charts of an analysis, which needs nothing but itself. */
export function analysisPage(dataset: string, { recognise, curvature, mix }: Analysis): string {
  if (mix)
    return page(
      dataset,
      'Do real images help beside distilled ones?',
      `Networks learn from both: ${mix.protocol}.`,
      mixed(mix),
    );
  const along =
    'Networks learn from real images, by SGD with momentum 0.9 at rate 0.01 in batches of 256, and are looked at on the way.';
  return recognise
    ? page(dataset, 'Do networks recognise distilled images?', along, recognised(recognise))
    : page(dataset, 'How curved is the loss on distilled images?', along, curved(curvature!));
}

const page = (dataset: string, title: string, lead: string, sections: string): string =>
  framed(title, [
    `<header><p class="kicker">limbeck · ${escapeHtml(dataset)}</p><h1>${title}</h1>`,
    `<p class="lead">${escapeHtml(lead)}</p></header>`,
    sections,
  ]);

function mixed({ added, sets }: Mixed): string {
  const lines = sets.flatMap(({ name, accuracy, control }) => [
    { name, points: accuracy.map(({ mean }, i) => [added[i], mean] as const) },
    {
      name: `random real images for ${name}`,
      points: control.map(({ mean }, i) => [added[i], mean] as const),
    },
  ]);
  return section(
    'Test accuracy',
    'With so many random real images of each class beside the set; and with as many random real images in the place of the set.',
    [chart('Over real images', 'test accuracy, %', lines, 'real images added, of each class')],
    lines.map(({ name }) => name),
  );
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

function chart(
  title: string,
  yLabel: string,
  lines: readonly Pick<Series, 'name' | 'points'>[],
  xLabel = 'training steps',
): string {
  const series = lines.map((line, tone) => ({ ...line, tone: tone % tones }));
  const options = { title, xLabel, yLabel, series, fromZero: true, wholeX: true, marks: true };
  return `<div class="card"><h3>${title}</h3>${lineChart({ ...options, logarithmicFrom: 20 })}</div>`;
}

const section = (
  heading: string,
  text: string,
  charts: readonly string[],
  names: readonly string[],
): string =>
  `<section><h2>${heading}</h2><p class="about">${text}</p><div class="charts">${charts.join('')}</div><p class="keys">` +
  `${names.map((name, i) => `<span><i class="key t${i % tones}"></i>${escapeHtml(name)}</span>`).join('')}</p></section>`;
