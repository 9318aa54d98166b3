import type { Accuracy } from '../../eval/statistics.js';
import { networkTitle } from '../../networks/index.js';
import type { EvaluationRecord, RunRecord } from '../../runs/record.js';
import { saidOf } from '../../util/words.js';
import { escapeHtml } from '../figure.js';
import { resultHead, resultRows } from './results.js';

/** What was measured after the run: other protocols, more networks, other architectures. */
export function evaluationsSection({ evaluations = [], config, dataset }: RunRecord): string {
  if (!evaluations.length) return '';
  const own = networkTitle(config.options.network);
  return (
    '<section><h2>Measured later</h2><p class="about">By <code>limbeck evaluate</code> or <code>compare</code>, each protocol on its own: numbers of different ' +
    'protocols say little about each other.</p>' +
    `${evaluations.map((one) => evaluationCard(one, own, dataset)).join('')}</section>`
  );
}

/** The distilled images beside real ones, network by network. */
function evaluationCard(
  { protocol, accuracy, learningRate, baselines, others }: EvaluationRecord,
  own: string,
  dataset: RunRecord['dataset'],
): string {
  const all = [{ network: own, accuracy, learningRate, baselines }, ...others];
  const bodies = all.map(
    (one) =>
      `<tbody>${others.length ? `<tr class="group"><th colspan="6">${escapeHtml(one.network)}</th></tr>` : ''}` +
      resultRows(dataset.splits.test, [
        {
          name: saidOf(dataset, 'distilled images'),
          accuracy: one.accuracy,
          rate: one.learningRate,
          own: true,
        },
        ...Object.values<Accuracy & { title: string; learningRate?: number }>(one.baselines).map(
          (baseline) => ({ name: baseline.title, accuracy: baseline, rate: baseline.learningRate }),
        ),
      ]) +
      '</tbody>',
  );
  return (
    `<div class="card"><h3>${escapeHtml(protocol)}</h3>` +
    `<table class="results">${resultHead}${bodies.join('')}</table></div>`
  );
}
