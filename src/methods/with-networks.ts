import type { DistilledSet } from '../data/distilled-set.js';
import type { Executable, Tensor } from '../engine/device.js';
import type { Program } from '../engine/program.js';
import { randomState } from '../train/streams.js';
import { type Owned, owning } from '../util/owned.js';
import type { Measures, Process, Setting } from './method.js';
import { type LoadedRecording, loadRecording, type Recording } from './recorded.js';

type Tensors = Readonly<Record<string, Tensor>>;

/** Networks beside a run: what brings the `theta` of its outer step to where the step finds it. */
export interface NetworkSource {
  readonly programs: readonly Program[];
  readonly executables: readonly Executable[];
  /** Their state on the device, by name. */
  readonly tensors: Tensors;
  /** Goes to where they are after `step` outer steps, whose tensors have been written. */
  goTo?(step: number): void;
  /** Before outer step `step`, from where the one before it left them. */
  before(step: number, signal?: AbortSignal): Promise<void>;
  /** After it. */
  after?(step: number, signal?: AbortSignal): Promise<void>;
}

/** A process whose outer step is one program, for networks that are made beside it; `source` is told the tensors of the program. */
export const beginWithNetworks = (
  setting: Setting,
  recording: Recording,
  source: (tensors: Tensors, owned: Owned) => Promise<NetworkSource>,
): Promise<Process> =>
  owning(async (owned) => {
    const loaded = await loadRecording(setting, recording, owned);
    return new ProcessWithNetworks(recording, loaded, await source(loaded.tensors, owned), owned);
  });

class ProcessWithNetworks implements Process {
  step = 0;
  readonly programs: readonly Program[];
  readonly executables: readonly Executable[];
  readonly tensors: Tensors;

  constructor(
    private readonly recording: Recording,
    private readonly loaded: LoadedRecording,
    private readonly networks: NetworkSource,
    private readonly owned: Owned,
  ) {
    const { learner, program, executable, tensors } = loaded;
    this.programs = [program, ...networks.programs];
    this.executables = [executable, ...networks.executables];
    this.tensors = { ...learner.state(tensors), ...networks.tensors };
  }

  async goTo(step: number): Promise<void> {
    const { learner, tensors } = this.loaded;
    await tensors.state.write(randomState(learner.setting.options.seed, step));
    this.networks.goTo?.(step);
    this.step = step;
  }

  async advance(steps: number, signal?: AbortSignal): Promise<Measures> {
    for (let i = 0; i < steps; i++) {
      await this.networks.before(this.step, signal);
      await this.executables[0].run({ signal });
      await this.networks.after?.(this.step, signal);
      this.step++;
    }
    const [loss] = await this.loaded.tensors.loss.read();
    return { loss };
  }

  result(): Promise<DistilledSet> {
    return this.recording.result(this.loaded.learner, this.loaded.tensors);
  }

  dispose(): void {
    this.owned.dispose();
  }
}
