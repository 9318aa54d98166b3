import { join } from 'node:path';
import type { Dataset } from '../../data/dataset.js';
import type { DistilledSet } from '../../data/distilled-set.js';
import { hasSoftLabels, storedNumbers } from '../../data/stored-numbers.js';
import type { Device } from '../../engine/device.js';
import { baselinesUnder, softBaselines, teacherBaseline } from '../../eval/baselines/index.js';
import type { BaselineAccuracy } from '../../eval/comparison.js';
import { type EvaluateOptions, type Evaluation, evaluate, networksOf } from '../../eval/evaluate.js';
import { describeProtocol, findProtocol } from '../../eval/find-protocol.js';
import type { Model } from '../../eval/model.js';
import { checksumOf } from '../../eval/pretrained.js';
import { protocolName, protocolOf } from '../../eval/protocol-name.js';
import type { Accuracy } from '../../eval/statistics.js';
import { softTemperature } from '../../eval/under-protocol.js';
import type { DistillOptions } from '../../methods/index.js';
import { printNetworkSpec } from '../../networks/index.js';
import { describeData } from '../../runs/describe-data.js';
import type { Progress } from '../../runs/distillation.js';
import { engineRecord } from '../../runs/engine-record.js';
import { distillInto, isFinished, type RunControl, resumeIn } from '../../runs/folder-run.js';
import { openNamed } from '../../runs/named.js';
import { readModel } from '../../runs/network-folder.js';
import { planDistillation } from '../../runs/plan/plan.js';
import type { DatasetRecord, EvaluationRecord, RunOrigin, RunRecord } from '../../runs/record.js';
import type { RunFiles } from '../../runs/run-files.js';
import { findRun } from '../../runs/same-run.js';
import { WorkFolder } from '../../runs/work-folder.js';
import { writeFileAtomic } from '../../util/atomic-file.js';
import { LimbeckError } from '../../util/errors.js';
import { counted } from '../../util/words.js';
import { Budget } from './budget.js';
import { cutsOf } from './cut.js';
import { fullTraining } from './full.js';
import { type Cell, type CompareOptions, type Comparing, resolveComparison } from './options.js';
import {
  type Compared,
  type ComparedBaselines,
  type ComparedRun,
  compareFormat,
  type Score,
} from './record.js';

/** How to follow a comparison, and stop it. */
export interface CompareControl {
  /** Stops after the current piece of work; the same call goes on later. */
  readonly signal?: AbortSignal | undefined;
  /** What is being done, of how many such things. */
  readonly onProgress?:
    | ((event: { stage: string; done: number; total: number; step?: Progress }) => void)
    | undefined;
  /** What `limbeck resume` and `limbeck evaluate` need to open the data and the engine of its runs by themselves. */
  readonly origin?: RunOrigin;
}

/** What a comparison writes with. */
export interface CompareFiles {
  /** Its folder. */
  readonly folder: string;
  /** The files of a run in a folder. */
  run(folder: string): RunFiles;
  /** The text of the page; `sets` by folder. */
  page(compared: Compared, sets: ReadonlyMap<string, DistilledSet>, dataset: Dataset): string;
}

/** Does what is missing of a comparison in a folder; see `compareMethods`. */
export async function compareInto(
  files: CompareFiles,
  device: Device,
  dataset: Dataset,
  given: CompareOptions,
  control: CompareControl = {},
): Promise<Compared> {
  const comparing = resolveComparison('compareMethods', given, dataset);
  const work = new WorkFolder(files.folder);
  await work.open(join(files.folder, 'compare.json'));
  try {
    return await new Comparison(files, device, dataset, comparing, control).carryOut();
  } finally {
    await work.close();
  }
}

class Comparison {
  readonly #sets = new Map<string, DistilledSet>();
  readonly #runs: ComparedRun[] = [];
  readonly #baselines: ComparedBaselines[] = [];
  #full: Compared['full'];
  /** By where they lie. */
  readonly #teachers = new Map<string, Model>();
  /** Of random images with soft labels, which are the same beside every method of one protocol and teacher. */
  readonly #soft = new Map<string, Score['soft']>();
  readonly #described: DatasetRecord;
  #done = 0;
  readonly #budget: Budget;

