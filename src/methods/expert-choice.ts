import type { Dataset } from '../data/dataset.js';
import type { Experts } from '../data/experts/experts.js';
import { sameNetwork } from '../data/experts/format.js';
import type { Tensor } from '../engine/device.js';
import { networkTitle } from '../networks/spec.js';
import { streams } from '../train/streams.js';
import { crc32 } from '../util/crc32.js';
import { LimbeckError } from '../util/errors.js';
import type { Owned } from '../util/owned.js';
import { Stream } from '../util/random.js';
import { counted } from '../util/words.js';
import type { Setting } from './method.js';
import type { Beside } from './recorded.js';

/** Which stretches of which experts are matched. */
export interface ExpertStretches {
  /** Folder of experts. */
  readonly experts: string;
  /** Experts per outer step. */
  readonly population: number;
  /** Inner steps of an outer step. */
  readonly innerSteps: number;
  /** Epochs of the expert from start to target. */
  readonly expertEpochs: number;
  /** Start epochs are drawn from the first of these up to, not including, the second. */
  readonly minStart: number;
  readonly maxStart: number;
  /** Where that end stands at first, from where it rises to `maxStart` over `widenSteps` outer steps; left out, it is there at once. */
  readonly firstMaxStart?: number;
  readonly widenSteps?: number;
  /** `expert`: its own snapshots; `line`: points on the straight line from its first to its last one. */
  readonly trajectory: 'expert' | 'line';
}

/** Starts of outer step `step` are drawn from epochs below this. */
export function endOfStarts(
  { maxStart, firstMaxStart = maxStart, widenSteps = 1 }: ExpertStretches,
  step: number,
): number {
  return firstMaxStart + Math.floor((maxStart - firstMaxStart) * Math.min(1, step / widenSteps));
}

/** What experts are, in numbers that a tensor holds exactly: how many, and the checksum of what they have in common. */
function identityOf({ count, networkOptions, dataset, training }: Experts): number[] {
  const sum = crc32(new TextEncoder().encode(JSON.stringify([networkOptions, dataset, training])));
  return [count, sum & 0xffff, sum >>> 16];
}

/** Chooses an expert and a start for every network of an outer step, and brings start and target to the device. */
export class ExpertChoice implements Beside {
  readonly programs = [];
  readonly executables = [];
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly #draws: Stream;
  /** How many there were when the run began: a run that goes on has no use for others. */
  #count: number;

  private constructor(
    private readonly options: ExpertStretches,
    private readonly experts: Experts,
    private readonly on: Readonly<Record<'start' | 'target' | 'batches' | 'identity', Tensor>>,
    seed: number,
  ) {
    this.#draws = new Stream(seed, streams.trajectories);
    this.#count = experts.count;
    this.tensors = { experts: on.identity };
  }

  /** `on` are the tensors of the outer step: `start`, `target`, and the random numbers of its minibatches, `batches`. */
  static async create(
    setting: Setting,
    options: ExpertStretches,
    on: Readonly<Record<string, Tensor>>,
    owned: Owned,
  ): Promise<ExpertChoice> {
    const { device, options: common } = setting;
    const experts = openedExperts(setting, options);
    const identity = owned.own(await device.tensor('f32', 3, Float32Array.from(identityOf(experts))));
    return new ExpertChoice(options, experts, { ...on, identity } as ExpertChoice['on'], common.seed);
  }

  /** ERR_DATA where the experts are not those that the run began with; more of them do no harm. */
  async goTo(): Promise<void> {
    const [count, ...sum] = await this.on.identity.read();
    const [now, ...own] = identityOf(this.experts);
    if (count > now || sum.some((part, i) => part !== own[i]))
      throw new LimbeckError(
        'ERR_DATA',
        `${this.experts.folder} holds ${counted(now, 'expert')}${count > now ? `, expected the ${count}` : ' of another training than those'} that the ` +
          'run began with: put them back, or begin a new run',
      );
    this.#count = count;
  }

