import { summarise } from '../../eval/statistics.js';
import { breathe } from '../../util/breathe.js';
import { LimbeckError } from '../../util/errors.js';
import { expectOptions, shown } from '../../util/expect.js';
import { powerOf } from '../../util/power-law.js';
import { seedWords } from '../../util/random.js';
import { wholeFrom } from '../sets.js';
import { gradientOf, matched, mismatch, oneStep, solveLabels } from './points.js';
import { activations, links, streams, type Task, TwoLayer } from './two-layer.js';

/** What is tried; each has a default. */
export interface TheoryOptions {
  /** Dimensions of the inputs; default 16, 32, 64. Each list is tried at the middle values of the others. */
  readonly d?: readonly number[];
  /** Directions that the target depends on; default 2, 3, 4, 6, 8. */
  readonly r?: readonly number[];
  /** Widths of the network, even; default 128, 192, 256. */
  readonly width?: readonly number[];
  /** Of the network; default `tanh`. */
  readonly activation?: 'tanh' | 'relu';
  /** Whether the target bends up along every other direction and down along the rest (`saddle`, default), or up along all (`sphere`). */
  readonly link?: 'saddle' | 'sphere';
  /** The test error that is wanted, percent of the variance of the labels; default 25. */
  readonly error?: number;
  /** Tasks of each size, drawn from seeds of their own; default 3. */
  readonly seeds?: number;
  /** Of everything random; default 0. */
  readonly seed?: number;
  /** Stops; the promise then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** Before every task. */
  readonly onProgress?: ((event: { stage: string; done: number; total: number }) => void) | undefined;
}

const known = {
  ...{ d: true, r: true, width: true, activation: true, link: true, error: true, seeds: true, seed: true },
  ...{ signal: true, onProgress: true },
} satisfies Record<keyof TheoryOptions, true>;

/** A mean over seeds, and the sample standard deviation. */
export interface Spread {
  /** Over the seeds. */
  readonly mean: number;
  /** 0 of one seed. */
  readonly std: number;
}

/** How places of distilled points come about; their labels are solved for. `matched`: by gradient matching to the end. `oneStep`: by its first step. `projected`: that, without what lies outside of the target's subspace. */
export type TheoryWay = 'matched' | 'oneStep' | 'projected';
export const theoryWays: readonly TheoryWay[] = ['matched', 'oneStep', 'projected'];

/**
 * What may be asked of the first layer.
 *
 * - `gradient`: nine tenths of the gradient's squared norm are matched.
 * - `kept`: the test error of a student that is given the second layer, `width` numbers, of the network that learned from all data.
 * - `learned`: the test error of a student that learns its second layer, from `width` labels at inputs drawn from a seed.
 */
export type TheoryGoal = 'gradient' | 'kept' | 'learned';
export const theoryGoals: readonly TheoryGoal[] = ['gradient', 'kept', 'learned'];

/** So many points, `[seeds]` of each in the mean. */
export interface TheoryPoint {
  /** Distilled pairs for the first layer. */
  readonly points: number;
  /** Those stored: d + 1 a point, and one for each neuron. */
  readonly numbers: number;
  /** |P x| / |x|, P projecting onto what the target depends on. */
  readonly alignment: Spread;
  /** Percent of the gradient's squared norm that is not matched. */
  readonly gradient: Spread;
  /** Test error, percent of the variance. */
  readonly kept: Spread;
  /** Test error, percent of the variance. */
  readonly learned: Spread;
}

/** More and more points. */
export interface TheoryCurve {
  /** How their places come about. */
  readonly way: TheoryWay;
  /** From few to many. */
  readonly points: readonly TheoryPoint[];
}

/** How large a task is. */
export interface TheorySize {
  /** Dimensions of the inputs. */
  readonly d: number;
  /** Directions that the target depends on. */
  readonly r: number;
  /** Of the network. */
  readonly width: number;
}

