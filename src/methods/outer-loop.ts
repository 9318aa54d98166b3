import type { SplitOnDevice } from '../data/on-device.js';
import type { Device, Executable, Numbers, Tensor } from '../engine/device.js';
import { loadWithTensors } from '../engine/load.js';
import * as activation from '../engine/ops/activation.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as optimizer from '../engine/ops/optimizer.js';
import * as random from '../engine/ops/random.js';
import * as reduce from '../engine/ops/reduce.js';
import { type Program, Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import type { Network } from '../networks/network.js';
import type { Keep } from '../train/hypergradient.js';
import { drawNetworks, recordInitialise } from '../train/initialise.js';
import { type Schedule, scheduleRates } from '../train/schedule.js';
import { randomState, streams } from '../train/streams.js';
import type { Training } from '../train/training.js';
import { breathe } from '../util/breathe.js';
import { LimbeckError } from '../util/errors.js';
import { type Owned, owning } from '../util/owned.js';
import { Stream } from '../util/random.js';
import type { Method } from './method.js';

export interface OuterLoopOptions {
  readonly method: Method;
  readonly network: Network;
  /** `fixed`: the same P networks in every outer step and in the test; `random`: P fresh ones each time. */
  readonly init: 'fixed' | 'random';
  /** P. */
  readonly population: number;
  readonly steps: number;
  readonly epochs: number;
  /** Images per class in the batch of each inner step. */
  readonly ipc: number;
  /** `hard`: one-hot and fixed; `soft`: learned, starting one-hot. */
  readonly labels: 'hard' | 'soft';
  readonly iterations: number;
  /** Real images per outer step. */
  readonly batch: number;
  readonly seed: number;
  /** Outer Adam's rates for images, labels and the raw (before softplus) inner learning rates. */
  readonly imageRate: number;
  readonly labelRate: number;
  readonly learningRateRate: number;
  readonly adam: optimizer.AdamConstants;
  readonly schedule: Schedule;
  /** Largest norm of the meta-gradient, of images, labels and rates each; Infinity for none. */
  readonly clip: number;
  /** Decay of the running average of the distilled data that becomes the result; 0 for none. */
  readonly average: number;
  /** Standard deviation of the first images. */
  readonly imageScale: number;
  /** First values of the inner learning rates: `[steps * epochs]`, or `[1]` where the steps share one. */
  readonly learningRates: readonly number[];
  /** Inner optimiser and loss. */
  readonly training: Training;
  /** Which inner steps the way back does not compute again. */
  readonly keep: Keep;
}

/** Distilled data on the host. */
export interface DistilledArrays {
  /** `[steps, n, C, H, W]` with n = ipc x classes; image i of a batch starts as class `i mod classes`. */
  readonly images: Float32Array;
  /** `[steps, n, K]` */
  readonly labels: Float32Array;
  /** `[steps * epochs]`, or `[1]` where the steps share one. */
  readonly learningRates: Float32Array;
}

const learned = ['images', 'labels', 'raw'] as const;
type Learned = (typeof learned)[number];

/** What makes learning rates of raw numbers. */
const softplusCurve = { curve: 'softplus' } as const;
/** Inverse of softplus. */
const softplusInverse = (y: number) => y + Math.log(-Math.expm1(-y));
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** Which learned tensors a run changes. */
const variablesOf = ({ labels }: OuterLoopOptions): readonly Learned[] =>
  labels === 'soft' ? learned : ['images', 'raw'];

/** Shapes of the learned tensors. */
function shapesOf({
  network,
  steps,
  ipc,
  learningRates,
}: OuterLoopOptions): Record<Learned, readonly number[]> {
  const n = ipc * network.classes;
  return {
    images: [steps, n, ...network.inputShape],
    labels: [steps, n, network.classes],
    raw: [learningRates.length],
  };
}

/** Records one outer step: batch, networks, meta-gradient, Adam, counter. */
export function recordOuterStep(options: OuterLoopOptions, split: SplitOnDevice): Program {
  const { network, method, init, population: P, steps, epochs, batch, iterations, adam, average } = options;
  const r = new Recorder(`${method.name} outer step`);
  const shapes = shapesOf(options);
  const state = r.external('state', 1, [4], 'u32');
  const variables = Object.fromEntries(
    learned.map((name) => [name, r.external(name, 1, shapes[name])]),
  ) as Record<Learned, View>;

  const index = random.batch(r, { state }, { B: batch, rows: split.count, stream: streams.batch });
  const real = split.batch(r, split.declare(r), index);
  const theta =
    init === 'fixed' ? r.external('theta', P, [network.count]) : r.temporary('theta', P, [network.count]);
  if (init === 'random')
    recordInitialise(r, network, state, theta, { firstStream: streams.trainingNetworks });

  const rates = activation.forward(r, { x: variables.raw }, softplusCurve);
  const ratesBar = r.temporary('ratesBar', 1, shapes.raw);
  const bars: Partial<Record<Learned, View>> = { images: r.temporary('imagesBar', 1, shapes.images) };
  if (options.labels === 'soft') bars.labels = r.temporary('labelsBar', 1, shapes.labels);
  const losses = r.temporary('losses', P, [1]);
  method.record(r, {
    network,
    members: P,
    theta,
    distilled: { images: variables.images, labels: variables.labels, rates },
    steps,
    epochs,
    training: options.training,
    keep: options.keep,
    random: { state, stream: streams.dropout },
    real,
    losses,
    gradient: { images: bars.images!, labels: bars.labels, rates: ratesBar },
  });
  reduce.members(r, { x: losses }, 1 / P, { into: r.external('loss', 1, [1]) });
  bars.raw = activation.derivative(r, { x: variables.raw, u: ratesBar }, softplusCurve);

  const clips = Number.isFinite(options.clip);
  const squared = (g: View) => reduce.dot(r, { a: g, b: g });
  for (const name of variablesOf(options)) {
    const g = bars[name]!;
    const scale = clips ? optimizer.clip(r, { squaredNorm: squared(g) }, options.clip) : undefined;
    const moment = (m: string) => r.external(`${name}.${m}`, 1, shapes[name]);
    const schedule = r.external(`${name}.schedule`, 1, [iterations, 2]);
    const moments = { m: moment('m'), s: moment('s') };
    optimizer.adam(r, { g, scale, schedule, state, theta: variables[name], ...moments }, adam);
    if (average > 0) elementwise.average(r, { x: variables[name], average: moment('average') }, average);
  }
  random.advance(r, { state });
  return r.program();
}

/**
 * Outer steps on a device. Everything that changes lives in tensors whose values, with the number of steps done, are
 * the whole state: saved and restored, a run goes on to the same bits.
 */
export class OuterLoop {
  /** Outer steps done. */
  iteration = 0;

  private constructor(
    readonly options: OuterLoopOptions,
    readonly program: Program,
    readonly executable: Executable,
    private readonly tensors: Readonly<Record<string, Tensor>>,
    private readonly owned: Owned,
  ) {}

  static create(device: Device, options: OuterLoopOptions, split: SplitOnDevice): Promise<OuterLoop> {
    return owning(async (owned) => {
      const program = recordOuterStep(options, split);
      const { tensors, executable } = await loadWithTensors(device, program, owned, split.tensors);
      const loop = new OuterLoop(options, program, executable, tensors, owned);
      await loop.#initialise(device);
      return loop;
    });
  }

  /** Names of the tensors that make up the state. */
  get #stateNames(): string[] {
    const parts = ['', '.m', '.s', ...(this.options.average > 0 ? ['.average'] : [])];
    return variablesOf(this.options).flatMap((name) => parts.map((part) => name + part));
  }

  async #initialise(device: Device): Promise<void> {
    const { network, seed, iterations, adam, imageRate, labelRate, learningRateRate, schedule } =
      this.options;
    const { tensors } = this;
    await tensors.state.write(randomState(seed, 0));
    const source = new Stream(seed, streams.images);
    const first: Record<Learned, Float32Array> = {
      images: Float32Array.from(
        { length: tensors.images.length },
        (_, i) => this.options.imageScale * source.normal(i),
      ),
      labels: Float32Array.from({ length: tensors.labels.length }, (_, i) => {
        const row = Math.floor(i / network.classes);
        return row % network.classes === i % network.classes ? 1 : 0;
      }),
      raw: Float32Array.from(this.options.learningRates, softplusInverse),
    };
    const rates = { images: imageRate, labels: labelRate, raw: learningRateRate };
    for (const name of learned) {
      // A schedule has a row for every outer step, of which there may be a million.
      await breathe();
      await tensors[name].write(first[name]);
      await tensors[`${name}.average`]?.write(first[name]);
      await tensors[`${name}.schedule`]?.write(
        optimizer.adamSchedule(scheduleRates(rates[name], iterations, schedule), adam),
      );
    }
    if (this.options.init === 'fixed')
      await drawNetworks(device, network, tensors.theta, seed, streams.trainingNetworks);
  }

  /** Does `count` outer steps (fewer at the end of the run) and returns the loss of the last one. */
  async run(count: number, signal?: AbortSignal): Promise<number> {
    const times = Math.min(count, this.options.iterations - this.iteration);
    // Asked for together: the device need not wait for the host to ask.
    const [, loss] = await Promise.all([this.executable.run({ times, signal }), this.tensors.loss.read()]);
    this.iteration += times;
    return loss[0];
  }

  /** The distilled data as it is now: the running average where one is kept. */
  async distilled(): Promise<DistilledArrays> {
    const read = async (name: Learned) =>
      Float32Array.from(await (this.tensors[`${name}.average`] ?? this.tensors[name]).read());
    const raw = await read('raw');
    return { images: await read('images'), labels: await read('labels'), learningRates: raw.map(softplus) };
  }

  /** The networks every outer step starts from, `[P, count]`; only for a fixed initialisation. */
  async initialParameters(): Promise<Float32Array> {
    return Float32Array.from(await this.tensors.theta.read());
  }

  /** Everything a later `restore` needs, besides `iteration`. */
  async state(): Promise<Record<string, Numbers>> {
    const entries = this.#stateNames.map(async (name) => [name, await this.tensors[name].read()] as const);
    return Object.fromEntries(await Promise.all(entries));
  }

  /** Goes back to a saved state; ERR_DATA where it is not one of a run with these options. */
  async restore(iteration: number, state: Readonly<Record<string, ArrayLike<number>>>): Promise<void> {
    const names = this.#stateNames;
    for (const name of names)
      if (state[name]?.length !== this.tensors[name].length)
        throw new LimbeckError(
          'ERR_DATA',
          `saved state: ${name} has ${state[name]?.length ?? 'no'} values, expected ${this.tensors[name].length}; it is of another run`,
        );
    if (!Number.isInteger(iteration) || iteration < 0 || iteration > this.options.iterations)
      throw new LimbeckError(
        'ERR_DATA',
        `saved state: iteration is ${iteration}, expected a whole number from 0 to ${this.options.iterations}`,
      );
    for (const name of names) await this.tensors[name].write(state[name]);
    await this.tensors.state.write(randomState(this.options.seed, iteration));
    this.iteration = iteration;
  }

  dispose(): void {
    this.owned.dispose();
  }
}
