import type { Tensor } from '../engine/device.js';
import type { MinibatchTraining } from '../train/minibatch.js';
import { streams } from '../train/streams.js';
import type { Owned } from '../util/owned.js';
import { Stream } from '../util/random.js';
import type { Setting } from './method.js';
import { Pool } from './pool.js';
import type { Beside } from './recorded.js';
import { TrainOnItems } from './train-on-items.js';

/** How networks of a pool are trained. */
export interface OnlinePoolOptions {
  /** Networks in it. */
  readonly pool: number;
  /** Steps of training after which a network begins afresh. */
  readonly onlineSteps: number;
  readonly networkLr: number;
  /** Steps after each outer step, at most: as many are drawn, at least one. Default 1. */
  readonly poolSteps?: number;
}

/** Images per step of that training, at most. */
const batch = 500;

/**
 * A pool of networks beside a run: an outer step sees one of them, drawn by its number, which is then trained by a step of Adam on squared
 * error, or by several, and begins afresh when it has had so many (Zhou, Nezhadarya & Ba 2022). Which network a step takes, and how old each is,
 * follows from seed and step alone.
 */
export async function onlinePool(
  setting: Setting,
  { pool: size, onlineSteps, networkLr: rate, poolSteps = 1 }: OnlinePoolOptions,
  tensors: Readonly<Record<string, Tensor>>,
  owned: Owned,
): Promise<Beside> {
  const training: MinibatchTraining = {
    optimizer: { kind: 'adam' },
    loss: 'squared-error',
    batch,
    epochs: onlineSteps,
    schedule: { kind: 'constant' },
  };
  const how = { members: 1, training, rate, augmentation: 'none' };
  const networks = await TrainOnItems.create(setting, how, tensors, owned);
  const ends = { from: networks.tensors, to: networks.tensors };
  const pool = await Pool.create(setting.device, size, ends, owned);

  const source = new Stream(setting.options.seed, streams.pool);
  /** Of every network the outer step that it was drawn for, and the steps of its training since. */
  let ages: { born: number; trained: number }[];
  /** The network that an outer step sees, and how many steps it is trained afterwards. */
  const networkOf = (step: number) => {
    const drawn = source.u32(step);
    const index = drawn % size;
    const age = ages[index];
    if (age.trained === 0) age.born = step;
    const steps = 1 + (Math.floor(drawn / size) % poolSteps);
    return { index, age, steps: Math.min(steps, onlineSteps - age.trained) };
  };
  const grow = ({ age, steps }: ReturnType<typeof networkOf>) => {
    age.trained = (age.trained + steps) % onlineSteps;
  };
  const goTo = (end: number) => {
    ages = Array.from({ length: size }, () => ({ born: 0, trained: 0 }));
    for (let step = 0; step < end; step++) grow(networkOf(step));
  };
  goTo(0);
  return {
    programs: [...networks.programs, pool.program],
    executables: networks.executables,
    tensors: pool.tensors,
    goTo,
    async before(step, signal) {
      const { index, age } = networkOf(step);
      if (age.trained === 0) await networks.draw(step, signal);
      else await pool.take(index, signal);
    },
    async after(step, signal) {
      const network = networkOf(step);
      await networks.at(network.age.born, network.age.trained);
      await networks.train(network.steps, signal);
      await pool.put(network.index, signal);
      grow(network);
    },
  };
}
