import {
  augmentationRobustScore,
  hardLabelRecovery,
  improvementOverRandom,
  labelRobustScore,
} from '../../eval/ranking.js';
import { type Accuracy, summarise } from '../../eval/statistics.js';
import { studentBound, studentWithin } from '../../util/student.js';
import type { Compared, ComparedRun } from './record.js';

/** A mean with what it may be off by. */
export interface Estimate {
  /** Percent. */
  readonly mean: number;
  /** Between runs where there are several, else between the networks of the one; percentage points. */
  readonly std: number;
  /** Half the 95 % interval of the mean by Student's t; undefined for a single network. */
  readonly half?: number;
}

/** A method, or a baseline, at a number of images per class: all its seeds together. */
export interface Row {
  readonly title: string;
  /** Whether it is a method that distils. */
  readonly method: boolean;
  readonly ipc: number;
  /** Runs, of so many seeds. */
  readonly runs: readonly ComparedRun[];
  /** Under the protocol that all share. */
  readonly accuracy: Estimate;
  /** In the method's own way, and random real images in that way. */
  readonly own?: Estimate;
  readonly random?: Estimate;
  /** Where its labels are soft, random real images with the answers of the teacher and of an early expert as labels, in that way. */
  readonly randomTeacher?: Estimate;
  readonly noDistillation?: Estimate;
  /** Scores of DD-Ranking (Li et al. 2025): points, points, 0..1, 0..1. The first and the third need hard labels under the protocol that all share. */
  readonly hlr?: number;
  readonly ior?: number;
  readonly lrs?: number;
  readonly ars?: number;
  /** Sums over the runs: seconds, floating-point operations; and the numbers that one set stores. */
  readonly seconds?: number;
  readonly flops?: number;
  readonly numbers?: number;
  /**
   * Beside the best method of this number of images, by a paired t-test over the seeds: the probability of a difference at least as
   * large if there were none, corrected for the number of such tests (Holm 1979). Undefined for the best itself, and where there is one seed.
   */
  readonly p?: number;
}

/** The table of a comparison: by images per class, then the best first. */
export function rowsOf(compared: Compared): Row[] {
  const perClass = [...new Set(compared.runs.map(({ ipc }) => ipc))].sort((a, b) => a - b);
  return perClass.flatMap((ipc) => {
    const runs = compared.runs.filter((run) => run.ipc === ipc);
    const titles = [...new Set(runs.map(({ title }) => title))];
    const methods = titles.map((title) =>
      methodRow(
        compared,
        ipc,
        runs.filter((run) => run.title === title),
      ),
    );
    const best = methods.reduce((a, b) => (b.accuracy.mean > a.accuracy.mean ? b : a));
    const ps = holm(methods.map((row) => (row === best ? undefined : pairedP(row.runs, best.runs))));
    const tested = methods.map((row, i) => (row === best ? row : { ...row, p: ps[i] }));
    return [...tested, ...baselineRows(compared, ipc)].sort((a, b) => b.accuracy.mean - a.accuracy.mean);
  });
}

function methodRow({ full, labels }: Compared, ipc: number, runs: readonly ComparedRun[]): Row {
  const mean = (values: readonly number[]) => summarise(values).mean;
  const over = (value: (run: ComparedRun) => number) => mean(runs.map(value));
  const scored = {
    hard: over(({ common }) => common.accuracy.mean),
    own: over(({ own }) => own.accuracy.mean),
    // Labels of a teacher count for the images of a method no more than for random ones.
    random: over(({ own }) => (own.soft?.randomTeacher ?? own.random).mean),
  };
  const softly = (name: string) => {
    const accuracies = runs.flatMap(({ own }) => own.soft?.[name] ?? []);
    return accuracies.length ? estimateOf(accuracies) : undefined;
  };
  // Under stored labels nobody knows what is lost with hard ones.
  const real = labels === 'stored' ? undefined : full?.accuracy.mean;
  const plain = { own: scored.hard, random: over(({ common }) => common.random.mean) };
  const augmented = runs.every((run) => run.augmented) && {
    own: over((run) => run.augmented!.accuracy.mean),
    random: over((run) => run.augmented!.random.mean),
  };
  return {
    ...{ title: runs[0].title, method: true, ipc, runs },
    accuracy: estimateOf(runs.map(({ common }) => common.accuracy)),
    own: estimateOf(runs.map(({ own }) => own.accuracy)),
    random: estimateOf(runs.map(({ own }) => own.random)),
    randomTeacher: softly('randomTeacher'),
    noDistillation: softly('noDistillation'),
    hlr: real === undefined ? undefined : hardLabelRecovery({ real, hard: scored.hard }),
    ior: improvementOverRandom(scored),
    lrs: real === undefined ? undefined : labelRobustScore({ ...scored, real }),
    ars: augmented
      ? augmentationRobustScore(
          { augmented: augmented.own, plain: plain.own },
          { augmented: augmented.random, plain: plain.random },
        )
      : undefined,
    seconds: runs.reduce((sum, run) => sum + run.seconds, 0),
    flops: runs.reduce((sum, run) => sum + run.flops, 0),
    numbers: runs[0].numbers,
  };
}

function baselineRows({ baselines }: Compared, ipc: number): Row[] {
  const own = baselines.filter((one) => one.ipc === ipc);
  const names = [...new Set(own.flatMap(({ results }) => Object.keys(results)))];
  return names.map((name) => {
    const results = own.flatMap(({ results }) => results[name] ?? []);
    return { title: results[0].title, method: false, ipc, runs: [], accuracy: estimateOf(results) };
  });
}

/** Several runs count by the mean of their networks; of a single one its networks do. */
export function estimateOf(accuracies: readonly Accuracy[]): Estimate {
  const several = accuracies.length > 1;
  const { mean, std, networks } = several ? summarise(accuracies.map((one) => one.mean)) : accuracies[0];
  return {
    mean,
    std,
    half: networks > 1 ? (studentBound(0.95, networks - 1) * std) / Math.sqrt(networks) : undefined,
  };
}

/** Of the accuracies of runs from the same seeds; undefined where fewer than two are shared. */
export function pairedP(a: readonly ComparedRun[], b: readonly ComparedRun[]): number | undefined {
  const differences = a.flatMap((run) => {
    const other = b.find(({ seed }) => seed === run.seed);
    return other ? [run.common.accuracy.mean - other.common.accuracy.mean] : [];
  });
  const { mean, std, networks: n } = summarise(differences);
  if (n < 2) return undefined;
  if (std === 0) return mean === 0 ? 1 : 0;
  return 1 - studentWithin((mean * Math.sqrt(n)) / std, n - 1);
}

/** Probabilities of several tests, each corrected for their number (Holm 1979); undefined ones are no tests. */
export function holm(ps: readonly (number | undefined)[]): (number | undefined)[] {
  const tests = [...ps.keys()].filter((i) => ps[i] !== undefined).sort((a, b) => ps[a]! - ps[b]!);
  const corrected = [...ps];
  let least = 0;
  for (const [place, i] of tests.entries()) {
    least = Math.max(least, Math.min(1, (tests.length - place) * ps[i]!));
    corrected[i] = least;
  }
  return corrected;
}
