import { escapeHtml } from '../figure.js';

/** A row: whether it is one of a distilled set, and its cells, each a `<td>`. */
export interface WideRow {
  readonly own?: boolean;
  readonly cells: readonly string[];
}

/** What stands in a cell that has nothing to say. */
export const nothing = '<td class="nothing">–</td>';

/**
 * A table of more columns than a phone is wide: it scrolls on middling screens, and on a phone each row becomes a list, in which every value has
 * the head of its column beside it. Columns in which no row has anything to say are left out.
 */
export function wideTable(names: readonly string[], all: readonly WideRow[]): string {
  const said = [...names.keys()].filter((i) => all.some(({ cells }) => cells[i] !== nothing));
  const heads = said.map((i) => names[i]);
  const rows = all.map(({ own, cells }) => ({ own, cells: said.map((i) => cells[i]) }));
  const named = ({ own, cells }: WideRow) =>
    `<tr${own ? ' class="own-row"' : ''}>${cells.map((cell, i) => cell.replace('<td', `<td data-head="${escapeHtml(heads[i])}"`)).join('')}</tr>`;
  return (
    `<div class="card scroll"><table class="results wide"><thead><tr>${heads.map((head) => `<th>${escapeHtml(head)}</th>`).join('')}</tr></thead>` +
    `<tbody>${rows.map(named).join('')}</tbody></table></div>`
  );
}
