import type { Dataset } from '../../data/dataset.js';
import type { Device, Executable, Tensor } from '../../engine/device.js';
import { bytesMoved } from '../../engine/profile.js';
import { Program } from '../../engine/program.js';
import type { Step } from '../../engine/step.js';
import { Owned } from '../../util/owned.js';
import { firstItems } from '../first-items.js';
import type { ResolvedOptions } from '../options.js';
import type { Named } from '../setting.js';
import { Validation } from '../validation.js';
import { beginBlank, type Measured } from './measure.js';
import type { DistillationPlan } from './plan.js';

/** How long a run will take here, by what its programs took when they were tried. */
export interface ExpectedTime {
  /** Seconds of an outer step, with what is done between two of them. */
  readonly step: number;
  /** Seconds of a look at the validation split. */
  readonly look: number;
  /** Seconds of all outer steps and looks; the test at the end is not in it. */
  readonly total: number;
  /** Seconds of the test at the end, by its operations at the speed of a look; 0 where it was not planned. */
  readonly test: number;
  /** Share of the work of an outer step's longest program that was timed: 1 where it was run as a whole. */
  readonly timedShare: number;
}

/** A program that was loaded, and what it was bound to. */
interface Loaded {
  readonly program: Program;
  readonly bindings: Readonly<Record<string, Tensor>>;
  readonly executable: Executable;
}

/** Seconds that a program is run for, at most about; one that takes longer is timed in parts. */
const patience = 3;
/** Operations that are tried first, to find out how fast the device is: little to the slowest of them. */
const firstWork = 2e9;

/** Begins a run and times each of its programs that outer steps or looks run; what they compute is thrown away. */
export async function timeRun(
  device: Device,
  dataset: Dataset,
  options: ResolvedOptions,
  { programs, looks, flops }: Pick<DistillationPlan, 'looks' | 'flops'> & Pick<Measured, 'programs'>,
  named: Named = {},
  signal?: AbortSignal,
): Promise<ExpectedTime> {
  const loaded: Loaded[] = [];
  const watched = watching(device, loaded);
  const noise: typeof firstItems = (data, items, given) =>
    firstItems(data, items, { ...given, first: 'noise' });
  const { work, set, owned } = await beginBlank(watched, dataset, options, named, noise);
  try {
    owned.own(await Validation.create(watched, dataset, set, options, named.pretrained));
    const [longest] = programs
      .map(({ flops, perStep }, i) => ({ of: loaded[i], flops: flops * perStep }))
      .sort((a, b) => b.flops - a.flops);
    // What is beside an outer step brings it the networks that it sees: zeros may be faster.
    if ((await timeProgram(device, longest.of, signal)).share === 1) await work.advance(1, signal);
    let [step, look, timedShare, most] = [0, 0, 1, 0];
    for (const [i, { perStep, perLook }] of programs.entries()) {
      if (!perStep && !perLook) continue;
      const { seconds, share } = await timeProgram(device, loaded[i], signal);
      if (perStep * seconds > most) [most, timedShare] = [perStep * seconds, share];
      step += perStep * seconds;
      look += perLook * seconds;
    }
    const test = flops.look ? (flops.test / flops.look) * look : 0;
    return { step, look, total: options.iterations * step + looks * look, test, timedShare };
  } finally {
    owned.dispose();
  }
}

/** A device that notes what is loaded on it. */
function watching(device: Device, loaded: Loaded[]): Device {
  return Object.assign(Object.create(device) as Device, {
    tensor: (...given: Parameters<Device['tensor']>) => device.tensor(...given),
    memory: () => device.memory(),
    async load(program: Program, bindings: Loaded['bindings']) {
      const executable = await device.load(program, bindings);
      loaded.push({ program, bindings, executable });
      return executable;
    },
  });
}

/** Seconds of a run; of a long one by a part of its steps, which is loaded in its place. */
async function timeProgram(
  device: Device,
  { program, bindings, executable }: Loaded,
  signal?: AbortSignal,
): Promise<{ seconds: number; share: number }> {
  const works = program.steps.map(workOf);
  const all = works.reduce((sum, work) => sum + work, 0);
  const part = async (share: number) => {
    const owned = new Owned();
    try {
      const { program: some, work } = partOf(program, works, share);
      const names = new Set(some.slots.flatMap(({ external, name }) => (external ? [name] : [])));
      const bound = Object.fromEntries(Object.entries(bindings).filter(([name]) => names.has(name)));
      const sample = owned.own(await device.load(some, bound));
      return { seconds: (await secondsOf(sample, signal)) * (all / work), share: work / all };
    } finally {
      owned.dispose();
    }
  };
  if (all <= firstWork) return { seconds: await secondsOf(executable, signal), share: 1 };
  const first = await part(firstWork / all);
  if (first.seconds <= patience) return { seconds: await secondsOf(executable, signal), share: 1 };
  return part(Math.min(1, patience / first.seconds));
}

/** Seconds of a run, after one that warms caches: the mean over as many as take some tenths of a second. Of what takes far too long, the first. */
export async function secondsOf(executable: Pick<Executable, 'run'>, signal?: AbortSignal): Promise<number> {
  const time = async (times: number) => {
    const before = performance.now();
    await executable.run({ times, signal });
    return (performance.now() - before) / 1000 / times;
  };
  const first = await time(1);
  if (first > 2 * patience) return first;
  const second = await time(1);
  return second > 0.2 ? second : time(Math.min(100, Math.ceil(0.4 / Math.max(second, 1e-5))));
}

/** A rough measure of what a step takes. */
const workOf = (step: Step): number => step.kernel.flops(step.sizes, step.operands) + bytesMoved(step);

/** Places of a program that a part is taken from: passes there and back differ. */
const places = 8;

/**
 * About so large a share of a program: the beginnings of pieces of equal work. Steps that draw whole numbers are all in it, since others find
 * images by them; other temporaries may hold anything.
 */
export function partOf(
  program: Program,
  works: readonly number[],
  share: number,
): { program: Program; work: number } {
  const all = works.reduce((sum, work) => sum + work, 0);
  const piece = all / places;
  let [before, work] = [0, 0];
  const steps = program.steps.filter((step, i) => {
    const begins = before - Math.floor(before / piece) * piece < share * piece;
    before += works[i];
    const taken = begins || writesWholes(step);
    if (taken) work += works[i];
    return taken;
  });
  const touched = new Set(steps.flatMap(({ operands }) => Object.values(operands).map((view) => view?.slot)));
  const slots = program.slots.filter((slot) => touched.has(slot));
  return { program: new Program(`${program.name}, in part`, slots, steps), work };
}

const writesWholes = ({ kernel, operands }: Step): boolean =>
  Object.entries(kernel.operands).some(
    ([name, access]) =>
      (access === 'write' || access === 'update') && operands[name] && operands[name].slot.dtype !== 'f32',
  );
