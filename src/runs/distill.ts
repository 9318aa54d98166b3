import type { Dataset } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { expectDataset } from '../data/expect-dataset.js';
import type { Device } from '../engine/device.js';
import { checkSet } from '../eval/set-file.js';
import type { DistillOptions } from '../methods/index.js';
import type { Process, Setting } from '../methods/method.js';
import { LimbeckError } from '../util/errors.js';
import { expectDevice, expectOptions } from '../util/expect.js';
import { type Owned, owning } from '../util/owned.js';
import {
  type Checkpoint,
  type CurvePoint,
  controls,
  type Distillation,
  type DistillControl,
} from './distillation.js';
import { findMethod, type ResolvedOptions, resolveFor, type Taken } from './options.js';
import { Pace } from './pace.js';
import {
  checkFits,
  diverged,
  givenUp,
  mostDeviations,
  mostRollbacks,
  type Rollback,
  rateFactor,
  type SavedState,
  soundState,
} from './rollback.js';
import { type Named, planFor, settingFor, uploadTraining } from './setting.js';
import { Validation } from './validation.js';

/** Wall time one uninterruptible piece of work should take: short enough for progress and Ctrl-C. */
const pieceMilliseconds = 250;

/**
 * Distils the training split of a data set by one of the methods of limbeck, unrolled training (Wang et al. 2018) unless
 * another is named. The best result is chosen on the validation split; the test split is not touched: see `evaluate`.
 *
 * @throws ERR_OPTION for options that are unknown, out of range or do not fit the data; ERR_SHAPE for images that the network cannot
 * take; ERR_OUT_OF_MEMORY; ERR_DIVERGED when numbers stop being finite before the first look at the validation split, and again
 * after the run has gone back several times, each time at half the outer rates; later, the best result so far is returned with `diverged`
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
  if (control.first) checkSet('distill', control.first);
  const run = await owning(async (owned) => {
    const train = owned.own(await uploadTraining(device, dataset, options));
    const { experts, pretrained, teacher, resume } = control;
    const {
      first = control.first,
      weights = control.weights,
      firstLabels = control.firstLabels,
    } = resume ? partsOf(resume.best.set) : {};
    const given = { first, weights, experts, pretrained, teacher, firstLabels };
    const setting = await settingFor(device, dataset, options, train, given);
    if (resume) checkNetworks(resume.best.set, setting);
    const work = owned.own(await findMethod(options.method).begin(setting));
    const begun = await work.result();
    const validation = owned.own(await Validation.create(device, dataset, begun, options, pretrained));
    return new Run(options, taken, work, validation, begun, control, owned);
  });
  try {
    return await run.finish();
  } finally {
    run.owned.dispose();
  }
}

/** ERR_DATA where the networks that `init` or `teacher` names are no longer those that a run was begun with. */
function checkNetworks(before: DistilledSet, now: Setting): void {
  const named = [
    ['init', 'networks that the run is for', before.pretrained, now.pretrained?.record],
    ['teacher', 'teacher of the run', before.teacher, now.teacher?.record],
  ] as const;
  for (const [option, what, then, found] of named)
    if (then?.checksum !== found?.checksum)
      throw new LimbeckError(
        'ERR_DATA',
        `the ${what}: checksum ${found?.checksum}, expected ${then?.checksum}: restore what ${option} names, or begin a new run`,
      );
}

/** What a run that goes on begins with, in the place of what its options name. */
const partsOf = (set: DistilledSet): Named => ({
  first: set,
  firstLabels: set.labels,
  weights: set.stored.variables.weights?.data,
});

