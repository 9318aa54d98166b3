/**
 * limbeck in a browser: the `webgpu` and `reference` engines and everything that needs no files. Nothing of Node is
 * imported from here.
 */
export { type ArrayDataset, datasetFromArrays } from './data/arrays.js';
export type { Dataset, Split } from './data/dataset.js';
export { type DigitsOptions, generateDigits } from './data/digits.js';
export type { Device, EngineName, Executable, Numbers, RunOptions, Tensor } from './engine/device.js';
export { ReferenceDevice } from './engine/reference.js';
export { openWebgpuDevice } from './engine/webgpu/device.js';
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
export { type DistillOptions, defaults, type ResolvedOptions, resolveOptions } from './eval/options.js';
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
} from './networks/index.js';
export type { LossName } from './train/loss.js';
export { type MetaGradient, type MetaGradientOptions, metaGradient } from './train/meta-gradient.js';
export type { OptimizerOptions, Training } from './train/training.js';
export { type ErrorCode, LimbeckError } from './util/errors.js';
export { version } from './util/version.js';
