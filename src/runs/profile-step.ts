import type { Dataset } from '../data/dataset.js';
import { expectDataset } from '../data/expect-dataset.js';
import type { Device, Executable, Peak, StepTimes } from '../engine/device.js';
import { betterOf, type Profile, profileOf } from '../engine/profile.js';
import type { DistillOptions } from '../methods/index.js';
import { LimbeckError } from '../util/errors.js';
import { expectDevice, expectOptions } from '../util/expect.js';
import { owning } from '../util/owned.js';
import type { DistillControl } from './distillation.js';
import { findMethod, resolveFor } from './options.js';
import { settingFor, uploadTraining } from './setting.js';

/** Milliseconds. */
export interface Times {
  /** Of all runs. */
  readonly median: number;
  /** Of the fastest. */
  readonly min: number;
}

/** Where the time of one outer step goes. */
export interface StepProfile extends Profile {
  /** What the processor can do at best, measured before and after. */
  readonly peak: Peak;
  /** How many were measured of each kind. */
  readonly runs: number;
  /** Bytes of the bound tensors, and of the temporaries as planned. */
  readonly memory: {
    /** Of tensors that are bound: data, parameters, distilled images. */
    readonly external: number;
    /** Of what lives inside an outer step. */
    readonly temporary: number;
  };
  /** Of a run as `distill` makes it. */
  readonly run: Times;
  /** Of a run whose ops are timed. */
  readonly timedRun: Times;
}

const warmUp = 3;

/**
 * Times an outer step of `distill` with these options, op by op, against the peak of the processor. Throws ERR_DEVICE on an
 * engine that cannot time steps: only `cpu` can.
 */
export async function profileStep(
  device: Device,
  dataset: Dataset,
  given: DistillOptions = {},
  control: Pick<DistillControl, 'first' | 'weights' | 'experts' | 'pretrained' | 'teacher' | 'signal'> & {
    readonly repeats?: number;
  } = {},
): Promise<StepProfile> {
  expectDevice('profileStep', device);
  expectDataset('profileStep', dataset);
  expectOptions('profileStep', control, {
    repeats: true,
    signal: true,
    first: true,
    weights: true,
    experts: true,
    pretrained: true,
    teacher: true,
  });
  const { repeats = 20, signal } = control;
  if (!device.peak)
    throw new LimbeckError('ERR_DEVICE', `the device is ${device.description}, and only cpu times each step`);
  const measurePeak = device.peak.bind(device);
  const { options: asked } = resolveFor('profileStep', given, dataset);
  // Every run is an outer step of its own, and each needs its row in the table of rates.
  const iterations = Math.max(asked.iterations, 1 + warmUp + 2 * repeats);
  const options = { ...asked, iterations };
  const work = await owning(async (owned) => {
    const split = owned.own(await uploadTraining(device, dataset, options));
    const setting = await settingFor(device, dataset, options, split, control);
    return { process: owned.own(await findMethod(options.method).begin(setting)), owned };
  });
  try {
    const { programs, executables } = work.process;
    // What is beside an outer step has then brought it the networks that it sees.
    await work.process.advance(1, signal);
    const before = await measurePeak();
    const { steps, ...times } = await measure(executables[0], repeats, signal);
    const peak = betterOf(before, await measurePeak());
    const { bytes } = device.memory();
    const { external } = programs[0].bytes();
    const memory = { external, temporary: bytes - external };
    return { peak, runs: repeats, memory, ...times, ...profileOf(steps, peak) };
  } finally {
    work.owned.dispose();
  }
}

/**
 * Runs with and without timing the ops take turns, so that whatever else the machine does meets both alike. Each op counts
 * with its fastest run: others only ever add time.
 */
async function measure(
  executable: Executable,
  repeats: number,
  signal: AbortSignal | undefined,
): Promise<{ run: Times; timedRun: Times; steps: StepTimes }> {
  await executable.run({ times: warmUp, signal });
  const [run, timedRun]: number[][] = [[], []];
  const timed = async (work: () => Promise<unknown>, times: number[]) => {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  };
  let best: StepTimes | undefined;
  for (let i = 0; i < repeats; i++) {
    await timed(() => executable.run({ signal }), run);
    await timed(async () => {
      const times = await executable.profile!({ signal });
      const least = best?.nanoseconds ?? times.nanoseconds;
      best = { ...times, nanoseconds: Array.from(least, (time, i) => Math.min(time, times.nanoseconds[i])) };
    }, timedRun);
  }
  return { run: timesOf(run), timedRun: timesOf(timedRun), steps: best! };
}

function timesOf(milliseconds: number[]): Times {
  milliseconds.sort((a, b) => a - b);
  return { median: milliseconds[milliseconds.length >> 1], min: milliseconds[0] };
}