  constructor(
    readonly files: CompareFiles,
    readonly device: Device,
    readonly dataset: Dataset,
    readonly comparing: Comparing,
    readonly control: CompareControl,
  ) {
    // A checksum of all images: once is enough.
    this.#described = describeData(dataset);
    this.#budget = new Budget(comparing.seconds);
  }

  async carryOut(): Promise<Compared> {
    const { cells, teacher } = this.comparing;
    for (const path of new Set([teacher, ...cells.map((cell) => this.#teacherOf(cell))]))
      if (path !== undefined) this.#teachers.set(path, await readModel(path));
    const finished: Cell[] = [];
    for (const cell of cells) if (await this.#foundFinished(cell)) finished.push(cell);
    this.#full = await this.#fullTraining();
    let compared = await this.#write(cells);
    for (const [i, cell] of cells.entries()) {
      this.#say(`distilling by ${cell.title}, ${cell.ipc} per class, seed ${cell.seed}`);
      const run = this.files.run(join(this.files.folder, cell.folder));
      const left = cells.slice(i).filter((one) => !finished.includes(one)).length;
      const { record, set } = await this.#distil(cell, run, left);
      this.control.signal?.throwIfAborted();
      this.#say(`scoring ${cell.title}, ${cell.ipc} per class, seed ${cell.seed}`);
      this.#runs.push(await this.#scored(cell, run, record, set));
      this.#sets.set(cell.folder, set);
      compared = await this.#write(cells.slice(i + 1));
    }
    this.control.onProgress?.({ stage: 'done', done: this.#total, total: this.#total });
    return compared;
  }

  /** Where the teacher lies whose labels random images have beside a set: that of its method, so that both are taught alike, else that of the comparison. */
  #teacherOf({ options }: Cell): string | undefined {
    return (options.teacher as string | undefined) || this.comparing.teacher;
  }

  get #total(): number {
    const { cells, fullEpochs } = this.comparing;
    return 2 * cells.length + (fullEpochs ? 1 : 0);
  }

  #say(stage: string, step?: Progress): void {
    this.control.onProgress?.({
      stage,
      done: step ? this.#done - 1 : this.#done++,
      total: this.#total,
      step,
    });
  }

  /** Whether a run needs no more distilling. ERR_OPTION for one of other options or other data: it is not to be mixed with these. */
  async #foundFinished(cell: Cell): Promise<boolean> {
    const run = this.files.run(join(this.files.folder, cell.folder));
    const { other, record } = await findRun(run, cell.options, this.#described);
    if (other)
      throw new LimbeckError(
        'ERR_OPTION',
        `${run.folder} holds a run ${other}: name another folder by --out, or remove that one`,
      );
    return Boolean(record && isFinished(record));
  }

  async #fullTraining(): Promise<Compared['full']> {
    const { comparing, control, device, dataset, files } = this;
    if (!comparing.fullEpochs) return undefined;
    this.#say('training on all training images');
    return fullTraining(join(files.folder, 'full'), device, dataset, {
      ...{ comparing, sha256: this.#described.sha256, signal: control.signal },
    });
  }

  /** Goes on with a run, or begins it, for its share of the time. */
  async #distil(
    { given, title }: Cell,
    run: RunFiles,
    runsLeft: number,
  ): Promise<{ record: RunRecord; set: DistilledSet }> {
    const { device, dataset, control } = this;
    const time = new AbortController();
    const stop = () => time.abort(control.signal?.reason);
    control.signal?.addEventListener('abort', stop);
    if (control.signal?.aborted) stop();
    const follow: RunControl = {
      signal: time.signal,
      onBegin: () => this.#budget.begin(runsLeft, () => time.abort()),
      onProgress: (step) => this.#say(`distilling by ${title}`, step),
      // What is tested was finished in time, and its test is none of the time for distilling.
      onTest: () => this.#budget.end(),
    };
    try {
      return await (run.holdsRun()
        ? resumeIn(run, device, dataset, follow)
        : distillInto(run, device, dataset, given, { ...follow, origin: control.origin }));
    } finally {
      this.#budget.end();
      control.signal?.removeEventListener('abort', stop);
    }
  }

  async #scored(cell: Cell, run: RunFiles, record: RunRecord, set: DistilledSet): Promise<ComparedRun> {
    const { networks, protocol, augmentation, architectures } = this.comparing;
    const { title, ipc, seed, folder } = cell;
    // Real images are the same beside every method: the first one measures them, and, of soft labels, the first at its temperature.
    const { teacher, common: shared } = this.comparing;
    const temperature = softTemperature(shared, set) ?? 1;
    const there = baselinesUnder(shared, teacher !== undefined);
    const known = this.#baselines.find((one) => one.ipc === ipc && one.seed === seed);
    const fresh = this.comparing.baselines.filter(
      (name) =>
        there.includes(name) &&
        !(known && Object.hasOwn(known.results, atTemperature(name, name, temperature))),
    );
    const baselines = [...new Set(['randomReal', ...fresh])];
    const common = await this.#score(run, set, { protocol, networks, architectures, baselines, teacher });
    const results: Record<string, BaselineAccuracy> = { ...known?.results };
    for (const name of fresh) {
      const { title, ...found } = common.baselines[name];
      results[atTemperature(name, name, temperature)] = {
        title: atTemperature(name, title, temperature),
        ...found,
      };
    }
    if (!known) this.#baselines.push({ ipc, seed, results });
    else this.#baselines[this.#baselines.indexOf(known)] = { ...known, results };
    const augmented =
      augmentation === undefined
        ? undefined
        : scoreOf(
            await this.#score(run, set, { protocol, networks, augmentation, baselines: ['randomReal'] }),
          );
    const { outerSteps, timings, curve } = record;
    return {
      ...{ title, ipc, seed, folder, outerSteps, iterations: cell.options.iterations },
      seconds: timings.seconds,
      flops: outerSteps * (await this.#stepFlops(cell)),
      numbers: storedNumbers(set).bytes / 4,
      curve: curve.map(({ iteration, validationAccuracy }) => [
        (timings.seconds * iteration) / Math.max(1, outerSteps),
        validationAccuracy,
      ]),
      common: {
        ...scoreOf(common),
        perClass: common.perClass,
        others: common.others.map(({ network, accuracy }) => ({ network, accuracy })),
      },
      own: { ...(await this.#own(run, record, set)), ...(await this.#softly(cell, run, set)) },
      augmented,
    };
  }

  /** The score under a protocol: the one that the run has on record, else measured now and put on record. */
  async #score(run: RunFiles, set: DistilledSet, given: Asked): Promise<Evaluation | EvaluationRecord> {
    const { device, dataset, control } = this;
    const { teacher: path, ...how } = given;
    const { protocol: name, augmentation, networks, architectures = [], baselines } = how;
    const asked = findProtocol(name, { augmentation });
    const protocol = protocolName(set, asked, Boolean(dataset.zca));
    const teacher = path === undefined ? undefined : this.#teachers.get(path);
    const taughtAlike = (of: BaselineAccuracy) =>
      of.teacher === undefined || (teacher && of.teacher === checksumOf(teacher));
    const record = await run.readRecord();
    const found = record?.evaluations?.find(
      (one) =>
        one.protocol === protocol &&
        // Where nothing is trained, the set has one answer, however many draws stand beside it.
        (asked.kernel ? one.baselines.randomReal : one.accuracy)?.networks === networks &&
        baselines.every((name) => Object.hasOwn(one.baselines, name) && taughtAlike(one.baselines[name])) &&
        architectures.every((spec, i) => one.others[i]?.network === printNetworkSpec(spec)),
    );
    if (found) return found;
    await run.countTest();
    const { signal } = control;
    const measured = await evaluate(device, dataset, set, { ...how, teacher, signal });
    await run.addEvaluation({ ...measured, sameData: true }, set, dataset);
    return measured;
  }

  /** As the set is used by itself: what its run was tested by, or the same for one that was cut off. */
  async #own(
    run: RunFiles,
    { testAccuracy, baselines, protocol }: RunRecord,
    set: DistilledSet,
  ): Promise<Score> {
    const { networks } = this.comparing;
    if (testAccuracy && baselines.randomReal)
      return { protocol, accuracy: testAccuracy, random: plain(baselines.randomReal) };
    const steps = set.use.kind === 'learned-steps' ? set.use : undefined;
    const known = steps?.init === 'fixed' ? networksOf(set) : networks;
    return scoreOf(
      await this.#score(run, set, {
        protocol: protocolOf(set).name,
        networks: known,
        baselines: ['randomReal'],
      }),
    );
  }

  /** Random images with soft labels in the way of a set whose own are soft, too. */
  async #softly(cell: Cell, run: RunFiles, set: DistilledSet): Promise<Pick<Score, 'soft'>> {
    const { ipc, seed } = cell;
    const protocol = protocolOf(set);
    const teacher = this.#teacherOf(cell);
    const there = baselinesUnder(protocol, teacher !== undefined);
    // What a method wins is measured against a teacher's labels where there is one, whatever else is to stand beside it.
    const names = softBaselines.filter(
      (name) => there.includes(name) && (name === teacherBaseline || this.comparing.baselines.includes(name)),
    );
    if (set.use.kind !== 'minibatches' || !hasSoftLabels(set) || !names.length) return {};
    const key = JSON.stringify([protocolName(set, protocol, Boolean(this.dataset.zca)), ipc, seed, teacher]);
    const known = this.#soft.get(key);
    if (known) return { soft: known };
    const { networks } = this.comparing;
    const baselines = ['randomReal', ...names];
    const scored = await this.#score(run, set, { protocol: protocol.name, networks, baselines, teacher });
    const soft = Object.fromEntries(names.map((name) => [name, plain(scored.baselines[name])]));
    this.#soft.set(key, soft);
    return { soft };
  }

