import { type CompareControl, type CompareFiles, compareInto } from '../analysis/compare/compare.js';
import type { CompareOptions } from '../analysis/compare/options.js';
import type { Compared } from '../analysis/compare/record.js';
import type { Dataset } from '../data/dataset.js';
import { expectDataset } from '../data/expect-dataset.js';
import type { Device } from '../engine/device.js';
import { expectDevice } from '../util/expect.js';
import { comparePage } from './compare-page.js';
import { RunFolder } from './run-folder.js';

/**
 * Distils by several methods, at several numbers of images and from several seeds, scores all sets under one protocol and each under its
 * own, and puts them beside real images and the whole training split: `compare.json` and `compare.html` in the folder, with each run in a
 * folder of its own. What lies there already is used; a comparison that was stopped goes on.
 *
 *     const { runs } = await compareMethods(device, digits, 'compared', { methods: ['dm', 'dc'], ipc: [1, 10], seconds: 1200 });
 *
 * A run that its share of the time cuts off is scored as far as it came, and goes on with the next call.
 *
 * @throws ERR_OPTION for options that are unknown or out of range, or where the folder holds other runs; what `distillToFolder` and
 * `evaluate` throw
 */
export const compareMethods = async (
  device: Device,
  dataset: Dataset,
  folder: string,
  options: CompareOptions,
  control: CompareControl = {},
): Promise<Compared> => {
  expectDevice('compareMethods', device);
  expectDataset('compareMethods', dataset);
  const files: CompareFiles = { folder, run: (path) => new RunFolder(path), page: comparePage };
  return compareInto(files, device, dataset, options, control);
};
