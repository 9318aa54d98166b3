import type { RunRecord } from '../../runs/record.js';
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
  const order = [...perClass.keys()].sort((a, b) => perClass[b] - perClass[a]);
  const rowOf = (k: number) => {
    const marks = beside.map(({ title, perClass: values }): Mark => ({ title, mean: values![k] }));
    return (
      `<tr class="own-row"><td>${escapeHtml(dataset.classNames[k])}</td><td class="number own">${perClass[k].toFixed(1)} %</td>` +
      meter({ mean: perClass[k], std: 0, networks: 1 }, marks) +
      `${marks.map(({ mean }) => `<td class="beside">${mean.toFixed(1)} %</td>`).join('')}</tr>`
    );
  };
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
      `distilled images, the best class first.${beside.length ? ' The marks are networks trained on real images.' : ''}</p>`,
  );
  return `${about}<div class="card">${small}${tables}</div></section>`;
}

const legend = (title: string, kind: number): string =>
  `<b class="mark m${kind % markKinds}"></b> ${escapeHtml(title)}`;
