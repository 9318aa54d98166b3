import type { Whitening } from '../data/dataset.js';
import type { PretrainedNetworks } from '../data/distilled-set.js';
import type { PixelScale } from '../data/pixel-scale.js';
import type { Reading } from '../data/reading.js';
import type { TextRecord } from '../data/text/stored.js';
import type { EngineName } from '../engine/device.js';
import type { DeviceChoice } from '../engine/open.js';
import type { Precision } from '../engine/precision.js';
import type { AttackScores } from '../eval/attack.js';
import { perClassOf } from '../eval/baselines/index.js';
import type { BaselineAccuracy } from '../eval/comparison.js';
import type { Evaluation } from '../eval/evaluate.js';
import { type Accuracy, type Confusion, testError } from '../eval/statistics.js';
import type { Tested } from '../eval/verdict.js';
import { networkSpec } from '../networks/index.js';
import { counted } from '../util/words.js';
import type { Recovery } from './checkpoint-extra.js';
import type { BestLook, CurvePoint } from './distillation.js';
import { pictureCount, type ResolvedOptions, type Taken } from './options.js';
import type { Rollback } from './rollback.js';

/** An engine, and after a colon the adapter of `webgpu`: a number or part of a name. */
export type EngineChoice = DeviceChoice | `webgpu:${string}`;

/** Where the data and the engine of a run come from: what it takes to open them again. */
export interface RunOrigin {
  /** `digits`, or the absolute path of a file or folder; none where a program brought its own data. */
  readonly dataset?: string;
  /** Training images, when the set is generated. */
  readonly digitsSize?: number;
  /** How the files were read, where they leave something open. */
  readonly reading?: Reading;
  /** The engine that was asked for. */
  readonly device?: EngineChoice;
  /** Threads of the `cpu` engine that were asked for. */
  readonly threads?: number;
  /** Of products, that was asked for. */
  readonly precision?: Precision;
}

/** Everything needed to do a run again. */
export interface RunConfig extends RunOrigin {
  /** The engine that was asked for. */
  readonly device: EngineChoice;
  /** With every value filled in. */
  readonly options: ResolvedOptions;
  /** Options that nobody gave and that were published for these data. */
  readonly preset?: Taken;
  /** Options that nobody gave and that were fitted to the number of training images. */
  readonly fitted?: Taken;
  /** Where it stood each time that it went on with another number of outer steps than it had until then. */
  readonly continued?: readonly Continued[];
}

/** A run that went on with another number of outer steps. */
export interface Continued {
  /** Outer steps done by then. */
  readonly iteration: number;
  /** Outer steps that it had until then, in all. */
  readonly iterations: number;
}

/** The data of a run, without the images. */
export interface DatasetRecord extends PixelScale {
  /** As in `Dataset`. */
  readonly name: string;
  /** `[C, H, W]` of one image. */
  readonly imageShape: readonly [number, number, number];
  /** The same before the images were brought to another shape, where they were. */
  readonly originalShape?: readonly [number, number, number];
  /** `[K]`. */
  readonly classNames: readonly string[];
  /** `[C]`, of pixels in 0..1, or of floats of another `range`. */
  readonly mean: readonly number[];
  /** As `mean`. */
  readonly std: readonly number[];
  /** Where the images are whitened: they are not normalised besides. */
  readonly zca?: Pick<Whitening, 'epsilon'>;
  /** Where the items are texts: how they are read. */
  readonly text?: TextRecord;
  /** Images of each split. */
  readonly splits: Readonly<Record<'train' | 'validation' | 'test', number>>;
  /** Of all images and labels: tells whether the data is still the same. */
  readonly sha256: string;
}

/** What `run.json` is; another layout gets another number. */
export const runFormat = 'limbeck-run-1';

