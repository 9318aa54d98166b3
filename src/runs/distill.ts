import type { Dataset } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import type { Experts } from '../data/experts/experts.js';
import type { Device, Numbers } from '../engine/device.js';
import { median } from '../eval/statistics.js';
import type { DistillOptions } from '../methods/index.js';
import type { Process } from '../methods/method.js';
import { LimbeckError } from '../util/errors.js';
import { expectDataset, expectDevice, expectOptions } from '../util/expect.js';
import { type Owned, owning } from '../util/owned.js';
import { findMethod, type ResolvedOptions, resolveFor, type Taken } from './options.js';
import { planFor, settingFor, uploadTraining } from './setting.js';
import { Validation } from './validation.js';

/** One point of a run's curves. */
export interface CurvePoint {
  /** Outer steps done. */
  readonly iteration: number;
  /** Outer loss of the last step before this point. */
  readonly loss: number;
  /** Percent, mean over the validation networks. */
  readonly validationAccuracy: number;
  /** The inner learning rates then, `[steps * epochs]`, or `[1]` where they are shared; left out where none are learned. */
  readonly learningRates?: readonly number[];
}

/** What `onProgress` hears, some four times a second. */
export interface Progress {
  /** Outer steps done. */
  readonly iteration: number;
  /** Outer steps of the whole run. */
  readonly iterations: number;
  /** Outer loss of the last step. */
  readonly loss: number;
  /** Percent; undefined before the first look at the validation split. */
  readonly validationAccuracy?: number;
  /** Outer steps per second. */
  readonly stepsPerSecond: number;
  /** Seconds to the last outer step at this rate. */
  readonly secondsLeft: number;
}

/** The look at the validation split whose images are the result. */
export interface BestLook {
  /** Outer steps done by then. */
  readonly iteration: number;
  /** Percent. */
  readonly validationAccuracy: number;
}

/** The whole state of a run at a point of its curve. */
export interface Checkpoint {
  /** Of the run. */
  readonly options: ResolvedOptions;
  /** Outer steps done. */
  readonly iteration: number;
  /** Outer loss of the last of them; undefined before the first. */
  readonly loss?: number;
  /** One point for each look at the validation split. */
  readonly curve: readonly CurvePoint[];
  /** Seconds spent so far, over all pieces of the run. */
  readonly seconds: number;
  /** Tensors of the method's work. */
  readonly state: Readonly<Record<string, Numbers>>;
  /** Of the looks so far; at iteration 0 with accuracy 0 before the first one. */
  readonly best: BestLook & {
    /** What was looked at. */
    readonly set: DistilledSet;
  };
}

/** How to follow a run, stop it and go on with it. */
export interface DistillControl {
  /**
   * Stops after the current outer steps, or in the middle of a look at the validation split, which is made up for when the run
   * goes on. The result then holds what there is and says `stopped`.
   */
  readonly signal?: AbortSignal;
  /** Called while the run goes on. */
  readonly onProgress?: (event: Progress) => void;
  /** Called at every look at the validation split; awaited, so that a write can finish first. */
  readonly onCheckpoint?: (checkpoint: Checkpoint) => void | Promise<void>;
  /** Goes on from here, to the same bits as if it had never stopped. */
  readonly resume?: Checkpoint;
  /** The set to begin with, where the option `first` names its file. */
  readonly first?: DistilledSet;
  /** The experts whose folder the option `experts` names, for methods that match trajectories; they stay open. */
  readonly experts?: Experts;
}

const controls = {
  signal: true,
  onProgress: true,
  onCheckpoint: true,
  resume: true,
  first: true,
  experts: true,
} satisfies Record<keyof DistillControl, true>;

/** What a run came to. */
export interface Distillation {
  /** The distilled data of the best look at the validation split. */
  readonly set: DistilledSet;
  /** With every value filled in. */
  readonly options: ResolvedOptions;
  /** Options that nobody gave and that were published for these data. */
  readonly preset: Taken;
  /** One point for each look at the validation split. */
  readonly curve: readonly CurvePoint[];
  /** The look whose images `set` holds. */
  readonly best: BestLook;
  /** Outer steps done, over all pieces of the run. */
  readonly outerSteps: number;
  /** Seconds spent, over all pieces of the run. */
  readonly seconds: number;
  /** Wall time of an outer step. */
  readonly stepMilliseconds: {
    /** Of all steps of this piece of the run. */
    readonly median: number;
    /** Of the fastest. */
    readonly min: number;
  };
  /** Whether it ended before its last iteration. */
  readonly stopped: boolean;
  /** Why it ended early, when numbers stopped being finite; the set is the best there was before. */
  readonly diverged?: string;
}

/** Wall time one uninterruptible piece of work should take: short enough for progress and Ctrl-C. */
const pieceMilliseconds = 250;

