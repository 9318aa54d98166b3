import type { Rate } from '../../eval/protocol.js';
import { type Accuracy, testError } from '../../eval/statistics.js';
import { baselineText } from '../../eval/verdict.js';
import { accuracyText, type RunRecord, storedByOptions, testedOf } from '../../runs/record.js';
import { count, counted, saidOf } from '../../util/words.js';
import { escapeHtml } from '../figure.js';
import { meter } from './meter.js';

/** Test accuracy beside real images of the same number, under the same protocol. */
export function resultsSection(record: RunRecord): string {
  const { learningRate = 'learned', protocol, dataset, config } = record;
  const tested = testedOf(record);
  if (!tested) return '';
  const rows = resultRows(dataset.splits.test, [
    {
      name: storedByOptions(config.options, tested.classes, saidOf(dataset, 'distilled image')),
      accuracy: tested.accuracy,
      rate: learningRate,
      own: true,
    },
    ...Object.values(tested.baselines).map((baseline) => ({
      name: baselineText(baseline, tested.baselineImages),
      accuracy: baseline,
      rate: baseline.learningRate,
    })),
  ]);
  return (
    '<section><h2>How well it works</h2>' +
    saidOf(
      dataset,
      `<p class="about">How many of the ${count(dataset.splits.test)} test images a network gets right that was trained on the distilled ` +
        `images, or on as many real ones in the same way. ± after a mean is the spread between networks, the line on the bar. The 95 % interval is what ` +
        `${counted(dataset.splits.test, 'test image')} leave open, however many the networks. ` +
        (learningRate === 'learned'
          ? 'Real images get the constant learning rate that does best on the validation images. '
          : ''),
    ) +
    `</p><div class="card"><table class="results">${resultHead}<tbody>${rows}</tbody></table></div>` +
    `<p class="about note">Protocol: ${escapeHtml(protocol)}.</p></section>`
  );
}

/** What networks were trained on, and what they reached. */
export interface ResultRow {
  readonly name: string;
  readonly accuracy: Accuracy;
  readonly rate?: Rate;
  /** Whether it is the distilled set. */
  readonly own?: boolean;
}

export const resultHead =
  '<thead><tr><th>trained on</th><th>test accuracy</th><th class="split">95 % interval</th><th class="meter"></th>' +
  '<th class="networks">networks</th><th class="rate">learning rate</th></tr></thead>';

/** A row for each, of tests on so many images. */
export const resultRows = (images: number, rows: readonly ResultRow[]): string =>
  rows
    .map(
      ({ name, accuracy, rate, own }) =>
        `<tr${own ? ' class="own-row"' : ''}><td>${escapeHtml(name)}</td>` +
        `<td class="number${own ? ' own' : ''}">${accuracyText(accuracy)}</td>` +
        `<td class="split">± ${testError(accuracy.mean, images).toFixed(1)}</td>${meter(accuracy)}` +
        `<td class="networks">${accuracy.networks}</td><td class="rate">${escapeHtml(rateText(rate))}</td></tr>`,
    )
    .join('');

const rateText = (rate: Rate = 'none'): string =>
  rate === 'none' ? '–' : rate === 'learned' ? 'as learned' : String(rate);
