/** What training is made of, against numbers worked out by hand or from the textbook, not against its own reference. */
import { describe, expect, test } from 'vitest';
import * as accuracy from '../src/engine/ops/accuracy.js';
import * as activation from '../src/engine/ops/activation.js';
import * as adam from '../src/engine/ops/adam.js';
import * as crossentropy from '../src/engine/ops/crossentropy.js';
import * as elementwise from '../src/engine/ops/elementwise.js';
import * as gather from '../src/engine/ops/gather.js';
import * as optimizer from '../src/engine/ops/optimizer.js';
import * as random from '../src/engine/ops/random.js';
import * as reduce from '../src/engine/ops/reduce.js';
import { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import type { View } from '../src/engine/view.js';
import { expectedSchedule, scheduleRates, stageStarts } from '../src/train/schedule.js';

const device = new ReferenceDevice();

/** Runs a recording `times` times on these numbers and returns what its external slots hold, as plain arrays. */
async function run(record: (r: Recorder) => void, values: Record<string, readonly number[]>, times = 1) {
  const r = new Recorder('by hand');
  record(r);
  const program = r.program();
  const tensors = Object.fromEntries(
    await Promise.all(
      program.slots
        .filter(({ external }) => external)
        .map(
          async ({ name, dtype, length }) =>
            [name, await device.tensor(dtype, length, values[name])] as const,
        ),
    ),
  );
  const executable = await device.load(program, tensors);
  await executable.run({ times });
  const out: Record<string, number[]> = {};
  for (const [name, tensor] of Object.entries(tensors)) out[name] = [...(await tensor.read())];
  executable.dispose();
  for (const tensor of Object.values(tensors)) tensor.dispose();
  return out;
}

function expectNumbers(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, i) => {
    expect(Math.abs(value - expected[i]), `element ${i}: ${value}, ${expected[i]}`).toBeLessThan(1e-13);
  });
}

describe('optimisers', () => {
  test('sgd: theta - rate g, each member at its own rate', async () => {
    const { out } = await run(
      (r) => {
        const operands = { theta: r.external('theta', 1, [2]), g: r.external('g', 2, [2]) };
        optimizer.sgd(
          r,
          { ...operands, rate: r.external('rate', 2, [1]) },
          { into: r.external('out', 2, [2]) },
        );
      },
      { theta: [1, -2], g: [4, 8, 2, -6], rate: [0.25, 0.5] },
    );
    expectNumbers(out, [0, -4, 0, 1]);
  });

  test('adam: three steps of Kingma & Ba, algorithm 1, mHat and vHat written out', async () => {
    const constants = { beta1: 0.5, beta2: 0.9, epsilon: 0.01 };
    const rates = [0.1, 0.2, 0.4];
    // The gradient is theta itself (of theta²/2), so that the steps build on each other; scaled by 3 on the way.
    const { theta, m, s } = await run(
      (r) => {
        const theta = r.external('theta', 1, [2]);
        const state = r.external('state', 1, [4], 'u32');
        const g = elementwise.add(r, { a: theta, b: theta }, 1, 0);
        const moments = { m: r.external('m', 1, [2]), s: r.external('s', 1, [2]) };
        const schedule = r.external('schedule', 1, [3, 2]);
        adam.inPlace(
          r,
          { g, scale: r.external('scale', 1, [1]), schedule, state, theta, ...moments },
          constants,
        );
        random.advance(r, { state });
      },
      { theta: [1, -0.5], scale: [3], schedule: [...adam.adamSchedule(rates, constants)] },
      3,
    );
    const expected = [1, -0.5].map((start) => {
      let [at, mean, square] = [start, 0, 0];
      for (let t = 1; t <= 3; t++) {
        const gradient = 3 * at;
        mean = 0.5 * mean + 0.5 * gradient;
        square = 0.9 * square + 0.1 * gradient ** 2;
        const mHat = mean / (1 - 0.5 ** t);
        const vHat = square / (1 - 0.9 ** t);
        at -= (rates[t - 1] * mHat) / (Math.sqrt(vHat) + 0.01);
      }
      return [at, mean, square];
    });
    // The first step alone: mHat = 3 theta, sqrt(vHat) = |3 theta|, a move of rate / (1 + 0.01 / 3) from 1.
    expect(expected[0][0]).toBeLessThan(0.9);
    expectNumbers(theta, [expected[0][0], expected[1][0]]);
    expectNumbers(m, [expected[0][1], expected[1][1]]);
    expectNumbers(s, [expected[0][2], expected[1][2]]);
  });

  test('adam: the first step moves by the rate, and steps past the table take its last row', async () => {
    const constants = { beta1: 0.9, beta2: 0.999, epsilon: 0 };
    const schedule = adam.adamSchedule([0.25, 0.5], constants);
    expectNumbers([...schedule], [0.25 / 0.1, 1 / Math.sqrt(0.001), 0.5 / 0.19, 1 / Math.sqrt(1 - 0.998001)]);
    const step = (draw: number) =>
      run(
        (r) => {
          const moments = { m: r.external('m', 1, [2]), s: r.external('s', 1, [2]) };
          const [g, theta] = [r.external('g', 1, [2]), r.external('theta', 1, [2])];
          const [table, state] = [r.external('schedule', 1, [2, 2]), r.external('state', 1, [4], 'u32')];
          adam.inPlace(r, { g, schedule: table, state, theta, ...moments }, constants);
        },
        { g: [1e-3, -20], theta: [1, 1], schedule: [...schedule], state: [0, 0, draw, 0] },
      );
    expectNumbers((await step(0)).theta, [0.75, 1.25]);
    const past = await step(1);
    expect(past.theta).not.toEqual((await step(0)).theta);
    expect((await step(9)).theta).toEqual(past.theta);
  });

  test('clip: min(1, limit / norm)', async () => {
    const { scale } = await run(
      (r) => {
        const squaredNorm = r.external('squaredNorm', 4, [1]);
        optimizer.clip(r, { squaredNorm }, 5, { into: r.external('scale', 4, [1]) });
      },
      { squaredNorm: [100, 25, 9, 0] },
    );
    expectNumbers(scale, [0.5, 1, 1, 1]);
  });
});

