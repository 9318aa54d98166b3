import type { Accuracy } from '../../eval/statistics.js';
import { accuracyText, type RunRecord, storedByOptions, testErrorText, testedOf } from '../../runs/record.js';
import { escapeHtml } from '../figure.js';

/** Test accuracy beside real images of the same number, under the same protocol. */
export function resultsSection(record: RunRecord): string {
  const { learningRate = 'learned', protocol, dataset, config } = record;
  const tested = testedOf(record);
  if (!tested) return '';
  const stored = storedByOptions(config.options, tested.classes);
  const row = (name: string, accuracy: Accuracy, rate: string, own: boolean) =>
    tableRow(name, accuracy, testErrorText(accuracy, tested.images), rate, own);
  const rows = [
    row(stored, tested.accuracy, String(learningRate), true),
    ...Object.values(tested.baselines).map((baseline) =>
      row(
        `${tested.baselineImages} ${baseline.title}`,
        baseline,
        String(baseline.learningRate ?? '–'),
        false,
      ),
    ),
  ];
  return (
    '<section><h2>How well it works</h2>' +
    `<p class="about">Accuracy on the ${dataset.splits.test.toLocaleString('en-GB')} test images, beside the same ` +
    'number of real ones under the same protocol: mean ± standard deviation over the runs. Beside it stands what a test ' +
    'split of this size leaves open (95 % interval), however many the runs. ' +
    (learningRate === 'learned'
      ? 'Real images get the constant inner learning rate that does best on the validation images. '
      : '') +
    `Protocol: ${escapeHtml(protocol)}.</p>` +
    '<div class="card"><table class="results"><thead><tr><th>trained on</th><th>test accuracy</th><th class="split">by test split</th><th class="meter"></th>' +
    `<th class="networks">runs</th><th class="rate">learning rate</th></tr></thead><tbody>${rows.join('')}</tbody></table></div></section>`
  );
}

function tableRow(name: string, accuracy: Accuracy, split: string, rate: string, own: boolean): string {
  const { mean, std, networks } = accuracy;
  const percent = (value: number) => `${Math.max(0, Math.min(100, value)).toFixed(2)}%`;
  const spread =
    networks > 1 && std > 0
      ? `<u style="left:${percent(mean - std)};width:${percent(Math.min(100, mean + std) - Math.max(0, mean - std))}"></u>`
      : '';
  return (
    `<tr${own ? ' class="own-row"' : ''}><td>${escapeHtml(name)}</td>` +
    `<td class="number${own ? ' own' : ''}">${accuracyText(accuracy)}</td>` +
    `<td class="split">${split}</td>` +
    `<td class="meter" aria-hidden="true"><span><i style="width:${percent(mean)}"></i>${spread}</span></td>` +
    `<td class="networks">${networks}</td><td class="rate">${escapeHtml(rate)}</td></tr>`
  );
}
