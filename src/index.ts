/** limbeck: distils data sets. See README.md for a tour and docs/design.md for how it is built. */
export { type ArrayDataset, datasetFromArrays } from './data/arrays.js';
export type { Dataset, Split, Whitening } from './data/dataset.js';
export { type DigitsOptions, generateDigits } from './data/digits.js';
export { loadIdxFolder, readIdx } from './data/idx.js';
export { type LoadOptions, loadDataset, type Reading } from './data/load.js';
export {
  type DownloadDatasetOptions,
  type DownloadedFile,
  downloadDataset,
  downloadNames,
} from './data/published.js';
export { unwhiten, whiten } from './data/zca.js';
export { type CpuOptions, cpuInfo } from './engine/cpu/device.js';
export type { Device, EngineName, Executable, Numbers, RunOptions, Tensor } from './engine/device.js';
export { chooseDevice, type DeviceChoice, type OpenDeviceOptions, openDevice } from './engine/open.js';
export type { Peak } from './engine/profile.js';
export type { Program } from './engine/program.js';
export { type AdapterReport, type Probe, probeAdapters } from './engine/webgpu/probe.js';
export { type Artefact, type ArtefactNotes, decodeArtefact, encodeArtefact } from './eval/artefact.js';
export { baselineNames } from './eval/baselines/index.js';
export { decodeCheckpoint, encodeCheckpoint } from './eval/checkpoint.js';
export type { NetworkAccuracy } from './eval/comparison.js';
export {
  type Checkpoint,
  type CurvePoint,
  type Distillation,
  type DistillControl,
  distill,
  type Progress,
} from './eval/distill.js';
export { type DistilledSet, type EvaluateOptions, type Evaluation, evaluate } from './eval/evaluate.js';
export { encodeNetworks } from './eval/networks-file.js';
export { type DistillOptions, defaults, type ResolvedOptions, resolveOptions } from './eval/options.js';
export { profileStep, type StepProfile } from './eval/profile-step.js';
export type { Protocol } from './eval/protocol.js';
export { protocols } from './eval/protocols.js';
export type { Accuracy } from './eval/statistics.js';
export { type TrainedNetworks, type TrainOptions, trainNetworks } from './eval/train-networks.js';
export {
  createNetwork,
  Network,
  type NetworkOptions,
  type NetworkSpec,
  networkNames,
  networkSpec,
  type Parameter,
} from './networks/index.js';
export { contactSheet } from './report/contact-sheet.js';
export { reportHtml } from './report/html.js';
export type { RunConfig, RunOrigin, RunRecord } from './report/record.js';
export {
  type BegunRun,
  type DistillToFolderControl,
  distillToFolder,
  type FolderRun,
  type RunControl,
  readRun,
  resumeFolder,
  type StoredRun,
} from './report/run.js';
export { RunFolder } from './report/run-folder.js';
export type { LossName } from './train/loss.js';
export {
  type MetaGradient,
  type MetaGradientGeometry,
  type MetaGradientOptions,
  metaGradient,
  recordMetaGradient,
} from './train/meta-gradient.js';
export type { OptimizerOptions, Training } from './train/training.js';
export { type ErrorCode, LimbeckError } from './util/errors.js';
export { encodePng, type PngImage } from './util/png.js';
export { version } from './util/version.js';
export { type Watched, watch } from './util/watch.js';
