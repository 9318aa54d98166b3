import type { DistilledSet } from '../data/distilled-set.js';
import type { Executable, Tensor } from '../engine/device.js';
import { loadWithTensors } from '../engine/load.js';
import type { Program, Recorder } from '../engine/program.js';
import { randomState } from '../train/streams.js';
import { type Owned, owning } from '../util/owned.js';
import { type Bars, Learner, type OuterStep } from './learner.js';
import type { Measures, Process, Setting } from './method.js';
import type { UpdateRule, Variable } from './variable.js';

/** A method whose outer step is one recorded program. */
export interface Recording {
  /** Of the program, for people. */
  readonly name: string;
  /** Moves what is stored of the items. */
  readonly itemRule: UpdateRule;
  /** What else is learned. */
  readonly variables?: readonly Variable[];
  /** Tensors that a recorded step binds beside those of the real data. */
  readonly tensors?: Readonly<Record<string, Tensor>>;
  /** Records the objective and its gradient; see `Learner`. */
  record(r: Recorder, step: OuterStep): Bars;
  /** Fills tensors that the program declares and nothing learns. */
  prepare?(tensors: Readonly<Record<string, Tensor>>): Promise<void>;
  /** The set as it is now. */
  result(learner: Learner, tensors: Readonly<Record<string, Tensor>>): Promise<DistilledSet>;
}

/** A recording on its device, before the first step. */
export interface LoadedRecording {
  readonly learner: Learner;
  readonly program: Program;
  readonly executable: Executable;
  readonly tensors: Readonly<Record<string, Tensor>>;
}

/** Records and loads the program of an outer step. */
export async function loadRecording(
  setting: Setting,
  recording: Recording,
  owned: Owned,
): Promise<LoadedRecording> {
  const { device, real, options } = setting;
  const learner = new Learner(setting, recording.itemRule, recording.variables);
  const program = learner.record(recording.name, recording.record);
  const { tensors, executable } = await loadWithTensors(device, program, owned, {
    ...real.tensors,
    ...recording.tensors,
  });
  await learner.start(tensors, owned);
  await tensors.state.write(randomState(options.seed, 0));
  await recording.prepare?.(tensors);
  return { learner, program, executable, tensors };
}

/** A process that repeats one program: what most methods are. */
export const beginRecorded = (setting: Setting, recording: Recording): Promise<Process> =>
  owning(
    async (owned) => new RecordedProcess(recording, await loadRecording(setting, recording, owned), owned),
  );

class RecordedProcess implements Process {
  step = 0;
  readonly programs: readonly Program[];
  readonly executables: readonly Executable[];
  readonly tensors: Readonly<Record<string, Tensor>>;

  constructor(
    private readonly recording: Recording,
    private readonly loaded: LoadedRecording,
    private readonly owned: Owned,
  ) {
    const { learner, program, executable, tensors } = loaded;
    this.programs = [program];
    this.executables = [executable];
    this.tensors = learner.state(tensors);
  }

  async goTo(step: number): Promise<void> {
    const { learner, tensors } = this.loaded;
    await tensors.state.write(randomState(learner.setting.options.seed, step));
    this.step = step;
  }

  async advance(steps: number, signal?: AbortSignal): Promise<Measures> {
    // Asked for together: the device need not wait for the host to ask.
    const { executable, tensors } = this.loaded;
    const [, loss] = await Promise.all([executable.run({ times: steps, signal }), tensors.loss.read()]);
    this.step += steps;
    return { loss: loss[0] };
  }

  result(): Promise<DistilledSet> {
    return this.recording.result(this.loaded.learner, this.loaded.tensors);
  }

  dispose(): void {
    this.owned.dispose();
  }
}
