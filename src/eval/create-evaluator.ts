import type { Dataset, Split } from '../data/dataset.js';
import type { Device } from '../engine/device.js';
import { Evaluator } from './evaluator.js';
import { KernelEvaluator } from './kernel-evaluator.js';
import type { PopulationGeometry } from './population.js';

/** What answers for a small set. */
export type AnyEvaluator = Evaluator | KernelEvaluator;

/** Networks that train on it or, where a geometry has a kernel, regression with that, which needs no parameters. */
export const createEvaluator = (
  device: Device,
  dataset: Dataset,
  split: Split,
  geometry: PopulationGeometry,
): Promise<AnyEvaluator> =>
  (geometry.kernel ? KernelEvaluator : Evaluator).create(device, dataset, split, geometry);