describe('schedules', () => {
  test('a warm-up rises linearly to the base rate', () => {
    expectNumbers(scheduleRates(2, 6, { kind: 'constant', warmup: 4 }), [0.5, 1, 1.5, 2, 2, 2]);
  });

  test('stages multiply by the factor, each as long as the others', () => {
    const rates = scheduleRates(8, 9, { kind: 'step', factor: 0.5, stages: 3 });
    expectNumbers(rates, [8, 8, 8, 4, 4, 4, 2, 2, 2]);
    // By default ten stages, each half of the one before.
    const tenth = scheduleRates(1, 100, { kind: 'step' });
    expectNumbers([tenth[0], tenth[9], tenth[10], tenth[99]], [1, 1, 0.5, 2 ** -9]);
  });

  test('halfway, the rate falls where the program of DC makes a new optimiser', () => {
    // Asked for 300 epochs it goes from epoch 0 to epoch 300, and the new rate is there after epoch 300 / 2 + 1.
    const rates = scheduleRates(1, 2 * 301, { kind: 'halfway' }, 2);
    expectNumbers([rates[2 * 152 - 1], rates[2 * 152], rates[601]], [1, 0.1, 0.1]);
    expect(stageStarts({ kind: 'halfway' }, 2 * 301, 2)).toEqual([304]);
    expectNumbers(scheduleRates(1, 4, { kind: 'halfway', factor: 0.5 }), [1, 1, 1, 0.5]);
    expect(stageStarts({ kind: 'halfway' }, 2)).toEqual([]);
    expect(stageStarts({ kind: 'step', stages: 3 }, 10)).toEqual([4, 7]);
    expect(stageStarts({ kind: 'cosine' }, 10)).toEqual([]);
  });

  test.each([
    [undefined, /an object such as/],
    [{ kind: 'half' }, /one of cosine, step, halfway, constant as its kind/],
    [{ kind: 'halfway', stages: 2 }, /no stages in it; halfway takes factor, warmup/],
    [{ kind: 'step', stages: 0 }, /a whole number of at least 1 as its stages/],
    [{ kind: 'step', factor: Number.NaN }, /a number above 0 as its factor/],
  ])('%j is no schedule', (schedule, message) => {
    expect(expectedSchedule(schedule)).toMatch(message);
  });

  test('a cosine starts at the base, is half of it in the middle and next to nothing at the end', () => {
    const rates = scheduleRates(3, 100, { kind: 'cosine' });
    expectNumbers([rates[0], rates[50]], [3, 1.5]);
    expect(rates[25]).toBeCloseTo(1.5 * (1 + Math.SQRT1_2), 12);
    expect(rates[99]).toBeGreaterThan(0);
    expect(rates[99]).toBeLessThan(3 * 2.5e-4);
    expectNumbers([scheduleRates(3, 100, { kind: 'cosine', warmup: 2 })[0]], [1.5]);
  });
});

