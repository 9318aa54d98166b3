import type { Agreed } from '../analysis/agreement.js';
import type { NamedSet } from '../analysis/sets.js';
import type { Dataset } from '../data/dataset.js';
import type { Analysis } from '../report/analysis-page.js';
import { influenceByItem } from '../report/influence-section.js';
import { accuracyText } from '../runs/record.js';
import { count, short } from '../util/words.js';
import { aligned } from './table.js';

const agreedText = (agreed?: Agreed): string =>
  agreed ? `${accuracyText(agreed.same)} (${agreed.gap.toFixed(1)} apart)` : '–';

/** What was found about sets, for a terminal. */
export function analysisTable(
  { recognise, curvature, mix, agreement, influence }: Analysis,
  { classNames, test }: Dataset,
  all: readonly NamedSet[],
): string {
  const numbers = ([head, ...rows]: string[][]) => aligned([head, ...rows], [...head.keys()]);
  const rowsOf = (first: readonly number[], cells: (i: number) => string[]) =>
    first.map((one, i) => [count(one), ...cells(i)]);
  if (recognise) {
    const { steps, real, sets } = recognise;
    const all = [{ name: 'real images', accuracy: real }, ...sets];
    const cells = (i: number) => all.map(({ accuracy }) => accuracyText(accuracy[i]));
    return numbers([['steps', ...all.map(({ name }) => name)], ...rowsOf(steps, cells)]);
  }
  if (mix) {
    const heads = mix.sets.flatMap(({ name }) => [name, `random for ${name}`]);
    const cells = (i: number) =>
      mix.sets.flatMap(({ accuracy, control }) => [accuracyText(accuracy[i]), accuracyText(control[i])]);
    return `${mix.protocol}\n${numbers([['added per class', ...heads], ...rowsOf(mix.added, cells)])}`;
  }
  if (agreement)
    return aligned(
      [
        ['networks of', 'test accuracy', 'like stopped early', 'like few real images', 'like one another'],
        ...agreement.sets.map(({ name, accuracy, early, few, itself }) => [
          name,
          accuracyText(accuracy),
          ...[early, few, itself].map(agreedText),
        ]),
      ],
      [1, 2, 3, 4],
    );
  if (influence)
    return influence
      .map((found, i) => {
        const items = influenceByItem(found, all[i].set.classes, test.labels);
        const numbers = items.map(({ item, class: k, own, others }) => [
          String(item),
          classNames[k],
          short(own),
          short(others),
        ]);
        const head = ['image', 'class', 'in its class', 'in others'];
        return `${all[i].name}: a network that learned from all of them is right on ${found.accuracy.toFixed(1)} % of the test images; without an image their losses rise by, in the mean:\n${aligned([head, ...numbers], [0, 2, 3])}`;
      })
      .join('\n\n');
  const { steps, losses } = curvature!;
  const cells = (i: number) =>
    losses.flatMap(({ trace, largest }) => [
      `${short(trace[i].trace)} ± ${short(trace[i].error)}`,
      short(largest[i]),
    ]);
  const heads = losses.flatMap(({ name }) => [`trace, ${name}`, 'largest']);
  return numbers([['steps', ...heads], ...rowsOf(steps, cells)]);
}
