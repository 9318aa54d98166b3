import { type Cost, together } from '../engine/profile.js';
import type { StepProfile } from '../runs/profile-step.js';
import { count, counted } from '../util/words.js';
import { aligned } from './table.js';

/** What was measured, and what there is to say about it. */
interface TitledProfile extends StepProfile {
  readonly engine: string;
  /** What the step does, for people. */
  readonly plan: string;
}

const longest = { kernels: 10, shapes: 20 };

const three = (value: number) => (value < 99.95 ? value.toPrecision(3) : count(value));
const percent = (part: number, digits = 0) => `${(100 * part).toFixed(digits)} %`;

/** For a terminal: what was measured, then the kernels, then the kernels by shape. */
export function profileText(step: TitledProfile, everything: boolean): string {
  const { engine, plan, peak, memory, runs, milliseconds, run, timedRun } = step;
  const [one, all] = [0, 1].map((i) => [peak.flops[i], peak.bytes[i]].map((rate) => three(rate / 1e9)));
  const mebibytes = (bytes: number) => `${three(bytes / 2 ** 20)} MiB`;
  const rows = (costs: readonly Row[], most: number) =>
    table(step, costs, everything ? costs.length : Math.min(most, costs.length));
  return [
    `Engine: ${engine}`,
    `Peak:   ${all[0]} GFLOP/s, ${all[1]} GB/s from memory; one thread ${one[0]} GFLOP/s, ${one[1]} GB/s`,
    `Step:   ${plan}`,
    `        ${counted(step.calls, 'op')}, ${three(step.flops / 1e9)} GFLOP, ${mebibytes(memory.temporary)} planned beside ${mebibytes(memory.external)} of tensors`,
    `Time:   median ${three(run.median)} ms, best ${three(run.min)} ms; with every op timed ${three(timedRun.median)} and ${three(timedRun.min)} ms`,
    `Rows:   every op in the fastest of its ${counted(runs, 'run')}, ${three(milliseconds)} ms together`,
    '',
    rows(step.kernels, longest.kernels),
    '',
    rows(step.shapes, longest.shapes),
    '',
  ].join('\n');
}

type Row = Cost & { readonly kernel: string; readonly shape?: string };

/** The first `most` rows, the others in one, all in one. */
function table(whole: TitledProfile, rows: readonly Row[], most: number): string {
  const cells = (name: string, cost: Cost, shape = '') => [
    name,
    count(cost.calls),
    cost.milliseconds.toFixed(3),
    percent(cost.share, 1),
    cost.gigaflopsPerSecond.toFixed(1),
    percent(cost.ofPeak),
    cost.gigabytesPerSecond.toFixed(1),
    percent(cost.ofMemory),
    cost.limit,
    shape,
  ];
  const shapes = rows.some(({ shape }) => shape) ? 'shapes' : '';
  const others = rows.slice(most);
  return aligned(
    [
      ['kernel', 'calls', 'ms', 'share', 'GFLOP/s', 'of peak', 'GB/s', 'of memory', 'limit', shapes],
      ...rows.slice(0, most).map((row) => cells(row.kernel, row, row.shape)),
      ...(others.length ? [cells(`${count(others.length)} more`, together(others, whole, whole.peak))] : []),
      cells('all', whole),
    ],
    [1, 2, 3, 4, 5, 6, 7],
  );
}
