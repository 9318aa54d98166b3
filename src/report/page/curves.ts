import type { DistilledSet, LearnedSteps } from '../../data/distilled-set.js';
import type { RunRecord } from '../../runs/record.js';
import { saidOf } from '../../util/words.js';
import { lineChart } from '../figure.js';

/** How the run went: loss, validation accuracy, and learned rates where there are any. */
export function curvesSection({ curve, best, dataset }: RunRecord, set: DistilledSet): string {
  const marks = curve.length <= 30;
  const xLabel = 'outer steps';
  const along = (value: (point: RunRecord['curve'][number]) => number) =>
    curve.map((point) => [point.iteration, value(point)] as const);
  const loss = lineChart({
    title: 'Loss over outer steps',
    xLabel,
    yLabel: saidOf(dataset, 'loss on real images'),
    series: [{ name: 'loss', points: along(({ loss }) => loss) }],
    logarithmicFrom: 10,
    marks,
    wholeX: true,
    fromZero: true,
  });
  const accuracy = lineChart({
    title: 'Validation accuracy over outer steps',
    xLabel,
    yLabel: 'validation accuracy, %',
    percent: true,
    series: [{ name: 'validation accuracy', points: along(({ validationAccuracy }) => validationAccuracy) }],
    highlight: curve.length
      ? {
          x: best.iteration,
          y: best.validationAccuracy,
          text: `best ${best.validationAccuracy.toFixed(1)} %`,
        }
      : undefined,
    reference: { y: 100 / dataset.classNames.length, text: 'guessing' },
    marks,
    wholeX: true,
    fromZero: true,
  });
  const card = (title: string, chart: string) => `<div class="card"><h3>${title}</h3>${chart}</div>`;
  return (
    '<section><h2>How it was learned</h2><p class="about">The result is the set with the best validation accuracy; ' +
    `the test ${saidOf(dataset, 'images')} played no part in choosing it.</p><div class="charts">` +
    card('Loss', loss) +
    card('Validation accuracy', accuracy) +
    (set.use.kind === 'learned-steps' ? rateCards(curve, set.use, card) : '') +
    '</div></section>'
  );
}

/** The inner learning rates that were learned along the way. */
function rateCards(
  curve: RunRecord['curve'],
  { learningRates: rates, steps, epochs }: LearnedSteps,
  card: (title: string, chart: string) => string,
): string {
  const T = rates.length;
  const rateTime = lineChart({
    title: 'Inner learning rates over outer steps',
    xLabel: 'outer steps',
    yLabel: 'inner learning rate',
    series: Array.from({ length: T }, (_, t) => ({
      name: T < steps * epochs ? 'every inner step' : `inner step ${t + 1}`,
      points: curve.map(({ iteration, learningRates }) => [iteration, learningRates![t]] as const),
      strength: T > 1 ? 1 - (0.5 * t) / (T - 1) : 1,
    })),
    logarithmicFrom: 20,
    wholeX: true,
    fromZero: true,
  });
  const rateStep = lineChart({
    title: 'Inner learning rate of each inner step',
    xLabel: 'inner step',
    yLabel: 'inner learning rate',
    series: [{ name: 'inner learning rate', points: Array.from(rates, (rate, t) => [t + 1, rate] as const) }],
    marks: T <= 60,
    wholeX: true,
  });
  return (
    card('Inner learning rates in the result', rateStep) +
    card(
      `Inner learning rates over time${T > 1 ? ' <span style="color:var(--soft);font-weight:400">(later ones fainter)</span>' : ''}`,
      rateTime,
    )
  );
}
