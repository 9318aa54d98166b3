import type { Compared } from '../analysis/compare/record.js';
import { type Row, rowsOf } from '../analysis/compare/rows.js';
import type { Dataset } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { testError } from '../eval/statistics.js';
import { encodePng } from '../util/png.js';
import { count, counted, duration, flopText } from '../util/words.js';
import { escapeHtml, lineChart, type Series, tones } from './figure.js';
import { firstPictures } from './first-pictures.js';
import { framed } from './page/frame.js';
import { meter } from './page/meter.js';
import { pngTag, zoomable } from './page/picture.js';
import { nothing, wideTable } from './page/wide-table.js';

/** Pictures beside each other, at most. */
const classesShown = 20;

/** `compare.html`: methods side by side on one page that needs nothing but itself. `sets` are by folder. */
export function comparePage(
  compared: Compared,
  sets: ReadonlyMap<string, DistilledSet>,
  dataset: Dataset,
): string {
  const rows = rowsOf(compared);
  const { name } = compared.dataset;
  return framed(`Methods compared on ${escapeHtml(name)}`, [
    `<header><p class="kicker">limbeck · a comparison of methods</p><h1>${escapeHtml(headline(compared, rows))}</h1>` +
      `<p class="lead">${escapeHtml(lead(compared))}</p>${missing(compared)}</header>`,
    ...[...new Set(rows.map(({ ipc }) => ipc))].map((ipc) => table(compared, ipc, rows)),
    pictures(compared, sets, dataset),
    charts(compared, rows),
    crossArchitecture(compared),
    about(compared),
  ]);
}

function headline({ dataset }: Compared, rows: readonly Row[]): string {
  const best = rows.find(({ method }) => method);
  if (!best) return `Methods compared on ${dataset.name}: nothing is scored yet`;
  const stronger = rows.find(
    (row) => !row.method && row.ipc === best.ipc && row.accuracy.mean >= best.accuracy.mean,
  );
  const where = `with ${counted(best.ipc, 'image')} per class`;
  return stronger
    ? `${capital(stronger.title)} do as well as every method ${where}: ${percent(stronger.accuracy.mean)}`
    : `${best.title} is best ${where}: ${percent(best.accuracy.mean)}`;
}

const capital = (text: string): string => `${text[0].toUpperCase()}${text.slice(1)}`;

const percent = (value: number): string => `${value.toFixed(1)} %`;

function lead({ dataset, protocol, full }: Compared): string {
  const { test } = dataset.splits;
  const all = full
    ? ` All ${count(dataset.splits.train)} training images reach ${percent(full.accuracy.mean)}.`
    : '';
  return `${dataset.name}, ${counted(test, 'test image')}. Every set is scored under ${protocol}.${all}`;
}

const missing = ({ missing }: Compared): string =>
  missing.length
    ? `<p class="warning">${counted(missing.length, 'run')} not done yet: ${escapeHtml(missing.join(', '))}.</p>`
    : '';

/** Methods and baselines at one number of images, the best first; below, what else is known of the methods. */
function table({ dataset }: Compared, ipc: number, all: readonly Row[]): string {
  const rows = all.filter((row) => row.ipc === ipc);
  const methods = rows.filter(({ method }) => method);
  const accuracies = rows.map(({ method, title, accuracy: { mean, std, half } }) => ({
    own: Boolean(method),
    cells: [
      `<td>${escapeHtml(title)}</td>`,
      `<td class="number${method ? ' own' : ''}">${percent(mean)} ± ${std.toFixed(1)}</td>`,
      split(half === undefined ? undefined : `± ${half.toFixed(1)}`),
      split(`± ${testError(mean, dataset.splits.test).toFixed(1)}`),
      meter({ mean, std, networks: half === undefined ? 1 : 2 }),
    ],
  }));
  const scores = methods.map((row) => ({
    cells: [`<td>${escapeHtml(row.title)}</td>`, ...scoresOf(row).map(split)],
  }));
  return (
    `<section><h2>${counted(ipc, 'image')} per class</h2>` +
    wideTable(['trained on', 'test accuracy', '95 % of the mean', 'by test split', ''], accuracies) +
    wideTable(
      [
        'method',
        'in its own way',
        'random so',
        'random + teacher',
        'no distillation',
        'HLR',
        'IOR',
        'LRS',
        'ARS',
        'p',
        'time',
        'operations',
        'numbers',
      ],
      scores,
    ) +
    '</section>'
  );
}

const split = (text?: string): string =>
  text === undefined ? nothing : `<td class="split">${escapeHtml(text)}</td>`;

function scoresOf(row: Row): (string | undefined)[] {
  const { own, random, randomTeacher, noDistillation, hlr, ior, lrs, ars, p, seconds, flops, numbers } = row;
  const or = <T>(value: T | undefined, text: (value: T) => string) =>
    value === undefined ? undefined : text(value);
  const points = (value: number) => value.toFixed(1);
  const score = (value: number) => value.toFixed(3);
  return [
    or(own, ({ mean }) => percent(mean)),
    ...[random, randomTeacher, noDistillation].map((one) => or(one, ({ mean }) => percent(mean))),
    or(hlr, points),
    or(ior, points),
    or(lrs, score),
    or(ars, score),
    or(p, (value) => (value < 0.001 ? '< 0.001' : score(value))),
    or(seconds, duration),
    or(flops, flopText),
    or(numbers, count),
  ];
}

