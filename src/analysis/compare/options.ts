import type { Dataset } from '../../data/dataset.js';
import { baselineNames, checkBaselines, softBaselines, teacherBaseline } from '../../eval/baselines/index.js';
import { findProtocol } from '../../eval/find-protocol.js';
import { checkPreprocessing, type Protocol } from '../../eval/protocol.js';
import { type DistillOptions, defaultMethod } from '../../methods/index.js';
import { type NetworkSpec, printNetworkSpec } from '../../networks/index.js';
import { networksFor } from '../../runs/fit.js';
import { findMethod, type ResolvedOptions, resolveFor } from '../../runs/options.js';
import { planFor } from '../../runs/setting.js';
import type { MinibatchTraining } from '../../train/minibatch.js';
import { LimbeckError } from '../../util/errors.js';
import { expectOptions, shown } from '../../util/expect.js';
import { wholeFrom } from '../sets.js';

/** What is compared, and how. */
export interface CompareOptions {
  /** Methods by name, or with options of their own: `{ method: 'dm', iterations: 500 }`. */
  readonly methods: readonly (string | DistillOptions)[];
  /** What is trained on the sets, and what they are made for; default `convnet`. */
  readonly network?: string | NetworkSpec;
  /** Images per class; default 1. */
  readonly ipc?: number | readonly number[];
  /** Runs of each method from so many seeds; default 1. */
  readonly seeds?: number;
  /** The first of them; default 0. */
  readonly seed?: number;
  /** What all sets are scored under, whatever each is scored under by itself: a protocol of minibatches; default `dc`. */
  readonly protocol?: string;
  /** Networks that are trained on each set; default that of the protocol. */
  readonly networks?: number;
  /** Other architectures that are trained on each set. */
  readonly architectures?: readonly NetworkSpec[];
  /** What stands beside the methods at every number of images; default those that `evaluate` has, and `randomReal` always. */
  readonly baselines?: readonly string[];
  /**
   * Folder or file of a network trained on the data (`limbeck train --out`): the teacher of methods that need one, and of random images beside
   * sets with soft labels. A method that has a teacher of its own stands beside random images with the labels of that one.
   */
  readonly teacher?: string;
  /** Scores every set, and random real images, with this augmentation, too. */
  readonly augmentation?: string;
  /**
   * Epochs on the whole training split that the sets are measured against; 0 leaves that out. Default 3, more on small splits, so that it
   * has some 1,500 steps.
   */
  readonly fullEpochs?: number;
  /** Seconds that this call may spend on distilling, shared among the runs that are not finished; default as long as they take. */
  readonly seconds?: number;
}

const known = {
  methods: true,
  network: true,
  ipc: true,
  seeds: true,
  seed: true,
  protocol: true,
  networks: true,
  architectures: true,
  baselines: true,
  teacher: true,
  augmentation: true,
  fullEpochs: true,
  seconds: true,
} satisfies Record<keyof CompareOptions, true>;

/** One run of a comparison. */
export interface Cell {
  /** What stands in tables: `dm`, or `dm:iterations=500` where it has options of its own. */
  readonly title: string;
  readonly ipc: number;
  readonly seed: number;
  /** Its folder in that of the comparison. */
  readonly folder: string;
  readonly given: DistillOptions;
  /** With every value filled in. */
  readonly options: ResolvedOptions;
}

/** A comparison with everything filled in and checked. */
export interface Comparing
  extends Required<Omit<CompareOptions, 'methods' | 'augmentation' | 'seconds' | 'teacher'>> {
  /** In the order in which they are done: every method once before any is done again. */
  readonly cells: readonly Cell[];
  readonly ipc: readonly number[];
  readonly common: Protocol & { readonly training: MinibatchTraining };
  readonly augmentation?: string;
  readonly teacher?: string;
  readonly seconds?: number;
}

/** What a method is called beside others: with the options that were given for it alone. */
export function titleOf(given: DistillOptions): string {
  const { method: name = defaultMethod, ...own } = given;
  return printNetworkSpec({ ...own, name });
}