/** What one size of a task needs. */
export interface TheoryNeeded extends TheorySize {
  /** How the places come about. */
  readonly way: TheoryWay;
  /** What is asked. */
  readonly goal: TheoryGoal;
  /** Points, interpolated between the numbers that were tried; left out where a seed does not get there. */
  readonly points?: Spread;
  /** Numbers of the points, d + 1 each; those of the second layer come on top. */
  readonly numbers?: Spread;
}

/** The numbers that points need, as a power of one size; left out where fewer than two sizes get there. */
export interface TheoryExponent {
  /** The size that is swept. */
  readonly of: 'd' | 'r' | 'width';
  /** How the places come about. */
  readonly way: TheoryWay;
  /** What is asked. */
  readonly goal: TheoryGoal;
  /** 2 where twice the size takes four times the numbers. */
  readonly exponent?: number;
  /** Its standard error. */
  readonly error?: number;
}

/** How many numbers it takes to store what a network of two layers learns of a target of few directions. */
export interface Theory {
  /** Of the network. */
  readonly activation: 'tanh' | 'relu';
  /** Which ways the target bends. */
  readonly link: 'saddle' | 'sphere';
  /** The test error that was wanted, percent of the variance. */
  readonly error: number;
  /** Tasks of each size. */
  readonly seeds: number;
  /** The middle size. */
  readonly base: TheorySize;
  /** At the middle size: what the network reaches whose first layer learned from all data. */
  readonly all: Spread;
  /** At the middle size, by way. */
  readonly curves: readonly TheoryCurve[];
  /** At the middle size: random pairs in the place of distilled points; the second layer learns from labels. */
  readonly random: readonly Pick<TheoryPoint, 'points' | 'numbers' | 'learned'>[];
  /** By size, way and goal. */
  readonly needed: readonly TheoryNeeded[];
  /** By size that is swept, way and goal. */
  readonly exponents: readonly TheoryExponent[];
}

/** What a task does with so many points. */
interface Look extends Record<TheoryGoal, number> {
  readonly points: number;
  readonly alignment: number;
}

/** By way, `[looks]`; what all data teach, percent. */
interface Walked {
  readonly all: number;
  readonly ways: Readonly<Record<TheoryWay, readonly Look[]>>;
}

const matchingSteps = 100;
/** Percent of the gradient that may be left. */
const leastMatched = 10;
const randomPairs = [64, 256, 1024, 4096, 16384];

const spread = (values: readonly number[]): Spread => {
  const { mean, std } = summarise(values);
  return { mean, std };
};

/**
 * How much memory distilled data take that teach a network of two layers a target y = g(Bᵀx) of few directions (after Kinoshita et al. 2026, arXiv 2603.14830,
 * whose bound is r² d + width up to logarithms): inputs of d normal numbers, a quadratic g of r directions. A few points stand for all data in the first layer's one gradient step, one number a neuron
 * for the second layer. All in float64, on the host; data are endless, for the gradient on them is known in closed form.
 *
 * @throws ERR_OPTION for options that are unknown or out of range
 */
