import type { Evaluation } from '../eval/evaluate.js';
import type { Accuracy } from '../eval/statistics.js';
import { accuracyText } from '../runs/record.js';

/** Test accuracies side by side, for a terminal: of what is `stored`, and of as many real `images`. */
export function accuracyTable(
  stored: string,
  images: number,
  {
    accuracy,
    baselines,
    learningRate = 'learned',
  }: Pick<Evaluation, 'accuracy' | 'baselines'> & Partial<Pick<Evaluation, 'learningRate'>>,
): string {
  const rows = [
    ['trained on', 'test accuracy', 'runs', 'learning rate'],
    [stored, accuracyText(accuracy), String(accuracy.networks), String(learningRate)],
    ...Object.values(baselines).map((baseline) => [
      `${images} ${baseline.title}`,
      accuracyText(baseline),
      String(baseline.networks),
      baseline.learningRate === undefined ? '–' : String(baseline.learningRate),
    ]),
  ];
  return aligned(rows, [1, 2]);
}

/** Accuracies by architecture: one row each, one column for the distilled images and for each baseline. */
export function networksTable(
  own: string,
  { accuracy, learningRate, baselines, others }: Evaluation,
): string {
  const names = Object.keys(others[0]?.baselines ?? {});
  const cells = (of: Readonly<Record<string, Accuracy>>) => names.map((name) => accuracyText(of[name]));
  const rows = [
    ['network', 'distilled images', 'learning rate', ...names.map((name) => others[0].baselines[name].title)],
    [`${own} (made for it)`, accuracyText(accuracy), String(learningRate), ...cells(baselines)],
    ...others.map((one) => [
      one.network,
      accuracyText(one.accuracy),
      String(one.learningRate),
      ...cells(one.baselines),
    ]),
  ];
  return aligned(rows, [...rows[0].keys()].slice(1));
}

/** The accuracy of each class. */
export function perClassTable(classNames: readonly string[], perClass: readonly number[]): string {
  const rows = classNames.map((name, k) => [name, `${perClass[k].toFixed(1)} %`]);
  return aligned([['class', 'distilled images'], ...rows], [1]);
}

/** Rows in columns; those named are flush right. */
export function aligned(rows: readonly (readonly string[])[], right: readonly number[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const cell = (text: string, column: number) =>
    right.includes(column) ? text.padStart(widths[column]) : text.padEnd(widths[column]);
  return rows.map((row) => `  ${row.map(cell).join('  ')}`.trimEnd()).join('\n');
}
