import type { Dataset } from '../../data/dataset.js';
import { expectDataset } from '../../data/expect-dataset.js';
import type { ExpertsDescription } from '../../data/experts/experts.js';
import { recordBytes } from '../../data/experts/format.js';
import { SplitOnDevice } from '../../data/on-device.js';
import type { Device } from '../../engine/device.js';
import { LimbeckError } from '../../util/errors.js';
import { expectDevice, expectOptions } from '../../util/expect.js';
import { bytesText, counted } from '../../util/words.js';
import { controls, type ExpertControl, type TrainedExperts } from './control.js';
import { ExpertFolder, type Found } from './folder.js';
import { describeExperts, type ExpertOptions, resolveExpertOptions } from './options.js';
import { ExpertsRun, type Space } from './run.js';

/**
 * Trains experts on the whole training split and writes their parameters before training and after every epoch into a folder, for
 * trajectory matching (Cazenavette et al. 2022): one file each, which `openExperts` reads. A folder in which some lie already, or
 * that was stopped or killed in the middle of an epoch, is gone on with by the same call, to the same bytes.
 *
 * Each expert has its own first weights, order of images and augmentation, drawn by its number. So it does not depend on how many others
 * are trained. On `cpu` and `reference` its bits do not depend on how many are trained at once either. On `webgpu` the order of sums
 * does: the same bytes need the same `population`.
 *
 * @throws ERR_OPTION for options that are unknown, out of range or others than those the folder was begun with; ERR_SHAPE for images
 * that the network cannot take; ERR_FILE_WRITE where the disk is too full, the folder cannot be written, or another process is at
 * work in it; ERR_FILE_FORMAT for a file there that was damaged; ERR_DIVERGED where parameters are not finite after an
 * epoch; ERR_OUT_OF_MEMORY
 */
export async function trainExperts(
  device: Device,
  dataset: Dataset,
  folder: string,
  given: ExpertOptions = {},
  control: ExpertControl = {},
): Promise<TrainedExperts> {
  expectDevice('trainExperts', device);
  expectDataset('trainExperts', dataset);
  expectOptions('trainExperts', control, controls);
  const options = resolveExpertOptions('trainExperts', given);
  const { description, network } = describeExperts(options, dataset);
  const files = new ExpertFolder(folder);
  await files.open();
  try {
    const found = await files.scan(description, options);
    const space = await checkSpace(files, found, network.count, description);
    const split = await SplitOnDevice.upload(device, dataset, dataset.train);
    try {
      const work = { device, split, network, description, seed: options.seed, folder: files };
      return await new ExpertsRun(work, options.population, found, control).run(space);
    } finally {
      split.dispose();
    }
  } finally {
    await files.close();
  }
}

/** ERR_FILE_WRITE where what is still to be written does not fit. */
async function checkSpace(
  folder: ExpertFolder,
  found: readonly Found[],
  count: number,
  { training }: ExpertsDescription,
): Promise<Space> {
  const left = found
    .filter(({ finished }) => !finished)
    .reduce((sum, { part }) => sum + training.epochs + 1 - (part?.snapshots ?? 0), 0);
  const bytesOnDisk = left * recordBytes(count);
  const bytesFree = await folder.free();
  if (bytesOnDisk <= bytesFree) return { bytesOnDisk, bytesFree };
  throw new LimbeckError(
    'ERR_FILE_WRITE',
    `${counted(left, 'snapshot')} of ${counted(count, 'parameter')} take ${bytesText(bytesOnDisk)}, but ${folder.path} has ${bytesText(bytesFree)} ` +
      'left: make room, name a folder on another disk, or train fewer experts for fewer epochs',
  );
}
