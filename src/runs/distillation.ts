import type { DistilledSet } from '../data/distilled-set.js';
import type { Experts } from '../data/experts/experts.js';
import type { Model } from '../eval/model.js';
import type { ResolvedOptions, Taken } from './options.js';
import type { Rollback, SavedState } from './rollback.js';

/** One point of a run's curves. */
export interface CurvePoint {
  /** Outer steps done. */
  readonly iteration: number;
  /** Outer loss of the last step before this point. */
  readonly loss: number;
  /** Percent, mean over the validation networks. */
  readonly validationAccuracy: number;
  /** The inner learning rates then, `[steps * epochs]`, or `[1]` where they are shared; left out where none are learned. */
  readonly learningRates?: readonly number[];
}

/** What `onProgress` hears, some four times a second. */
export interface Progress {
  /** Outer steps done. */
  readonly iteration: number;
  /** Outer steps of the whole run. */
  readonly iterations: number;
  /** Outer loss of the last step. */
  readonly loss: number;
  /** Percent; undefined before the first look at the validation split. */
  readonly validationAccuracy?: number;
  /** Outer steps per second. */
  readonly stepsPerSecond: number;
  /** Seconds to the last outer step at this rate. */
  readonly secondsLeft: number;
}

/** A look at a set on the way. */
export interface RunLook {
  /** How many points the curve has by then: 0 before the first outer step. */
  readonly look: number;
  /** Outer steps done. */
  readonly iteration: number;
  /** Percent; left out before the first outer step, where nothing is validated. */
  readonly validationAccuracy?: number;
  /** As it was then. */
  readonly set: DistilledSet;
}

/** The look at the validation split whose images are the result. */
export interface BestLook {
  /** Outer steps done by then. */
  readonly iteration: number;
  /** Percent. */
  readonly validationAccuracy: number;
}

/** The whole state of a run. */
export interface Checkpoint extends SavedState {
  /** Of the run. */
  readonly options: ResolvedOptions;
  /** One point for each look at the validation split. */
  readonly curve: readonly CurvePoint[];
  /** Seconds spent so far, over all pieces of the run. */
  readonly seconds: number;
  /** Where the run went back to, each time that its numbers stopped being finite; left out where it never did. */
  readonly rollbacks?: readonly Rollback[];
  /** Where it goes back to if its numbers stop being finite: the last look, or the beginning; left out where it stands there. */
  readonly sound?: SavedState;
  /** Of the looks so far; at iteration 0 with accuracy 0 before the first one. */
  readonly best: BestLook & {
    /** What was looked at. */
    readonly set: DistilledSet;
  };
}

/** How to follow a run, stop it and go on with it. */
export interface DistillControl {
  /**
   * Stops after the current outer steps, or in the middle of a look at the validation split, which is made up for when the run
   * goes on. The result then holds what there is and says `stopped`.
   */
  readonly signal?: AbortSignal | undefined;
  /** Called while the run goes on. */
  readonly onProgress?: ((event: Progress) => void) | undefined;
  /** Called when numbers stopped being finite and the run goes on from an earlier state at lower outer rates. */
  readonly onRollback?:
    | ((event: Rollback & { /** What was not finite. */ readonly reason: string }) => void)
    | undefined;
  /** Called with the set that a run begins with, and at every look at the validation split, before the checkpoint. */
  readonly onLook?: ((look: RunLook) => void) | undefined;
  /** Called at every look at the validation split; awaited, so that a write can finish first. */
  readonly onCheckpoint?: ((checkpoint: Checkpoint) => void | Promise<void>) | undefined;
  /** Goes on from here, to the same bits as if it had never stopped. */
  readonly resume?: Checkpoint;
  /** The set to begin with, where the option `first` names its file. */
  readonly first?: DistilledSet;
  /** The weights in the file that the option `parametrisation` names, for a decoder whose weights are given: in the order of its layers. */
  readonly weights?: Float32Array;
  /** The experts whose folder the option `experts` names, for methods that match trajectories; they stay open. */
  readonly experts?: Experts;
  /** The networks in the folder that the option `init` names, a model of several. */
  readonly pretrained?: Model;
  /** The network in the folder that the option `teacher` names, for methods that have one. */
  readonly teacher?: Model;
  /** `[count, K]`: the labels in the file that the option `firstLabels` names. */
  readonly firstLabels?: Float32Array;
}

/** What a control may hold. */
export const controls = {
  signal: true,
  onProgress: true,
  onRollback: true,
  onLook: true,
  onCheckpoint: true,
  resume: true,
  first: true,
  weights: true,
  experts: true,
  pretrained: true,
  teacher: true,
  firstLabels: true,
} satisfies Record<keyof DistillControl, true>;

/** What a run came to. */
export interface Distillation {
  /** The distilled data of the best look at the validation split. */
  readonly set: DistilledSet;
  /** With every value filled in. */
  readonly options: ResolvedOptions;
  /** Options that nobody gave and that were published for these data. */
  readonly preset: Taken;
  /** One point for each look at the validation split. */
  readonly curve: readonly CurvePoint[];
  /** The look whose images `set` holds. */
  readonly best: BestLook;
  /** Outer steps done, over all pieces of the run. */
  readonly outerSteps: number;
  /** Seconds spent, over all pieces of the run. */
  readonly seconds: number;
  /** Wall time of an outer step. */
  readonly stepMilliseconds: {
    /** Of all steps of this piece of the run. */
    readonly median: number;
    /** Of the fastest. */
    readonly min: number;
  };
  /** Whether it ended before its last iteration. */
  readonly stopped: boolean;
  /** Where it went back to, each time that numbers stopped being finite. */
  readonly rollbacks: readonly Rollback[];
  /** Why it ended early, when numbers stopped being finite; the set is the best there was before. */
  readonly diverged?: string;
}
