import type { DistilledSet, LearnedSteps, MinibatchUse } from '../../data/distilled-set.js';
import { hasSoftLabels } from '../../data/stored-numbers.js';
import { protocolOf } from '../../eval/protocol-name.js';
import type { RunRecord } from '../../runs/record.js';
import { encodePng, type PngImage } from '../../util/png.js';
import { count, counted, short } from '../../util/words.js';
import { escapeHtml } from '../figure.js';
import { gridOf, stepsOf } from '../grid.js';
import { displayWindow, imagePixels, type Window } from '../pixels.js';
import { pngTag, zoomable } from './picture.js';
import { colourScale, filters, isSigned, level, signedFilter, strengthOf } from './tone.js';

/** More than a page can hold; the whole set is in distilled.png. */
const mostImages = 1000;
/** Up to this many classes have large images on small screens, too. */
const fewClasses = 4;
/** Up to this many classes a class is a column. */
const mostColumns = 12;

/** The distilled images, large; for learned labels each with its label. With `examples`, a real picture of each class, beside them. */
export function imagesSection(
  record: RunRecord,
  set: DistilledSet,
  examples?: readonly (PngImage | undefined)[],
): string {
  const { classes } = set.network;
  const steps = stepsOf(set.use);
  const window = displayWindow(set, record.dataset);
  const figureOf = (index: number, withName: boolean) => imageFigure(record, set, index, window, withName);
  const real = examples?.map((picture, k) =>
    picture ? pictureTag(picture, 'real', record.dataset.classNames[k]) : '',
  );
  const grid = gridOf(set);
  const shown = grid.slice(0, Math.max(1, Math.floor(mostImages / classes)));
  const parts: string[] = [];
  // One row of images may wrap; several keep a column per class, and scroll where the screen is narrow.
  if (grid.length === 1 || classes > mostColumns)
    shown.forEach(({ step, items }, row) => {
      if (steps > 1 && grid[row - 1]?.step !== step) parts.push(`<h3>Step ${step + 1}</h3>`);
      const figures = present(items)
        .slice(0, mostImages)
        .map((item) => {
          const figure = figureOf(item, true);
          return real && row === 0 ? `<div>${figure}${real[set.classes[item]]}</div>` : figure;
        });
      parts.push(`<div class="images loose ${sizeOf(classes)}">${figures.join('')}</div>`);
    });
  else {
    const columns = `grid-template-columns:auto repeat(${classes},minmax(46px,160px))`;
    const heads = record.dataset.classNames.map((name) => `<div class="head">${escapeHtml(name)}</div>`);
    const first = real
      ? [`<div class="row-name">real</div>${real.map((tag) => tag || '<div></div>').join('')}`]
      : [];
    const rows = shown.map(({ step, items }, row) => {
      const begins = grid[row - 1]?.step !== step;
      const name = !begins ? '' : steps > 1 ? `step ${step + 1}` : real ? 'distilled' : '';
      const figures = items.map((item) => (item === undefined ? '<div></div>' : figureOf(item, false)));
      return `<div class="row-name">${name}</div>${figures.join('')}`;
    });
    parts.push(
      `<div class="scroll"><div class="images rows" style="${columns}"><div></div>${heads.join('')}${[...first, ...rows].join('')}</div></div>`,
    );
  }
  const seen = shown.reduce((sum, { items }) => sum + Math.min(mostImages, present(items).length), 0);
  const left = set.classes.length - seen;
  const more = left > 0 ? ` ${count(left)} more are in distilled.png.` : '';
  const signed = isSigned(record.dataset, window);
  const beside = real ? ` ${realPictures(grid.length > 1 && classes <= mostColumns)}` : '';
  return (
    `<section${signed ? ' style="--signed:url(#signed)"' : ''}><h2>The images</h2><p class="about">${about(set)}${beside}${more} A click enlarges an image, another one puts it back.</p>` +
    `<p class="about">${range(window, signed, record.dataset)}</p>` +
    (signed
      ? `${filters([signedFilter('signed', window, strengthOf([window]))])}<label class="grey"><input type="checkbox" id="grey"> in grey instead</label>`
      : '') +
    `${colourScale(window, record.dataset.range)}${parts.join('')}</section>`
  );
}