export async function theory(options: TheoryOptions = {}): Promise<Theory> {
  expectOptions('theory', options, known);
  const {
    activation = 'tanh',
    link = 'saddle',
    error = 25,
    seeds = 3,
    seed = 0,
    signal,
    onProgress,
  } = options;
  oneOf('activation', activation, Object.keys(activations));
  oneOf('link', link, links);
  if (!(typeof error === 'number' && error > 0 && error < 50))
    throw new LimbeckError(
      'ERR_OPTION',
      `theory: error is ${shown(error)}, expected percent above 0 and below 50`,
    );
  wholeFrom('theory', 'seeds', seeds, 1);
  seedWords(seed);
  const lists = {
    d: sizes('d', options.d ?? [16, 32, 64], 2),
    r: sizes('r', options.r ?? [2, 3, 4, 6, 8], 1),
    width: sizes('width', options.width ?? [128, 192, 256], 2),
  };
  const middle = (list: readonly number[]) => list[list.length >> 1];
  const base = { d: middle(lists.d), r: middle(lists.r), width: middle(lists.width) };
  checkSizes(lists, base);
  const swept = (['d', 'r', 'width'] as const).map((of) => ({
    of,
    sizes: lists[of].map((size) => ({ ...base, [of]: size })),
  }));
  const nameOf = ({ d, r, width }: TheorySize) => `d ${d}, r ${r}, width ${width}`;
  const tasks = new Map(swept.flatMap((sweep) => sweep.sizes.map((size) => [nameOf(size), size] as const)));
  const total = tasks.size * seeds;
  const walked = new Map<string, Walked[]>();
  let done = 0;
  for (const [name, size] of tasks) {
    const own: Walked[] = [];
    for (let s = 0; s < seeds; s++) {
      onProgress?.({ stage: `${name}, seed ${seed + s}`, done: done++, total });
      own.push(
        await walk({ ...size, activation, link, seed: seed + s }, error, name === nameOf(base), signal),
      );
    }
    walked.set(name, own);
  }
  const reach = (size: TheorySize, way: TheoryWay, goal: TheoryGoal) =>
    walked.get(nameOf(size))!.map(({ ways }) => pointsNeeded(ways[way], goal, goalOf(goal, error)));
  const pairs = theoryWays.flatMap((way) => theoryGoals.map((goal) => ({ way, goal })));
  const ofBase = walked.get(nameOf(base))!;
  return {
    ...{ activation, link, error, seeds, base },
    all: spread(ofBase.map(({ all }) => all)),
    curves: theoryWays.map((way) => ({
      way,
      points: curveOf(
        ofBase.map(({ ways }) => ways[way]),
        base,
      ),
    })),
    random: await randomCurve({ ...base, activation, link, seed }, seeds, signal),
    needed: [...tasks.values()].flatMap((size) =>
      pairs.map(({ way, goal }) => {
        const points = reach(size, way, goal);
        const all = points.every((one) => one !== undefined);
        return {
          ...{ ...size, way, goal },
          ...(all && { points: spread(points), numbers: spread(points.map((one) => one * (size.d + 1))) }),
        };
      }),
    ),
    exponents: swept.flatMap(({ of, sizes: own }) =>
      pairs.map(({ way, goal }) => {
        const found = own.flatMap((size) => {
          const points = reach(size, way, goal);
          return points.every((one) => one !== undefined)
            ? points.map((one) => [size[of], one * (size.d + 1)] as const)
            : [];
        });
        const enough = new Set(found.map(([size]) => size)).size > 1;
        return { of, way, goal, ...(enough && powerOf(found)) };
      }),
    ),
  };
}

const goalOf = (goal: TheoryGoal, error: number) => (goal === 'gradient' ? leastMatched : error);

/**
 * More and more points by every way, until they have been enough for every goal, or are six times as many as r (r + 3) / 2. `learned` takes longest to
 * find out: unless all of it is asked for, it is NaN where fewer points were enough.
 */
async function walk(task: Task, error: number, whole: boolean, signal?: AbortSignal): Promise<Walked> {
  const { d, r } = task;
  const net = new TwoLayer(task);
  const second = net.secondLayer(net.gradient);
  const most = 3 * r * (r + 3);
  const places = oneStep(net, most);
  const inside = net.projected(places);
  const ways: Record<TheoryWay, Look[]> = { matched: [], oneStep: [], projected: [] };
  for (const way of theoryWays) {
    const looks = ways[way];
    const enough = (goal: TheoryGoal) => looks.some((look) => look[goal] <= goalOf(goal, error));
    // Half as many points as directions leave half of the gradient at least.
    for (let p = Math.max(1, r >> 1); p <= most; p = Math.max(p + 1, Math.round(1.2 * p))) {
      await breathe();
      signal?.throwIfAborted();
      const first = (way === 'projected' ? inside : places).slice(0, p * d);
      const own = way === 'matched' ? matched(net, first, matchingSteps) : first;
      const gradient = gradientOf(net, { places: own, labels: solveLabels(net, own) });
      const learns = whole || !enough('learned');
      looks.push({
        points: p,
        alignment: net.alignment(own),
        gradient: 100 * mismatch(net, gradient),
        kept: 100 * net.testError(gradient, second),
        learned: learns ? 100 * net.testError(gradient, net.fromLabels(gradient)) : Number.NaN,
      });
      if (theoryGoals.every(enough)) break;
    }
  }
  return { all: 100 * net.testError(net.gradient, second), ways };
}

