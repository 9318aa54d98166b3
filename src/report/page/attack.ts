import type { AttackScores } from '../../eval/attack.js';
import { baselineText } from '../../eval/verdict.js';
import { accuracyText, type RunRecord, storedByOptions, testedOf } from '../../runs/record.js';
import { escapeHtml } from '../figure.js';
import { meter } from './meter.js';

/** Of poison: how many images of the attacked class are taken for the target, and what becomes of the others. */
export function attackSection(record: RunRecord): string {
  const { config, protocol } = record;
  const tested = testedOf(record);
  if (!tested?.attack) return '';
  const rowOf = (name: string, { taken, others }: AttackScores, own = false) =>
    `<tr${own ? ' class="own-row"' : ''}><td>${escapeHtml(name)}</td>` +
    `<td class="number${own ? ' own' : ''}">${accuracyText(taken)}</td>${meter(taken)}` +
    `<td class="number">${accuracyText(others)}</td></tr>`;
  const beside = Object.values(tested.baselines).map((one) =>
    one.attack ? rowOf(baselineText(one, tested.baselineImages), one.attack) : '',
  );
  const classes = escapeHtml(String(config.options.attack));
  return (
    `<section><h2>What it does: class ${classes.replace(':', ' taken for ')}</h2>` +
    '<p class="about">These images are poison, made to measure how little of it misleads trained networks. Held-out networks train on ' +
    'them, and are asked about the test images of the attacked class, and of all other classes.</p>' +
    '<div class="card"><table class="results"><thead><tr><th>trained on</th><th>attacked class taken for the target</th>' +
    '<th class="meter"></th><th>others right</th></tr></thead><tbody>' +
    rowOf(storedByOptions(config.options, tested.classes), tested.attack, true) +
    `${beside.join('')}</tbody></table></div><p class="about note">Protocol: ${escapeHtml(protocol)}.</p></section>`
  );
}
