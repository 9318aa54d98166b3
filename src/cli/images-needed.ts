import type { ImagesNeeded, LearningCurve } from '../analysis/learning-curve.js';
import { accuracyText } from '../runs/record.js';
import { LimbeckError } from '../util/errors.js';
import { count, short } from '../util/words.js';
import type { Values } from './arguments.js';
import type { Option } from './options.js';
import { hanging } from './plan-table.js';
import { aligned } from './table.js';

const group = 'How many images are enough (trains short runs; the other options say how)';

/** What `limbeck plan --accuracy` takes beside the options of a run. */
export const accuracyOptions: readonly Option[] = [
  {
    ...{ group, name: 'accuracy', kind: 'number', value: 'PERCENT' },
    help: 'accuracy on the validation split that is wanted: how many distilled images it takes',
  },
  {
    ...{ group, name: 'sizes', kind: 'numbers', value: 'N,…' },
    help: 'images a class of the sets that are distilled',
    fallback: '1,2,4,8',
  },
  {
    ...{ group, name: 'budget', kind: 'text', value: 'TIME' },
    help: 'for distilling them, in equal shares of what is left: 90s, 20m, 2h',
    fallback: '2m',
  },
];

/** Refuses options of the other kind of plan. */
export function checkKindOfPlan(values: Values): void {
  const asked = values.accuracy !== undefined;
  const others = asked ? ['ipc', 'memory', 'untimed', 'out'] : ['sizes', 'budget'];
  const wrong = others.find((name) => values[name] !== undefined);
  if (wrong)
    throw new LimbeckError(
      'ERR_OPTION',
      asked
        ? `--${wrong} does not go with --accuracy${wrong === 'ipc' ? ', which tries several sizes: name them by --sizes' : ': leave it out'}`
        : `--${wrong} goes with --accuracy: say how accurate networks shall be, or leave it out`,
    );
}

/** A learning curve for people. */
export function curveTable(curve: LearningCurve): string {
  const { points, all, accuracy, distilled, random, worthwhile } = curve;
  const rows = points.map((point) => [
    count(point.ipc),
    accuracyText(point.distilled),
    accuracyText(point.random),
    count(point.outerSteps),
  ]);
  const head = ['images a class', 'distilled', 'random real', 'outer steps'];
  const wanted = `${short(accuracy)} %`;
  const verdict = worthwhile
    ? `For ${wanted} it takes ${needed(distilled)} distilled images a class; of random real ones ${needed(random)}.`
    : distilled || random
      ? `Random real images do as well here: for ${wanted} it takes ${needed(random)} of them a class, and ${needed(distilled)} distilled ones.`
      : `No number of images that there is reaches ${wanted}, by these runs.`;
  const out =
    accuracy >= all.mean
      ? [`All training images teach ${short(all.mean)} % in these epochs: ask for less.`]
      : [];
  const open =
    'Ranges hold 80 % of what these measurements leave open, if errors fall on as a power of the number of images. Longer runs make better sets, which need fewer.';
  return [
    ...hanging(
      `On the validation split, ${points[0].distilled.networks} networks each; all training images teach ${accuracyText(all)}.`,
    ),
    '',
    aligned([head, ...rows], [1, 2, 3]),
    '',
    ...[verdict, ...out, open].flatMap(hanging),
    '',
  ].join('\n');
}

/** About 12 (8 to 19) */
function needed(images: ImagesNeeded | undefined): string {
  if (!images) return 'more than there are';
  const whole = (size: number) => count(Math.max(1, Math.ceil(size)));
  const { low, median, high } = images;
  const range = `${whole(low)} ${high === undefined ? 'or more' : `to ${whole(high)}`}`;
  return `about ${whole(median)} (${range})`;
}
