import type { Dataset } from '../../data/dataset.js';
import type { DistilledSet } from '../../data/distilled-set.js';
import { emptyLike } from '../../data/hold-out.js';
import type { Device, Tensor } from '../../engine/device.js';
import { type Counted, MeasuringDevice } from '../../engine/measuring.js';
import { bytesOf, elements } from '../../engine/view.js';
import { defaultBaselines, perClassOf } from '../../eval/baselines/index.js';
import { evaluate } from '../../eval/evaluate.js';
import { findProtocol } from '../../eval/find-protocol.js';
import { itemCount } from '../../methods/items.js';
import type { Process } from '../../methods/method.js';
import { breathe } from '../../util/breathe.js';
import { type Owned, owning } from '../../util/owned.js';
import { findMethod, type ResolvedOptions } from '../options.js';
import { type Named, settingFor, uploadTraining } from '../setting.js';
import { Validation } from '../validation.js';

/** Bytes on the device while a run distils, by what they are for. */
export interface DeviceBytes {
  /** The training split. */
  readonly realData: number;
  /** What a checkpoint holds: what is learned, the states of its update rules, networks that are kept beside the run. */
  readonly state: number;
  /** Networks that an outer step begins with, where they are no state. */
  readonly networks: number;
  /** Parameters of inner steps, and their optimiser's state, that are kept for the way back: as many as are alive when memory is fullest. */
  readonly trajectory: number;
  /** What inner steps made of their batches (choice of images, augmentation), likewise. */
  readonly batches: number;
  /** Activations, gradients and scratch of the recorded programs. */
  readonly work: number;
  /** Schedules, labels, decoded items and the like. */
  readonly tables: number;
  /** The validation split, and what it takes to look at it. */
  readonly validation: number;
}

/** A program of a run, and how often it runs. */
export interface Share {
  /** Floating-point operations of one run. */
  readonly flops: number;
  /** Runs in an outer step, in the mean of those that were counted. */
  readonly perStep: number;
  /** Runs in a look at the validation split. */
  readonly perLook: number;
}

/** What a run takes, by its recorded programs. */
export interface Measured {
  readonly device: DeviceBytes;
  /** Bytes on the device at most at once: while it distils, or in the test at the end. */
  readonly most: number;
  /** The test at the end; left out where it was not measured. */
  readonly test?: MeasuredTest;
  /** Why the device would refuse something whatever memory it has; empty where it would not. */
  readonly refused: readonly string[];
  /** In the order in which they are loaded. */
  readonly programs: readonly Share[];
  /** Bytes of the state as it is saved. */
  readonly stateSaved: number;
  /** A set of zeros of the sizes that the run will give. */
  readonly set: DistilledSet;
}

/** What the test at the end takes. */
export interface MeasuredTest {
  /** Bytes on the device, at most. */
  readonly bytes: number;
  /** Floating-point operations, with those of the baselines. */
  readonly flops: number;
}

/** A run before its first outer step. */
export interface Begun {
  readonly work: Process;
  readonly set: DistilledSet;
  /** Tensors of the training split. */
  readonly real: readonly Tensor[];
  readonly owned: Owned;
}

const zeros: Parameters<typeof settingFor>[5] = async (_, items) =>
  new Float32Array(itemCount(items) * elements(items.shape));

/** Begins a run as `distill` does, for measuring alone: its items are zeros, which take no time to choose. */
export const beginBlank = (
  device: Device,
  dataset: Dataset,
  options: ResolvedOptions,
  named: Named,
  made: Parameters<typeof settingFor>[5] = zeros,
): Promise<Begun> =>
  owning(async (owned) => {
    const split = owned.own(await uploadTraining(device, dataset, options));
    const setting = await settingFor(device, dataset, options, split, named, made);
    const work = owned.own(await findMethod(options.method).begin(setting));
    return { work, set: await work.result(), real: Object.values(split.tensors), owned };
  });

/** Outer steps whose runs are counted, at most; a few where each reads experts from disk. */
const mostCounted = { usual: 10_000, reading: 8 };

/** Steps between which other work of this thread may run. */
const piece = 100;

/** What is given to a run, and what of it is measured. */
export interface Measuring extends Named {
  readonly signal?: AbortSignal | undefined;
  /** Whether the test at the end is, too; default true. */
  readonly test?: boolean;
}

