/**
 * Distils data sets, in Node. `docs/tutorial.md` is the way in, `docs/design.md` says how it is built.
 *
 * - Engines: {@link openDevice}, {@link chooseDevice}, {@link probeAdapters}, {@link cpuInfo}; a {@link Device} is what everything
 *   else computes on
 * - Data: {@link loadDataset}, {@link datasetFromArrays}, {@link generateDigits}, {@link downloadDataset}, {@link loadIdxFolder},
 *   {@link readIdx}, {@link inspectDataset}, {@link classExamples}, {@link embedTexts}, {@link nearestWords}, {@link whiten}, {@link unwhiten}
 * - Distilling: {@link distill} with {@link DistillOptions}; {@link resolveOptions} fills them in; {@link planDistillation} says what it
 *   takes; {@link watch}
 * - Numbers: {@link evaluate} under one of the {@link protocols}, {@link trainNetworks}, {@link profileStep};
 *   {@link setOfImages} makes a set of the images of others
 * - Using a set: {@link trainOn}, which gives a {@link Model}; {@link predict}, {@link fineTune}, {@link exportOnnx}
 * - Files: {@link encodeArtefact} and {@link decodeArtefact}, {@link encodeCheckpoint} and {@link decodeCheckpoint},
 *   {@link encodeModel} and {@link decodeModel}; pictures by {@link contactSheet}, {@link encodePng}, {@link reportHtml}
 * - Expert trajectories: {@link trainExperts}, {@link openExperts}
 * - Whole runs in a folder: {@link distillToFolder}, {@link resumeFolder}, {@link readRun}, {@link RunFolder}; several methods side by
 *   side: {@link compareMethods}
 * - Networks: {@link createNetwork}, {@link networkNames}, {@link networkSpec}
 * - An outer loop of your own: {@link metaGradient}, {@link recordMetaGradient}, {@link hessianVectorProduct}, {@link gradientMatching},
 *   {@link distributionMatching}, {@link trajectoryMatching}, {@link kernelRegression}
 * - What a set holds: {@link mix}, {@link recognise}, {@link agreement}, {@link influence}, {@link curvature}, {@link hessianTrace}, {@link hessianEigenvalues}
 * - How many images are enough: {@link learningCurve}; how many numbers, of a target whose directions are known: {@link theory}
 * - What a set is good for: {@link robustness}, {@link fairness}, {@link privacy}, {@link search}, {@link continual}, {@link federated}
 * - Errors: {@link LimbeckError} with an {@link ErrorCode}
 *
 * Arrays are flat; shapes stand in brackets, the last axis fastest. P is networks, N images, `C H W` channels and map, K classes. What
 * takes a `signal` stops when it is aborted; what a function throws is a {@link LimbeckError} with the code that is named.
 *
 * @module limbeck
 */

