import type { Network, NetworkOptions } from '../../networks/network.js';
import type { MinibatchTraining } from '../../train/minibatch.js';
import type { Whitening } from '../dataset.js';

/** What experts were trained on: all training images of a data set. */
export interface ExpertData {
  /** As in `Dataset`. */
  readonly name: string;
  /** Of all images and labels before whitening, as in `DatasetRecord`: tells whether data is the same. */
  readonly sha256: string;
  /** `[C]`, of pixels in 0..1; 0 where the images were whitened. */
  readonly mean: readonly number[];
  /** `[C]`, of pixels in 0..1; 1 where the images were whitened. */
  readonly std: readonly number[];
  /** Where they were whitened. */
  readonly zca?: Pick<Whitening, 'epsilon'>;
}

/** How experts were trained. JSON-serialisable. */
export interface ExpertTraining extends Required<MinibatchTraining> {
  /** The first rate. */
  readonly learningRate: number;
  /** Of every training image, by a draw of its own: `none`, a strategy, or families joined by underscores. */
  readonly augmentation: string;
  /** Each gradient is taken so far uphill, along itself (sharpness-aware; Foret et al. 2021); 0 where the parameters are. */
  readonly flat: number;
  /** So much is taken away of the part of the gradient here that is at right angles to the one uphill (GSAM: Zhuang et al. 2022). */
  readonly gap: number;
  /** Whether a snapshot is the mean of the parameters after every step of its epoch, instead of those after the last. */
  readonly mean: boolean;
}

/** What all experts of a folder have in common. */
export interface ExpertsDescription {
  /** The network, with the sizes that its data gave it. */
  readonly networkOptions: NetworkOptions;
  /** What they were trained on. */
  readonly dataset: ExpertData;
  /** How they were trained. */
  readonly training: ExpertTraining;
  /** The same in words. */
  readonly protocol: string;
}

/** Expert trajectories in a folder: networks trained on real images, with their parameters after every epoch. */
export interface Experts extends ExpertsDescription, AsyncDisposable {
  /** As it was given. */
  readonly folder: string;
  /** Their network. */
  readonly network: Network;
  /** How many there are. */
  readonly count: number;
  /** Epochs of each; there is a snapshot before the first and one after every one of them. */
  readonly epochs: number;
  /**
   * The parameters `[network.count]` of expert 0 .. count - 1 after `epoch` epochs, 0 .. epochs: one read of so many bytes, held to
   * its checksum. The array is the caller's.
   *
   * @throws ERR_OPTION for an expert or epoch that there is not; ERR_FILE_FORMAT, naming the file, where it was damaged or cut
   * off; ERR_FILE_MISSING where it can no longer be read
   */
  parametersOf(expert: number, epoch: number): Promise<Float32Array>;
  /** Closes the files; reading afterwards is ERR_OPTION. */
  close(): Promise<void>;
}