/**
 * Distils the training split of a data set by one of the methods of limbeck, unrolled training (Wang et al. 2018) unless
 * another is named. The best result is chosen on the validation split; the test split is not touched: see `evaluate`.
 *
 * @throws ERR_OPTION for options that are unknown, out of range or do not fit the data; ERR_SHAPE for images that the network cannot
 * take; ERR_OUT_OF_MEMORY; ERR_DIVERGED when numbers stop being finite before the first look at the validation split; later, the best
 * result so far is returned with `diverged`
 */
export async function distill(
  device: Device,
  dataset: Dataset,
  given: DistillOptions = {},
  control: DistillControl = {},
): Promise<Distillation> {
  expectDevice('distill', device);
  expectDataset('distill', dataset);
  expectOptions('distill', control, controls);
  const { options, taken } = control.resume
    ? { options: control.resume.options, taken: {} }
    : resolveFor('distill', given, dataset);
  planFor(options, dataset);
  const run = await owning(async (owned) => {
    const train = owned.own(await uploadTraining(device, dataset, options));
    const { experts, first, resume } = control;
    const given = { first: resume?.best.set ?? first, experts };
    const setting = await settingFor(device, dataset, options, train, given);
    const work = owned.own(await findMethod(options.method).begin(setting));
    const begun = await work.result();
    const validation = owned.own(await Validation.create(device, dataset, begun, options));
    return new Run(options, taken, work, validation, begun, control, owned);
  });
  try {
    return await run.finish();
  } finally {
    run.owned.dispose();
  }
}

/** A run under way: the work of its method, what is known about it so far, and how it ends. */
class Run {
  readonly #curve: CurvePoint[];
  #best!: Checkpoint['best'];
  #loss = Number.NaN;
  /** Milliseconds of an outer step, piece by piece. */
  readonly #times: number[] = [];
  readonly #started = performance.now();

  constructor(
    readonly options: ResolvedOptions,
    readonly preset: Taken,
    readonly work: Process,
    readonly validation: Validation,
    /** The set before the first step. */
    readonly begun: DistilledSet,
    readonly control: DistillControl,
    readonly owned: Owned,
  ) {
    this.#curve = [...(control.resume?.curve ?? [])];
  }

  /** From where it stands to its end, or to where it is stopped. */
  async finish(): Promise<Distillation> {
    const { work, options, control } = this;
    if (control.resume) await this.#restore(control.resume);
    this.#best = control.resume?.best ?? { iteration: 0, validationAccuracy: 0, set: this.begun };
    const first = work.step;
    let pieceSteps = 1;
    try {
      // A look that a stop left out.
      if (this.#lookIsDue()) await this.#regularLook();
      while (work.step < options.iterations && !control.signal?.aborted) {
        pieceSteps = await this.#piece(pieceSteps);
        this.#report(first);
      }
      return this.#result(this.#isDone() ? this.#best : await this.#stop());
    } catch (error) {
      if (!(error instanceof LimbeckError) || error.code !== 'ERR_DIVERGED' || !this.#curve.length)
        throw error;
      return this.#result(this.#best, error.message);
    }
  }

  /** Up to `steps` outer steps, and a look at the validation split where one is due; returns how many to do next. */
  async #piece(steps: number): Promise<number> {
    const { work, options } = this;
    const untilLook = options.validateEvery - (work.step % options.validateEvery);
    const count = Math.min(steps, untilLook, options.iterations - work.step);
    const before = performance.now();
    this.#loss = (await work.advance(count)).loss;
    const milliseconds = (performance.now() - before) / count;
    this.#times.push(milliseconds);
    if (!Number.isFinite(this.#loss)) throw this.#diverged(`the loss is ${this.#loss}`);
    if (this.#lookIsDue()) await this.#regularLook();
    return Math.max(1, Math.floor(pieceMilliseconds / milliseconds));
  }

  /** Whether the curve lacks its point for where the run stands. */
  #lookIsDue(): boolean {
    const { validateEvery, iterations } = this.options;
    const { step } = this.work;
    return (
      step > 0 &&
      (step % validateEvery === 0 || step === iterations) &&
      this.#curve.at(-1)?.iteration !== step
    );
  }

  #isDone(): boolean {
    return this.work.step === this.options.iterations && !this.#lookIsDue();
  }

  /** Adds a point to the curve; a signal stops it once there is a result without it. */
  async #regularLook(): Promise<void> {
    const signal = this.#curve.length ? this.control.signal : undefined;
    let look: Checkpoint['best'];
    try {
      look = await this.#look(signal);
    } catch (error) {
      if (signal?.aborted && error === signal.reason) return;
      throw error;
    }
    const { validationAccuracy, set } = look;
    const learningRates = set.use.kind === 'learned-steps' ? [...set.use.learningRates] : undefined;
    this.#curve.push({ iteration: this.work.step, loss: this.#loss, validationAccuracy, learningRates });
    if (validationAccuracy > this.#best.validationAccuracy) this.#best = look;
    await this.#checkpoint();
  }

  /** The distilled data as they are now, and what the validation networks make of them. */
  async #look(signal?: AbortSignal): Promise<Checkpoint['best']> {
    const set = await this.#set();
    const validationAccuracy = await this.validation.accuracy(set, signal);
    return { iteration: this.work.step, validationAccuracy, set };
  }

  /** The distilled data as they are now; ERR_DIVERGED where they are not finite. */
  async #set(): Promise<DistilledSet> {
    const set = await this.work.result();
    const learned = [
      set.images,
      set.labels,
      ...(set.use.kind === 'learned-steps' ? [set.use.learningRates] : []),
      // 0 is where a float32 softplus ends, and no rate to train at.
      ...(set.use.kind === 'minibatches' && set.use.learningRate !== undefined
        ? [[set.use.learningRate, 1 / set.use.learningRate]]
        : []),
    ];
    if (!learned.every((values) => values.every(Number.isFinite)))
      throw this.#diverged('a distilled value is not a number');
    return set;
  }

