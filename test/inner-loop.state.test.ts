/** Inner loops that go on from a given optimiser, and minibatches within them. */

import { describe, expect, test } from 'vitest';
import { type Bound, loadWithTensors } from '../src/engine/load.js';
import { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { createNetwork } from '../src/networks/index.js';
import { parseStrategy } from '../src/train/augmentation.js';
import { gatherRows } from '../src/train/gather-rows.js';
import { type Keep, keeps, recordHypergradient } from '../src/train/hypergradient.js';
import { type InnerLoop, recordInnerLoop } from '../src/train/inner-loop.js';
import { optimizerOf } from '../src/train/inner-optimizer.js';
import { declareMinibatches, type MinibatchTraining } from '../src/train/minibatch.js';
import { stepBatches } from '../src/train/step-batches.js';
import type { OptimizerOptions } from '../src/train/training.js';
import { Owned } from '../src/util/owned.js';
import { Stream } from '../src/util/random.js';
import { dot } from './harness/close.js';

const layers = [{ conv: 2, kernel: 3, padding: 1 }, 'tanh', { avgPool: 2 }, { linear: 3 }];
const network = createNetwork({ name: 'custom', inputShape: [1, 4, 4], classes: 3, layers });
const [members, rows] = [2, 5];
const optimizers: readonly OptimizerOptions[] = [
  { kind: 'sgd', weightDecay: 0.01 },
  { kind: 'momentum', weightDecay: 0.01 },
  { kind: 'nesterov' },
  { kind: 'adam', epsilon: 1e-3 },
  { kind: 'adamw', epsilon: 1e-3, weightDecay: 0.01 },
];

/** The whole set as the one batch of `epochs` steps. */
function loopOf(r: Recorder, epochs: number, optimizer: OptimizerOptions): InnerLoop {
  const shape = optimizerOf(optimizer).stateShape?.(network.count);
  return {
    network,
    theta: r.external('theta', members, [network.count]),
    state: shape && r.external('moments', members, shape),
    images: r.external('images', 1, [1, rows, 1, 4, 4]),
    labels: r.external('labels', 1, [1, rows, 3]),
    rates: r.external('rates', 1, [1]),
    steps: 1,
    epochs,
    training: { optimizer, loss: 'cross-entropy' },
  };
}

/** Declares where a loop ends. */
function lastOf(r: Recorder, { state }: InnerLoop) {
  return {
    theta: r.external('last', members, [network.count]),
    state: state && r.external('lastMoments', members, state.shape),
  };
}

/** Records a loop and the sweep back through its last `window` steps from `lambda`. */
function recordSwept(r: Recorder, loop: InnerLoop, window: number, keep?: Keep): void {
  const trajectory = recordInnerLoop(r, members, loop, lastOf(r, loop));
  const lambda = r.external('lambda', members, [network.count]);
  const results = {
    images: r.external('imagesBar', 1, loop.images.shape),
    labels: r.external('labelsBar', 1, loop.labels.shape),
    rates: r.external('ratesBar', 1, [1]),
  };
  recordHypergradient(r, loop, trajectory, lambda, results, { window, keep });
}

/** A program on a device, numbers filled in: small rates, the rest normal, moments as they begin. */
async function loaded(device: ReferenceDevice, r: Recorder): Promise<Bound> {
  const bound = await loadWithTensors(device, r.program(), new Owned());
  const { tensors } = bound;
  for (const [at, name] of ['theta', 'images', 'labels', 'lambda'].entries()) {
    const source = new Stream(5, at);
    await tensors[name]?.write(
      Float64Array.from({ length: tensors[name].length }, (_, i) => source.normal(i)),
    );
  }
  await tensors.rates.write(new Float64Array(tensors.rates.length).fill(0.05));
  await tensors.state?.write([17, 0, 0, 0]);
  await tensors.numbers?.write(Uint32Array.from({ length: rows }, (_, i) => i));
  return bound;
}

const answers = ['last', 'lastMoments', 'imagesBar', 'labelsBar', 'ratesBar'];
const read = ({ tensors }: Bound) => Promise.all(answers.map((name) => tensors[name]?.read()));

describe.each(optimizers)('an inner loop of $kind', (optimizer) => {
  test('goes on from where another ended: the same bits, gradients of the window included', async () => {
    await using device = new ReferenceDevice();
    const [prefix, window] = [4, 3];
    const whole = new Recorder('whole');
    recordSwept(whole, loopOf(whole, prefix + window, optimizer), window);
    const first = new Recorder('first');
    const begins = loopOf(first, prefix, optimizer);
    recordInnerLoop(first, members, begins, lastOf(first, begins));
    const second = new Recorder('second');
    recordSwept(second, loopOf(second, window, optimizer), window);

    const all = await loaded(device, whole);
    const before = await loaded(device, first);
    const after = await loaded(device, second);
    await all.executable.run();
    await before.executable.run();
    await after.tensors.theta.write(await before.tensors.last.read());
    await after.tensors.moments?.write(await before.tensors.lastMoments.read());
    await after.executable.run();
    expect(await read(after)).toEqual(await read(all));
    expect(Math.hypot(...(await all.tensors.imagesBar.read()))).toBeGreaterThan(1e-3);
  });

  test('trains on the minibatches of ordinary training, and its gradient comes back to the whole set', async () => {
    await using device = new ReferenceDevice();
    const [T, size] = [4, 2];
    const augmentation = parseStrategy('scale_rotate');
    const r = new Recorder('minibatches');
    const whole = loopOf(r, T, optimizer);
    const change = stepBatches({
      ...{ members, steps: T, size, augmentation },
      state: r.external('state', 1, [4], 'u32'),
      numbers: r.external('numbers', 1, [rows], 'u32'),
    });
    recordSwept(r, { ...whole, change }, T);
    const swept = await loaded(device, r);
    await swept.executable.run();

    const ordinary = new Recorder('ordinary training');
    const training: MinibatchTraining = {
      ...{ optimizer, loss: 'cross-entropy', batch: size, epochs: T, schedule: { kind: 'constant' } },
    };
    const images = ordinary.external('images', 1, [rows, 1, 4, 4]);
    const labels = ordinary.external('labels', 1, [rows, 3]);
    declareMinibatches(ordinary, members, {
      ...{ network, training, rows, augmentation },
      gather: (r, index) => gatherRows(r, { images, labels, index }),
    });
    const trained = await loaded(device, ordinary);
    await trained.executable.run({ times: T });
    expect(await trained.tensors.theta.read()).toEqual(await swept.tensors.last.read());

    // lambda · theta[T], by central differences; their error is a third derivative times the step squared.
    const lambda = await swept.tensors.lambda.read();
    for (const name of ['images', 'labels']) {
      const at = Float64Array.from(await swept.tensors[name].read());
      const source = new Stream(6, 0);
      const direction = at.map((_, i) => source.normal(i));
      const bar = await swept.tensors[`${name}Bar`].read();
      const moved = async (step: number) => {
        const bound = await loaded(device, r);
        await bound.tensors[name].write(at.map((value, i) => value + step * direction[i]));
        await bound.executable.run();
        return dot(await bound.tensors.last.read(), lambda);
      };
      const step = 1e-5;
      const slope = ((await moved(step)) - (await moved(-step))) / (2 * step);
      const expected = dot(bar, direction);
      expect(Math.abs(expected)).toBeGreaterThan(1e-3);
      expect(Math.abs(slope - expected) / Math.abs(expected)).toBeLessThan(1e-6);
    }
  });
});

describe('what steps make of their batches', () => {
  const augmentation = parseStrategy('scale_rotate');
  /** T steps on augmented minibatches, or on the set as it is. */
  function recorded(T: number, keep: Keep, augmented = true): Recorder {
    const r = new Recorder('batches');
    const loop = loopOf(r, T, { kind: 'momentum' });
    const change = stepBatches({
      ...{ members, steps: T, size: 3, augmentation },
      state: r.external('state', 1, [4], 'u32'),
      numbers: r.external('numbers', 1, [rows], 'u32'),
    });
    recordSwept(r, augmented ? { ...loop, change } : loop, T, keep);
    return r;
  }

  test('is drawn again on the way back, to the same bits', async () => {
    await using device = new ReferenceDevice();
    const run = async (keep: Keep) => {
      const bound = await loaded(device, recorded(9, keep));
      await bound.executable.run();
      return read(bound);
    };
    const all = await run('all');
    expect(Math.hypot(...all[2])).toBeGreaterThan(1e-3);
    for (const keep of keeps) expect(await run(keep)).toEqual(all);
  });

  test('takes no memory but where it is kept', () => {
    const growth = (keep: Keep, augmented = true) => {
      const [less, more] = [20, 60].map((T) => recorded(T, keep, augmented).program().bytes().temporary);
      return more - less;
    };
    // What is drawn from is 16 bytes a step.
    expect(growth('none') - growth('none', false)).toBe(40 * 16);
    expect(growth('sqrt')).toBeLessThan(growth('none') / 2);
    const images = members * 3 * 16 * 4;
    expect(growth('all') - growth('none')).toBeGreaterThan(40 * images);
  });
});

describe('the state of an inner loop', () => {
  const refused = (optimizer: OptimizerOptions, shape: readonly number[], of: number) => {
    const r = new Recorder('refused');
    const state = r.external('given', of, shape);
    return () => recordInnerLoop(r, members, { ...loopOf(r, 1, optimizer), state });
  };

  test('is refused where the optimiser has none, or another', () => {
    const { count } = network;
    expect(refused({ kind: 'sgd' }, [count], members)).toThrow(
      /state is \[\d+\] of 2 members, expected none: the optimiser has no state/,
    );
    expect(refused({ kind: 'adam' }, [count], members)).toThrow(
      new RegExp(`expected \\[2, ${count + 1}\\] of 2 members`),
    );
    expect(refused({ kind: 'momentum' }, [count], 1)).toThrow(
      new RegExp(`of 1 members, expected \\[${count}\\] of 2 members`),
    );
  });
});
