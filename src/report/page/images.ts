import type { DistilledSet } from '../../eval/evaluate.js';
import { count, type RunRecord } from '../../runs/record.js';
import { encodePng } from '../../util/png.js';
import { escapeHtml } from '../figure.js';
import { displayWindow, imagePixels, type Window } from '../pixels.js';

/** More than a page can hold; the whole set is in distilled.png. */
const mostImages = 1000;
/** Up to this many classes a class is a column. */
const mostColumns = 12;

/** The distilled images, large; for learned labels each with its label. */
export function imagesSection(record: RunRecord, set: DistilledSet): string {
  const { ipc, steps, network } = set;
  const { classes } = network;
  const perStep = ipc * classes;
  const window = displayWindow(set, record.dataset);
  const figureOf = (index: number, withName: boolean) => imageFigure(record, set, index, window, withName);

  // One row of images may wrap; several keep a column per class, and scroll where the screen is narrow.
  const loose = (steps === 1 && ipc === 1) || classes > mostColumns;
  const shownSteps = Math.max(1, Math.min(steps, Math.floor(mostImages / perStep)));
  const parts: string[] = [];
  if (loose)
    for (let step = 0; step < shownSteps; step++) {
      if (steps > 1) parts.push(`<h3>Step ${step + 1}</h3>`);
      const figures = Array.from({ length: Math.min(perStep, mostImages) }, (_, i) =>
        figureOf(step * perStep + i, true),
      );
      parts.push(
        `<div class="images loose${classes > mostColumns ? ' many' : ''}">${figures.join('')}</div>`,
      );
    }
  else {
    const columns = `grid-template-columns:auto repeat(${classes},minmax(46px,1fr))`;
    const heads = record.dataset.classNames.map((name) => `<div class="head">${escapeHtml(name)}</div>`);
    const rows = Array.from({ length: shownSteps * ipc }, (_, row) => {
      const step = Math.floor(row / ipc);
      const name = row % ipc === 0 && steps > 1 ? `step ${step + 1}` : '';
      const figures = Array.from({ length: classes }, (_, k) => figureOf(row * classes + k, false));
      return `<div class="row-name">${name}</div>${figures.join('')}`;
    });
    parts.push(
      `<div class="scroll"><div class="images rows" style="${columns}"><div></div>${heads.join('')}${rows.join('')}</div></div>`,
    );
  }
  const left =
    steps * perStep -
    Math.min(shownSteps * perStep, loose ? shownSteps * mostImages : Number.POSITIVE_INFINITY);
  const more = left > 0 ? ` ${count(left)} more are in distilled.png.` : '';
  return `<section><h2>The images</h2><p class="about">${about(record, set, window)}${more}</p>${parts.join('')}</section>`;
}

const level = (value: number): string => value.toFixed(2).replace('-', '−');

function about(
  { config }: RunRecord,
  { steps, ipc, epochs }: DistilledSet,
  { black, white }: Window,
): string {
  const order =
    steps > 1
      ? `Training takes them step by step, each step one row${ipc > 1 ? 'set' : ''} of images, ${epochs > 1 ? `${epochs} times over` : 'once'}.`
      : `Training takes them all at once, ${epochs > 1 ? `${epochs} times over` : 'once'}.`;
  const labels =
    config.options.labels === 'soft'
      ? ' Their labels were learned too: the bars show how much of each class a label holds, the numbers its two largest parts.'
      : '';
  return (
    `${order}${labels} In a picture 0 is black and 1 is white; learned pixels have a range of their own: here ${level(black)} is shown ` +
    `as black and ${level(white)} as white, the same for all images.`
  );
}

function imageFigure(
  record: RunRecord,
  set: DistilledSet,
  index: number,
  window: Window,
  withName: boolean,
): string {
  const { classNames, imageShape } = record.dataset;
  const [, H, W] = imageShape;
  const own = index % set.network.classes;
  const name = escapeHtml(classNames[own] ?? String(own));
  const png = Buffer.from(encodePng(imagePixels(set, record.dataset, index, window))).toString('base64');
  const picture = `<img alt="distilled image, class ${name}" width="${W}" height="${H}" src="data:image/png;base64,${png}">`;
  const label = record.config.options.labels === 'soft' ? softLabel(record, set, index) : '';
  return `<figure>${picture}${withName ? `<figcaption>${name}</figcaption>` : ''}${label}</figure>`;
}

/** A bar per class, upwards or downwards from zero, and the two largest in numbers. */
function softLabel({ dataset }: RunRecord, set: DistilledSet, index: number): string {
  const K = set.network.classes;
  const values = Array.from(set.labels.subarray(index * K, (index + 1) * K));
  const order = values.map((_, k) => k).sort((a, b) => values[b] - values[a]);
  const high = Math.max(1e-9, ...values);
  const low = Math.min(0, ...values);
  const height = 24;
  const y = (value: number) => (height * (high - value)) / (high - low);
  const bars = values.map((value, k) => {
    const top = y(Math.max(0, value)).toFixed(1);
    const tall = Math.max(0.4, Math.abs(y(value) - y(0))).toFixed(1);
    return `<rect${k === order[0] ? ' class="top"' : ''} x="${k * 10 + 1}" y="${top}" width="8" height="${tall}"/>`;
  });
  const text = order
    .slice(0, 2)
    .map((k) => `${escapeHtml(dataset.classNames[k] ?? String(k))} ${values[k].toFixed(2)}`);
  return (
    `<svg class="soft" viewBox="0 0 ${K * 10} ${height}" preserveAspectRatio="none" height="${height}" aria-hidden="true">` +
    `${bars.join('')}<line x1="0" x2="${K * 10}" y1="${y(0).toFixed(1)}" y2="${y(0).toFixed(1)}"/></svg>` +
    `<div class="top2">${text.join('<br>')}</div>`
  );
}
