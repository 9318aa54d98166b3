import type { Confusion } from '../../eval/statistics.js';
import type { RunRecord } from '../../runs/record.js';
import { encodePng } from '../../util/png.js';
import { saidOf } from '../../util/words.js';
import { escapeHtml } from '../figure.js';
import { pngTag } from './picture.js';

/** Up to this many classes a matrix has room for numbers. */
const mostInNumbers = 12;
const mostMixUps = 10;

/** What the networks take the test images for. */
export function confusionSection({ confusion, dataset }: RunRecord): string {
  if (!confusion) return '';
  const { classNames } = dataset;
  const shares = confusion.map(sharesOf);
  const K = shares.length;
  const matrix = K <= mostInNumbers ? table(shares, classNames) : picture(shares);
  const about = saidOf(
    dataset,
    '<section><h2>What is taken for what</h2><p class="about">Each row is a class, each column what networks that were trained on the ' +
      'distilled images take its test images for, in percent of the row. The right answers are on the diagonal.</p>',
  );
  return `${about}<div class="card confusion">${matrix}${K > 2 ? mixUps(shares, classNames) : ''}</div></section>`;
}

/** Of the images of a class; all 0 where there are none. */
const sharesOf = (row: Confusion[number]): number[] => {
  const all = row.reduce((sum, count) => sum + count, 0) || 1;
  return row.map((count) => count / all);
};

function table(shares: readonly (readonly number[])[], names: readonly string[]): string {
  const head = names.map((name) => `<th scope="col"><span>${escapeHtml(name)}</span></th>`);
  const rows = shares.map((row, i) => {
    const cells = row.map((share, j) => {
      const text = share === 0 ? '' : share < 0.005 ? '<1' : (100 * share).toFixed(0);
      return `<td class="${i === j ? 'right' : 'wrong'}" style="--share:${Math.sqrt(share).toFixed(3)}">${escapeHtml(text)}</td>`;
    });
    return `<tr><th scope="row">${escapeHtml(names[i])}</th>${cells.join('')}</tr>`;
  });
  return (
    `<div class="scroll"><table class="matrix"><thead><tr><th>taken for →</th>${head.join('')}</tr></thead>` +
    `<tbody>${rows.join('')}</tbody></table></div>`
  );
}

/** A pixel for each cell, the darker the larger its share; roots, so that rare mistakes can be seen. */
function picture(shares: readonly (readonly number[])[]): string {
  const K = shares.length;
  const data = Uint8Array.from(shares.flat(), (share) => 255 * (1 - Math.sqrt(share)));
  const alt = `confusion matrix of ${K} classes, in their order`;
  return (
    '<figure class="heat"><figcaption>taken for →</figcaption>' +
    `${pngTag(encodePng({ width: K, height: K, channels: 1, data }), { kind: 'cells', alt, width: K, height: K })}</figure>`
  );
}

/** The mistakes that are made most. */
function mixUps(shares: readonly (readonly number[])[], names: readonly string[]): string {
  const wrong = shares.flatMap((row, i) =>
    row.flatMap((share, j) => (i === j || share === 0 ? [] : [{ share, from: names[i], to: names[j] }])),
  );
  if (!wrong.length) return '';
  const most = wrong.sort((a, b) => b.share - a.share).slice(0, mostMixUps);
  const items = most.map(
    ({ share, from, to }) =>
      `<li><b>${escapeHtml(from)}</b> taken for <b>${escapeHtml(to)}</b>: ${(100 * share).toFixed(1)} %</li>`,
  );
  return `<div><h3>The most frequent mistakes</h3><ol>${items.join('')}</ol></div>`;
}
