import type { Dataset } from '../data/dataset.js';
import type { DistilledSet, LearnedSteps } from '../data/distilled-set.js';
import type { Device } from '../engine/device.js';
import { labelsBy, type Teacher, type TrainedNetwork } from '../methods/teacher.js';
import type { Network } from '../networks/network.js';
import { argmax } from '../util/argmax.js';
import { saidOf } from '../util/words.js';
import { type AttackScores, attackScores } from './attack.js';
import type { Baseline, BoundBaseline } from './baselines/index.js';
import { earlyExperts } from './early-expert.js';
import { ordinaryRate } from './on-all-images.js';
import { type Protocol, type Rate, rateOfRealImages } from './protocol.js';
import { type Accuracy, type Confusion, scoresOf } from './statistics.js';
import { Trial, type TrialOptions, type TrialRun } from './trial.js';
import {
  geometryUnder,
  labelsUnder,
  ratesUnder,
  softTemperature,
  temperatureUnder,
} from './under-protocol.js';

/** The accuracy, in percent, of networks trained on something else of the same number of images. */
export interface BaselineAccuracy extends Accuracy {
  /** In words. */
  readonly title: string;
  /** The learning rate, constant or first; left out where nothing is trained. */
  readonly learningRate?: number;
  /** Real images, where they are not as many as the set's: 0, or all training images. */
  readonly images?: number;
  /** Where the set is poison. */
  readonly attack?: AttackScores;
  /** Percent of the test images of each class, mean over the networks; null for a class without any; records of earlier versions have none. */
  readonly perClass?: readonly (number | null)[];
  /** CRC-32, in hexadecimal, of the given teacher whose answers are its labels. */
  readonly teacher?: string;
}

/** How well the networks of one architecture do. */
export interface NetworkAccuracy {
  /** `convnet:width=64` */
  readonly network: string;
  /** On the test split, percent. */
  readonly accuracy: Accuracy;
  /** `learned`, or the rate chosen on the validation split or said by the protocol; `none` where nothing is trained. */
  readonly learningRate: number | 'learned' | 'none';
  /** Percent of the test images of each class, mean over the networks. */
  readonly perClass: readonly (number | null)[];
  /** The same networks on real images of the same number, by name of the baseline. */
  readonly baselines: Readonly<Record<string, BaselineAccuracy>>;
  /** Where the set is poison. */
  readonly attack?: AttackScores;
}

export interface ComparisonOptions {
  readonly device: Device;
  readonly dataset: Dataset;
  readonly set: DistilledSet;
  /** The steps it was made for, where the protocol takes them. */
  readonly steps?: LearnedSteps;
  /** Real images of each class that stand beside it. */
  readonly perClass: number;
  readonly protocol: Protocol;
  readonly baselines: readonly Baseline[];
  /** The tested networks on something else. */
  readonly bounds: readonly BoundBaseline[];
  /** Networks that were trained before: to choose by, and to test. */
  readonly pretrained?: TrialOptions['pretrained'];
  /** Whose answers are labels, for baselines that ask for it. */
  readonly teacher?: Teacher;
  readonly signal?: AbortSignal | undefined;
  readonly progress: (stage: string) => void;
}

/** Constant learning rates to choose from, on the validation split. */
const rateGrid = [0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1];

/** Adam's steps are of the size of the rate, whatever that of the gradient: it needs smaller ones. */
const adamRateGrid = rateGrid.map((rate) => rate / 100);

/** Networks that a rate is chosen with. */
const selectionNetworks = 4;

/** Draws of a random baseline per network when the networks are known ones: one alone says little about random images. */
const drawsPerKnownNetwork = 10;

/** What networks train on: images by draw, and labels. */
interface Source {
  readonly images: (draw: number) => Promise<Float32Array>;
  /** Whether every network gets a draw of its own. */
  readonly random: boolean;
  /** Images there are. */
  readonly rows: number;
  /** `[rows, K]`, the same of every draw unless they are `own`. */
  readonly labels: (draw: number) => Promise<Float32Array>;
  readonly own?: boolean;
  /** Whose answers are the labels of every batch, in their place. */
  readonly labeller?: TrainedNetwork;
  /** Of soft labels: what logits are divided by. */
  readonly temperature?: number;
}

/** Distilled and real images side by side under one protocol, architecture by architecture. */
export class Comparison {
  /** Images of baselines that are the same for every network. */
  readonly #made = new Map<string, Promise<Float32Array>>();

  constructor(readonly options: ComparisonOptions) {}

