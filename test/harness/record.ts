import type { DistillOptions } from '../../src/methods/index.js';
import { resolveOptions } from '../../src/runs/options.js';
import type { RunRecord } from '../../src/runs/record.js';

export interface Size {
  readonly classes?: number;
  readonly channels?: number;
  readonly side?: number;
}

/** The record of a run in which no two numbers that a page shows are the same. */
export function makeRecord(
  given: DistillOptions = {},
  { classes = 10, channels = 1, side = 28 }: Size = {},
  changes: Partial<RunRecord> = {},
): RunRecord {
  const options = resolveOptions(given);
  return {
    format: 'limbeck-run-1',
    config: { dataset: 'digits', device: 'auto', options },
    seed: 0,
    versions: { limbeck: '9.8.7', node: 'v99.1.2' },
    platform: 'testos x64',
    engine: { name: 'cpu', description: 'cpu (avx7, 3 threads)' },
    dataset: {
      name: 'digits',
      imageShape: [channels, side, side],
      classNames: Array.from({ length: classes }, (_, k) => String(k)),
      mean: new Array(channels).fill(0.13),
      std: new Array(channels).fill(0.31),
      splits: { train: 12345, validation: 678, test: 2345 },
      sha256: 'abcdef0123456789'.repeat(4),
    },
    protocol: 'unrolled: lenet, fixed initialisation',
    stopped: false,
    outerSteps: 500,
    curve: [
      { iteration: 250, loss: 2.1, validationAccuracy: 40, learningRates: [0.1, 0.1, 0.1] },
      { iteration: 500, loss: 0.1, validationAccuracy: 91.7, learningRates: [0.3, 0.2, 0.1] },
    ],
    best: { iteration: 500, validationAccuracy: 91.7 },
    testAccuracy: { mean: 94.12, std: 0.4, networks: 20 },
    baselines: {
      randomReal: { title: 'random real images', mean: 47.3, std: 5.2, networks: 10, learningRate: 0.03 },
    },
    testOpened: 1,
    timings: { seconds: 83.2, evaluationSeconds: 4.5, stepMilliseconds: { median: 3.25, min: 2.75 } },
    ...changes,
  };
}
