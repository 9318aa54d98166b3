import type { BaselineAccuracy, NetworkAccuracy } from '../../eval/comparison.js';
import type { LabelKind } from '../../eval/protocol.js';
import type { Accuracy } from '../../eval/statistics.js';
import type { DatasetRecord, RunRecord } from '../../runs/record.js';

/** What `compare.json` is; another layout gets another number. */
export const compareFormat = 'limbeck-compare-1';

/** What networks reach under a protocol. */
export interface Score {
  /** In words. */
  readonly protocol: string;
  /** On the test split, percent. */
  readonly accuracy: Accuracy;
  /** On as many random real images under the same protocol, with hard labels. */
  readonly random: Accuracy;
  /** On such images with soft labels, by name of the baseline, beside sets that have them: `randomTeacher` wherever there is a teacher. */
  readonly soft?: Readonly<Record<string, Accuracy>>;
}

/** A run of a comparison and its scores. */
export interface ComparedRun {
  /** Its method, with the options that it has for itself: `dm`, `dm:iterations=500`. */
  readonly title: string;
  /** Images per class. */
  readonly ipc: number;
  /** Of everything random. */
  readonly seed: number;
  /** Its folder in that of the comparison. */
  readonly folder: string;
  /** Outer steps done. */
  readonly outerSteps: number;
  /** Outer steps of the whole run. */
  readonly iterations: number;
  /** Seconds of distilling. */
  readonly seconds: number;
  /** Floating-point operations of the outer steps that were done. */
  readonly flops: number;
  /** Numbers that are stored: of images, or of what they are made of, and of labels that are not hard; two of half precision are one. */
  readonly numbers: number;
  /** Validation accuracy, percent, over seconds of distilling. */
  readonly curve: readonly (readonly [seconds: number, accuracy: number])[];
  /** Under the protocol that all sets share, with hard labels unless it takes stored ones. */
  readonly common: Score & {
    /** Percent of the test images of each class; null for a class without any. */
    readonly perClass: readonly (number | null)[];
    /** Other architectures under it. */
    readonly others: readonly Pick<NetworkAccuracy, 'network' | 'accuracy'>[];
  };
  /** In the way that the set itself is used. */
  readonly own: Score;
  /** As `common` with augmentation, where that was asked for. */
  readonly augmented?: Score;
}

/** What stands beside the methods, at a number of images and from a seed. */
export interface ComparedBaselines {
  /** Images per class. */
  readonly ipc: number;
  /** That random images are drawn from. */
  readonly seed: number;
  /** Under the protocol that all sets share; by name, with the temperature of soft labels where it is not 1. */
  readonly results: Readonly<Record<string, BaselineAccuracy>>;
}

/** Networks trained on the whole training split. */
export interface FullTraining {
  /** In words. */
  readonly protocol: string;
  /** On the test split, percent. */
  readonly accuracy: Accuracy;
}

/** `compare.json`: what was compared and what came out, so far. */
export interface Compared {
  /** What the file is; another layout gets another number. */
  readonly format: typeof compareFormat;
  /** The data, without the images. */
  readonly dataset: DatasetRecord;
  /** What computed it. */
  readonly engine: RunRecord['engine'];
  /** Under which all sets are scored, in words. */
  readonly protocol: string;
  /** Whether that takes labels as they are stored, and not as hard ones. */
  readonly labels: LabelKind;
  /** What was left out on the way to the tables of others: fewer steps, fewer networks; in words. */
  readonly cut: readonly string[];
  /** On the whole training split; left out where that was not asked for. */
  readonly full?: FullTraining;
  /** What stands beside, for each number of images and seed. */
  readonly baselines: readonly ComparedBaselines[];
  /** What was distilled and scored so far. */
  readonly runs: readonly ComparedRun[];
  /** Folders of runs that are still to be done. */
  readonly missing: readonly string[];
}