  /** `own`: the architecture that the set was made for; `known`: these very networks. */
  async run(
    network: Network,
    name: string,
    { networks, known, own }: { networks: number; known?: Float32Array; own: boolean },
  ): Promise<NetworkAccuracy & { readonly confusion: Confusion }> {
    const { baselines, bounds, dataset, progress } = this.options;
    let current:
      | { readonly key: string; readonly labeller?: TrainedNetwork; readonly trial: Trial }
      | undefined;
    const trialOf = (source: Source) => {
      const { rows, temperature, own = false, labeller } = source;
      const key = [rows, temperature, own].join();
      if (current?.key === key && current.labeller === labeller) return current.trial;
      // One at a time: each has a split on the device.
      current?.trial.dispose();
      current = { key, labeller, trial: this.#trial(network, source, networks, known) };
      return current.trial;
    };
    const stage = own ? '' : ` for ${name}`;
    try {
      progress(`${saidOf(this.options.dataset, 'distilled images')}${stage}`);
      const distilled = this.#distilled();
      const trial = trialOf(distilled);
      const learningRate = await this.#rateOfDistilled(trial, distilled, own);
      const answers = await this.#test(trial, distilled, learningRate, [0]);
      const results: Record<string, BaselineAccuracy> = {};
      for (const baseline of baselines) {
        const title = saidOf(this.options.dataset, baseline.title);
        progress(`${title}${stage}`);
        const source = await this.#real(baseline, network, trialOf);
        const trial = trialOf(source);
        const rate = await this.#rateOfReal(trial, source);
        const draws = baseline.best && (await this.#bestDraws(trial, source, rate, baseline.best));
        const scores = this.#scores(await this.#test(trial, source, rate, draws));
        results[baseline.name] = {
          title,
          ...(rate !== 'none' && { learningRate: rate }),
          ...scores,
          ...(baseline.labelledBy === 'teacher' && { teacher: this.options.teacher!.record.checksum }),
        };
      }
      for (const { name, title, trained, networks } of bounds) {
        progress(`${title}${stage}`);
        const images = trained ? dataset.train.count : 0;
        const rate = trained ? { learningRate: ordinaryRate } : {};
        results[name] = {
          title,
          images,
          ...rate,
          ...this.#scores(await trialOf(distilled).testWithoutSet(trained, networks)),
        };
      }
      return {
        network: name,
        ...scoresOf(answers),
        ...this.#attack(answers),
        learningRate,
        baselines: results,
      };
    } finally {
      current?.trial.dispose();
    }
  }

  /** Of a baseline. */
  #scores(answers: readonly Confusion[]): Accuracy & Pick<BaselineAccuracy, 'perClass' | 'attack'> {
    const { accuracy, perClass } = scoresOf(answers);
    return { ...accuracy, perClass, ...this.#attack(answers) };
  }

  /** How far networks are misled, where that is what the set is for. */
  #attack(answers: readonly Confusion[]): Pick<BaselineAccuracy, 'attack'> {
    const { attack } = this.options.set;
    return attack ? { attack: attackScores(answers, attack) } : {};
  }

  /** Networks of one architecture on sets such as these. */
  #trial(network: Network, source: Source, networks: number, known?: Float32Array): Trial {
    const { rows, temperature, own: ownLabels, labeller } = source;
    const { device, dataset, set, protocol, pretrained, signal } = this.options;
    const { initialisation } = protocol;
    const { seed, attack } = set;
    const geometry = { ...geometryUnder(protocol, set, network, rows), temperature, ownLabels, labeller };
    return new Trial(device, dataset, {
      ...{ geometry, networks, seed, initialisation, known, pretrained, attack, signal },
    });
  }

