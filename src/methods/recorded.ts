import type { DistilledSet } from '../data/distilled-set.js';
import type { Executable, Tensor } from '../engine/device.js';
import { loadWithTensors } from '../engine/load.js';
import type { Program, Recorder } from '../engine/program.js';
import { randomState } from '../train/streams.js';
import { type Owned, owning } from '../util/owned.js';
import { type Bars, Learner, type OuterStep } from './learner.js';
import type { Measures, Process, Setting } from './method.js';
import { pretrainedTensors } from './networks.js';
import type { UpdateRule, Variable } from './variable.js';

/** A method whose outer step is one recorded program. */
export interface Recording {
  /** Of the program, for people. */
  readonly name: string;
  /** Moves what is stored of the items; undefined, it stays what it begins as. */
  readonly itemRule: UpdateRule | undefined;
  /** What else is learned. */
  readonly variables?: readonly Variable[];
  /** Tensors that a recorded step binds beside those of the real data. */
  readonly tensors?: Readonly<Record<string, Tensor>>;
  /** Programs that an outer step chooses one of; left out, there is one. All declare the same. */
  readonly variants?: number;
  /** Records the objective and its gradient, of one of the variants; see `Learner`. */
  record(r: Recorder, step: OuterStep, variant: number): Bars;
  /** Fills tensors that the program declares and nothing learns; `owned` gets what else is made. */
  prepare?(tensors: Readonly<Record<string, Tensor>>, owned: Owned): Promise<void>;
  /** Begins what is done between outer steps; `tensors` are those of the program. */
  beside?(tensors: Readonly<Record<string, Tensor>>, owned: Owned): Promise<Beside>;
  /** The set as it is now. */
  result(learner: Learner, tensors: Readonly<Record<string, Tensor>>): Promise<DistilledSet>;
}

/** What a method does between recorded outer steps, by programs of its own or on the host: where its networks come from. */
export interface Beside {
  /** For plans, profiles and FLOP counts. */
  readonly programs: readonly Program[];
  readonly executables: readonly Executable[];
  /** What of it is state of the run, by name. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** Goes to where it is after `step` outer steps, whose tensors have been written. */
  goTo?(step: number): void | Promise<void>;
  /** Which variant of the program outer step `step` runs; left out, the first. */
  variant?(step: number): number;
  /** Before outer step `step`, from where the one before it left everything. */
  before(step: number, signal?: AbortSignal): Promise<void>;
  /** After it. */
  after?(step: number, signal?: AbortSignal): Promise<void>;
}

/** A process that repeats one program: what most methods are. */
export const beginRecorded = (setting: Setting, recording: Recording): Promise<Process> =>
  owning(async (owned) => {
    const { device, real, options } = setting;
    const learner = new Learner(setting, recording.itemRule, recording.variables);
    const programs = Array.from({ length: recording.variants ?? 1 }, (_, variant) =>
      learner.record(recording.name, (r, step) => recording.record(r, step, variant)),
    );
    // Not every method looks at real images once it has begun.
    const declared = new Set(programs[0].slots.filter(({ external }) => external).map(({ name }) => name));
    const given = Object.entries(real.tensors).filter(([name]) => declared.has(name));
    let tensors: Readonly<Record<string, Tensor>> = {
      ...Object.fromEntries(given),
      ...(declared.has('pretrained') && (await pretrainedTensors(setting, owned))),
      ...recording.tensors,
    };
    const executables: Executable[] = [];
    for (const program of programs) {
      const bound = await loadWithTensors(device, program, owned, tensors);
      tensors = bound.tensors;
      executables.push(bound.executable);
    }
    await learner.start(tensors, owned);
    await tensors.state.write(randomState(options.seed, 0));
    await recording.prepare?.(tensors, owned);
    const beside = await recording.beside?.(tensors, owned);
    return new RecordedProcess(learner, recording, { programs, executables }, tensors, beside, owned);
  });

class RecordedProcess implements Process {
  step = 0;
  readonly programs: readonly Program[];
  readonly executables: readonly Executable[];
  readonly tensors: Readonly<Record<string, Tensor>>;

  constructor(
    private readonly learner: Learner,
    private readonly recording: Recording,
    private readonly own: Pick<Beside, 'programs' | 'executables'>,
    private readonly all: Readonly<Record<string, Tensor>>,
    private readonly beside: Beside | undefined,
    private readonly owned: Owned,
  ) {
    this.programs = [...own.programs, ...(beside?.programs ?? [])];
    this.executables = [...own.executables, ...(beside?.executables ?? [])];
    this.tensors = { ...learner.state(all), ...beside?.tensors };
  }

  async goTo(step: number): Promise<void> {
    await this.all.state.write(randomState(this.learner.setting.options.seed, step));
    await this.beside?.goTo?.(step);
    this.step = step;
  }

  scaleRates(factor: number): Promise<void> {
    return this.learner.writeRates(this.all, factor);
  }

  async advance(steps: number, signal?: AbortSignal): Promise<Measures> {
    const { beside } = this;
    const { executables } = this.own;
    const end = this.step + steps;
    for (; beside && this.step < end; this.step++) {
      await beside.before(this.step, signal);
      await executables[beside.variant?.(this.step) ?? 0].run({ signal });
      await beside.after?.(this.step, signal);
    }
    // Asked for together: the device need not wait for the host to ask.
    const run = beside ? undefined : executables[0].run({ times: steps, signal });
    const [, loss] = await Promise.all([run, this.all.loss.read()]);
    this.step = end;
    return { loss: loss[0] };
  }

  result(): Promise<DistilledSet> {
    return this.recording.result(this.learner, this.all);
  }

  dispose(): void {
    this.owned.dispose();
  }
}
