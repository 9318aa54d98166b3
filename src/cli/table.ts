import type { Evaluation } from '../eval/evaluate.js';
import { accuracyText } from '../report/record.js';

/** Test accuracies side by side, for a terminal. */
export function accuracyTable(
  images: number,
  { accuracy, baselines }: Pick<Evaluation, 'accuracy' | 'baselines'>,
): string {
  const rows = [
    ['trained on', 'test accuracy', 'runs', 'inner learning rate'],
    [`${images} distilled images`, accuracyText(accuracy), String(accuracy.networks), 'learned'],
    ...Object.values(baselines).map((baseline) => [
      `${images} ${baseline.title}`,
      accuracyText(baseline),
      String(baseline.networks),
      `${baseline.learningRate} (best on validation)`,
    ]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map(
      ([name, value, networks, rate]) =>
        `  ${name.padEnd(widths[0])}  ${value.padStart(widths[1])}  ${networks.padStart(widths[2])}  ${rate}`,
    )
    .join('\n');
}
