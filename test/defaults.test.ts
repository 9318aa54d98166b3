/** What a method takes for options that nobody gave, where it depends on others. */
import { expect, test } from 'vitest';
import type { DistillOptions } from '../src/methods/index.js';
import { resolveOptions } from '../src/runs/options.js';
import { findRemedies } from '../src/runs/plan/remedies.js';
import { resolveRate } from '../src/runs/training-options.js';
import type { MinibatchTraining } from '../src/train/minibatch.js';
import { optimizerKinds } from '../src/train/training.js';

test.each<[DistillOptions, number]>([
  [{}, 0.001],
  [{ optimizer: 'adamw' }, 0.001],
  [{ optimizer: 'sgd' }, 0.01],
  [{ optimizer: 'nesterov' }, 0.01],
  [{ optimizer: 'momentum', networkLr: 0.5 }, 0.5],
])('rat %j: the rate of the inner steps', (given, networkLr) => {
  expect(resolveOptions({ method: 'rat', ...given }).networkLr).toBe(networkLr);
});

test('looks at the validation split: ten or twenty in a run, whatever its length', () => {
  const every = (method: DistillOptions['method'], more: object = {}) =>
    resolveOptions({ method, iterations: 1001, ...more } as DistillOptions).validateEvery;
  const experts = { experts: 'a folder' };
  expect([every('dm'), every('datadam'), every('ncfm'), every('dc'), every('dsa'), every('frepo')]).toEqual(
    new Array(6).fill(101),
  );
  expect([every('mtt', experts), every('tesla', experts), every('mct', experts)]).toEqual([101, 101, 101]);
  expect(every('datm', { ...experts, first: 'real' })).toBe(101);
  expect([every('rat'), every('at')]).toEqual([51, 51]);
  expect(every('unrolled')).toBe(50);
  expect(every('dm', { validateEvery: 7 })).toBe(7);
});

test('rded looks at as many images of a class as it wants patches', () => {
  const steps = (ipc: number, factor: number, batch: number) =>
    resolveOptions({ method: 'rded', teacher: 'a folder', ipc, factor, batch }).iterations;
  expect([steps(10, 2, 10), steps(50, 3, 5), steps(50, 3, 7)]).toEqual([30, 90, 65]);
});

test('ordinary training: a rate for Adam, and one for every other optimiser', () => {
  const rates = optimizerKinds.map((kind) =>
    resolveRate(undefined, { optimizer: { kind } } as MinibatchTraining, 0.05),
  );
  expect(Object.fromEntries(optimizerKinds.map((kind, i) => [kind, rates[i]]))).toEqual({
    ...{ sgd: 0.05, momentum: 0.05, nesterov: 0.05, adam: 0.001, adamw: 0.001 },
  });
  expect(resolveRate(0.3, { optimizer: { kind: 'adam' } } as MinibatchTraining, 0.05)).toBe(0.3);
});

test('where memory lacks, inner steps of all images are halved as those of some are', async () => {
  const given = { method: 'mtt', experts: 'a folder', ipc: 50 } as const;
  let most = 130;
  const plan = async ({ innerBatch = 0 }: { innerBatch?: number }) => ({
    lacks: innerBatch && innerBatch < most ? [] : ['it needs more'],
    memory: { needed: innerBatch, available: most },
  });
  const remedies = (more: object) =>
    findRemedies({ ...given, ...more }, resolveOptions({ ...given, ...more }), plan as never, {
      images: 500,
    });
  expect(await remedies({})).toEqual([{ options: { innerBatch: 125 }, needed: 125, spare: 5 }]);
  expect(await remedies({ innerBatch: 200 })).toEqual([
    { options: { innerBatch: 100 }, needed: 100, spare: 30 },
  ]);
  most = 2;
  expect(await remedies({})).toEqual([{ options: { innerBatch: 1 }, needed: 1, spare: 1 }]);
});