/** How much room an image has, by the number of classes. */
const sizeOf = (classes: number): string =>
  classes > mostColumns ? 'many' : classes <= fewClasses ? 'few' : 'some';

const present = (items: readonly (number | undefined)[]): number[] =>
  items.filter((item) => item !== undefined);

const realPictures = (inRow: boolean): string =>
  inRow
    ? 'The first row are real images of the classes.'
    : 'The smaller pictures are real images of the same classes.';

function range(window: Window, signed: boolean, { range }: RunRecord['dataset']): string {
  const { black, white } = window;
  const ends = range ? range.map(short).join(' to ') : '0 (black) to 1 (white)';
  const real = `Pixels of real images go from ${ends}; those of distilled images`;
  if (!signed)
    return `${real} have a range of their own, and all of them are shown from ${level(black)} as black to ${level(white)} as white.`;
  const { light } = strengthOf([window]);
  const beyond = [
    ...(black < 0 ? ['darker than black (below 0) is blue'] : []),
    ...(white > 1 ? ['lighter than white (above 1) is orange'] : []),
  ];
  const grey =
    light < 1
      ? `From 0 to ${level(light)}, the lightest there is, they are shown from black to white;`
      : 'From 0 to 1 they are shown alike;';
  return `${real} are not bound to that. ${grey} what is ${beyond.join(', what is ')}, the stronger the further.`;
}

export function about(set: DistilledSet): string {
  const { use } = set;
  const labels = hasSoftLabels(set)
    ? ' Their labels were learned too: the bars show how much of each class a label holds, the numbers its two largest parts.'
    : '';
  const { variables, parametrisation, pictures } = set.stored;
  // Weights that were given do not count.
  const isGiven = Boolean(parametrisation.weights);
  const learned = Object.entries(variables).filter(([name]) => !(isGiven && name === 'weights'));
  const numbers = learned.reduce((sum, [, { data }]) => sum + data.length, 0);
  const stored = learned.length
    ? ` They are decoded from ${count(numbers)} stored numbers (${parametrisation.name}${isGiven ? ', by given weights' : ''}), within the storage of ${counted(pictures, 'picture')}.`
    : '';
  return (
    `${use.kind === 'learned-steps' ? order(use, set.classes.length) : inMinibatches(set, use)}` +
    `${stored}${labels}`
  );
}

function inMinibatches(set: DistilledSet, { learningRate }: MinibatchUse): string {
  if (protocolOf(set).training === 'none')
    return 'Kernel regression on them predicts, as the protocol says: nothing is trained.';
  const rate = learningRate === undefined ? '' : ` A rate was learned with them: ${short(learningRate)}.`;
  return `Networks are trained on them in minibatches, as the protocol says.${rate}`;
}

function order({ steps, epochs }: LearnedSteps, images: number): string {
  const times = epochs > 1 ? `${epochs} times over` : 'once';
  return steps > 1
    ? `Training takes them step by step, ${images / steps} in each, ${times}.`
    : `Training takes them all at once, ${times}.`;
}

function imageFigure(
  record: RunRecord,
  set: DistilledSet,
  index: number,
  window: Window,
  withName: boolean,
): string {
  const { classNames } = record.dataset;
  const own = set.classes[index];
  const name = classNames[own] ?? String(own);
  const picture = pictureTag(imagePixels(set, record.dataset, index, window), 'distilled', name);
  const label = hasSoftLabels(set) ? softLabel(record, set, index) : '';
  return `<figure>${picture}${withName ? `<figcaption>${escapeHtml(name)}</figcaption>` : ''}${label}</figure>`;
}

function pictureTag(picture: PngImage, kind: 'distilled' | 'real', className: string): string {
  const { width, height } = picture;
  const alt = `${kind} image, class ${className}`;
  return zoomable(pngTag(encodePng(picture), { kind, alt, width, height }), alt);
}

/** A bar per class, upwards or downwards from zero, and the two largest in numbers. */
export function softLabel({ dataset }: RunRecord, set: DistilledSet, index: number): string {
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