/** `run.json`: what was done and what came out. */
export interface RunRecord {
  /** What the file is; another layout gets another number. */
  readonly format: typeof runFormat;
  /** What was asked for. */
  readonly config: RunConfig;
  /** Of everything random. */
  readonly seed: number;
  /** What it was made with. */
  readonly versions: {
    /** Of this package. */
    readonly limbeck: string;
    /** Of Node. */
    readonly node: string;
  };
  /** Operating system, processor architecture and release. */
  readonly platform: string;
  /** What computed it. */
  readonly engine: {
    /** Which engine. */
    readonly name: EngineName;
    /** In words, as the device has it. */
    readonly description: string;
    /** Why this one, where it was chosen by itself. */
    readonly reason?: string;
    /** What the bits depend on, threads left out: a run repeats its bits where this is the same. */
    readonly processor?: string;
    /** Other processors that earlier pieces of the run were made on; its bits are then those of no other run. */
    readonly earlierProcessors?: readonly string[];
  };
  /** What it was made from. */
  readonly dataset: DatasetRecord;
  /** How networks were trained for `testAccuracy`, in words. */
  readonly protocol: string;
  /** Stopped before its end: there is a checkpoint to go on from, and no test accuracy. */
  readonly stopped: boolean;
  /** Outer steps done. */
  readonly outerSteps: number;
  /** One point for each look at the validation split. */
  readonly curve: readonly CurvePoint[];
  /** The look whose images are the result. */
  readonly best: BestLook;
  /** Percent. */
  readonly testAccuracy: Accuracy | null;
  /** What networks reach on real images of the same number, by name. */
  readonly baselines: Readonly<Record<string, BaselineAccuracy>>;
  /** Of the test images of each class, percent, mean over the networks; null for a class without any; records of earlier versions have none. */
  readonly perClass?: readonly (number | null)[];
  /** Where the set is poison: how far those networks are misled. */
  readonly attack?: AttackScores;
  /** The networks it was made for and tested with, where they were trained before. */
  readonly pretrained?: PretrainedNetworks;
  /** Answers of all those networks together: how many test images of class i they took for class j, `[K][K]`. */
  readonly confusion?: Confusion;
  /** The rate at which networks learned from the set in that test: the set's own, that of the protocol, or `none` where none was trained. */
  readonly learningRate?: number | 'learned' | 'none';
  /** What `limbeck evaluate` found later, under other protocols, with other networks or more of them. */
  readonly evaluations?: readonly EvaluationRecord[];
  /** Where it went back to, each time that its numbers were no longer finite; left out where they always were. */
  readonly rollbacks?: readonly Rollback[];
  /** Each time that it went on from the checkpoint before the newest, which was damaged; left out where it never did. */
  readonly recoveries?: readonly Recovery[];
  /** Why it stopped before its end, when its numbers were no longer finite; what is here is the best from before. */
  readonly diverged?: string;
  /** How often the test split was opened for this run, by itself and by `limbeck evaluate`; counted before it is. */
  readonly testOpened: number;
  /** How long it took. */
  readonly timings: {
    /** Distillation, over all pieces of the run. */
    readonly seconds: number;
    /** The test at the end. */
    readonly evaluationSeconds: number;
    /** Wall time of an outer step; null when this piece of the run made none. */
    readonly stepMilliseconds: {
      /** Of all of them. */
      readonly median: number | null;
      /** Of the fastest. */
      readonly min: number | null;
    };
  };
}

/** A later evaluation of a run. */
export interface EvaluationRecord extends Omit<Evaluation, 'baselineImages' | 'confusion'> {
  /** Records of earlier versions have none. */
  readonly baselineImages?: number;
  /** As in `Evaluation`; likewise. */
  readonly confusion?: Confusion;
  /** Whether it was the data the set was made from; undefined where that cannot be known. */
  readonly sameData?: boolean;
}

/** Accuracy in percent for people: `94.1 %`, `61.3 ± 4.2 %`. */
export function accuracyText({ mean, std, networks }: Accuracy): string {
  return networks > 1 ? `${mean.toFixed(1)} ± ${std.toFixed(1)} %` : `${mean.toFixed(1)} %`;
}

/** Percent of the images of a class, for people. */
export const classText = (percent: number | null): string =>
  percent === null ? '–' : `${percent.toFixed(1)} %`;

/** How far it may be off because the test images are no more than that: `± 0.4`, in points. */
export const testErrorText = ({ mean }: Accuracy, images: number): string =>
  `± ${testError(mean, images).toFixed(1)}`;

/** The test of a finished run, and what it stands beside. */
export const testedOf = ({
  testAccuracy,
  baselines,
  config,
  dataset,
  attack,
}: RunRecord): Tested | undefined =>
  testAccuracy
    ? {
        accuracy: testAccuracy,
        baselines,
        baselineImages: baselineImagesOf(config.options, dataset.classNames.length),
        images: dataset.splits.test,
        classes: dataset.classNames.length,
        text: dataset.text,
        ...(attack && { attack }),
      }
    : undefined;

/** Real images that each baseline has: as many of each class, and so not always the number that is stored. */
const baselineImagesOf = (options: ResolvedOptions, classes: number): number =>
  perClassOf(pictureCount(options, classes), classes) * classes;

/** What a set stores: `10 distilled images`, or `10 stored pictures` where these decode to more images. */
export const storedText = (pictures: number, parametrisation: string, usual = 'distilled image'): string =>
  counted(pictures, parametrisation === 'pixels' ? usual : 'stored picture');

/** The same by the options of a run. */
export const storedByOptions = (options: ResolvedOptions, classes: number, usual?: string): string =>
  storedText(pictureCount(options, classes), networkSpec(options.parametrisation).name, usual);
