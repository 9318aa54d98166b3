import { classText, type RunRecord } from '../../runs/record.js';
import { count, saidOf } from '../../util/words.js';
import { escapeHtml } from '../figure.js';
import { type Mark, markKinds, meter } from './meter.js';

/** With more classes than this, those in the middle are folded away, */
const mostShown = 24;
/** and so many are left at each end. */
const shownAtEnds = 8;

/** Accuracy of each class, the best first, beside that of real images. */
export function perClassSection({ perClass, baselines, dataset, testAccuracy }: RunRecord): string {
  if (!perClass || !testAccuracy) return '';
  const beside = Object.values(baselines).filter((baseline) => baseline.perClass);
  const tested = [...perClass.keys()].filter((k) => perClass[k] !== null);
  const order = tested.sort((a, b) => perClass[b]! - perClass[a]!);
  const rowOf = (k: number) => {
    const values = beside.map((baseline) => baseline.perClass![k]);
    const marks = values.map((mean, i): Mark | undefined =>
      mean === null ? undefined : { title: beside[i].title, mean },
    );
    return (
      `<tr class="own-row"><td>${escapeHtml(dataset.classNames[k])}</td><td class="number own">${classText(perClass[k])}</td>` +
      meter({ mean: perClass[k]!, std: 0, networks: 1 }, marks) +
      `${values.map((mean) => `<td class="beside">${classText(mean)}</td>`).join('')}</tr>`
    );
  };
  const untested = [...perClass.keys()].filter((k) => perClass[k] === null);
  const left = untested.length
    ? ` Without test images, and so left out: ${untested.map((k) => escapeHtml(dataset.classNames[k])).join(', ')}.`
    : '';
  const heads = beside.map(({ title }, i) => `<th class="beside">${legend(title, i)}</th>`);
  const table = (classes: readonly number[]) =>
    '<table class="results classes"><thead><tr><th>class</th><th>distilled</th><th class="meter"></th>' +
    `${heads.join('')}</tr></thead><tbody>${classes.map(rowOf).join('')}</tbody></table>`;
  const folded = order.length > mostShown;
  const middle = order.slice(shownAtEnds, -shownAtEnds);
  const tables = folded
    ? `<h3>The ${shownAtEnds} best</h3>${table(order.slice(0, shownAtEnds))}` +
      `<details><summary>${count(middle.length)} classes between them</summary>${table(middle)}</details>` +
      `<h3>The ${shownAtEnds} worst</h3>${table(order.slice(-shownAtEnds))}`
    : table(order);
  const small = beside.length
    ? `<p class="legend">${beside.map(({ title }, i) => `<span>${legend(title, i)}</span>`).join(' ')}</p>`
    : '';
  const about = saidOf(
    dataset,
    '<section><h2>Class by class</h2><p class="about">How many test images of each class networks get right that were trained on the ' +
      `distilled images, the best class first.${beside.length ? ' The marks are networks trained on real images.' : ''}${left}</p>`,
  );
  return `${about}<div class="card">${small}${tables}</div></section>`;
}

const legend = (title: string, kind: number): string =>
  `<b class="mark m${kind % markKinds}"></b> ${escapeHtml(title)}`;
