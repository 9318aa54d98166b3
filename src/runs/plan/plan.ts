import { classCounts } from '../../data/classes.js';
import type { Dataset } from '../../data/dataset.js';
import { expectDataset } from '../../data/expect-dataset.js';
import type { Device, EngineName } from '../../engine/device.js';
import { elements } from '../../engine/view.js';
import type { DistillOptions } from '../../methods/index.js';
import { LimbeckError } from '../../util/errors.js';
import { expectDevice, expectOptions } from '../../util/expect.js';
import { findHostMemory, type HostMemory } from '../../util/host-memory.js';
import { checkOption, positive } from '../../util/option.js';
import { bytesText } from '../../util/words.js';
import type { DistillControl } from '../distillation.js';
import { type ResolvedOptions, resolveFor } from '../options.js';
import { planFor } from '../setting.js';
import { type DiskBytes, diskBytes, freeOnDisk, usedOnDisk } from './disk.js';
import { type DeviceBytes, type Measured, measureRun } from './measure.js';
import { findRemedies, type Remedy, remedyText } from './remedies.js';
import { type ExpectedTime, timeRun } from './time.js';

/** How to plan. */
export interface PlanControl extends Pick<DistillControl, 'experts' | 'pretrained' | 'teacher' | 'signal'> {
  /** Folder of the run, which need not exist: whose disk it is held against. */
  readonly folder?: string;
  /** Bytes of memory to hold it against; default what is available now. */
  readonly memory?: number;
  /** Whether options that make it fit are looked for, where it does not; default true. */
  readonly remedies?: boolean;
  /** Whether the test at the end is planned; default true. Only the size of the test split is looked at. */
  readonly test?: boolean;
  /** Whether outer steps are timed, which takes some seconds; default true. Nothing is timed that does not fit. */
  readonly timed?: boolean;
}

/** Bytes of memory of the machine. */
export interface HostBytes {
  /** The training and validation images, which are there already. */
  readonly dataset: number;
  /** Copies of the training split on its way to the device, or of the state on its way to disk. */
  readonly passing: number;
}

/** Floating-point operations; a multiply-add counts as two. */
export interface PlannedFlops {
  /** Of an outer step with what is done between two of them: the mean over the run. */
  readonly step: number;
  /** Of a look at the validation split. */
  readonly look: number;
  /** Of all of them; the test at the end is not in it. */
  readonly total: number;
  /** Of the test at the end, beside its usual baselines; 0 where it was not planned. */
  readonly test: number;
}

/** What a run takes, and whether there is that much. */
export interface DistillationPlan {
  /** With every value filled in. */
  readonly options: ResolvedOptions;
  /** What it is planned for. */
  readonly engine: {
    /** Which engine. */
    readonly name: EngineName;
    /** In words. */
    readonly description: string;
  };
  /** Bytes on the device while the run distils. */
  readonly device: DeviceBytes & {
    /** All of these. */
    readonly total: number;
    /** In the test at the end, at most, when those are given back; 0 where it was not planned. */
    readonly test: number;
  };
  /** Bytes on the host. */
  readonly host: HostBytes;
  /** Bytes in the folder of the run. */
  readonly disk: DiskBytes & {
    /** What can be written there. */
    readonly free: number;
    /** What files of a run that lie there take, which are replaced. */
    readonly used: number;
  };
  /** Looks at the validation split. */
  readonly looks: number;
  /** Operations. */
  readonly flops: PlannedFlops;
  /** What is taken of the machine's memory from now on; with a GPU the device's is not part of it. */
  readonly memory: HostMemory & {
    /** Bytes. */
    readonly needed: number;
  };
  /** What there is not enough of, or what the device refuses, in words; empty where the run fits. */
  readonly lacks: readonly string[];
  /** Options that make it fit, each planned; empty where it fits, where none does, or where they were not looked for. */
  readonly remedies: readonly Remedy[];
  /** Where it fits and was timed. */
  readonly time?: ExpectedTime;
}

const controls = {
  experts: true,
  pretrained: true,
  teacher: true,
  signal: true,
  folder: true,
  memory: true,
  remedies: true,
  test: true,
  timed: true,
} satisfies Record<keyof PlanControl, true>;

/**
 * What `distill` with these options takes: memory by what it is for, disk, operations and time, by the memory plans of the programs that it
 * would run. Only counted, nothing of that size is allocated; what then fits is begun and its programs are timed, unless `timed` is
 * false. The same bytes as the engine will say of itself.
 *
 * @throws ERR_OPTION, ERR_SHAPE and ERR_DATA as `distill`; not for a run that does not fit: see `lacks`
 */
