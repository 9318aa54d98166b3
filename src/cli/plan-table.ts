import type { Dataset } from '../data/dataset.js';
import type { DistillationPlan } from '../runs/plan/plan.js';
import { bytesText, count, duration, flopText, saidOf, wrapped } from '../util/words.js';
import { flagOf } from './options.js';
import { planText } from './run.js';

/** Columns of a terminal that is not said to be wider. */
const width = 80;
const figures = 10;

/** A plan for people. */
export function planTable(plan: DistillationPlan, data: Pick<Dataset, 'classes' | 'text'>): string {
  const { options, engine, device, host, disk, memory, lacks } = plan;
  const { realData, state, networks, trajectory, batches, work, tables, validation, total, test } = device;
  return [
    ...hanging(`Engine: ${engine.description}`),
    ...hanging(`Plan: ${planText(options, data.classes, data)}`),
    '',
    'On the device',
    row(realData, 'training split'),
    row(state, 'state of the run: what is learned, its update rules, pools'),
    row(networks, 'networks of an outer step'),
    row(trajectory, 'kept for the way back: parameters of inner steps'),
    row(batches, 'kept for the way back: batches of inner steps'),
    row(work, 'activations, gradients and scratch'),
    row(tables, saidOf(data, 'schedules, labels, decoded images')),
    row(validation, 'validation split, and looking at it'),
    row(total, 'all of it, while it distils'),
    row(test, 'the test at the end, after that was given back'),
    '',
    'Memory of the machine',
    row(memory.needed, `needed from now on; passing copies are ${bytesText(host.passing)} of it`),
    row(
      memory.available,
      `available of ${bytesText(memory.total)}${memory.limited ? ', the limit of a control group' : ''}`,
    ),
    row(host.dataset, saidOf(data, 'taken already by training and validation images')),
    '',
    'Disk',
    row(disk.total, `at most: checkpoint ${bytesText(disk.checkpoint)}, twice while it is replaced;`),
    row('', `set ${bytesText(disk.set)}; pictures and page about ${bytesText(disk.pages)}`),
    row(disk.free, 'free'),
    ...(disk.used ? [row(disk.used, 'of files of a run that lies there, which are replaced')] : []),
    '',
    'Work',
    ...workRows(plan),
    '',
    ...(lacks.length ? misfit(plan) : ['It fits.']),
    '',
  ].join('\n');
}

const row = (value: number | string, text: string): string => {
  const shown = typeof value === 'number' ? bytesText(value) : value;
  return `  ${shown.padStart(figures)}  ${text}`.trimEnd();
};

function workRows({ options, flops, looks, time }: DistillationPlan): string[] {
  const took = (seconds?: number) => (seconds === undefined ? '' : `, ${shortDuration(seconds)}`);
  const about = (seconds?: number) => (seconds === undefined ? '' : `, about ${duration(seconds)}`);
  const rows = [
    row(flopText(flops.step), `an outer step${took(time?.step)}; there are ${count(options.iterations)}`),
    row(flopText(flops.look), `a look at the validation split${took(time?.look)}; there are ${count(looks)}`),
    row(flopText(flops.total), `all of these${about(time?.total)}`),
    ...(flops.test ? [row(flopText(flops.test), `the test at the end${about(time?.test)}`)] : []),
  ];
  if (!time) return [...rows, row('', 'not timed')];
  const how =
    time.timedShare === 1
      ? 'by whole outer steps that were timed'
      : `by ${(100 * time.timedShare).toPrecision(2)} % of an outer step that was timed`;
  return [...rows, row('', how)];
}

/** `12.3 ms`, or as `duration` has it. */
const shortDuration = (seconds: number): string =>
  seconds < 1 ? `${(1000 * seconds).toPrecision(3)} ms` : duration(seconds);

function misfit({ lacks, remedies }: DistillationPlan): string[] {
  const ways = remedies.map(({ options, needed, spare }) => {
    const flags = Object.entries(options).map(([name, value]) => `${flagOf(name)} ${value}`);
    return `  ${flags.join(' ').padEnd(28)}  needs ${bytesText(needed)}, which leaves ${bytesText(spare)}`;
  });
  return [
    ...lacks.flatMap((lack) => hanging(`It does not fit: ${lack}.`)),
    ...(ways.length
      ? [`It fits with ${remedies.length === 1 ? 'this' : 'any of these'}:`, ...ways]
      : [`No option that was tried makes it fit.`]),
  ];
}

/** A line in as many as it takes, those behind the first indented. */
export const hanging = (text: string): string[] => wrapped(text, width, 0, 2);