export {
  type Agreed,
  type Agreement,
  type AgreementOptions,
  agreement,
  type EarlyStopped,
  type FewReal,
  type SetAgreement,
} from './analysis/agreement.js';
export type { CompareControl } from './analysis/compare/compare.js';
export type { CompareOptions } from './analysis/compare/options.js';
export type {
  Compared,
  ComparedBaselines,
  ComparedRun,
  FullTraining,
  Score,
} from './analysis/compare/record.js';
export { type Curvature, type CurvatureOf, type CurvatureOptions, curvature } from './analysis/curvature.js';
export {
  type HessianEigenvalues,
  type HessianEigenvaluesOptions,
  type HessianOptions,
  type HessianTrace,
  type HessianTraceOptions,
  hessianEigenvalues,
  hessianTrace,
} from './analysis/hessian.js';
export type { HessianOf } from './analysis/hessian-products.js';
export { type Influence, type InfluenceOptions, influence } from './analysis/influence.js';
export {
  type ImagesNeeded,
  type LearningCurve,
  type LearningCurveOptions,
  type LearningCurvePoint,
  learningCurve,
} from './analysis/learning-curve.js';
export { type Mixed, type MixedSet, type MixOptions, mix } from './analysis/mix.js';
export {
  type Recognised,
  type RecognisedSet,
  type RecogniseOptions,
  recognise,
} from './analysis/recognise.js';
export type { AlongOptions, NamedSet } from './analysis/sets.js';
export {
  type Spread,
  type Theory,
  type TheoryCurve,
  type TheoryExponent,
  type TheoryGoal,
  type TheoryNeeded,
  type TheoryOptions,
  type TheoryPoint,
  type TheorySize,
  type TheoryWay,
  theory,
} from './analysis/theory/theory.js';
export { type ArrayDataset, type ArraySplit, datasetFromArrays } from './data/arrays.js';
export type { SplitOptions } from './data/assemble.js';
export type { Dataset, Labels, Split, Whitening } from './data/dataset.js';
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
export type { ExpertData, Experts, ExpertsDescription, ExpertTraining } from './data/experts/experts.js';
export { openExperts } from './data/experts/open.js';
export type { Splitting } from './data/hold-out.js';
export { type IdxFolderOptions, loadIdxFolder, readIdx } from './data/idx.js';
export type { IdxArray } from './data/idx-file.js';
export { type ClassInspection, type Inspection, inspectDataset, type SplitCounts } from './data/inspect.js';
export { type LoadOptions, loadDataset } from './data/load.js';
export type { Normalisation } from './data/normalisation.js';
export type { PixelScale } from './data/pixel-scale.js';
export {
  type DownloadDatasetOptions,
  type DownloadedDataset,
  type DownloadedFile,
  downloadDataset,
  downloadNames,
} from './data/published.js';
export type { Reading } from './data/reading.js';
export { embedTexts, type TextEncoding } from './data/text/encoding.js';
export { type NearWord, nearestWords } from './data/text/nearest.js';
export type { ShownTexts } from './data/text/shown.js';
export type { TextRecord } from './data/text/stored.js';
export { unwhiten, whiten } from './data/zca.js';
export { type CpuInfo, type CpuOptions, cpuInfo } from './engine/cpu/device.js';
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
export {
  type ChosenDevice,
  chooseDevice,
  type DeviceChoice,
  type OpenDeviceOptions,
  openDevice,
} from './engine/open.js';
export type { Cost, KernelCost, Profile, ShapeCost } from './engine/profile.js';
export type { Program, ProgramBytes } from './engine/program.js';
export type { DType } from './engine/view.js';
export { type AdapterReport, type Probe, probeAdapters } from './engine/webgpu/probe.js';
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
export { compareMethods } from './report/compare-folder.js';
export { contactSheet } from './report/contact-sheet.js';
export { type ReportPictures, reportHtml } from './report/html.js';
export type { Look } from './report/pixels.js';
export { distillToFolder, RunFolder, readRun, resumeFolder } from './report/run-folder.js';
export { decodeCheckpoint, encodeCheckpoint, type StoredCheckpoint } from './runs/checkpoint.js';
export type { Recovery } from './runs/checkpoint-extra.js';
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
export type {
  BegunExpert,
  BegunExperts,
  ExpertControl,
  ExpertProgress,
  TrainedExpert,
  TrainedExperts,
} from './runs/experts/control.js';
export type { ExpertOptions } from './runs/experts/options.js';
export { trainExperts } from './runs/experts/train.js';
export type { Film, Frame } from './runs/film.js';
export { type FineTuneOptions, fineTune, type LabelledImages } from './runs/fine-tune.js';
export type {
  BegunRun,
  DistillToFolderControl,
  FolderRun,
  ResumeControl,
  RunControl,
  StoredRun,
} from './runs/folder-run.js';
export { type ResolvedOptions, resolveOptions, type Taken } from './runs/options.js';
export type { DiskBytes } from './runs/plan/disk.js';
export type { DeviceBytes } from './runs/plan/measure.js';
export {
  type DistillationPlan,
  type HostBytes,
  type PlanControl,
  type PlannedFlops,
  planDistillation,
} from './runs/plan/plan.js';
export type { Remedy } from './runs/plan/remedies.js';
export type { ExpectedTime } from './runs/plan/time.js';
export { profileStep, type StepProfile, type Times } from './runs/profile-step.js';
export type {
  Continued,
  DatasetRecord,
  EngineChoice,
  EvaluationRecord,
  RunConfig,
  RunOrigin,
  RunRecord,
} from './runs/record.js';
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
export {
  type Continual,
  type ContinualMemory,
  type ContinualOptions,
  continual,
} from './uses/continual.js';
export {
  type Fairness,
  type FairnessOptions,
  type FairnessSubject,
  fairness,
} from './uses/fairness.js';
export { type Federated, type FederatedOptions, type FederatedWay, federated } from './uses/federated.js';
export {
  type MembershipInference,
  type NearestReal,
  type Neighbour,
  type Privacy,
  type PrivacyOptions,
  privacy,
} from './uses/privacy.js';
export {
  type Robustness,
  type RobustnessOptions,
  type RobustSubject,
  robustness,
} from './uses/robustness.js';
export { type Search, type SearchOptions, type SearchSubject, search } from './uses/search.js';
export { type Subject, type SubjectOptions, trainSubjects, type UseOptions } from './uses/subjects.js';
export { type ErrorCode, LimbeckError } from './util/errors.js';
export type { HostMemory } from './util/host-memory.js';
export { encodePng, type PngImage } from './util/png.js';
export { version } from './util/version.js';
export { type Watched, watch } from './util/watch.js';
