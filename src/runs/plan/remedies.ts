import type { DistillOptions } from '../../methods/index.js';
import { keeps } from '../../train/hypergradient.js';
import { LimbeckError } from '../../util/errors.js';
import { findMethod, optionsText, type ResolvedOptions, type Taken, tableOf } from '../options.js';

/** Options with which a run fits that does not fit without them. */
export interface Remedy {
  /** What to give beside what was given. */
  readonly options: Taken;
  /** Bytes that it then needs of the machine's memory. */
  readonly needed: number;
  /** Bytes of what is available that it leaves. */
  readonly spare: number;
}

/** `keep sqrt, batch 64` */
export const remedyText = ({ options }: Remedy): string => optionsText(options);

/** What is asked of a plan. */
interface Outcome {
  readonly lacks: readonly string[];
  readonly memory: { readonly needed: number; readonly available: number };
}

/** Numbers that memory grows with, in the order in which a smaller one changes little of what is computed. */
const numbers = [
  'validationNetworks',
  'population',
  'batch',
  'innerBatch',
  'pool',
  'window',
  'innerSteps',
  'epochs',
  'ipc',
] as const;

/**
 * Options of the method that make a run fit. What is kept of inner steps comes first, since it changes no result but by rounding; then the
 * largest of halved numbers, each alone: of `images` in all, where an inner step has all of them. Where none of these does, numbers together with the `keep` that takes least.
 */
export async function findRemedies(
  given: DistillOptions,
  resolved: ResolvedOptions,
  plan: (options: DistillOptions) => Promise<Outcome>,
  { images, signal }: { readonly images: number; readonly signal?: AbortSignal },
): Promise<Remedy[]> {
  const table = tableOf(findMethod(resolved.method));
  /** The plan with other options; undefined where the method refuses them. */
  const tried = async (options: Taken) => {
    signal?.throwIfAborted();
    try {
      return { options, outcome: await plan({ ...given, ...options } as DistillOptions) };
    } catch (error) {
      if (error instanceof LimbeckError) return undefined;
      throw error;
    }
  };
  const remedyOf = (one: Awaited<ReturnType<typeof tried>>): Remedy[] => {
    if (!one || one.outcome.lacks.length) return [];
    const { needed, available } = one.outcome.memory;
    return [{ options: one.options, needed, spare: available - needed }];
  };
  /** What 0 stands for. */
  const all: Readonly<Record<string, number>> = { innerBatch: images };
  const keptOtherwise = 'keep' in table ? keeps.filter((keep) => keep !== resolved.keep) : [];
  const kept = [];
  for (const keep of keptOtherwise) kept.push(await tried({ keep }));
  const smaller = async (beside: Taken) => {
    const found: Remedy[] = [];
    for (const name of numbers)
      if (name in table) {
        const fits = async (value: number) => remedyOf(await tried({ ...beside, [name]: value }));
        found.push(...(await largest(halves((resolved[name] as number) || all[name] || 0), fits)));
      }
    return found;
  };
  const alone = [...kept.flatMap(remedyOf), ...(await smaller({}))];
  if (alone.length) return alone;
  const [least] = kept
    .flatMap((one) => one ?? [])
    .sort((a, b) => a.outcome.memory.needed - b.outcome.memory.needed);
  return least ? smaller(least.options) : [];
}

/** `value / 2`, `value / 4` … 1. */
function halves(value: number): number[] {
  const all: number[] = [];
  for (let half = Math.floor(value / 2); half >= 1; half = Math.floor(half / 2)) all.push(half);
  return all;
}

/** The remedy of the first value that fits, of values that take less and less; the last is tried first, for often none does. */
async function largest(
  values: readonly number[],
  fits: (value: number) => Promise<Remedy[]>,
): Promise<Remedy[]> {
  let [from, to] = [0, values.length - 1];
  if (to < 0) return [];
  let best = await fits(values[to]);
  if (!best.length) return [];
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    const found = await fits(values[middle]);
    if (found.length) [best, to] = [found, middle];
    else from = middle + 1;
  }
  return best;
}
