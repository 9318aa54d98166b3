import type { Executable, Tensor } from '../engine/device.js';
import { loadWithTensors } from '../engine/load.js';
import { Recorder } from '../engine/program.js';
import { copyInto } from '../train/groups.js';
import type { MinibatchTraining } from '../train/minibatch.js';
import { streams } from '../train/streams.js';
import type { Owned } from '../util/owned.js';
import { Stream } from '../util/random.js';
import type { Setting } from './method.js';
import type { Beside } from './recorded.js';
import { Trainee } from './trainee.js';

/** How networks of a pool are trained. */
export interface PoolOptions {
  /** Networks in it. */
  readonly pool: number;
  /** Steps of training after which a network begins afresh. */
  readonly onlineSteps: number;
  readonly networkLr: number;
}

/** Images per step of that training, at most. */
const batch = 500;

type Tensors = Readonly<Record<string, Tensor>>;

/** A program that copies all of `one`'s tensors, loaded so that they go to `other`. */
async function loadCopy(
  { device }: Setting,
  one: Tensors,
  other: Tensors,
  owned: Owned,
): Promise<Executable> {
  const r = new Recorder('copy a network');
  for (const [name, { length }] of Object.entries(one))
    copyInto(r, r.external(name, 1, [length]), r.external(`copy.${name}`, 1, [length]));
  const copies = Object.entries(other).map(([name, tensor]) => [`copy.${name}`, tensor]);
  const { executable } = await loadWithTensors(device, r.program(), owned, {
    ...one,
    ...Object.fromEntries(copies),
  });
  return executable;
}

/**
 * A pool of networks beside a run: an outer step sees one of them, drawn by its number, which is then trained by a step of Adam on squared
 * error, and begins afresh when it has had so many (Zhou, Nezhadarya & Ba 2022). Which network a step takes, and how old each is,
 * follows from seed and step alone.
 */
export async function networkPool(
  setting: Setting,
  { pool, onlineSteps, networkLr: rate }: PoolOptions,
  tensors: Tensors,
  owned: Owned,
): Promise<Beside> {
  const training: MinibatchTraining = {
    optimizer: { kind: 'adam' },
    loss: 'squared-error',
    batch,
    epochs: onlineSteps,
    schedule: { kind: 'constant' },
  };
  const trainee = await Trainee.create(setting, { training, rate, augmentation: 'none' }, tensors, owned);
  const state: Record<string, Tensor> = {};
  const take: Executable[] = [];
  const keep: Executable[] = [];
  for (let i = 0; i < pool; i++) {
    const own: Record<string, Tensor> = {};
    for (const [name, { length }] of Object.entries(trainee.tensors))
      state[`pool.${i}.${name}`] = own[name] = owned.own(await setting.device.tensor('f32', length));
    take.push(await loadCopy(setting, own, trainee.tensors, owned));
    keep.push(await loadCopy(setting, trainee.tensors, own, owned));
  }

  const source = new Stream(setting.options.seed, streams.pool);
  /** Of every network the outer step that it was drawn for, and the steps of its training since. */
  let ages: { born: number; trained: number }[];
  /** The network that an outer step sees. */
  const networkOf = (step: number) => {
    const index = source.u32(step) % pool;
    const age = ages[index];
    if (age.trained === 0) age.born = step;
    return { index, age };
  };
  const grow = (age: (typeof ages)[number]) => {
    age.trained = (age.trained + 1) % onlineSteps;
  };
  const goTo = (end: number) => {
    ages = Array.from({ length: pool }, () => ({ born: 0, trained: 0 }));
    for (let step = 0; step < end; step++) grow(networkOf(step).age);
  };
  goTo(0);
  return {
    programs: trainee.programs,
    executables: trainee.executables,
    tensors: state,
    goTo,
    async before(step, signal) {
      const { index, age } = networkOf(step);
      if (age.trained === 0) await trainee.draw(step, signal);
      else await take[index].run({ signal });
    },
    async after(step, signal) {
      const { index, age } = networkOf(step);
      await trainee.train(age.born, age.trained, 1, signal);
      await keep[index].run({ signal });
      grow(age);
    },
  };
}
