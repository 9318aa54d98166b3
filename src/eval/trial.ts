import type { Dataset, Split } from '../data/dataset.js';
import type { Attack } from '../data/distilled-set.js';
import type { Device } from '../engine/device.js';
import type { WeightScheme } from '../networks/network.js';
import { joined } from '../util/joined.js';
import { Owned } from '../util/owned.js';
import { asMeant } from './attack.js';
import { type AnyEvaluator, createEvaluator } from './create-evaluator.js';
import { FirstNetworks, membersThatFit } from './first-networks.js';
import { answersWithoutSet } from './on-all-images.js';
import { type PopulationGeometry, populationPrograms } from './population.js';
import { type Confusion, percentRight } from './statistics.js';

/** One network trained on one small set. */
export interface TrialRun {
  /** Its number: the same network in every trial of this architecture and seed. */
  readonly network: number;
  /** `[steps, n, C, H, W]` */
  readonly images: Float32Array;
  /** `[steps, n, K]`; the same for all runs of a trial unless its geometry has `ownLabels`. */
  readonly labels: Float32Array;
  /** `[steps * epochs]`, or one number for training in minibatches. */
  readonly rates: ArrayLike<number>;
}

export interface TrialOptions {
  readonly geometry: Omit<PopulationGeometry, 'members'>;
  /** How many networks are tested. */
  readonly networks: number;
  readonly seed: number;
  /** The network's own scheme unless there is one. */
  readonly initialisation?: WeightScheme;
  /** `[networks, count]`: the networks to train, where they are known ones. */
  readonly known?: Float32Array;
  /** `[n, count]` of each, where they were trained before: to choose by, and to test. */
  readonly pretrained?: Readonly<Record<'validation' | 'test', Float32Array>>;
  /** What the set is for, where it is poison: choices are then the attacker's. */
  readonly attack?: Attack;
  readonly signal?: AbortSignal | undefined;
}

/** First draw of the networks that rates and sets are chosen with: far from those that are tested, from draw 0 on. */
const selectionDraw = 0xfffe_0000;

/**
 * Trains networks of one architecture under one protocol, some to choose by on the validation split and others to test;
 * known networks serve for both. As many are trained at once as memory takes.
 */
export class Trial {
  readonly #owned = new Owned();
  readonly #evaluators = new Map<Split, AnyEvaluator>();
  readonly #first: Readonly<Record<'validation' | 'test', FirstNetworks>>;

  constructor(
    readonly device: Device,
    readonly dataset: Dataset,
    readonly options: TrialOptions,
  ) {
    const { geometry, seed, initialisation, known, pretrained } = options;
    const first = (own: Float32Array | undefined) =>
      new FirstNetworks(device, { network: geometry.network, seed, initialisation, known: own ?? known });
    this.#first = { validation: first(pretrained?.validation), test: first(pretrained?.test) };
  }

  /** Accuracy in percent of every run on the validation split. */
  async validate(runs: readonly TrialRun[]): Promise<number[]> {
    const { attack } = this.options;
    const right = (counts: Confusion) => percentRight(asMeant(counts, attack));
    const choices = [8, 4, 2, 1];
    return this.#carryOut('validation', { choices, runs, first: 0, firstDraw: selectionDraw, of: right });
  }

  /** What every run takes the images of the test split for; `first`: runs of this trial before these, each with random numbers of its own. */
  test(runs: readonly TrialRun[], first = 0): Promise<Confusion[]> {
    const all = (answers: Confusion) => answers;
    return this.#carryOut('test', { choices: this.#testedAtOnce(), runs, first, firstDraw: 0, of: all });
  }

  /** What the tested networks take them for as they are, or `trained` on all training images: the first of them, `most` at most. */
  async testWithoutSet(trained: boolean, most: number): Promise<Confusion[]> {
    const { geometry, networks, seed, signal } = this.options;
    const numbers = Array.from({ length: Math.min(networks, most) }, (_, i) => i);
    const parameters = await this.#first.test.parameters(numbers);
    const how = { trained, seed, signal };
    return answersWithoutSet(this.device, this.dataset, geometry.network, parameters, how);
  }

  dispose(): void {
    this.#owned.dispose();
  }

  /** How many networks to test at once, from the best choice down: first few in vain, then many. */
  #testedAtOnce(): number[] {
    const { known, networks } = this.options;
    if (known) return [...Array(networks).keys()].map((i) => networks - i).filter((m) => networks % m === 0);
    const inVain = (members: number) => Math.ceil(networks / members) * members - networks;
    const choices = [10, 5, 2, 1].sort((a, b) => inVain(a) - inVain(b) || b - a);
    return choices.filter((members, i) => i === 0 || members < choices[0]).sort((a, b) => b - a);
  }

  /** What `of` makes of the answers of every run, `[K, K]` each: those of a group at a time are kept. */
  async #carryOut<T>(
    name: 'validation' | 'test',
    {
      choices,
      runs,
      first,
      firstDraw,
      of,
    }: {
      choices: readonly number[];
      runs: readonly TrialRun[];
      first: number;
      firstDraw: number;
      of: (answers: Confusion) => T;
    },
  ): Promise<T[]> {
    const { geometry, signal } = this.options;
    const split = this.dataset[name];
    let evaluator = this.#evaluators.get(split);
    if (!evaluator) {
      const members = geometry.kernel
        ? 1
        : membersThatFit(this.device, choices, (count) =>
            populationPrograms({ ...geometry, members: count }),
          );
      const created = await createEvaluator(this.device, this.dataset, split, { ...geometry, members });
      evaluator = this.#owned.own(created);
      this.#evaluators.set(split, evaluator);
    }
    const { members } = evaluator;
    const results: T[] = [];
    for (let start = 0; start < runs.length; start += members) {
      // The last group is filled up with its last run.
      const group = Array.from({ length: members }, (_, i) => runs[Math.min(start + i, runs.length - 1)]);
      const same = group.every(({ images }) => images === group[0].images);
      const all = (of: (run: TrialRun) => ArrayLike<number>) => joined(Float32Array, group.map(of));
      const images = same ? group[0].images : all((run) => run.images);
      const labels = geometry.ownLabels ? all((run) => run.labels) : group[0].labels;
      const learningRates = all(({ rates }) => this.#rateOfEveryStep(rates));
      const numbers = group.map(({ network }) => network);
      const parameters = geometry.kernel ? [] : await this.#first[name].parameters(numbers, firstDraw);
      const set = { images, labels, learningRates, firstMember: first + start };
      const answers = await evaluator.answers(set, parameters, signal);
      results.push(...answers.slice(0, runs.length - start).map(of));
    }
    return results;
  }

  /** One rate for all steps, written out: the rates of a group lie one after the other. */
  #rateOfEveryStep(rates: ArrayLike<number>): ArrayLike<number> {
    const { steps, epochs, minibatches } = this.options.geometry;
    if (minibatches || rates.length !== 1) return rates;
    return new Array<number>(steps * epochs).fill(rates[0]);
  }
}
