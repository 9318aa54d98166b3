/**
 * Which stream of random numbers serves what. A draw is addressed by (seed, stream, member, draw, index), so two
 * uses never share a stream number.
 */
export const streams = {
  /** Outer batches of real images. */
  batch: 1,
  /** The first distilled images. */
  images: 2,
  /** Seeds of the training of networks beside a set, and what augmentation shares between real and distilled images. */
  trainedAlong: 4,
  siamese: 5,
  /** First labels that are random. */
  labels: 10,
  /** Crops of real images: member = class, draw = place in the sequence of its images. */
  crops: 11,
  /** Which of the networks that were trained before an outer step takes. */
  pretrained: 9,
  /** First bases of a parametrisation, and first weights and latents of a decoder: member = which of them. */
  bases: 13,
  decoder: 14,
  /** Frequencies at which characteristic functions are compared. */
  frequencies: 12,
  /** Choice of experts and of where on them to start, and the seed of the minibatches on the way. */
  trajectories: 8,
  /** Which of a pool of networks an outer step takes. */
  pool: 7,
  /** How late a window of a training begins, by the number of its networks. */
  windowStart: 6,
  /** Choice of real images: draws from 0 for baselines, the last one for first images. */
  baseline: 3,
  /** First centroids of k-means: member = class, draws as above. */
  clustering: 20,
  /** Batches of a small set under a protocol, and of the training split in ordinary training. */
  minibatch: 21,
  /** What augmentation does to the images of those batches. */
  augmentation: 22,
  /** Batches of the training split, of each expert in an order of its own. */
  expertBatch: 23,
  /** Real training images that stand for all in an analysis. */
  realSample: 24,
  /** Test images that networks are asked about. */
  testSample: 25,
  /** Training images that an attacker wants to find, and images beside them that no network has seen. */
  suspects: 26,
  strangers: 27,
  /** The order in which classes come: one seed for each network. */
  classOrder: 28,
  /** Which training images each client has, and which pieces of them. */
  clients: 30,
  /** The boxes of CutMix, and the images that they come from. */
  cutmix: 31,
  cutmixOthers: 32,
  /** Random directions in the space of parameters: member = direction. */
  directions: 29,
  /** Dropout masks: one stream per layer that draws from here on. */
  dropout: 100,
  /** The same for real images beside distilled ones. */
  dropoutOfReal: 500,
  /** Weights of networks during distillation: one stream per parameter tensor from here on. */
  trainingNetworks: 1_000,
  /** Weights of networks that are only ever evaluated. */
  heldOutNetworks: 100_000,
  /** Weights of experts before their training. */
  experts: 200_000,
} as const;

/** The u32 `[4]` state that random kernels read: seed (two words), draw, first member. */
export function randomState(seed: number, draw: number, firstMember = 0): number[] {
  return [seed >>> 0, Math.floor(seed / 2 ** 32), draw, firstMember];
}
