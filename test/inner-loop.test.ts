import { describe, expect, test } from 'vitest';
import { loadWithTensors } from '../src/engine/load.js';
import { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { createNetwork } from '../src/networks/index.js';
import { type Keep, recordHypergradient } from '../src/train/hypergradient.js';
import { recordInnerLoop } from '../src/train/inner-loop.js';
import { Owned } from '../src/util/owned.js';
import { Stream } from '../src/util/random.js';

describe('the inner loop', () => {
  const network = createNetwork({ name: 'mlp', inputShape: [1, 2, 2], classes: 2 });
  const [members, steps, epochs] = [3, 2, 1];
  const loopOf = (
    r: Recorder,
    has: Partial<Record<'theta' | 'images' | 'labels' | 'rates', number>> = {},
  ) => ({
    network,
    theta: r.external('theta', has.theta ?? members, [network.count]),
    images: r.external('images', has.images ?? 1, [steps, 2, 1, 2, 2]),
    labels: r.external('labels', has.labels ?? 1, [steps, 2, 2]),
    rates: r.external('rates', has.rates ?? 1, [steps * epochs]),
    steps,
    epochs,
  });
  const shapeError = (message: RegExp) =>
    expect.objectContaining({ code: 'ERR_SHAPE', message: expect.stringMatching(message) });

  test('needs parameters for each member', () => {
    const r = new Recorder('shared theta');
    expect(() => recordInnerLoop(r, members, loopOf(r, { theta: 1 }))).toThrow(
      shapeError(/inner loop: theta has 1 members, expected 3: each network needs parameters of its own/),
    );
  });

  test.each(['images', 'labels', 'rates'] as const)(
    'trains on %s per member, but gives no gradient',
    (name) => {
      const r = new Recorder('per member');
      const loop = loopOf(r, { [name]: members });
      const trajectory = recordInnerLoop(r, members, loop);
      expect(trajectory.thetas.map((theta) => theta.members)).toEqual([members, members, members]);
      const lambda = r.external('lambda', members, [network.count]);
      expect(() => recordHypergradient(r, loop, trajectory, lambda, {})).toThrow(
        shapeError(new RegExp(`hypergradient: ${name} has 3 members, expected 1`)),
      );
    },
  );

  test.each(['sgd', 'momentum', 'adam'] as const)(
    'of %s may leave its passes to the sweep, or be computed again stretch by stretch: the same bits',
    async (kind) => {
      const layers = [{ dropout: 0.5 }, { linear: 3 }, 'tanh', { dropout: 0.25 }];
      const drawing = createNetwork({ name: 'custom', inputShape: [1, 2, 2], classes: 3, layers });
      const training = { optimizer: { kind }, loss: 'cross-entropy' } as const;
      const sweep = async (keep: Keep) => {
        const r = new Recorder('sweep');
        const loop = {
          network: drawing,
          training,
          theta: r.external('theta', members, [drawing.count]),
          images: r.external('images', 1, [steps, 2, 1, 2, 2]),
          labels: r.external('labels', 1, [steps, 2, 3]),
          rates: r.external('rates', 1, [3 * steps]),
          steps,
          epochs: 3,
          random: { state: r.external('state', 1, [4], 'u32'), stream: 0 },
        };
        const trajectory = recordInnerLoop(r, members, loop);
        const lambda = r.external('lambda', members, [drawing.count]);
        const results = {
          images: r.external('imagesBar', 1, loop.images.shape),
          labels: r.external('labelsBar', 1, loop.labels.shape),
          rates: r.external('ratesBar', 1, loop.rates.shape),
          theta: r.external('thetaBar', members, [drawing.count]),
        };
        recordHypergradient(r, loop, trajectory, lambda, results, { keep });

        await using device = new ReferenceDevice();
        const { tensors, executable } = await loadWithTensors(device, r.program(), new Owned());
        for (const [at, name] of ['theta', 'images', 'labels', 'rates', 'lambda'].entries()) {
          const stream = new Stream(3, at);
          await tensors[name].write(
            Float64Array.from({ length: tensors[name].length }, (_, i) => stream.normal(i)),
          );
        }
        await executable.run();
        const names = ['imagesBar', 'labelsBar', 'ratesBar', 'thetaBar'];
        const numbers = await Promise.all(names.map((name) => tensors[name].read()));
        return { numbers, steps: r.program().steps.length };
      };
      const [none, all, again] = [await sweep('none'), await sweep('all'), await sweep('sqrt')];
      expect(all.steps).toBeLessThan(none.steps);
      expect(again.steps).toBeGreaterThan(all.steps);
      expect(all.numbers).toEqual(none.numbers);
      expect(again.numbers).toEqual(none.numbers);
      for (const numbers of all.numbers) expect(Math.hypot(...numbers)).toBeGreaterThan(0);
    },
  );
});