/** The first image of each class of every method, under each other. */
function pictures(
  { runs, dataset: { classNames } }: Compared,
  sets: ReadonlyMap<string, DistilledSet>,
  dataset: Dataset,
): string {
  const shown = runs.filter(({ seed, folder }) => seed === runs[0].seed && sets.has(folder));
  if (!shown.length) return '';
  const [, height, width] = dataset.imageShape;
  const names = classNames.slice(0, classesShown);
  const head = names.map((name) => `<div class="head">${escapeHtml(name)}</div>`).join('');
  const rows = shown.map(({ title, ipc, folder }) => {
    const { pictures } = firstPictures(sets.get(folder)!, dataset, classesShown, dataset.zca);
    const cells = names.map((name, k) => {
      const found = pictures.find((one) => one.class === k);
      if (!found) return '<div></div>';
      const alt = `${title}, ${ipc} per class: ${name}`;
      return zoomable(pngTag(encodePng(found.picture), { kind: 'distilled', alt, width, height }), alt);
    });
    return `<div class="row-name">${escapeHtml(title)}, ${ipc} per class</div>${cells.join('')}`;
  });
  return (
    '<section><h2>What they look like</h2><p class="about">The first image of each class, from the first seed; each row has a scale of its own.</p>' +
    `<div class="scroll"><div class="images rows" style="grid-template-columns:max-content repeat(${names.length},minmax(48px,140px))">` +
    `<div></div>${head}${rows.join('')}</div></div></section>`
  );
}

/** Accuracy over time, and over what is stored. */
function charts({ runs }: Compared, rows: readonly Row[]): string {
  if (!runs.length) return '';
  const titles = [...new Set(runs.map(({ title }) => title))];
  const toneOf = (title: string) => titles.indexOf(title) % tones;
  const seed = runs[0].seed;
  const time: Series[] = runs
    .filter((run) => run.seed === seed)
    .map(({ title, ipc, curve }) => ({
      name: `${title}, ${ipc} per class`,
      points: curve,
      tone: toneOf(title),
    }));
  const stored: Series[] = titles.map((title) => ({
    name: title,
    points: rows
      .filter((row) => row.title === title && row.method)
      .map((row) => [(4 * row.numbers!) / 1000, row.accuracy.mean] as const),
    tone: toneOf(title),
  }));
  const legend = titles
    .map((title) => `<span><i class="key t${toneOf(title)}"></i>${escapeHtml(title)}</span>`)
    .join('');
  const card = (title: string, chart: string) => `<div class="card"><h3>${title}</h3>${chart}</div>`;
  return (
    '<section><h2>What it costs</h2><p class="about">Validation accuracy while distilling, each under the method\'s own protocol, with the seconds of a run spread evenly over its steps; test accuracy ' +
    'under the shared one over the bytes that a set stores.</p><div class="charts">' +
    card(
      'Over time',
      lineChart({
        title: 'Validation accuracy over time',
        xLabel: 'seconds',
        yLabel: 'validation accuracy, %',
        percent: true,
        series: time,
        fromZero: true,
      }),
    ) +
    card(
      'Over bytes',
      lineChart({
        title: 'Test accuracy over bytes',
        xLabel: 'kilobytes in float32',
        yLabel: 'test accuracy, %',
        percent: true,
        series: stored,
        marks: true,
        fromZero: true,
      }),
    ) +
    `</div><p class="keys">${legend}</p></section>`
  );
}

/** The same sets with other networks. */
function crossArchitecture({ runs }: Compared): string {
  const names = runs[0]?.common.others.map(({ network }) => network) ?? [];
  if (!names.length) return '';
  const rows = runs.map(({ title, ipc, seed, common }) => ({
    cells: [
      `<td>${escapeHtml(title)}, ${ipc} per class, seed ${seed}</td>`,
      ...common.others.map(
        ({ accuracy }) => `<td class="number">${percent(accuracy.mean)} ± ${accuracy.std.toFixed(1)}</td>`,
      ),
    ],
  }));
  return `<section><h2>With other networks</h2>${wideTable(['trained on', ...names], rows)}</section>`;
}

function about({ cut, engine }: Compared): string {
  const cuts = cut.length
    ? `<p class="about">Cut beside published settings: ${escapeHtml(cut.join('; '))}.</p>`
    : '';
  return (
    '<section><h2>How to read it</h2><p class="about">± after an accuracy is the deviation between seeds, or between networks where there is one ' +
    'seed; 95 % of the mean is what so few leave open (Student’s t), by test split what so few test images do. “In its own way” is under the protocol ' +
    'that the method is meant for, “random so” random real images under it; where the set has soft labels, “random + teacher” such images with the answers of the teacher as labels, and “no distillation” with those of ' +
    'a network that was stopped early in its training (Qin et al. 2024). HLR is what is lost beside all training images, IOR what is won beside random real images in the set’s own way, with the teacher’s labels where there are any, ' +
    'both in points; LRS (0 to 1) puts them together; both need hard labels under the shared protocol, and are left out under another; ARS the wins with augmentation and without (DD-Ranking, Li et al. 2025). p is that of a paired ' +
    't-test against the best method over shared seeds, corrected for the number of methods (Holm 1979). Time and operations are of all seeds, numbers of one set, soft labels included (two of half precision are one).</p>' +
    `${cuts}<p class="about">Engine: ${escapeHtml(engine.description)}.</p></section>`
  );
}
