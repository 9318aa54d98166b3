import type { Dataset } from '../data/dataset.js';
import type { Attack, DistilledSet, PretrainedNetworks } from '../data/distilled-set.js';
import type { Experts } from '../data/experts/experts.js';
import type { SplitOnDevice } from '../data/on-device.js';
import type { Device, Executable, Tensor } from '../engine/device.js';
import type { Program } from '../engine/program.js';
import type { Network, NetworkOptions } from '../networks/network.js';
import type { OptionTable, ValuesOf } from '../util/option.js';
import type { Items } from './items.js';
import type { CommonGiven, CommonOptions } from './options.js';
import type { Teacher } from './teacher.js';

/**
 * A distillation method: an objective, its gradient with respect to items, and what it needs around it. Batches, update
 * rules and decoding are recorded by what it calls; checkpoints, validation, stopping, reports and files are not its
 * business.
 */
export interface Method<Name extends string = string, Table extends OptionTable = OptionTable> {
  readonly name: Name;
  /** The paper, for reports. */
  readonly source: string;
  /** One line for the help. */
  readonly summary: string;
  /** Its own options, beside those that every run has. */
  readonly options: Table;
  /** Its defaults of the options that every run has, where they differ from the common ones. */
  readonly defaults: CommonGiven;
  /** Its defaults on few training images, which hold together: where none of them is given, nor how many outer steps there are. */
  readonly small?: CommonGiven & Partial<ValuesOf<Table>>;
  /** Settings by data set and images per class. */
  readonly presets: readonly Preset<Table>[];
  /** Name of the protocol its results are scored under unless another is asked for. */
  readonly protocol: string;
  /** Where the class of a picture lies in its number; `by-class` methods draw real images class by class, too. */
  readonly order: Items['order'];
  /** Outer steps without which a run of these options makes nothing; as many are taken unless somebody says how many. */
  leastIterations?(options: Options<OptionTable>): number;
  /** Values of options nobody gave that follow from others; `given` says which somebody did. */
  complete?(options: Options<Table>, given: (name: keyof Options<Table>) => boolean): object;
  /** Options that do nothing beside the others, each with why, and what to do: `labels is hard, expected labels: soft beside it`. */
  idle?(options: Options<Table>): Readonly<Record<string, string>>;
  /** Throws ERR_OPTION where options do not go together. */
  check?(options: Options<Table>): void;
  /** What a run does, in words: `1 step x 3 epochs, fixed initialisation`. */
  describe(options: Options<Table>): string;
  /** Real images that an outer step reads. */
  realImages(options: Options<Table>, classes: number): number;
  /** Whether outer steps read them on the host: the device then holds none of them. */
  readonly readsOnHost?: boolean;
  /** Prepares a run: records and loads its programs, and brings them to where they are before the first step. */
  begin(setting: Setting<Table>): Promise<Process>;
}

/** All options of a run: the common ones and the method's. */
export type Options<Table extends OptionTable> = CommonOptions & ValuesOf<Table>;

/** Settings for a data set and a number of images per class. */
export interface Preset<Table extends OptionTable> {
  /** Names of data sets. */
  readonly datasets: readonly string[];
  /** Images per class; left out, any. */
  readonly ipc?: number;
  /** Whether they are a choice of limbeck's, which the data ask for; left out, they were published. */
  readonly own?: true;
  /** Whether they are for whitened images: `--zca`, which is no option of a run. Left out, the protocol says so. */
  readonly whitened?: true;
  readonly options: CommonGiven & Partial<ValuesOf<Table>>;
}

/** Networks that were trained before, in the place of fresh ones. */
export interface Pretrained {
  /** `[n, count]`: those that distillation may see. */
  readonly parameters: Float32Array;
  /** What the set says of them; left out where they are known ones, which the set holds itself. */
  readonly record?: PretrainedNetworks;
}

/** What a method distils from and for. */
export interface Setting<Table extends OptionTable = OptionTable> {
  readonly device: Device;
  readonly options: Options<Table>;
  readonly network: Network;
  /** As a user writes it, for the set. */
  readonly networkOptions: NetworkOptions;
  /** Where it comes from, on the host. */
  readonly dataset: Dataset;
  /** Whose folder an option names, for methods that match trajectories. */
  readonly experts?: Experts;
  /** Those in the file that the option `firstLabels` names. */
  readonly firstLabels?: Float32Array;
  /** Those in the folder that the option `init` names. */
  readonly pretrained?: Pretrained;
  /** The network in the folder that the option `teacher` names. */
  readonly teacher?: Teacher;
  /** What networks are to take for what, where the set is to be poison. */
  readonly attack?: Attack;
  /** The training split on the device; of an attacked class labelled as its target. */
  readonly real: SplitOnDevice;
  /** What is distilled. */
  readonly items: Items;
  /** Whether it is for measuring alone: then any items do, and none need be chosen. */
  readonly blank?: boolean;
}

/** A number or more of an outer step. */
export interface Measures {
  /** Outer loss of the last step. */
  readonly loss: number;
}

/** Anything that JSON holds. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** A run of a method under way. Saved and restored, it goes on to the same bits. */
export interface Process {
  /** For plans, profiles and FLOP counts. */
  readonly programs: readonly Program[];
  /** The same loaded; the first of them is what an outer step spends its time in. */
  readonly executables: readonly Executable[];
  /** The whole state on the device, by name. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** Outer steps done. */
  readonly step: number;
  /** Goes to the state after `step` outer steps, whose tensors have been written. */
  goTo(step: number): Promise<void>;
  /** Multiplies the outer rates that were asked for, of all outer steps. */
  scaleRates(factor: number): Promise<void>;
  /** Does `steps` outer steps. */
  advance(steps: number, signal?: AbortSignal): Promise<Measures>;
  /** The distilled set as it is now: running averages where they are kept. */
  result(): Promise<DistilledSet>;
  dispose(): void;
}

/** Says what a method is, with the types of its options. */
export const defineMethod = <const Name extends string, Table extends OptionTable>(
  method: Method<Name, Table>,
): Method<Name, Table> => method;