  #distilled(): Source {
    const { set, protocol, teacher } = this.options;
    const labeller = protocol.labels === 'teacher' ? teacher : undefined;
    const labels = labeller ? set.labels : labelsUnder(protocol, set);
    return {
      ...{ images: async () => set.images, random: false, rows: set.classes.length, labeller },
      ...{ labels: async () => labels, temperature: temperatureUnder(protocol, set) },
    };
  }

  async #real(baseline: Baseline, network: Network, trialOf: (source: Source) => Trial): Promise<Source> {
    const hard = this.#hard(baseline);
    const { device, dataset, set, protocol, teacher, signal } = this.options;
    if (!baseline.labelledBy) return hard;
    const answersOf = (given: TrainedNetwork): Source => {
      const temperature = softTemperature(protocol, set);
      if (protocol.labels === 'teacher') return { ...hard, labeller: given, temperature };
      const labels = async (draw: number) =>
        labelsBy(device, given, await hard.images(draw), temperature ?? 1, signal);
      return { ...hard, labels, own: true, temperature };
    };
    if (baseline.labelledBy === 'teacher') return answersOf(teacher!);
    const stops = (await earlyExperts(device, dataset, network, set.seed, signal)).map(answersOf);
    // By the students, not by the expert itself: what one learns from is not what one becomes.
    return stops[await this.#best(stops, trialOf)];
  }

  /** Where in a list those stand whose networks do best on the validation split. */
  async #best(sources: readonly Source[], trialOf: (source: Source) => Trial): Promise<number> {
    const sums: number[] = [];
    for (const source of sources) {
      const trial = trialOf(source);
      const rate = await this.#rateOfReal(trial, source);
      const runs = await this.#runs(source, this.#rates(rate), selectionNetworks);
      sums.push((await trial.validate(runs)).reduce((a, b) => a + b, 0));
    }
    return argmax(sums);
  }

  /** Networks 0 to `count` - 1, each on the draw of its number. */
  async #runs(source: Source, rates: ArrayLike<number>, count: number): Promise<TrialRun[]> {
    const runs: TrialRun[] = [];
    for (let network = 0; network < count; network++)
      runs.push({ network, rates, ...(await this.#drawn(source, network)) });
    return runs;
  }

  /** What a run trains on. */
  async #drawn(source: Source, draw: number): Promise<Pick<TrialRun, 'images' | 'labels'>> {
    return { images: await source.images(draw), labels: await source.labels(draw) };
  }

  #hard(baseline: Baseline): Source {
    const { dataset, set, perClass } = this.options;
    const K = dataset.classes;
    const { from, to } = (baseline.flipped && set.attack) || { from: -1, to: -1 };
    const labelOf = (k: number) => (k === from ? to : k);
    const labels = Float32Array.from({ length: perClass * K * K }, (_, i) =>
      labelOf(Math.floor(i / K) % K) === i % K ? 1 : 0,
    );
    const images = (draw: number) => {
      if (baseline.random) return baseline.images(dataset, perClass, set.seed, draw);
      const made =
        this.#made.get(baseline.name) ?? Promise.resolve(baseline.images(dataset, perClass, set.seed, 0));
      this.#made.set(baseline.name, made);
      return made;
    };
    return { images, random: baseline.random, rows: perClass * K, labels: async () => labels };
  }

  get #grid(): readonly number[] {
    return this.options.steps?.training.optimizer.kind.startsWith('adam') ? adamRateGrid : rateGrid;
  }

  #rates(rate: Rate): ArrayLike<number> {
    return ratesUnder(this.options.protocol, this.options.set, rate);
  }

  /**
   * The set's own steps keep their rates for the architecture that they were learned with. Another may do better with a
   * constant one: what does best on the validation split is taken.
   */
  async #rateOfDistilled(trial: Trial, source: Source, own: boolean): Promise<Rate> {
    const { training, learningRate } = this.options.protocol;
    if (training !== 'learned-steps' || own) return learningRate;
    return this.#bestRate(trial, source, ['learned', ...this.#grid]);
  }

  /** Real images have no learned rates: under the learned steps they get the constant one that does best. */
  async #rateOfReal(trial: Trial, source: Source): Promise<number | 'none'> {
    const { training, learningRate } = this.options.protocol;
    if (training !== 'learned-steps') return learningRate === 'learned' ? rateOfRealImages : learningRate;
    return (await this.#bestRate(trial, source, this.#grid)) as number;
  }

  async #bestRate(trial: Trial, source: Source, rates: readonly Rate[]): Promise<Rate> {
    const { known, networks } = trial.options;
    const count = known ? Math.min(networks, selectionNetworks) : selectionNetworks;
    const runs: TrialRun[] = [];
    for (let network = 0; network < count; network++) {
      const drawn = await this.#drawn(source, network);
      for (const rate of rates) runs.push({ network, rates: this.#rates(rate), ...drawn });
    }
    const values = await trial.validate(runs);
    const sums = rates.map((_, i) =>
      values.filter((_, run) => run % rates.length === i).reduce((a, b) => a + b, 0),
    );
    return rates[argmax(sums)];
  }

  /** Draws in the order of their accuracy on the validation split, the best first. */
  async #bestDraws(
    trial: Trial,
    source: Source,
    rate: Rate,
    { of, keep, networks }: NonNullable<Baseline['best']>,
  ): Promise<number[]> {
    const runs: TrialRun[] = [];
    for (let draw = 0; draw < of; draw++) {
      const drawn = await this.#drawn(source, draw);
      for (let network = 0; network < networks; network++)
        runs.push({ network, rates: this.#rates(rate), ...drawn });
    }
    const values = await trial.validate(runs);
    const sums = Array.from({ length: of }, (_, draw) =>
      values.slice(draw * networks, (draw + 1) * networks).reduce((a, b) => a + b, 0),
    );
    return [...sums.keys()].sort((a, b) => sums[b] - sums[a] || a - b).slice(0, keep);
  }

  /** What every tested network takes the test images for; network i trains on draw i, or on the i-th of the given ones. */
  async #test(trial: Trial, source: Source, rate: Rate, draws?: readonly number[]): Promise<Confusion[]> {
    const { known, networks, geometry } = trial.options;
    // Where nothing is trained, the same images give the same answers.
    const usual = geometry.kernel && !source.random ? 1 : networks;
    const count = known && source.random ? networks * drawsPerKnownNetwork : usual;
    const rates = this.#rates(rate);
    const answers: Confusion[] = [];
    // A few hundred random sets at once would fill the memory.
    const atOnce = known ? networks : 20;
    for (let start = 0; start < count; start += atOnce) {
      const runs: TrialRun[] = [];
      for (let i = start; i < Math.min(count, start + atOnce); i++) {
        const draw = draws ? draws[i % draws.length] : source.random ? i : 0;
        runs.push({ network: known ? i % networks : i, rates, ...(await this.#drawn(source, draw)) });
      }
      answers.push(...(await trial.test(runs, start)));
    }
    return answers;
  }
}
