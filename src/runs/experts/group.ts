import type { ExpertsDescription } from '../../data/experts/experts.js';
import { encodeExpertHeader, newHeader } from '../../data/experts/format.js';
import type { SplitOnDevice } from '../../data/on-device.js';
import type { Device, Executable, Tensor } from '../../engine/device.js';
import { loadWithTensors } from '../../engine/load.js';
import { Scoring } from '../../eval/scoring.js';
import { percentRight } from '../../eval/statistics.js';
import { trainingBatches } from '../../eval/training-batches.js';
import type { Network } from '../../networks/network.js';
import { drawNetworks } from '../../train/initialise.js';
import { batchesOf, runMinibatches, startMinibatches } from '../../train/minibatch.js';
import { streams } from '../../train/streams.js';
import { type Owned, owning } from '../../util/owned.js';
import { processorOf } from '../engine-record.js';
import { checkFinite } from '../training-options.js';
import type { ExpertFolder, Found } from './folder.js';
import type { Group } from './groups.js';
import { PartFile, readSnapshot } from './part-file.js';
import { orderOf, recordExperts } from './program.js';
import { readState, writeState } from './state-file.js';

/** What all groups share. */
export interface Work {
  readonly device: Device;
  readonly split: SplitOnDevice;
  readonly network: Network;
  readonly description: ExpertsDescription;
  readonly seed: number;
  readonly folder: ExpertFolder;
}

/** Experts that are trained at once, on the device and in their files. */
export class GroupTraining {
  #epoch: number;
  /** One for each member, between `begin` and the last epoch. */
  readonly #files: PartFile[] = [];

  private constructor(
    private readonly work: Work,
    private readonly group: Group,
    private readonly executable: Executable,
    private readonly tensors: Readonly<Record<string, Tensor>>,
    private readonly owned: Owned,
  ) {
    this.#epoch = group.epoch;
  }

  /** Loads the program; nothing is written yet. */
  static load(work: Work, group: Group): Promise<GroupTraining> {
    const { device, split, network, description } = work;
    const program = recordExperts(network, description.training, split, group);
    return owning(async (owned) => {
      const { executable, tensors } = await loadWithTensors(device, program, owned, split.tensors);
      const { order, starts } = orderOf(split.count, group.members);
      await tensors.order.write(order);
      await tensors.starts.write(starts);
      return new GroupTraining(work, group, executable, tensors, owned);
    });
  }

  /** Epochs that all members have behind them. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Seconds of a step, by a few of them whose result is thrown away. */
  async measure(): Promise<number> {
    const { steps } = batchesOf(this.work.description.training, this.work.split.count);
    const time = async (wanted: number) => {
      // There are rates for so many steps.
      const times = Math.min(wanted, steps);
      await this.#start(0);
      const before = performance.now();
      await this.executable.run({ times });
      return (performance.now() - before) / 1000 / times;
    };
    await time(1);
    const one = await time(1);
    // A step of a small network is shorter than what surrounds a run.
    return one > 0.05 ? one : time(Math.min(100, Math.ceil(0.1 / one)));
  }

  /** Brings device and files to where the epoch of the group ends; the files are then open. */
  async begin(found: readonly Found[]): Promise<void> {
    const { device, network, seed } = this.work;
    const { first, epoch } = this.group;
    const { theta } = this.tensors;
    await this.#start(epoch);
    if (found.some(({ part }) => !part))
      await drawNetworks(device, network, theta, seed, streams.experts, 0, { firstMember: first });
    for (const { number, part } of found) {
      const at = number - first;
      const { folder } = this.work;
      if (part) await theta.write(await readSnapshot(folder.part(number), part, epoch), at * network.count);
      if (!this.#isStateful || epoch === 0) continue;
      const lengths = Object.entries(this.#kept).map(([name, { length }]) => [
        name,
        length / this.group.members,
      ]);
      const state = await readState(folder.state(number, epoch), Object.fromEntries(lengths));
      for (const [name, own] of Object.entries(state)) await this.#kept[name].write(own, at * own.length);
    }
    const drawn = await this.#members(theta);
    for (const { number, part } of found)
      this.#files.push(await this.#open(number, part, drawn[number - first]));
  }

