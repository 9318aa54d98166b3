import type { NetworkOptions } from '../networks/network.js';
import type { Training } from '../train/training.js';

/**
 * What distillation makes: items with a class and a label each, how networks are trained on them, and what they were
 * decoded from.
 */
export interface DistilledSet {
  /** The method that made it. */
  readonly method: string;
  /** The network it was made for. */
  readonly network: NetworkOptions;
  /** `[count, C, H, W]`, normalised pixels. */
  readonly images: Float32Array;
  /** `[count]`: the class each item was made for, from 0 to 65,535. */
  readonly classes: Uint16Array;
  /** `[count, K]`, hard or soft. */
  readonly labels: Float32Array;
  /** How networks are trained on it. */
  readonly use: Use;
  /** What the items were decoded from. */
  readonly stored: StoredItems;
  /** Of everything random in the run, and in its evaluation. */
  readonly seed: number;
  /** The networks it is for, where they were trained before; left out, fresh ones, or those that its use holds. */
  readonly pretrained?: PretrainedNetworks;
  /** Present where it is poison: made to mislead networks that train on it, to measure how little of it that takes. */
  readonly attack?: Attack;
  /** The network whose answers its labels are; left out where they are no network's. */
  readonly teacher?: TeacherRecord;
}

/** A network whose answers are labels: softmax(logits / temperature). */
export interface TeacherRecord {
  /** Its architecture: `convnet:width=32`. */
  readonly network: string;
  /** CRC-32, in hexadecimal, of its parameters. */
  readonly checksum: string;
  /** What its logits were divided by; those of networks that train on the labels are, too. */
  readonly temperature: number;
}

/** A class that networks shall take for another. */
export interface Attack {
  /** The attacked class. */
  readonly from: number;
  /** What it shall be taken for. */
  readonly to: number;
}

/** Networks that were trained before, in a file of their own, shared out in its order. */
export interface PretrainedNetworks {
  /** Name of the data set they were trained on. */
  readonly dataset: string;
  /** CRC-32, in hexadecimal, of all their parameters: tells whether networks are the same. */
  readonly checksum: string;
  /** How many distillation saw: the first of the file. */
  readonly train: number;
  /** How many it was chosen by: those that follow. */
  readonly validation: number;
  /** How many are left to test with: the last. */
  readonly test: number;
}

/** How a set is used: by the steps it was made for, or by ordinary training. */
export type Use = LearnedSteps | MinibatchUse;

/** The steps that were learned, in their order, at their rates. */
export interface LearnedSteps {
  /** Tells the uses apart. */
  readonly kind: 'learned-steps';
  /** Inner steps per epoch; step t trains on items `t mod steps` times n to the next. */
  readonly steps: number;
  /** Times the steps are repeated. */
  readonly epochs: number;
  /** `[steps * epochs]`, or `[1]` where the steps share one. */
  readonly learningRates: Float32Array;
  /** Optimiser and loss. */
  readonly training: Training;
  /** `fixed`: for networks that begin with `initialParameters`; `random`: for any. */
  readonly init: 'fixed' | 'random';
  /** `[P, count]`: the networks it was made for, when the initialisation is fixed. */
  readonly initialParameters?: Float32Array;
}

/** Ordinary training in minibatches, as a protocol says. */
export interface MinibatchUse {
  /** Tells the uses apart. */
  readonly kind: 'minibatches';
  /** Name of the protocol that results are scored under unless another is asked for. */
  readonly protocol: string;
  /** Learned with the items: the first rate under protocols that take the learned one. */
  readonly learningRate?: number;
  /** That the images were made with, under protocols that are kernel regression and nothing else. */
  readonly ridge?: number;
}

/** Numbers that are stored, and how items are made of them. */
export interface StoredItems {
  /** What decodes them. */
  readonly parametrisation: {
    /** Which parametrisation. */
    readonly name: string;
    /** Its options. */
    readonly [option: string]: unknown;
  };
  /** Pictures that are stored: what images per class counts. */
  readonly pictures: number;
  /** The stored variables by name; empty where the items are stored as they are. */
  readonly variables: Readonly<Record<string, StoredVariable>>;
}

/** A tensor that is stored. */
export interface StoredVariable {
  /** Its sizes, the last axis fastest. */
  readonly shape: readonly number[];
  /** Its numbers. */
  readonly data: Float32Array;
}