describe('data and labels', () => {
  test.each(['u8', 'f32'] as const)(
    'gather: two of three images of %s, normalised per channel',
    async (dtype) => {
      // Channel means 51 and 102 and standard deviations 51 and 25.5 of 255 make small whole numbers of these.
      const [mean, std] = [
        [0.2, 0.4],
        [0.2, 0.1],
      ];
      const data = [0, 51, 102, 153, 0, 0, 0, 0, 255, 102, 0, 51];
      const { x, y } = await run(
        (r) => {
          const index = r.external('index', 1, [2], 'u32');
          const affine = { gain: r.external('gain', 1, [2]), shift: r.external('shift', 1, [2]) };
          const images = r.external('data', 1, [3, 2, 1, 2], dtype);
          gather.images(r, { data: images, index, ...affine }, { into: r.external('x', 1, [2, 2, 1, 2]) });
          const labels = r.external('labels', 1, [3], 'u32');
          gather.oneHot(r, { labels, index }, 3, { into: r.external('y', 1, [2, 3]) });
        },
        {
          index: [2, 0],
          data,
          gain: std.map((s) => 1 / (255 * s)),
          shift: mean.map((m, c) => -m / std[c]),
          labels: [1, 0, 2],
        },
      );
      expectNumbers(x, [4, 1, -4, -2, -1, 0, 0, 2]);
      expectNumbers(y, [0, 0, 1, 0, 1, 0]);
    },
  );

  test('accuracy: the first of equal logits counts, and of equal labels', async () => {
    const { counts } = await run(
      (r) => {
        const operands = { z: r.external('z', 2, [3, 3]), y: r.external('y', 1, [3, 3]) };
        accuracy.confusion(r, operands, { into: r.external('counts', 2, [3, 3]) });
      },
      {
        // Member 0: 1 (a tie with 2), 0 (all tie), 2.      Member 1: 2, 1, 0.      Labels: 1, 0 (a tie), 2.
        z: [0, 5, 5, 1, 1, 1, -3, -2, -1, 0, 5, 6, 0, 1, 1, 0, -1, -2],
        y: [0, 1, 0, 0.5, 0.5, 0, 0, 0.4, 0.6],
      },
    );
    // A row for each class, the answers of member 0 and then of member 1.
    expect(counts).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0]);
  });
});

describe('functions', () => {
  test('softplus and its derivative, the logistic function', async () => {
    const softplus = { curve: 'softplus' } as const;
    const { y, xBar } = await run(
      (r) => {
        const x = r.external('x', 1, [4]);
        activation.forward(r, { x }, softplus, { into: r.external('y', 1, [4]) });
        const u = r.external('yBar', 1, [4]);
        activation.derivative(r, { x, u }, softplus, { into: r.external('xBar', 1, [4]) });
      },
      { x: [0, Math.log(3), -Math.log(3), 800], yBar: [1, 8, 8, -2] },
    );
    // softplus(ln 3) = ln(1 + 3), softplus(-ln 3) = ln(1 + 1/3); the slopes there are 3/4 and 1/4.
    expectNumbers(y, [Math.log(2), Math.log(4), Math.log(4 / 3), 800]);
    expectNumbers(xBar, [0.5, 6, 2, -2]);
  });

  test('a moving average of decay 0.75 goes a quarter of the way', async () => {
    const values = { x: [8, -4], average: [0, 4] };
    const record = (r: Recorder) =>
      elementwise.average(r, { x: r.external('x', 1, [2]), average: r.external('average', 1, [2]) }, 0.75);
    expectNumbers((await run(record, values)).average, [2, 2]);
    expectNumbers((await run(record, values, 2)).average, [3.5, 0.5]);
  });

  test('cross-entropy of two classes: p = 3/4 and 1/4, the second sample with labels that add up to 2', async () => {
    const { logp, losses, zBar, zBarDot, yBarDot } = await run(
      (r) => {
        const shape = [2, 2];
        const [z, y, zDot] = ['z', 'y', 'zDot'].map((name) => r.external(name, 1, shape));
        const out = (name: string) => r.external(name, 1, shape);
        const { logp } = crossentropy.forward(
          r,
          { z, y },
          { logp: out('logp'), losses: r.external('losses', 1, [2]) },
        );
        crossentropy.backward(r, { logp, y }, 0.5, { into: out('zBar') });
        const into = { zBarDot: out('zBarDot'), yBarDot: out('yBarDot') };
        crossentropy.tangentBackward(r, { logp, y, zDot }, 0.5, into);
      },
      { z: [Math.log(3), 0, 10, 10 + Math.log(3)], y: [1, 0, 0.5, 1.5], zDot: [1, 0, 0, 4] },
    );
    const [likely, unlikely] = [Math.log(3 / 4), Math.log(1 / 4)];
    expectNumbers(logp, [likely, unlikely, unlikely, likely]);
    expectNumbers(losses, [-likely, -0.5 * unlikely - 1.5 * likely]);
    // (p Y - y) / 2: (3/4 - 1, 1/4) / 2 and (1/2 - 1/2, 3/2 - 3/2) / 2.
    expectNumbers(zBar, [-0.125, 0.125, 0, 0]);
    // zDot minus its mean: 1 - 3/4 and -3/4; then -3 and 4 - 3. Times p Y / 2, and times -1/2.
    expectNumbers(zBarDot, [3 / 32, -3 / 32, -0.75, 0.75]);
    expectNumbers(yBarDot, [-0.125, 0.375, 1.5, -0.5]);
  });
});