  /** What is kept beside snapshots to go on from them. */
  get #kept(): Readonly<Record<string, Tensor>> {
    const { theta, moments } = this.tensors;
    return { ...(moments && { moments }), ...(this.work.description.training.mean && { theta }) };
  }

  get #isStateful(): boolean {
    return Object.keys(this.#kept).length > 0;
  }

  /** The optimiser as before its first step, and random numbers as before the first step of an epoch. */
  #start(epoch: number): Promise<void> {
    const { split, description, seed } = this.work;
    const { training } = description;
    const rows = split.count;
    const first = epoch * batchesOf(training, rows).perEpoch;
    const { learningRate: rate } = training;
    const { first: firstMember } = this.group;
    return startMinibatches(this.tensors, training, { rows, rate, seed, firstMember, first });
  }

  #open(number: number, part: Found['part'], theta: Float32Array): Promise<PartFile> {
    const { folder, description, seed, device } = this.work;
    const path = folder.part(number);
    if (part) return PartFile.goOn(path, part, this.group.epoch + 1);
    const header = newHeader(description, { number, seed, processor: processorOf(device) });
    return PartFile.create(path, encodeExpertHeader(header), theta);
  }

  /** Trains for an epoch, in pieces of `piece()` steps, and writes a snapshot of every member. */
  async trainEpoch(piece: () => number, onPiece: (steps: number) => void): Promise<void> {
    const { split, description } = this.work;
    const { training, dataset } = description;
    const rows = split.count;
    const { perEpoch } = batchesOf(training, rows);
    const end = (this.#epoch + 1) * perEpoch;
    const { theta, mean } = this.tensors;
    await mean?.write(new Float32Array(mean.length));
    for (let step = this.#epoch * perEpoch; step < end; ) {
      const next = Math.min(end, step + piece());
      await runMinibatches(this.executable, this.tensors, training, { rows, first: step, end: next });
      onPiece(next - step);
      step = next;
    }
    this.#epoch++;
    const parameters = await this.#members(theta);
    for (const one of parameters) checkFinite(one, dataset.name, this.#epoch, training.learningRate);
    await this.#save(mean ? await this.#members(mean) : parameters);
    if (this.#epoch === training.epochs) await this.#finish();
  }

  /** The states before the snapshots, and the states of the epoch before away after them: see `state-file.ts`. */
  async #save(snapshots: readonly Float32Array[]): Promise<void> {
    const { folder, description } = this.work;
    const { first } = this.group;
    const keeps = this.#isStateful && this.#epoch < description.training.epochs;
    if (keeps) {
      const kept: Record<string, readonly Float32Array[]> = {};
      for (const [name, tensor] of Object.entries(this.#kept)) kept[name] = await this.#members(tensor);
      for (const p of snapshots.keys()) {
        const state = Object.entries(kept).map(([name, members]) => [name, members[p]]);
        await writeState(folder.state(first + p, this.#epoch), Object.fromEntries(state));
      }
    }
    for (const [p, file] of this.#files.entries()) await file.append(snapshots[p]);
    if (keeps) for (const p of snapshots.keys()) await folder.dropStates(first + p, this.#epoch);
  }

  async #finish(): Promise<void> {
    const { folder } = this.work;
    // Closed a second time when the group is disposed of, which harms nothing: those behind one that fails are open until then.
    for (const [p, file] of this.#files.entries()) {
      const number = this.group.first + p;
      await file.finish(folder.finished(number));
      if (this.#isStateful) await folder.dropStates(number);
    }
  }

  /** Percent of the validation images that each member gets right; none where there are no such images. */
  async validate(): Promise<number[]> {
    const { device, split, network, description } = this.work;
    const { dataset } = split;
    const { validation } = dataset;
    if (validation.count < 1) return [];
    return owning(async (owned) => {
      const { batch } = description.training;
      const batches = await trainingBatches(device, dataset, network, batch, owned);
      const theta = this.tensors.mean ?? this.tensors.theta;
      const scoring = owned.own(await Scoring.create(device, dataset, validation, network, theta, batches));
      const answers = await scoring.run();
      owned.dispose();
      return answers.map(percentRight);
    });
  }

  /** A tensor of the device, member by member, as it is stored: training goes on from what a killed one would go on from. */
  async #members(tensor: Tensor): Promise<Float32Array[]> {
    const values = await tensor.read();
    const all = values instanceof Float32Array ? values : Float32Array.from(values);
    if (all !== values) await tensor.write(all);
    const length = all.length / this.group.members;
    return Array.from({ length: this.group.members }, (_, p) => all.subarray(p * length, (p + 1) * length));
  }

  /** Gives back what is on the device, and closes the files. */
  async dispose(): Promise<void> {
    this.owned.dispose();
    for (const file of this.#files.splice(0)) await file.close();
  }
}
