import type { Accuracy } from '../../eval/statistics.js';
import { escapeHtml } from '../figure.js';

/** A point on a scale of 0 to 100 %, which the legend of the page explains. */
export interface Mark {
  readonly title: string;
  readonly mean: number;
}

const percent = (value: number): string => `${Math.max(0, Math.min(100, value)).toFixed(2)}%`;

/** A cell with a bar up to the mean, the deviation between several networks drawn around it, and marks to compare with. */
export function meter({ mean, std, networks }: Accuracy, marks: readonly (Mark | undefined)[] = []): string {
  const spread =
    networks > 1 && std > 0
      ? `<u style="left:${percent(mean - std)};width:${percent(Math.min(100, mean + std) - Math.max(0, mean - std))}"></u>`
      : '';
  const dots = marks.map((mark, i) =>
    mark
      ? `<b class="mark m${i % markKinds}" style="left:${percent(mark.mean)}" title="${escapeHtml(mark.title)} ${mark.mean.toFixed(1)} %"></b>`
      : '',
  );
  return `<td class="meter" aria-hidden="true"><span><i style="width:${percent(mean)}"></i>${spread}${dots.join('')}</span></td>`;
}

/** Shapes of marks that can be told apart. */
export const markKinds = 4;
