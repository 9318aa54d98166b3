import { cifar10, cifar100, digitSets } from './datasets.js';
import { defineMethod } from './method.js';
import { method as mtt, options as ofMtt } from './mtt.js';
import { beginTrajectories } from './trajectories.js';

const { gradient: _, ...options } = ofMtt;
const gradient = 'tesla';

/** What the published runs share. Their program drops a factor of two from the gradient of images, at rate 1000: here that is 500. */
const published = { iterations: 10_000, lr: 500 } as const;

/**
 * Trajectory matching by TESLA's gradient, for comparison: it leaves out what an inner step does to the gradients of later ones, and is
 * exact for the last step alone. The factor of two that the published program drops is in it, so that its rates mean those of `mtt`.
 */
export const method = defineMethod<'tesla', typeof options>({
  ...mtt,
  name: 'tesla',
  source: 'Cui et al.: Scaling Up Dataset Distillation to ImageNet-1K with Constant Memory, 2023',
  summary: 'as mtt, by an approximation of its gradient that is exact for the last inner step alone',
  options,
  presets: [
    { datasets: digitSets, own: true, options: { augmentation: 'dsa-digits', protocol: 'mtt-digits' } },
    {
      datasets: cifar10,
      ipc: 1,
      options: { ...published, innerSteps: 50, maxStart: 5, rateLr: 1e-7, protocol: 'mtt-no-zca' },
    },
    {
      datasets: cifar100,
      ipc: 50,
      options: { ...published, innerSteps: 80, maxStart: 40, innerBatch: 125 },
    },
  ],

  complete: (o, given) => mtt.complete?.({ ...o, gradient }, given as never) ?? {},
  check: (o) => mtt.check?.({ ...o, gradient }),
  describe: (o) => mtt.describe({ ...o, gradient }),

  begin: (setting) => beginTrajectories('tesla', setting, { ...setting.options, gradient }),
});
