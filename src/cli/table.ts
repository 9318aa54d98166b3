import type { AttackScores } from '../eval/attack.js';
import type { Evaluation } from '../eval/evaluate.js';
import type { Rate } from '../eval/protocol.js';
import type { Accuracy } from '../eval/statistics.js';
import { baselineText, type Tested, verdict } from '../eval/verdict.js';
import { accuracyText, classText, testErrorText } from '../runs/record.js';

const rateText = (rate: Rate) => (rate === 'none' ? '–' : String(rate));

/**
 * Test accuracies side by side, for a terminal: of what is `stored`, and of real images. Below it, what is to be said where
 * the set is not worth its making.
 */
export function accuracyTable(
  stored: string,
  tested: Tested & Partial<Pick<Evaluation, 'learningRate'>>,
): string {
  const { accuracy, baselines, baselineImages, learningRate = 'learned' } = tested;
  const rowOf = (name: string, measured: Accuracy, rate: Rate = 'none') => [
    name,
    accuracyText(measured),
    testErrorText(measured, tested.images),
    String(measured.networks),
    rateText(rate),
  ];
  const rows = [
    ['trained on', 'test accuracy', 'by test split', 'runs', 'learning rate'],
    rowOf(stored, accuracy, learningRate),
    ...Object.values(baselines).map((one) => rowOf(baselineText(one, baselineImages), one, one.learningRate)),
  ];
  const said = verdict(tested);
  const attacked = tested.attack ? `\n\n${attackTable(stored, tested.attack, tested)}` : '';
  return `${aligned(rows, [1, 2, 3])}${attacked}${said ? `\n\n${said}` : ''}`;
}

/** How far networks are misled: of the attacked class, and of the others. */
function attackTable(stored: string, attack: AttackScores, { baselines, baselineImages }: Tested): string {
  const rowOf = (name: string, { taken, others }: AttackScores) => [
    name,
    accuracyText(taken),
    accuracyText(others),
  ];
  const beside = Object.values(baselines).flatMap((one) =>
    one.attack ? [rowOf(baselineText(one, baselineImages), one.attack)] : [],
  );
  const head = ['trained on', 'attacked class taken for the target', 'others right'];
  return aligned([head, rowOf(stored, attack), ...beside], [1, 2]);
}

/** Accuracies by architecture: one row each, one column for the `images` and for each baseline. */
export function networksTable(
  own: string,
  images: string,
  { accuracy, learningRate, baselines, others }: Evaluation,
): string {
  const names = Object.keys(others[0]?.baselines ?? {});
  const cells = (of: Readonly<Record<string, Accuracy>>) => names.map((name) => accuracyText(of[name]));
  const rows = [
    ['network', images, 'learning rate', ...names.map((name) => others[0].baselines[name].title)],
    [`${own} (made for it)`, accuracyText(accuracy), rateText(learningRate), ...cells(baselines)],
    ...others.map((one) => [
      one.network,
      accuracyText(one.accuracy),
      rateText(one.learningRate),
      ...cells(one.baselines),
    ]),
  ];
  return aligned(rows, [...rows[0].keys()].slice(1));
}

/** The accuracy of each class. */
export function perClassTable(
  classNames: readonly string[],
  images: string,
  perClass: readonly (number | null)[],
): string {
  const rows = classNames.map((name, k) => [name, classText(perClass[k])]);
  return aligned([['class', images], ...rows], [1]);
}

/** Rows in columns; those named are flush right. */
export function aligned(rows: readonly (readonly string[])[], right: readonly number[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const cell = (text: string, column: number) =>
    right.includes(column) ? text.padStart(widths[column]) : text.padEnd(widths[column]);
  return rows.map((row) => `  ${row.map(cell).join('  ')}`.trimEnd()).join('\n');
}