/** A run under way: the work of its method, what is known about it so far, and how it ends. */
class Run {
  readonly #curve: CurvePoint[];
  #best!: Checkpoint['best'];
  #loss = Number.NaN;
  /** Where the run goes back to. */
  #sound!: SavedState;
  readonly #rollbacks: Rollback[];
  readonly #started = performance.now();
  readonly #pace = new Pace(this.#started);

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
    this.#rollbacks = [...(control.resume?.rollbacks ?? [])];
  }

  /** From where it stands to its end, or to where it is stopped. */
  async finish(): Promise<Distillation> {
    const { work, options, control } = this;
    await this.#begin();
    this.#best = control.resume?.best ?? { iteration: 0, validationAccuracy: 0, set: this.begun };
    if (!control.resume) control.onLook?.({ look: 0, iteration: 0, set: this.begun });
    let pieceSteps = 1;
    try {
      // A look that a stop left out.
      if (this.#lookIsDue()) await this.#orBack(() => this.#regularLook());
      while (work.step < options.iterations && !this.#hasSettled() && !control.signal?.aborted) {
        pieceSteps = (await this.#orBack(() => this.#piece(pieceSteps))) ?? 1;
        this.#report();
      }
      if (this.#isDone()) return this.#result(this.#best);
      return this.#result((await this.#orBack(() => this.#stop())) ?? (await this.#stop()));
    } catch (error) {
      if (!isDivergence(error) || !this.#curve.length) throw error;
      return this.#result(this.#best, error.message);
    }
  }

  /** To where the run goes on from. */
  async #begin(): Promise<void> {
    const { work, control, options } = this;
    const { resume } = control;
    if (resume?.sound) checkFits(work, resume.sound, options.iterations);
    if (resume) await this.#goTo(resume);
    this.#sound = resume?.sound ?? resume ?? { iteration: 0, state: await soundState(work) };
  }

  /**
   * Does some work; where its numbers are not finite, goes back to the last state that was, at half the outer rates, and returns
   * undefined. That a run diverges between two looks shows at the second one at the latest, and it goes back to the first one: so
   * neither depends on where it was stopped in between.
   */
  async #orBack<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!isDivergence(error)) throw error;
      if (this.#rollbacks.length === mostRollbacks)
        throw givenUp(error, this.#rollbacks, findMethod(this.options.method));
      const { iteration } = this.#sound;
      const rollback = { iteration, factor: rateFactor(this.#rollbacks.length + 1) };
      this.#rollbacks.push(rollback);
      await this.#goTo(this.#sound);
      this.control.onRollback?.({ ...rollback, reason: error.message });
      return undefined;
    }
  }

  /** Up to `steps` outer steps, and a look at the validation split where one is due; returns how many to do next. */
  async #piece(steps: number): Promise<number> {
    const { work, options } = this;
    const untilLook = options.validateEvery - (work.step % options.validateEvery);
    const count = Math.min(steps, untilLook, options.iterations - work.step);
    const before = performance.now();
    this.#loss = (await work.advance(count)).loss;
    const now = performance.now();
    this.#pace.add(count, now - before, now);
    const milliseconds = (now - before) / count;
    // An overflow of the loss alone may pass; it is judged at the look.
    if (!Number.isFinite(this.#loss)) await this.#set();
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
    const isOver = this.work.step === this.options.iterations || this.#hasSettled();
    return isOver && !this.#lookIsDue();
  }

  /** Whether the last looks brought nothing better, as many as the option `patience` says. */
  #hasSettled(): boolean {
    const { patience } = this.options;
    const since = this.#curve.filter(({ iteration }) => iteration > this.#best.iteration);
    return patience > 0 && since.length >= patience;
  }

  /** Adds a point to the curve; a signal stops it once there is a result without it. */
  async #regularLook(): Promise<void> {
    const signal = this.#curve.length ? this.control.signal : undefined;
    const sound = await this.#soundState();
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
    this.#sound = sound;
    this.control.onLook?.({ look: this.#curve.length, ...look });
    await this.#checkpoint(sound);
  }

  /** Where the run stands; ERR_DIVERGED where any of it is not finite. */
  async #soundState(): Promise<SavedState> {
    const { work } = this;
    const loss = work.step > 0 ? this.#loss : undefined;
    if (loss !== undefined && !Number.isFinite(loss)) throw diverged(`the loss is ${loss}`, work.step);
    return { iteration: work.step, loss, state: await soundState(work) };
  }

  /** The distilled data as they are now, and what the validation networks make of them. */
  async #look(signal?: AbortSignal): Promise<Checkpoint['best']> {
    const set = await this.#set();
    const validationAccuracy = await this.validation.accuracy(set, signal);
    return { iteration: this.work.step, validationAccuracy, set };
  }

  /** The distilled data as they are now; ERR_DIVERGED where they are not finite, or images are beyond `mostDeviations`. */
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
      throw diverged('a distilled value is not a number', this.work.step);
    const far = set.images.find((value) => Math.abs(value) > mostDeviations);
    if (far !== undefined) throw diverged(`a distilled pixel is ${far}, beyond all images`, this.work.step);
    return set;
  }

  /** To a saved state, at the rates that are left after the rollbacks; ERR_DATA where it is of another run. */
  async #goTo(saved: SavedState): Promise<void> {
    const { work, options } = this;
    checkFits(work, saved, options.iterations);
    for (const [name, tensor] of Object.entries(work.tensors)) await tensor.write(saved.state[name]);
    if (this.#rollbacks.length) await work.scaleRates(rateFactor(this.#rollbacks.length));
    await work.goTo(saved.iteration);
    this.#loss = saved.loss ?? Number.NaN;
  }

  /**
   * Stopped between two looks: the checkpoint keeps the best of regular looks only, so that a resumed run ends like one
   * that was never stopped. The result is the best so far, or the present state when nothing was looked at yet.
   */
  async #stop(): Promise<Checkpoint['best']> {
    const now = await this.#soundState();
    if (!this.#curve.length) {
      const look = await this.#look();
      await this.#checkpoint(now);
      return look;
    }
    // Nothing that is not finite is kept.
    await this.#set();
    await this.#checkpoint(now);
    return this.#best;
  }

  async #checkpoint(now: SavedState): Promise<void> {
    const { options, control } = this;
    await control.onCheckpoint?.({
      options,
      ...now,
      curve: [...this.#curve],
      seconds: this.#seconds(),
      rollbacks: this.#rollbacks.length ? [...this.#rollbacks] : undefined,
      sound: now.iteration === this.#sound.iteration ? undefined : this.#sound,
      best: this.#best,
    });
  }

  #seconds(): number {
    return (this.control.resume?.seconds ?? 0) + (performance.now() - this.#started) / 1000;
  }

  #report(): void {
    const iteration = this.work.step;
    const { iterations } = this.options;
    this.control.onProgress?.({
      iteration,
      iterations,
      loss: this.#loss,
      validationAccuracy: this.#curve.at(-1)?.validationAccuracy,
      stepsPerSecond: 1000 / this.#pace.step,
      secondsLeft: this.#pace.secondsFor(iterations - iteration),
    });
  }

  #result({ set, iteration, validationAccuracy }: Checkpoint['best'], diverged?: string): Distillation {
    const { options, preset, work } = this;
    return {
      set,
      options,
      preset,
      curve: this.#curve,
      best: { iteration, validationAccuracy },
      outerSteps: work.step,
      seconds: this.#seconds(),
      stepMilliseconds: this.#pace.all,
      stopped: !this.#isDone(),
      rollbacks: this.#rollbacks,
      diverged,
    };
  }
}

const isDivergence = (error: unknown): error is LimbeckError =>
  error instanceof LimbeckError && error.code === 'ERR_DIVERGED';
