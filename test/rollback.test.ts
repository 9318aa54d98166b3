/** What a run does when its numbers stop being finite. */
import { describe, expect, test } from 'vitest';
import { generateDigits } from '../src/data/digits.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { type DistillOptions, methods } from '../src/methods/index.js';
import { decodeCheckpoint, encodeCheckpoint } from '../src/runs/checkpoint.js';
import { distill } from '../src/runs/distill.js';
import type { Checkpoint, DistillControl } from '../src/runs/distillation.js';
import { diverged, givenUp, mostRollbacks } from '../src/runs/rollback.js';

const device = new ReferenceDevice();
const dataset = generateDigits({ train: 60, validation: 20, test: 20 });

/** The gradients of inner rates this high overflow, at high outer rates, in the square that Adam keeps while the loss stays finite. */
const run = (lr: number, control: DistillControl = {}) => {
  const options: DistillOptions = {
    ...{ network: 'mlp:width=32', steps: 1, epochs: 4, innerLr: 1, batch: 16, lr, rateLr: 0.001 },
    ...{ iterations: 12, validateEvery: 3, validationNetworks: 2, schedule: { kind: 'constant' } },
  };
  return distill(device, dataset, options, control);
};

/** The same in pieces: stopped as soon as it can be, and gone on with from the bytes of its checkpoint. */
async function inPieces(lr: number) {
  let resume: Checkpoint | undefined;
  for (let pieces = 1; ; pieces++) {
    const controller = new AbortController();
    const result = await run(lr, {
      ...{ resume, signal: controller.signal },
      onProgress: () => controller.abort(),
      onCheckpoint: (checkpoint) => {
        resume = decodeCheckpoint(encodeCheckpoint(checkpoint, {})).checkpoint;
      },
    });
    if (!result.stopped || result.diverged) return { ...result, pieces };
  }
}

test('what is advised has the names of the options that the method has', () => {
  const advice = (method: string) =>
    givenUp(diverged('the loss is NaN', 3), [{ iteration: 0, factor: 0.5 }], methods[method]).message;
  expect(advice('dm')).toMatch(/: start again with a smaller lr$/);
  expect(advice('dc')).toMatch(/: start again with a smaller lr or networkLr$/);
  expect(advice('rat')).toMatch(/, or with a clipFactor$/);
});

describe('numbers that stop being finite', () => {
  test('take a run back to where they were, at half the outer rates', async () => {
    const heard: unknown[] = [];
    const result = await run(7000, { onRollback: (event) => void heard.push(event) });
    expect(result).toMatchObject({ stopped: false, diverged: undefined, outerSteps: 12 });
    expect(result.rollbacks).toEqual([
      { iteration: 0, factor: 0.5 },
      { iteration: 0, factor: 0.25 },
    ]);
    const reason = expect.stringMatching(
      /\.s holds Infinity at place \d+ after 3 outer steps, expected finite/,
    );
    expect(heard).toEqual(result.rollbacks.map((rollback) => ({ ...rollback, reason })));
    expect(result.curve.map(({ iteration }) => iteration)).toEqual([3, 6, 9, 12]);
  });

  test.for([7000, 50_000])('give the same bits however often the run is stopped (lr %d)', async (lr) => {
    const [whole, pieces] = [await run(lr), await inPieces(lr)];
    expect(pieces.pieces).toBeGreaterThan(3);
    for (const field of ['set', 'curve', 'best', 'rollbacks'] as const)
      expect(pieces[field], field).toEqual(whole[field]);
  });

  test('never reach a checkpoint, and end a run that they do not leave', async () => {
    const bytes: Uint8Array[] = [];
    const result = await run(50_000, {
      onCheckpoint: (checkpoint) => void bytes.push(encodeCheckpoint(checkpoint, {})),
    });
    expect(result.rollbacks).toHaveLength(mostRollbacks);
    expect(result.rollbacks.at(-1)).toEqual({ iteration: 3, factor: 1 / 32 });
    expect(result.diverged).toMatch(
      /went back 5 times, the last time to step 3 at 0\.03125 of its outer rates: .* a smaller lr or .*innerLr, or with a clip$/,
    );
    expect(bytes.length).toBeGreaterThan(0);
    for (const one of bytes) expect(() => decodeCheckpoint(one)).not.toThrow();
  });
});

test('images beyond all reason take a run back, though every number is finite', async () => {
  const options: DistillOptions = {
    ...{ method: 'dm', network: 'mlp:width=8', ipc: 1, batch: 4, lr: 1e13, iterations: 4, validateEvery: 2 },
    ...{ validationNetworks: 2, first: 'noise' },
  };
  const reasons: string[] = [];
  const run = distill(device, dataset, options, { onRollback: ({ reason }) => void reasons.push(reason) });
  await expect(run).rejects.toMatchObject({ code: 'ERR_DIVERGED' });
  expect(reasons).toHaveLength(mostRollbacks);
  for (const reason of reasons)
    expect(reason).toMatch(/^a distilled pixel is -?\d+, beyond all images after 2 outer steps/);
});