/** Measures a run on a device that only counts: nothing of its size is allocated. */
export async function measureRun(
  device: Device,
  dataset: Dataset,
  options: ResolvedOptions,
  { signal, test: withTest = true, ...named }: Measuring = {},
): Promise<Measured> {
  const counting = new MeasuringDevice(device);
  const begun = await beginBlank(counting, dataset, options, named);
  const { work, set, owned } = begun;
  try {
    const own = workBytes(counting, begun);
    const before = counting.memory().bytes + runningOf(counting.loaded);
    const validation = owned.own(await Validation.create(counting, dataset, set, options, named.pretrained));
    const all = counting.memory().bytes + runningOf(counting.loaded);
    const counts = () => counting.loaded.map(({ runs }) => runs);
    const atFirst = counts();
    const steps = Math.min(options.iterations, named.experts ? mostCounted.reading : mostCounted.usual);
    for (let done = 0; done < steps; done += piece) {
      await work.advance(Math.min(piece, steps - done), signal);
      await breathe();
    }
    const afterSteps = counts();
    await validation.accuracy(set, signal);
    const afterLook = counts();
    const test = withTest ? await measureTest(device, dataset, set, options, named, signal) : undefined;
    return {
      device: { ...own, validation: all - before },
      most: Math.max(counting.most, test?.bytes ?? 0),
      test,
      refused: counting.refused,
      programs: counting.loaded.map(({ program }, i) => ({
        flops: program.flops(),
        perStep: (afterSteps[i] - atFirst[i]) / steps,
        perLook: afterLook[i] - afterSteps[i],
      })),
      stateSaved: sumOf(Object.values(work.tensors), (one) => savedBytes(device, one)),
      set,
    };
  } finally {
    owned.dispose();
  }
}

const sumOf = <T>(all: readonly T[], of: (one: T) => number) => all.reduce((sum, one) => sum + of(one), 0);

/** Of a tensor as it is read. */
const savedBytes = ({ engine }: Device, { dtype, length }: Tensor): number =>
  length * (dtype === 'f32' && engine === 'reference' ? 8 : bytesOf[dtype]);

/** Programs run one after the other. */
const runningOf = (loaded: readonly Counted[]): number =>
  Math.max(0, ...loaded.filter(({ alive }) => alive).map(({ need }) => need.running));

/** What is alive before the first outer step, and what the steps then take. */
function workBytes(counting: MeasuringDevice, { work, real }: Begun): Omit<DeviceBytes, 'validation'> {
  const { needs } = counting;
  const alive = counting.loaded.filter((one) => one.alive);
  const taken = (tensors: Iterable<Tensor>) =>
    sumOf([...tensors], ({ dtype, length }) => needs.tensor(dtype, length).bytes);
  const state = new Set(Object.values(work.tensors));
  const bound = alive.flatMap(({ bindings }) => networkNames.flatMap((name) => bindings[name] ?? []));
  const known = {
    realData: taken(real),
    state: taken(state),
    networks: taken(new Set(bound.filter((tensor) => !state.has(tensor)))),
  };
  const kept = {
    trajectory: sumOf(alive, ({ need }) => need.kept.trajectory),
    batches: sumOf(alive, ({ need }) => need.kept.batches),
  };
  const programs = sumOf(alive, ({ need }) => need.bytes);
  return {
    ...known,
    ...kept,
    work: programs + runningOf(alive) - kept.trajectory - kept.batches,
    tables: counting.memory().bytes - programs - known.realData - known.state - known.networks,
  };
}

/** Names under which programs bind the networks of an outer step. */
const networkNames = ['theta', 'moments', 'pretrained', 'start', 'target', 'nextTheta', 'nextMoments'];

/** Operations of the test at the end of a run, alone. */
export async function testFlops(
  device: Device,
  dataset: Dataset,
  options: ResolvedOptions,
  { signal, ...named }: Omit<Measuring, 'test'>,
): Promise<number> {
  const { set, owned } = await beginBlank(new MeasuringDevice(device), dataset, options, named);
  owned.dispose();
  return (await measureTest(device, dataset, set, options, named, signal)).flops;
}

/** The test at the end: every further baseline takes as much as class means, whose images are found fast. */
async function measureTest(
  device: Device,
  dataset: Dataset,
  set: DistilledSet,
  { networks, protocol }: ResolvedOptions,
  { pretrained, teacher }: Named,
  signal?: AbortSignal,
): Promise<MeasuredTest> {
  const { images, count } = dataset.test;
  if (count < 1) return { bytes: 0, flops: 0 };
  const counting = new MeasuringDevice(device);
  // Its size is all that is looked at.
  const test = { images: emptyLike(images, images.length), labels: new Uint8Array(count), count };
  /** Operations by when the distilled images, random ones and class means begin, and in all. */
  const begins: number[] = [];
  await evaluate(counting, { ...dataset, test }, set, {
    ...{ networks, protocol, pretrained, signal },
    baselines: ['randomReal', 'classMeans'],
    onProgress: () => begins.push(sumOf(counting.loaded, ({ program, runs }) => runs * program.flops())),
  });
  const [, , means, end] = begins;
  const perClass = perClassOf(set.stored.pictures, dataset.classes);
  const soft = Boolean(teacher && set.teacher && findProtocol(protocol).labels !== 'hard');
  const others = defaultBaselines(perClass, set, dataset.name, soft).length;
  return { bytes: counting.most, flops: end + (others - 2) * (end - means) };
}
