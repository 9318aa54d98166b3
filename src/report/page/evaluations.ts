import type { Accuracy } from '../../eval/statistics.js';
import { networkTitle } from '../../networks/index.js';
import { accuracyText, type EvaluationRecord, type RunRecord } from '../../runs/record.js';
import { escapeHtml } from '../figure.js';

/** Accuracy of each class as bars, where it was recorded. */
export function perClassSection({ perClass, dataset }: RunRecord): string {
  if (!perClass) return '';
  return (
    '<section><h2>Class by class</h2><p class="about">Accuracy on the test images of each class, mean over the runs on ' +
    `the distilled images.</p><div class="card"><table class="results classes"><tbody>${perClass
      .map((value, k) => bar(dataset.classNames[k], value))
      .join('')}</tbody></table></div></section>`
  );
}

function bar(name: string, value: number): string {
  return (
    `<tr><td>${escapeHtml(name)}</td><td class="number">${value.toFixed(1)} %</td>` +
    `<td class="meter" aria-hidden="true"><span><i style="width:${value.toFixed(2)}%"></i></span></td></tr>`
  );
}

/** What was measured after the run: other protocols, more networks, other architectures. */
export function evaluationsSection({ evaluations = [], config }: RunRecord): string {
  if (!evaluations.length) return '';
  return (
    '<section><h2>Measured later</h2><p class="about">Each table is one protocol; numbers of different protocols say little ' +
    'about each other. Mean ± standard deviation over the runs.</p>' +
    `${evaluations.map((one) => evaluationTable(one, networkTitle(config.options.network))).join('')}</section>`
  );
}

function evaluationTable({ protocol, accuracy, baselines, others }: EvaluationRecord, own: string): string {
  const titles = Object.values(baselines).map(({ title }) => title);
  const names = Object.keys(baselines);
  const cell = (value?: Accuracy) =>
    `<td class="number">${value ? `${accuracyText(value)} (${value.networks})` : '–'}</td>`;
  const row = (name: string, distilled: Accuracy, rest: Readonly<Record<string, Accuracy>>, note: string) =>
    `<tr><td>${escapeHtml(name)}</td>${cell(distilled)}${names.map((key) => cell(rest[key])).join('')}<td>${escapeHtml(note)}</td></tr>`;
  const head = ['network (runs in brackets)', 'distilled images', ...titles, 'rate for the distilled images'];
  return (
    `<div class="card scroll"><h3>${escapeHtml(protocol)}</h3><table class="results many"><thead><tr>` +
    `${head.map((title) => `<th>${escapeHtml(title)}</th>`).join('')}</tr></thead><tbody>` +
    row(own, accuracy, baselines, '') +
    others.map((one) => row(one.network, one.accuracy, one.baselines, rateNote(one.learningRate))).join('') +
    '</tbody></table></div>'
  );
}

const rateNote = (rate: number | 'learned'): string => (rate === 'learned' ? 'as learned' : String(rate));