export async function planDistillation(
  device: Device,
  dataset: Dataset,
  given: DistillOptions = {},
  control: PlanControl = {},
): Promise<DistillationPlan> {
  expectDevice('planDistillation', device);
  expectDataset('planDistillation', dataset);
  expectOptions('planDistillation', control, controls);
  const {
    experts,
    pretrained,
    teacher,
    signal,
    folder,
    remedies = true,
    test = true,
    timed = true,
  } = control;
  const named = { experts, pretrained, teacher };
  if (control.memory !== undefined) checkOption('memory', positive(1, ''), control.memory);
  const host = findHostMemory();
  const memory = control.memory === undefined ? host : { ...host, available: control.memory };
  const free = await freeOnDisk(folder ?? '.');
  const used = folder === undefined ? 0 : await usedOnDisk(folder);
  const measured = async (options: DistillOptions) => {
    const { options: resolved } = resolveFor('planDistillation', options, dataset);
    planFor(resolved, dataset);
    const run = await measureRun(device, dataset, resolved, { ...named, signal, test });
    return { resolved, run, plan: planned(device, dataset, resolved, run, { memory, free, used }) };
  };
  const { resolved, run, plan } = await measured(given);
  if (plan.lacks.length && !remedies) return plan;
  if (plan.lacks.length) {
    const lacking = async (options: DistillOptions) => (await measured(options)).plan;
    return {
      ...plan,
      remedies: await findRemedies(given, resolved, lacking, { images: run.set.classes.length, signal }),
    };
  }
  if (!timed) return plan;
  return {
    ...plan,
    time: await timeRun(device, dataset, resolved, { ...plan, programs: run.programs }, named, signal),
  };
}

/** The plan of a run that was measured. */
function planned(
  { engine: name, description, needs }: Device,
  dataset: Dataset,
  options: ResolvedOptions,
  run: Measured,
  { memory, free, used }: { memory: HostMemory; free: number; used: number },
): DistillationPlan {
  const looks = Math.ceil(options.iterations / options.validateEvery);
  const disk = { ...diskBytes(run, looks), free, used };
  const total = Object.values(run.device).reduce((sum, bytes) => sum + bytes, 0);
  const passing = Math.max(dataset.train.images.byteLength, embeddedClass(dataset), 2 * disk.checkpoint);
  const needed = passing + (needs.ofHost ? run.most : 0);
  const flops = (of: 'perStep' | 'perLook') =>
    run.programs.reduce((sum, program) => sum + program.flops * program[of], 0);
  const [step, look] = [flops('perStep'), flops('perLook')];
  const lacks = [
    // The first says enough: tensors of one size are refused one after the other.
    ...run.refused.slice(0, 1),
    ...(needed > memory.available
      ? [`it needs ${bytesText(needed)} of memory, and ${bytesText(memory.available)} are available`]
      : []),
    ...(overfills(disk)
      ? [`its folder needs ${bytesText(disk.total - used)} more, and its disk has ${bytesText(free)} left`]
      : []),
  ];
  return {
    options,
    engine: { name, description },
    device: { ...run.device, total, test: run.test?.bytes ?? 0 },
    host: {
      dataset:
        dataset.train.images.byteLength +
        dataset.validation.images.byteLength +
        (dataset.text?.table.byteLength ?? 0),
      passing,
    },
    disk,
    looks,
    flops: { step, look, total: options.iterations * step + looks * look, test: run.test?.flops ?? 0 },
    memory: { ...memory, needed },
    lacks,
    remedies: [],
  };
}

/** Bytes of the largest class of a set of texts, which baselines embed as a whole. */
const embeddedClass = ({ text, train, classes, imageShape }: Dataset): number =>
  text ? 4 * elements(imageShape) * Math.max(...classCounts(train.labels, classes)) : 0;

const overfills = ({ total, free, used }: DistillationPlan['disk']): boolean => total - used > free;

/** ERR_OUT_OF_MEMORY for a run that does not fit, ERR_FILE_WRITE where it is the disk alone, with what makes it fit. */
export function refuseUnlessItFits({ lacks, remedies, disk, engine }: DistillationPlan): void {
  if (!lacks.length) return;
  const ofDisk = lacks.length === 1 && overfills(disk);
  const ways = ofDisk
    ? ['make room, or name a folder on another disk']
    : remedies.length
      ? remedies.map((remedy) => `with ${remedyText(remedy)} it needs ${bytesText(remedy.needed)}`)
      : ['no option of this method makes it fit: expected a smaller network or data set, or more memory'];
  throw new LimbeckError(
    ofDisk ? 'ERR_FILE_WRITE' : 'ERR_OUT_OF_MEMORY',
    `${engine.name}: the run does not fit: ${lacks.join('; ')}: ${ways.join(', ')}`,
  );
}
