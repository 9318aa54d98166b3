import type { Program } from '../../engine/program.js';
import { membersThatFit } from '../../eval/first-networks.js';
import { optimizerOf } from '../../train/inner-optimizer.js';
import { batchesOf } from '../../train/minibatch.js';
import { processorOf } from '../engine-record.js';
import type { BegunExperts, ExpertControl, TrainedExperts } from './control.js';
import type { Found } from './folder.js';
import { GroupTraining, type Work } from './group.js';
import { type Group, groupsOf } from './groups.js';
import { recordExperts } from './program.js';

/** Wall time one uninterruptible piece of work should take: short enough for progress. */
const pieceSeconds = 0.25;

/** Bytes in the folder. */
export type Space = Pick<BegunExperts, 'bytesOnDisk' | 'bytesFree'>;

/** Trains what is not finished, group by group. */
export class ExpertsRun {
  readonly #population: number;
  readonly #groups: readonly Group[];
  readonly #perEpoch: number;
  /** Steps, those of members counted each: what is left when the run begins, and what it has done since. */
  readonly #allSteps: number;
  #steps = 0;
  /** Seconds of such a step, by a measurement and then by all steps since `#began`. */
  #secondsPerStep = 0;
  #began = 0;

  constructor(
    private readonly work: Work,
    population: number | undefined,
    private readonly found: readonly Found[],
    private readonly control: ExpertControl,
  ) {
    const { description, split } = work;
    const { training } = description;
    this.#population = population ?? this.#thatFit();
    const stateful = training.mean || optimizerOf(training.optimizer).stateShape !== undefined;
    this.#groups = groupsOf(found, this.#population, stateful);
    this.#perEpoch = batchesOf(training, split.count).perEpoch;
    this.#allSteps = this.#groups.reduce(
      (sum, { members, epoch }) => sum + members * (training.epochs - epoch) * this.#perEpoch,
      0,
    );
  }

  /** By the number of all experts, not of those that are left: a training that goes on has the groups it began with. */
  #thatFit(): number {
    const most = Math.min(10, this.found.length);
    const choices = [most, 5, 2, 1].filter((members) => members <= most);
    return membersThatFit(this.work.device, choices, (members) => [this.#program(members)]);
  }

  #program(members: number): Program {
    const { network, description, split } = this.work;
    return recordExperts(network, description.training, split, { first: 0, members });
  }

  async run(space: Space): Promise<TrainedExperts> {
    const { description, folder } = this.work;
    const before = performance.now();
    let finished = this.found.filter((one) => one.finished).length;
    if (!this.#groups.length) this.#announce(space);
    for (const group of this.#groups) {
      if (this.control.signal?.aborted) break;
      if (await this.#trainGroup(group, space)) finished += group.members;
    }
    return {
      ...description,
      folder: folder.path,
      finished,
      stopped: finished < this.found.length,
      seconds: (performance.now() - before) / 1000,
    };
  }

  /** Whether it came to the end. */
  async #trainGroup(group: Group, space: Space): Promise<boolean> {
    const training = await GroupTraining.load(this.work, group);
    try {
      if (group === this.#groups[0]) {
        this.#secondsPerStep = (await training.measure()) / group.members;
        this.#announce(space);
        this.#began = performance.now();
      }
      await training.begin(this.found.slice(group.first, group.first + group.members));
      const { epochs } = this.work.description.training;
      const piece = () => Math.max(1, Math.floor(pieceSeconds / (this.#secondsPerStep * group.members)));
      while (training.epoch < epochs) {
        if (this.control.signal?.aborted) return false;
        await training.trainEpoch(piece, (steps) => this.#report(group, training.epoch, steps));
      }
      await this.#tell(group, training);
      return true;
    } finally {
      await training.dispose();
    }
  }

  async #tell({ first, members }: Group, training: GroupTraining): Promise<void> {
    const { onTrained } = this.control;
    if (!onTrained) return;
    const accuracies = await training.validate();
    for (let p = 0; p < members; p++)
      onTrained({ expert: first + p, ...(accuracies.length && { validationAccuracy: accuracies[p] }) });
  }

  #announce(space: Space): void {
    const { device, description } = this.work;
    const here = processorOf(device);
    const unfinished = this.found.filter(({ finished }) => !finished);
    const processors = unfinished.flatMap(({ header }) => header?.identity.processor ?? []);
    const most = Math.max(1, ...this.#groups.map(({ members }) => members));
    this.control.onBegin?.({
      ...description,
      ...space,
      count: this.found.length,
      finished: this.found.length - unfinished.length,
      begun: this.#groups.flatMap(({ first, members, epoch }) =>
        epoch === 0 ? [] : Array.from({ length: members }, (_, p) => ({ expert: first + p, epoch })),
      ),
      population: this.#population,
      earlierProcessors: [...new Set(processors)].filter((one) => one !== here),
      bytesOnDevice: this.#groups.length ? this.#program(most).bytes().total : 0,
      flops: this.#program(1).flops() * this.#allSteps,
      seconds: this.#secondsPerStep * this.#allSteps,
    });
  }

  #report({ first, members }: Group, epoch: number, steps: number): void {
    this.#steps += steps * members;
    this.#secondsPerStep = (performance.now() - this.#began) / 1000 / this.#steps;
    this.control.onProgress?.({
      expert: first,
      members,
      count: this.found.length,
      epoch,
      epochs: this.work.description.training.epochs,
      steps: this.#steps,
      allSteps: this.#allSteps,
      secondsLeft: (this.#allSteps - this.#steps) * this.#secondsPerStep,
    });
  }
}