/** Fills in and checks all there is before anything is trained; ERR_OPTION, ERR_DATA. */
export function resolveComparison(where: string, given: CompareOptions, dataset: Dataset): Comparing {
  expectOptions(where, given, known);
  const { methods, network = 'convnet', protocol = 'dc', augmentation, architectures = [] } = given;
  const { baselines = [...baselineNames, ...softBaselines], teacher } = given;
  const whole = (name: string, value: unknown, least: number) => wholeFrom(where, name, value, least);
  const list = <T>(name: string, values: unknown): readonly T[] => {
    const all = (Array.isArray(values) ? values : [values]) as T[];
    if (all.length && new Set(all.map((one) => JSON.stringify(one))).size === all.length) return all;
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: ${name} is ${shown(values)}, expected one or several, each once`,
    );
  };
  const ipc = list<number>('ipc', given.ipc ?? 1).map((one) => whole('ipc', one, 1));
  const seeds = whole('seeds', given.seeds ?? 1, 1);
  const seed = whole('seed', given.seed ?? 0, 0);
  const fullEpochs = whole('fullEpochs', given.fullEpochs ?? usualEpochs(dataset.train.count), 0);
  const common = commonProtocol(where, protocol, augmentation, Boolean(dataset.zca));
  checkBaselines(baselines);
  if (given.seconds !== undefined && !(given.seconds > 0))
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: seconds is ${shown(given.seconds)}, expected a number above 0`,
    );
  const compared = list<string | DistillOptions>('methods', methods).map((one) =>
    typeof one === 'string' ? ({ method: one } as DistillOptions) : one,
  );
  const cells = Array.from({ length: seeds }, (_, i) => seed + i).flatMap((seed) =>
    ipc.flatMap((ipc) =>
      compared.map((one) => cellOf(where, withTeacher(one, teacher), one, { network, ipc, seed }, dataset)),
    ),
  );
  const twice = cells.find(({ folder }, i) => cells.findIndex((one) => one.folder === folder) !== i);
  if (twice) {
    const [first, second] = cells.filter(({ folder }) => folder === twice.folder);
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: methods ${first.title} and ${second.title} would have one folder, ${twice.folder}: expected methods that differ in more than signs`,
    );
  }
  if (given.baselines?.includes(teacherBaseline) && !cells.some(({ options }) => options.teacher))
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: baseline ${teacherBaseline} is named, and neither is a teacher nor has a method one of its own: expected one (--teacher DIR), as limbeck train --out DIR writes it`,
    );
  return {
    ...{
      cells,
      network,
      ipc,
      seeds,
      seed,
      protocol,
      common,
      augmentation,
      architectures,
      teacher,
      fullEpochs,
    },
    networks: whole('networks', given.networks ?? networksFor(common.networks, dataset), 1),
    baselines: [...new Set(['randomReal', ...baselines])],
    seconds: given.seconds,
  };
}

/** Steps that training on a whole split has at least: on so many images, and on few of them. */
const leastSteps = { on: 10_000, many: 1500, few: 300 };

/** In batches of 128. */
export function usualEpochs(images: number): number {
  const steps = Math.max(leastSteps.few, leastSteps.many * Math.min(1, images / leastSteps.on));
  return Math.max(3, Math.ceil(steps / Math.ceil(images / 128)));
}

/** Scores are of ordinary training on all images, which every set allows. */
function commonProtocol(
  where: string,
  name: string,
  augmentation: string | undefined,
  whitened: boolean,
): Comparing['common'] {
  const protocol = findProtocol(name);
  const { training } = protocol;
  if (training === 'none')
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: protocol is ${name}, which trains no networks, expected one of training in minibatches such as dc; each set is scored under its ` +
        'own protocol besides',
    );
  if (training === 'learned-steps')
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: protocol is ${name}, which takes the steps that a set was made for, and not every set has steps: expected one of ` +
        'training in minibatches such as dc; each set is scored under its own protocol besides',
    );
  checkPreprocessing(protocol, whitened);
  if (augmentation === protocol.augmentation)
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: augmentation is ${augmentation}, which protocol ${name} has already, expected another one: the sets are scored with both`,
    );
  if (augmentation !== undefined) findProtocol(name, { augmentation });
  return { ...protocol, training };
}

/** A method with the teacher of the comparison, where it needs one and has none of its own. */
const withTeacher = (compared: DistillOptions, teacher: string | undefined): DistillOptions =>
  teacher !== undefined && 'teacher' in findMethod(compared.method).options
    ? { teacher, ...compared }
    : compared;

function cellOf(
  where: string,
  complete: DistillOptions,
  compared: DistillOptions,
  shared: { network: string | NetworkSpec; ipc: number; seed: number },
  dataset: Dataset,
): Cell {
  const twice = Object.keys(shared).find((name) => Object.hasOwn(compared, name));
  if (twice)
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: method ${titleOf(compared)} has a ${twice} of its own, expected one for all methods alike: give it beside methods`,
    );
  const { ipc, seed } = shared;
  const given = { ...complete, ...shared } as DistillOptions;
  const { options } = resolveFor(where, given, dataset);
  planFor(options, dataset);
  const title = titleOf(compared);
  const folder = `${title.replace(/[^\w.=-]+/g, '-')}-ipc${ipc}-seed${seed}`;
  return { title, ipc, seed, folder, given, options };
}
