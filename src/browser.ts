/**
 * limbeck in a browser: the `webgpu` and `reference` engines, distilling, evaluating, using sets and models, and the calls for outer loops of
 * your own; no analyses, reports or pictures. Nothing of Node is
 * imported from here.
 *
 * @module limbeck/browser
 */
import type { Device } from './engine/device.js';
import { ReferenceDevice } from './engine/reference.js';
import { openBrowserDevice } from './engine/webgpu/browser.js';
import { LimbeckError } from './util/errors.js';

export { type ArrayDataset, type ArraySplit, datasetFromArrays } from './data/arrays.js';
export type { Dataset, Labels, Split } from './data/dataset.js';
export { type DigitsOptions, generateDigits } from './data/digits.js';
export type {
  Attack,
  DistilledSet,
  LearnedSteps,
  MinibatchUse,
  PretrainedNetworks,
  StoredItems,
  StoredVariable,
  TeacherRecord,
  Use,
} from './data/distilled-set.js';
export { classExamples } from './data/examples.js';
export { type ClassInspection, type Inspection, inspectDataset, type SplitCounts } from './data/inspect.js';
export type { Normalisation } from './data/normalisation.js';
export type { PixelScale } from './data/pixel-scale.js';
export { embedTexts, type TextEncoding } from './data/text/encoding.js';
export { type NearWord, nearestWords } from './data/text/nearest.js';
export type { TextRecord } from './data/text/stored.js';
export type {
  Device,
  DeviceMemory,
  EngineName,
  Executable,
  Numbers,
  Peak,
  RunOptions,
  StepTimes,
  Tensor,
} from './engine/device.js';
export type { Program, ProgramBytes } from './engine/program.js';
export type { DType } from './engine/view.js';
export { type Artefact, type ArtefactNotes, decodeArtefact, encodeArtefact } from './eval/artefact.js';
export type { AttackScores } from './eval/attack.js';
export { baselineNames, softBaselines } from './eval/baselines/index.js';
export type { BaselineAccuracy, NetworkAccuracy } from './eval/comparison.js';
export { type EvaluateOptions, type Evaluation, evaluate } from './eval/evaluate.js';
export type { ProtocolChanges } from './eval/find-protocol.js';
export { decodeModel, encodeModel, type Model, type ModelNotes } from './eval/model.js';
export { type ExportOnnxOptions, exportOnnx } from './eval/onnx.js';
export { type Predictions, predict } from './eval/predict.js';
export type { LabelKind, Protocol } from './eval/protocol.js';
export { protocols } from './eval/protocols.js';
export { type SetOfImagesOptions, setOfImages } from './eval/set-of-images.js';
export type { Accuracy, Confusion } from './eval/statistics.js';
export type { Relabelling } from './eval/under-protocol.js';
export type { DistillOptions } from './methods/index.js';
export {
  createNetwork,
  Network,
  type NetworkOptions,
  type NetworkSpec,
  networkNames,
  networkSpec,
  type Parameter,
  type WeightScheme,
} from './networks/index.js';
export { decodeCheckpoint, encodeCheckpoint, type StoredCheckpoint } from './runs/checkpoint.js';
export { distill } from './runs/distill.js';
export type {
  BestLook,
  Checkpoint,
  CurvePoint,
  Distillation,
  DistillControl,
  Progress,
  RunLook,
} from './runs/distillation.js';
export { type FineTuneOptions, fineTune, type LabelledImages } from './runs/fine-tune.js';
export { type ResolvedOptions, resolveOptions, type Taken } from './runs/options.js';
export type { Rollback, SavedState } from './runs/rollback.js';
export { type TrainedNetworks, type TrainOptions, trainNetworks } from './runs/train-networks.js';
export { type TrainedOn, type TrainOnOptions, trainOn } from './runs/train-on.js';
export type { CallOptions, Floats, NetworkCallOptions } from './train/calls/call.js';
export {
  type DistributionMatching,
  type DistributionMatchingOptions,
  distributionMatching,
} from './train/calls/distribution-matching.js';
export {
  type GradientMatching,
  type GradientMatchingOptions,
  gradientMatching,
} from './train/calls/gradient-matching.js';
export {
  type HessianVectorProduct,
  type HessianVectorProductOptions,
  hessianVectorProduct,
} from './train/calls/hessian-vector-product.js';
export type { InnerStepsOptions } from './train/calls/inner-steps.js';
export {
  type KernelRegression,
  type KernelRegressionOptions,
  kernelRegression,
} from './train/calls/kernel-regression.js';
export {
  type MetaGradient,
  type MetaGradientGeometry,
  type MetaGradientOptions,
  metaGradient,
  recordMetaGradient,
} from './train/calls/meta-gradient.js';
export {
  type TrajectoryMatching,
  type TrajectoryMatchingOptions,
  trajectoryMatching,
} from './train/calls/trajectory-matching.js';
export type { Distance } from './train/gradient-matching.js';
export type { LossName } from './train/loss.js';
export type { MinibatchTraining } from './train/minibatch.js';
export type { Schedule } from './train/schedule.js';
export type { OptimizerOptions, Training } from './train/training.js';
export type { TrajectoryGradient } from './train/trajectory-matching.js';
export { type ErrorCode, LimbeckError } from './util/errors.js';
export { version } from './util/version.js';
export { type Watched, watch } from './util/watch.js';

/** The engines that a browser has. */
export type BrowserEngine = 'webgpu' | 'reference';

const openers: Record<BrowserEngine, () => Promise<Device>> = {
  webgpu: openBrowserDevice,
  reference: async () => new ReferenceDevice(),
};

/**
 * Opens an engine. Nothing takes the place of one that is not available: without WebGPU this throws ERR_DEVICE, and
 * `reference`, in plain TypeScript, is for small things only.
 */
export async function openDevice(engine: BrowserEngine = 'webgpu'): Promise<Device> {
  if (!Object.hasOwn(openers, engine))
    throw new LimbeckError(
      'ERR_DEVICE',
      `device ${JSON.stringify(engine)} is unknown; a browser has: ${Object.keys(openers).join(', ')}`,
    );
  return openers[engine]();
}