  async before(step: number): Promise<void> {
    const { population, innerSteps, minStart, expertEpochs } = this.options;
    const end = endOfStarts(this.options, step);
    const { count } = this.experts.network;
    const [start, target] = [new Float32Array(population * count), new Float32Array(population * count)];
    for (let p = 0; p < population; p++) {
      // Places 0 and 1 are the seed below.
      const draw = (i: number, count: number) => this.#draws.u32(2 + 2 * (step * population + p) + i) % count;
      const expert = draw(0, this.#count);
      const epoch = minStart + draw(1, end - minStart);
      const [from, to] = await this.#pointsOn(expert, [epoch, epoch + expertEpochs]);
      start.set(from, p * count);
      target.set(to, p * count);
    }
    await this.on.start.write(start);
    await this.on.target.write(target);
    const seed = [this.#draws.u32(0), this.#draws.u32(1)];
    await this.on.batches.write([...seed, step * innerSteps, 0]);
  }

  /** The parameters of an expert after so many epochs each, or the points on its line that stand for them. */
  async #pointsOn(expert: number, epochs: readonly number[]): Promise<Float32Array[]> {
    const { experts, options } = this;
    const snapshots = (which: readonly number[]) =>
      Promise.all(which.map((epoch) => experts.parametersOf(expert, epoch)));
    if (options.trajectory === 'expert') return snapshots(epochs);
    const [first, last] = await snapshots([0, experts.epochs]);
    return epochs.map((epoch) =>
      first.map((value, i) => value + (epoch / experts.epochs) * (last[i] - value)),
    );
  }
}

/** The experts of a run. Throws ERR_OPTION, ERR_DATA where they are missing or not of its network and data. */
export function openedExperts(
  { dataset, experts, networkOptions }: Setting,
  options: ExpertStretches,
): Experts {
  if (!experts)
    throw new LimbeckError(
      'ERR_OPTION',
      `option experts is ${JSON.stringify(options.experts)}, expected those experts to be given with it: distill(device, dataset, ` +
        'options, { experts: await openExperts(folder) })',
    );
  checkNetwork(experts, networkOptions);
  checkData(experts, dataset);
  checkEpochs(experts, options);
  return experts;
}

function checkNetwork({ folder, networkOptions: theirs }: Experts, ours: Setting['networkOptions']): void {
  if (!sameNetwork(theirs, ours))
    throw new LimbeckError(
      'ERR_OPTION',
      `network is ${networkTitle(ours)} for ${described(ours)}, but the experts in ${folder} are ${networkTitle(theirs)} for ` +
        `${described(theirs)}: expected the network that they are, or experts of this one`,
    );
}

const described = ({ inputShape, classes }: Setting['networkOptions']) =>
  `${inputShape.join(' x ')} images of ${classes} classes`;

/** Experts of pixels in another scale would teach nonsense. */
function checkData({ folder, dataset: theirs }: Experts, { name, mean, std, zca }: Dataset): void {
  const seen = (data: { mean: ArrayLike<number>; std: ArrayLike<number>; zca?: { epsilon: number } }) =>
    data.zca
      ? `whitened images (epsilon ${data.zca.epsilon})`
      : `images of mean ${shortly(data.mean)} and deviation ${shortly(data.std)}`;
  const ours = seen({ mean, std, zca });
  if (seen(theirs) !== ours)
    throw new LimbeckError(
      'ERR_DATA',
      `${name} gives ${ours}, but the experts in ${folder} were trained on ${theirs.name}, ${seen(theirs)}: expected the same data, ` +
        'whitened or not as theirs, and split as theirs',
    );
}

const shortly = (values: ArrayLike<number>) =>
  Array.from(values, (value) => String(Number(value.toPrecision(6)))).join(' ');

function checkEpochs({ folder, epochs }: Experts, { maxStart, expertEpochs }: ExpertStretches): void {
  if (maxStart - 1 + expertEpochs > epochs)
    throw new LimbeckError(
      'ERR_OPTION',
      `maxStart is ${maxStart} and expertEpochs ${expertEpochs}, but the experts in ${folder} have ${epochs} epochs: the last target is ` +
        `epoch ${maxStart - 1 + expertEpochs}, expected at most ${epochs}`,
    );
}
