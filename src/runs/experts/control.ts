import type { ExpertsDescription } from '../../data/experts/experts.js';

/** An expert that an earlier call began. */
export interface BegunExpert {
  /** Its number. */
  readonly expert: number;
  /** Epochs it has behind it. */
  readonly epoch: number;
}

/** What is about to be done, and what it takes. */
export interface BegunExperts extends ExpertsDescription {
  /** Experts that the folder shall hold. */
  readonly count: number;
  /** Of them, those that lie there already. */
  readonly finished: number;
  /** Those that are gone on with. */
  readonly begun: readonly BegunExpert[];
  /** Experts trained at once, at most. */
  readonly population: number;
  /** Other processors that some of them were begun on: their bits are then those of no uninterrupted training. */
  readonly earlierProcessors: readonly string[];
  /** Bytes that will be written. */
  readonly bytesOnDisk: number;
  /** Bytes that can be written there. */
  readonly bytesFree: number;
  /** Bytes of the training split, the networks and what their training needs. */
  readonly bytesOnDevice: number;
  /** Floating-point operations that are left, multiply-adds counted as two. */
  readonly flops: number;
  /** Seconds that this will take, by a few steps that were timed. */
  readonly seconds: number;
}

/** What `onProgress` hears, some four times a second. */
export interface ExpertProgress {
  /** The first of those that are trained at the time. */
  readonly expert: number;
  /** How many are trained at the time. */
  readonly members: number;
  /** Experts in all. */
  readonly count: number;
  /** Epochs they have behind them. */
  readonly epoch: number;
  /** Epochs of each expert. */
  readonly epochs: number;
  /** Steps of this call so far, those of members counted each. */
  readonly steps: number;
  /** Such steps of this call in all. */
  readonly allSteps: number;
  /** At the speed so far. */
  readonly secondsLeft: number;
}

/** What `onTrained` hears of an expert. */
export interface TrainedExpert {
  /** Its number. */
  readonly expert: number;
  /** Percent of the validation images, after its last epoch; left out where there are none. */
  readonly validationAccuracy?: number;
}

/** How to follow the training of experts, and stop it. */
export interface ExpertControl {
  /** Stops after the epoch under way; the same call goes on from there. */
  readonly signal?: AbortSignal | undefined;
  /** Before the first step, when nothing that can be known to be wrong is left. */
  readonly onBegin?: ((begun: BegunExperts) => void) | undefined;
  /** While they are trained. */
  readonly onProgress?: ((event: ExpertProgress) => void) | undefined;
  /** When an expert has its last snapshot. */
  readonly onTrained?: ((event: TrainedExpert) => void) | undefined;
}

export const controls = { signal: true, onBegin: true, onProgress: true, onTrained: true } satisfies Record<
  keyof ExpertControl,
  true
>;

/** What there is afterwards. */
export interface TrainedExperts extends ExpertsDescription {
  /** As it was given. */
  readonly folder: string;
  /** Finished experts. */
  readonly finished: number;
  /** Whether it was stopped before all were. */
  readonly stopped: boolean;
  /** That this call took. */
  readonly seconds: number;
}
