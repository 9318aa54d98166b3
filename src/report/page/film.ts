import type { DistilledSet } from '../../data/distilled-set.js';
import type { Frame } from '../../runs/film.js';
import type { RunRecord } from '../../runs/record.js';
import { count } from '../../util/words.js';
import { filmFrame, frameLayout } from '../film-frame.js';
import { pngTag } from './picture.js';
import { filters, isSigned, signedFilter, strengthOf } from './tone.js';

const secondsPerFrame = 0.5;

/** The images at the looks of the run, one after the other: buttons of one group, which the arrow keys go along. */
export function filmSection(record: RunRecord, set: DistilledSet, film: readonly Frame[]): string {
  const frames = withResult(record, set, film);
  if (frames.length < 2) return '';
  const { images, columns, rows, width, height } = frameLayout(
    record.dataset.imageShape,
    set.network.classes,
  );
  const size = { width: columns * width, height: rows * height };
  const signed = frames.some((frame) => isSigned(record.dataset, frame));
  const strength = strengthOf(frames);
  const shown = frames.map((frame, i) => {
    const { iteration, validationAccuracy, png } = frame;
    const text =
      validationAccuracy === undefined
        ? 'before the first outer step'
        : `outer step ${count(iteration)}: ${validationAccuracy.toFixed(1)} % on the validation images`;
    const style = signed ? `--tone:url(#frame-${i})` : undefined;
    const isBest = iteration === record.best.iteration;
    const best = isBest ? ', the best' : '';
    const checked = isBest ? ' checked' : '';
    return (
      `<input type="radio" name="film" aria-label="${text}" ${isBest ? 'class="best" ' : ''}style="grid-column:${i + 1}"${checked}><figure style="--delay:${(i * secondsPerFrame).toFixed(1)}s">` +
      `<div>${pngTag(png, { kind: 'distilled', alt: `images at ${text}`, ...size, style })}</div><figcaption>${text}${best}</figcaption></figure>`
    );
  });
  const some =
    images < set.network.classes ? `the first ${images} of ${set.network.classes} classes` : 'each class';
  const part = (100 / frames.length).toFixed(3);
  const vars = `--frames:${frames.length};--columns:${columns};--rows:${rows};--length:${(frames.length * secondsPerFrame).toFixed(1)}s`;
  return (
    `<section><h2>How they formed</h2><p class="about">The first image of ${some} as it was at ${frames.length} moments of the run. ` +
    `Choose one, or go along with the arrow keys. The ring is around the best, ${signed ? 'and colours mean the same in all' : 'and each has a black and a white of its own'}.</p>` +
    `<style>@keyframes film { 0% { visibility: visible } ${part}% { visibility: hidden } }</style>` +
    `${signed ? filters(frames.map((frame, i) => signedFilter(`frame-${i}`, frame, strength))) : ''}` +
    `<div class="film" style="${vars}"><label class="play"><input type="radio" name="film"> play</label>${shown.join('')}</div></section>`
  );
}

/** The frames up to the last look, with that of the result among them. */
function withResult({ best, dataset }: RunRecord, set: DistilledSet, film: readonly Frame[]): Frame[] {
  if (!film.length || film.some(({ iteration }) => iteration === best.iteration)) return [...film];
  const look = film.filter(({ iteration }) => iteration < best.iteration).length;
  return film.toSpliced(look, 0, { look, ...best, ...filmFrame(set, dataset) });
}
