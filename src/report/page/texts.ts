import type { DistilledSet } from '../../data/distilled-set.js';
import { hasSoftLabels } from '../../data/stored-numbers.js';
import { unknownWord } from '../../data/text/encoding.js';
import type { NearWord } from '../../data/text/nearest.js';
import type { ShownTexts } from '../../data/text/shown.js';
import type { RunRecord } from '../../runs/record.js';
import { count, saidOf } from '../../util/words.js';
import { escapeHtml } from '../figure.js';
import { gridOf, stepsOf } from '../grid.js';
import { about, softLabel } from './images.js';

/** More than a page can hold. */
const mostTexts = 300;

/** The distilled texts as the words that are nearest to them, each with its label where labels were learned; real ones beside them. */
export function textsSection(
  record: RunRecord,
  set: DistilledSet,
  { nearest, examples }: ShownTexts,
): string {
  const { dataset } = record;
  const { classNames } = dataset;
  const steps = stepsOf(set.use);
  const shown = gridOf(set)
    .flatMap(({ step, items }) => items.map((item, k) => ({ step, item, k })))
    .filter(({ item }) => item !== undefined && item < nearest.length)
    .slice(0, mostTexts);
  const ofClass = (name: string, k: number): string => {
    const own = shown.filter((one) => one.k === k);
    if (!own.length) return '';
    const example = examples[k];
    const real = example
      ? `<div class="text real"><div class="kind">real</div><p>${escapeHtml(example.join(' '))}</p></div>`
      : '';
    const learned = own.map(
      ({ step, item }) =>
        `<div class="text distilled"><div class="kind">${steps > 1 ? `step ${step + 1}` : 'distilled'}</div>` +
        `<p>${nearest[item!].map(wordTag).join(' ')}</p>${hasSoftLabels(set) ? `<div class="label">${softLabel(record, set, item!)}</div>` : ''}</div>`,
    );
    return `<div class="card texts"><h3>${escapeHtml(name)}</h3>${real}${learned.join('')}</div>`;
  };
  const left = set.classes.length - shown.length;
  const rest = left > 0 ? ` ${count(left)} more are in distilled.safetensors.` : '';
  return (
    `<section><h2>The texts</h2><p class="about">${saidOf(dataset, about(set))}${rest}</p>` +
    '<p class="about">What was learned are numbers, not words: of every place the nearest of the known words is shown, and how near it is, ' +
    'the cosine of the angle between the two in hundredths (100 is the word itself). The fainter, the farther.' +
    `${examples.some((words) => words?.includes(unknownWord)) ? ` In real texts ${unknownWord} is a word that is not known.` : ''}</p>` +
    `${classNames.map(ofClass).join('')}</section>`
  );
}

function wordTag(near: NearWord | undefined): string {
  if (!near) return '<span class="none">·</span>';
  const { word, similarity } = near;
  const strength = (0.62 + 0.38 * Math.max(0, Math.min(1, similarity))).toFixed(2);
  return `<span style="opacity:${strength}">${escapeHtml(word)}<sub>${(100 * similarity).toFixed(0)}</sub></span>`;
}