  async #stepFlops({ options }: Cell): Promise<number> {
    const { device, dataset } = this;
    await using named = await openNamed(options, { goesOn: true, sha256: this.#described.sha256 });
    const control = {
      experts: named.experts,
      teacher: named.teacher,
      remedies: false,
      timed: false,
      test: false,
    };
    const { flops } = await planDistillation(device, dataset, options as DistillOptions, control);
    return flops.step;
  }

  /** Writes what there is so far, with the page. */
  async #write(missing: readonly Cell[]): Promise<Compared> {
    const { files, device, dataset, comparing } = this;
    const { common, networks } = comparing;
    const compared: Compared = {
      format: compareFormat,
      dataset: this.#described,
      engine: engineRecord(device, undefined),
      protocol: `${describeProtocol(common)}, ${counted(networks, 'network')} for each set`,
      labels: common.labels,
      cut: cutsOf(comparing, this.#runs),
      full: this.#full,
      baselines: this.#baselines,
      runs: this.#runs,
      missing: missing.map(({ folder }) => folder),
    };
    await writeFileAtomic(join(files.folder, 'compare.json'), `${JSON.stringify(compared, null, 1)}\n`);
    await writeFileAtomic(join(files.folder, 'compare.html'), files.page(compared, this.#sets, dataset));
    return compared;
  }
}

/** How a set is to be scored. */
type Asked = Required<Pick<EvaluateOptions, 'protocol' | 'networks' | 'baselines'>> &
  Pick<EvaluateOptions, 'augmentation' | 'architectures'> & {
    /** Where the teacher of baselines lies. */
    readonly teacher?: string;
  };

/** A name or a title of a baseline, with the temperature of its labels where these are soft: it is that of the set that it stands beside. */
const atTemperature = (name: string, text: string, temperature: number): string =>
  softBaselines.includes(name) && temperature !== 1 ? `${text} at temperature ${temperature}` : text;

const plain = ({ mean, std, networks }: Accuracy): Accuracy => ({ mean, std, networks });

const scoreOf = ({ protocol, accuracy, baselines }: Evaluation | EvaluationRecord): Score => ({
  protocol,
  accuracy,
  random: plain(baselines.randomReal),
});
