import {
  type Theory,
  type TheoryOptions,
  theory,
  theoryGoals,
  theoryWays,
} from '../analysis/theory/theory.js';
import { exponentText, goalNames, theoryPage, wayNames } from '../report/theory-page.js';
import { checkWritable } from '../util/atomic-file.js';
import { LimbeckError } from '../util/errors.js';
import { count, flagOf } from '../util/words.js';
import type { Values } from './arguments.js';
import type { Kind } from './kinds.js';
import type { Option } from './options.js';
import { aligned } from './table.js';
import { setsOptions, showing } from './with-sets.js';

const lists = ['d', 'r', 'width'] as const;

/** The analysis that looks at no files. */
export const theoryKind: Kind = {
  summary: 'without files: how much memory targets of few directions take',
  options: [...lists, 'activation', 'link', 'error', 'seeds'],
};

export const theoryOptions: readonly Option[] = [
  { name: 'd', kind: 'numbers', value: 'N,…', help: 'dimensions of the inputs', fallback: '16,32,64' },
  {
    ...{ name: 'r', kind: 'numbers', value: 'N,…' },
    ...{ help: 'directions that the target depends on', fallback: '2,3,4,6,8' },
  },
  { name: 'width', kind: 'numbers', value: 'N,…', help: 'of the network', fallback: '128,192,256' },
  {
    ...{ name: 'activation', kind: 'text', value: 'tanh|relu' },
    ...{ help: 'of the network', fallback: 'tanh' },
  },
  {
    ...{ name: 'link', kind: 'text', value: 'saddle|sphere' },
    ...{ help: 'whether the target bends both ways or one', fallback: 'saddle' },
  },
  {
    ...{ name: 'error', kind: 'number', value: 'PERCENT' },
    ...{ help: 'test error that is wanted, of the variance', fallback: '25' },
  },
  { name: 'seeds', kind: 'whole', least: 1, value: 'N', help: 'tasks of each size', fallback: '3' },
];

/** What an analysis without files takes of the options that all have. */
const kept = ['json', 'debug', 'help'];

/** The status of the command; `given` are the values of its own options. */
export async function analyseTheory(
  values: Values,
  given: Values,
  paths: readonly string[],
): Promise<number> {
  if (paths.length)
    throw new LimbeckError(
      'ERR_OPTION',
      `analyse theory is given ${paths[0]}, and looks at no files: limbeck analyse theory --out theory.html`,
    );
  const other = setsOptions.find(({ name }) => name in values && !kept.includes(name));
  if (other)
    throw new LimbeckError(
      'ERR_OPTION',
      `${flagOf(other.name)} is ${values[other.name]}, which analyse theory does not have: leave it out`,
    );
  const out = values.out as string | undefined;
  if (out !== undefined) await checkWritable(out);
  const listed = Object.fromEntries(
    lists.flatMap((name) => (name in given ? [[name, [given[name]].flat()]] : [])),
  );
  return showing(values, async ({ signal, say }) => {
    const found = await theory({
      ...(given as TheoryOptions),
      ...listed,
      signal,
      onProgress: ({ stage, done, total }) => say(`${done + 1}/${total} ${stage}`),
    });
    return { found: { theory: found }, table: theoryTable(found), page: () => theoryPage(found) };
  });
}

/** For a terminal: what the middle size needs, and the exponents. */
function theoryTable({
  base,
  needed,
  exponents,
  error,
  all,
  random,
  link,
  activation,
  seeds,
}: Theory): string {
  const rows = theoryWays.flatMap((way) =>
    theoryGoals.map((goal) => {
      const { points, numbers } = needed.find(
        (one) => one.way === way && one.goal === goal && lists.every((name) => one[name] === base[name]),
      )!;
      return [
        wayNames[way],
        goalNames[goal],
        points ? `${points.mean.toFixed(1)} ± ${points.std.toFixed(1)}` : '–',
        numbers ? count(numbers.mean) : '–',
        ...lists.map((of) =>
          exponentText(exponents.find((one) => one.of === of && one.way === way && one.goal === goal)!),
        ),
      ];
    }),
  );
  const head = ['points', 'asked', 'how many', 'numbers', 'exponent of d', 'of r', 'of width'];
  const pairs = random.map(({ points, learned }) => [
    count(points),
    `${learned.mean.toFixed(1)} ± ${learned.std.toFixed(1)} %`,
  ]);
  return [
    `${link}, ${activation}, d ${base.d}, r ${base.r}, width ${base.width}, ${seeds} seeds; all data teach a test error of ${all.mean.toFixed(1)} % of the variance, wanted are ${error} %`,
    aligned([head, ...rows], [2, 3, 4, 5, 6]),
    '',
    `${count(base.width)} numbers of the second layer come on top. Random pairs in the place of points, second layer learned from labels:`,
    aligned([['pairs', 'test error'], ...pairs], [0, 1]),
  ].join('\n');
}
