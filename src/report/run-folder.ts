import type { Dataset } from '../data/dataset.js';
import { expectDataset } from '../data/expect-dataset.js';
import type { Device } from '../engine/device.js';
import type { DistillOptions } from '../methods/index.js';
import {
  type DistillToFolderControl,
  distillInto,
  type FolderRun,
  type ResumeControl,
  readRunIn,
  resumeIn,
  type StoredRun,
} from '../runs/folder-run.js';
import { RunFiles, type RunPages } from '../runs/run-files.js';
import { expectDevice } from '../util/expect.js';
import { encodePng } from '../util/png.js';
import { contactSheet } from './contact-sheet.js';
import { filmFrame } from './film-frame.js';
import { reportHtml } from './html.js';

const pages: RunPages = {
  sheet: (set, dataset, examples) => encodePng(contactSheet(set, dataset, examples)),
  report: reportHtml,
  frame: (set, data) => filmFrame(set, data, data.zca),
};

/** The files of a run in a folder; each is whole or absent at any moment. */
export class RunFolder extends RunFiles {
  /** Touches nothing yet. */
  constructor(folder: string) {
    super(folder, pages);
  }
}

/**
 * Distils into a folder, made where it is missing: a checkpoint at every look at the validation split, then, tested once on the
 * test split, `distilled.safetensors`, `distilled.png`, `report.html` and `run.json`. Each file is whole or absent at any moment, and
 * a run that was stopped or killed goes on with `resumeFolder` (or `limbeck resume`) to the same bits.
 *
 *     const { record, set } = await distillToFolder(device, digits, 'runs/first', { iterations: 2000 }, { signal });
 *
 * When numbers stop being finite after the first look, what was best before is written, and the record says `diverged`.
 *
 * @throws ERR_OPTION for bad options or a folder that holds a run already; ERR_FILE_WRITE where it cannot be written or another
 * process is at work in it; what `distill` and `evaluate` throw
 */
export const distillToFolder = async (
  device: Device,
  dataset: Dataset,
  folder: string,
  given: DistillOptions = {},
  control: DistillToFolderControl = {},
): Promise<FolderRun> => {
  expectDevice('distillToFolder', device);
  expectDataset('distillToFolder', dataset);
  return distillInto(new RunFolder(folder), device, dataset, given, control);
};

/**
 * Goes on with a run that was stopped or killed, from its checkpoint and to the same bits on the same engine and processor; one
 * that is finished is given back as it is, unless `iterations` says how much further it goes. `dataset` is the data it was begun with: `readRun` says which.
 *
 * @throws ERR_FILE_MISSING or ERR_FILE_FORMAT where there is no checkpoint that can be read; ERR_DATA for other data; what
 * `distillToFolder` throws
 */
export const resumeFolder = async (
  device: Device,
  dataset: Dataset,
  folder: string,
  control: ResumeControl = {},
): Promise<FolderRun> => {
  expectDevice('resumeFolder', device);
  expectDataset('resumeFolder', dataset);
  return resumeIn(new RunFolder(folder), device, dataset, control);
};

/** What `resumeFolder` needs a data set and an engine for. @throws as `resumeFolder` */
export const readRun = async (folder: string): Promise<StoredRun> => readRunIn(new RunFolder(folder));