describe('what the whole population shares is not taken per member: only the first would be read', () => {
  const v = (r: Recorder, name: string, members: number, shape: number[]) => r.external(name, members, shape);
  const adamStep = (r: Recorder, change: Record<string, View>) => {
    const parts = {
      g: v(r, 'g', 3, [4]),
      theta: v(r, 'theta', 3, [4]),
      m: v(r, 'm', 3, [4]),
      s: v(r, 's', 3, [4]),
    };
    const schedule = v(r, 'schedule', 1, [5, 2]);
    const state = r.external('state', 1, [4], 'u32');
    const constants = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    adam.inPlace(r, { ...parts, schedule, state, ...change }, constants);
  };
  const states = (r: Recorder) => ({ state: r.external('states', 3, [4], 'u32') });

  test.each<[string, (r: Recorder) => unknown, RegExp]>([
    [
      'the scale of reduce.members',
      (r) => reduce.members(r, { x: v(r, 'x', 3, [4]), scale: v(r, 'scale', 3, [1]) }),
      /reduce.members: scale has 3 members, expected 1/,
    ],
    ['the scale of adam', (r) => adamStep(r, { scale: v(r, 'scale', 3, [1]) }), /adam.inPlace: scale has 3/],
    [
      'its schedule',
      (r) => adamStep(r, { schedule: v(r, 'rows', 3, [5, 2]) }),
      /adam.inPlace: schedule has 3/,
    ],
    ['its state', (r) => adamStep(r, states(r)), /adam.inPlace: state has 3 members, expected 1/],
    [
      'its moments, where theta is not',
      (r) => adamStep(r, { m: v(r, 'one', 1, [4]) }),
      /m has 1 members, expected 3/,
    ],
    [
      'the state of random.normal',
      (r) => random.normal(r, states(r), { stream: 1 }, v(r, 'out', 3, [4])),
      /random.normal: state has 3/,
    ],
    [
      'of random.uniform',
      (r) => random.uniformFill(r, states(r), { stream: 1 }, v(r, 'out', 3, [4])),
      /random.uniform: state has 3/,
    ],
    [
      'of random.batch',
      (r) => random.batch(r, states(r), { B: 2, rows: 9, stream: 1 }),
      /random.batch: state has 3/,
    ],
    ['of random.advance', (r) => random.advance(r, states(r)), /random.advance: state has 3/],
  ])('%s', (_, record, message) => {
    expect(() => record(new Recorder('mistake'))).toThrow(
      expect.objectContaining({ code: 'ERR_SHAPE', message: expect.stringMatching(message) }),
    );
  });
});

test('the limit of norms follows their average, as they were clipped', async () => {
  const { average, ...scales } = await run(
    (r) => {
      const average = r.external('average', 1, [2]);
      [0, 1, 2].forEach((t) => {
        const operands = { squaredNorm: r.external(`norm${t}`, 1, [1]), average };
        optimizer.clipByAverage(
          r,
          operands,
          { factor: 2, decay: 0.75 },
          { into: r.external(`scale${t}`, 1, [1]) },
        );
      });
    },
    { norm0: [9], norm1: [144], norm2: [1] },
  );
  // 3 is the first and has no limit; 12 is clipped to 2 x 3, and counts as 6; 1 is below any.
  expect([scales.scale0, scales.scale1, scales.scale2]).toEqual([[1], [0.5], [1]]);
  expect(average).toEqual([0.75 ** 2 * 0.75 + 0.75 * 0.25 * 6 + 0.25, 0.578125]);
});