/** Where what falls with the number of points first gets to `wanted`: between two numbers that were tried, along a power of them. */
export function pointsNeeded(
  looks: readonly ({ readonly points: number } & Readonly<Record<TheoryGoal, number>>)[],
  goal: TheoryGoal,
  wanted: number,
): number | undefined {
  const at = looks.findIndex((look) => look[goal] <= wanted);
  if (at < 1) return looks[at]?.points;
  const [before, here] = [looks[at - 1], looks[at]];
  const part = Math.log(before[goal] / wanted) / Math.log(before[goal] / here[goal]);
  return before.points * (here.points / before.points) ** part;
}

/** Means over seeds of what all of them tried. */
function curveOf(seeds: readonly (readonly Look[])[], { d, width }: TheorySize): TheoryPoint[] {
  return Array.from({ length: Math.min(...seeds.map(({ length }) => length)) }, (_, i) => {
    const of = (key: keyof Look) => spread(seeds.map((looks) => looks[i][key]));
    const { points } = seeds[0][i];
    return {
      ...{ points, numbers: points * (d + 1) + width, alignment: of('alignment') },
      ...{ gradient: of('gradient'), kept: of('kept'), learned: of('learned') },
    };
  });
}

/** A student whose first layer learns from random pairs. */
async function randomCurve(task: Task, seeds: number, signal?: AbortSignal): Promise<Theory['random']> {
  const { d, width, seed } = task;
  const errors = randomPairs.map((): number[] => []);
  for (let s = 0; s < seeds; s++) {
    const net = new TwoLayer({ ...task, seed: seed + s });
    for (const [i, n] of randomPairs.entries()) {
      await breathe();
      signal?.throwIfAborted();
      const { x, y } = net.sample(n, streams.randomPairs);
      const gradient = gradientOf(net, { places: x, labels: y });
      errors[i].push(100 * net.testError(gradient, net.fromLabels(gradient)));
    }
  }
  return randomPairs.map((points, i) => ({
    ...{ points, numbers: points * (d + 1) + width },
    learned: spread(errors[i]),
  }));
}

function oneOf(name: string, value: unknown, words: readonly string[]): void {
  if (words.includes(value as string)) return;
  throw new LimbeckError(
    'ERR_OPTION',
    `theory: ${name} is ${shown(value)}, expected one of ${words.join(', ')}`,
  );
}

/** One size or more, from small to large. */
function sizes(name: string, given: readonly number[], least: number): readonly number[] {
  if (!Array.isArray(given) || !given.length)
    throw new LimbeckError(
      'ERR_OPTION',
      `theory: ${name} is ${shown(given)}, expected a list of whole numbers`,
    );
  for (const one of given) wholeFrom('theory', name, one, least);
  return [...new Set(given)].sort((a, b) => a - b);
}

/** Directions must fit into the inputs, and neurons come in pairs. */
function checkSizes(
  { d, r, width }: Readonly<Record<'d' | 'r' | 'width', readonly number[]>>,
  base: TheorySize,
): void {
  const [most, least] = [r[r.length - 1], d[0]];
  if (most > base.d || base.r > least)
    throw new LimbeckError(
      'ERR_OPTION',
      `theory: r is ${most > base.d ? most : base.r} where d is ${most > base.d ? base.d : least}, expected no more directions than inputs have dimensions: ask for a smaller r or a larger d`,
    );
  const odd = width.find((one) => one % 2);
  if (odd !== undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      `theory: width is ${odd}, expected an even number: neurons come in pairs of opposite sign`,
    );
}
