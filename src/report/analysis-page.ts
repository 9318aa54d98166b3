import type { Agreed, Agreement } from '../analysis/agreement.js';
import type { Curvature } from '../analysis/curvature.js';
import type { Influence } from '../analysis/influence.js';
import type { Mixed } from '../analysis/mix.js';
import type { Recognised } from '../analysis/recognise.js';
import type { NamedSet } from '../analysis/sets.js';
import type { Dataset } from '../data/dataset.js';
import type { Accuracy } from '../eval/statistics.js';
import { accuracyText } from '../runs/record.js';
import { count } from '../util/words.js';
import { escapeHtml, lineChart, type Series, tones } from './figure.js';
import { influenceSection } from './influence-section.js';
import { framed } from './page/frame.js';
import { nothing, wideTable } from './page/wide-table.js';

/** What was found about sets: one of these. */
export interface Analysis {
  readonly recognise?: Recognised;
  readonly curvature?: Curvature;
  readonly mix?: Mixed;
  readonly agreement?: Agreement;
  /** By set. */
  readonly influence?: readonly Influence[];
}

/** A page of what was found about sets, which needs nothing but itself. */
export function analysisPage(
  dataset: Dataset,
  sets: readonly NamedSet[],
  { recognise, curvature, mix, agreement, influence }: Analysis,
): string {
  const { name } = dataset;
  if (mix)
    return page(
      name,
      'Do real images help beside distilled ones?',
      `Networks learn from both: ${mix.protocol}.`,
      mixed(mix),
    );
  if (agreement)
    return page(
      name,
      'Which networks answer like those that learned from distilled images?',
      `Pairs of networks that are right as often, on ${count(agreement.images)} test images.`,
      agreeing(agreement),
    );
  if (influence)
    return page(
      name,
      'What does each distilled image teach?',
      influence[0].by === 'retraining'
        ? 'Networks learn from all images but one, each in turn.'
        : 'What would change in a network that had learned from all images but one: to first order, by the inverse of its Gauss-Newton matrix.',
      sets.map((set, i) => influenceSection(dataset, set, influence[i])).join(''),
    );
  const along =
    'Networks learn from real images, by SGD with momentum 0.9 at rate 0.01 in batches of 256, and are looked at on the way.';
  return recognise
    ? page(name, 'Do networks recognise distilled images?', along, recognised(recognise))
    : page(name, 'How curved is the loss on distilled images?', along, curved(curvature!));
}

/** What every analysis has: `about` is the data set, or what else was looked at. */
export const page = (about: string, title: string, lead: string, sections: string): string =>
  framed(title, [
    `<header><p class="kicker">limbeck · ${escapeHtml(about)}</p><h1>${title}</h1>`,
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

/** How often pairs of networks agree, and how often each kind is right. */
function agreeing({ early, few, sets }: Agreement): string {
  const number = (value: Accuracy) => `<td class="number">${escapeHtml(accuracyText(value))}</td>`;
  const said = (agreed?: Agreed) =>
    agreed ? [number(agreed.same), `<td class="split">${agreed.gap.toFixed(1)}</td>`] : [nothing, nothing];
  const rows = sets.map(({ name, accuracy, early, few, itself }) => ({
    cells: [
      `<td>${escapeHtml(name)}</td>`,
      ...[number(accuracy), ...said(early), ...said(few), ...said(itself)],
    ],
  }));
  const heads = [
    'networks of',
    'test accuracy',
    'stopped early',
    'points apart',
    'few real images',
    'points apart',
    'one another',
    'points apart',
  ];
  return (
    '<section><h2>The same answers</h2><p class="about">Percent of the test images that both networks of a pair take for the same class. Each network is paired with ' +
    'those of the other kind that are right most nearly as often; the points of accuracy between them should be few.</p>' +
    `${wideTable(heads, rows)}</section>` +
    section(
      'How often they are right',
      'Networks along training on real images, and networks that learned from few of these.',
      [
        chart('Along training', 'test accuracy, %', [
          {
            name: 'along training',
            points: early.map(({ steps, accuracy }) => [steps, accuracy.mean] as const),
          },
        ]),
        chart(
          'From few real images',
          'test accuracy, %',
          [{ name: 'few', points: few.map(({ perClass, accuracy }) => [perClass, accuracy.mean] as const) }],
          'real images of each class',
        ),
      ],
      [],
    )
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
    [chart('Percent recognised', 'recognised, %', lines)],
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
  const percent = yLabel.endsWith('%');
  const options = { title, xLabel, yLabel, percent, series, fromZero: true, wholeX: true, marks: true };
  return `<div class="card"><h3>${title}</h3>${lineChart({ ...options, logarithmicFrom: 20 })}</div>`;
}

/** Charts below a heading, with a key of colours. */
export const section = (
  heading: string,
  text: string,
  charts: readonly string[],
  names: readonly string[],
): string =>
  `<section><h2>${heading}</h2><p class="about">${text}</p><div class="charts">${charts.join('')}</div><p class="keys">` +
  `${names.map((name, i) => `<span><i class="key t${i % tones}"></i>${escapeHtml(name)}</span>`).join('')}</p></section>`;