  /** ERR_DATA where the saved state is not one of a run with these options. */
  async #restore({ iteration, loss = Number.NaN, state }: Checkpoint): Promise<void> {
    const { work, options } = this;
    for (const [name, { length }] of Object.entries(work.tensors))
      if (state[name]?.length !== length)
        throw new LimbeckError(
          'ERR_DATA',
          `saved state: ${name} has ${state[name]?.length ?? 'no'} values, expected ${length}; it is of another run`,
        );
    if (!Number.isInteger(iteration) || iteration < 0 || iteration > options.iterations)
      throw new LimbeckError(
        'ERR_DATA',
        `saved state: iteration is ${iteration}, expected a whole number from 0 to ${options.iterations}`,
      );
    for (const [name, tensor] of Object.entries(work.tensors)) await tensor.write(state[name]);
    await work.goTo(iteration);
    this.#loss = loss;
  }

  /**
   * Stopped between two looks: the checkpoint keeps the best of regular looks only, so that a resumed run ends like one
   * that was never stopped. The result is the best so far, or the present state when nothing was looked at yet.
   */
  async #stop(): Promise<Checkpoint['best']> {
    if (!this.#curve.length) {
      const look = await this.#look();
      await this.#checkpoint();
      return look;
    }
    // Nothing that is not finite is kept.
    await this.#set();
    await this.#checkpoint();
    return this.#best;
  }

  async #checkpoint(): Promise<void> {
    const { work, options, control } = this;
    if (!control.onCheckpoint) return;
    const saved = Object.entries(work.tensors).map(
      async ([name, tensor]) => [name, await tensor.read()] as const,
    );
    await control.onCheckpoint({
      options,
      iteration: work.step,
      loss: Number.isFinite(this.#loss) ? this.#loss : undefined,
      curve: [...this.#curve],
      seconds: this.#seconds(),
      state: Object.fromEntries(await Promise.all(saved)),
      best: this.#best,
    });
  }

  #seconds(): number {
    return (this.control.resume?.seconds ?? 0) + (performance.now() - this.#started) / 1000;
  }

  #report(first: number): void {
    const iteration = this.work.step;
    const { iterations } = this.options;
    const perStep = (performance.now() - this.#started) / 1000 / (iteration - first);
    this.control.onProgress?.({
      iteration,
      iterations,
      loss: this.#loss,
      validationAccuracy: this.#curve.at(-1)?.validationAccuracy,
      stepsPerSecond: 1000 / median(this.#times.slice(-20)),
      secondsLeft: (iterations - iteration) * perStep,
    });
  }

  #diverged(what: string): LimbeckError {
    return new LimbeckError(
      'ERR_DIVERGED',
      `${what} after ${this.work.step} outer steps, expected finite numbers` +
        `${this.#curve.length ? ' (the last checkpoint holds finite numbers)' : ''}: start again with a smaller lr or innerLr, or with a clip`,
    );
  }

  #result({ set, iteration, validationAccuracy }: Checkpoint['best'], diverged?: string): Distillation {
    const { options, preset, work } = this;
    const times = this.#times;
    return {
      set,
      options,
      preset,
      curve: this.#curve,
      best: { iteration, validationAccuracy },
      outerSteps: work.step,
      seconds: this.#seconds(),
      stepMilliseconds: {
        median: median(times),
        min: times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
      },
      stopped: !this.#isDone(),
      diverged,
    };
  }
}
