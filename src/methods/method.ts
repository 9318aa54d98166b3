import type { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import type { RandomSource } from '../layers/layer.js';
import type { Network } from '../networks/network.js';
import type { Keep } from '../train/hypergradient.js';
import type { Training } from '../train/training.js';

/** What a method learns; every tensor is shared by the population. */
export interface Distilled {
  /** `[steps, n, C, H, W]`, normalised pixels. */
  readonly images: View;
  /** `[steps, n, K]` */
  readonly labels: View;
  /** `[steps * epochs]`, or `[1]` where the steps share one: inner learning rates, positive. */
  readonly rates: View;
}

/** One outer step, as the outer loop hands it to a method. */
export interface OuterStep {
  readonly network: Network;
  /** P. */
  readonly members: number;
  /** `[count]`, per member: the networks of this outer step, untrained. */
  readonly theta: View;
  readonly distilled: Distilled;
  readonly steps: number;
  readonly epochs: number;
  /** What trains on the distilled images. */
  readonly training: Training;
  /** Which inner steps the way back through them does not compute again. */
  readonly keep: Keep;
  /** Random numbers of this outer step, for dropout. */
  readonly random: RandomSource;
  /** A batch of real images `[B, C, H, W]` and one-hot labels `[B, K]`. */
  readonly real: { readonly x: View; readonly y: View };
  /** `[1]` per member: where the loss goes. */
  readonly losses: View;
  /** Where its gradient goes, in the shapes of `distilled`; labels only when they are learned. */
  readonly gradient: { readonly images: View; readonly labels?: View; readonly rates: View };
}

/**
 * A distillation method is an objective and its gradient with respect to the distilled data, recorded as ops.
 * Batches, optimiser, schedule, validation and checkpoints are the outer loop's.
 */
export interface Method {
  readonly name: string;
  /** The paper, for reports. */
  readonly source: string;
  record(r: Recorder, step: OuterStep): void;
}
