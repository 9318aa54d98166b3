import { cifar10, digitSets } from './datasets.js';
import { defineMethod } from './method.js';
import { method as mtt, options as ofMtt } from './mtt.js';
import { beginTrajectories } from './trajectories.js';

const { trajectory: _, ...options } = ofMtt;
const trajectory = 'line';

/** Trajectory matching along the straight line from the first to the last snapshot of an expert, of which no other is read. */
export const method = defineMethod<'mct', typeof options>({
  ...mtt,
  name: 'mct',
  source: 'Zhong et al.: Towards Stable and Storage-efficient Dataset Distillation, 2025 (MCT)',
  summary: 'as mtt, on the straight line from the first to the last snapshot of an expert',
  options,
  presets: [
    { datasets: digitSets, own: true, options: { augmentation: 'dsa-digits', protocol: 'mtt-digits' } },
    {
      datasets: cifar10,
      ipc: 1,
      options: {
        innerSteps: 60,
        expertEpochs: 6,
        maxStart: 4,
        lr: 1000,
        rateLr: 1e-7,
        protocol: 'mtt-no-zca',
      },
    },
    {
      datasets: cifar10,
      ipc: 10,
      options: { innerSteps: 30, expertEpochs: 15, maxStart: 8, lr: 1000, protocol: 'mtt-no-zca' },
    },
    {
      datasets: cifar10,
      ipc: 50,
      options: { innerSteps: 30, maxStart: 40, lr: 1000, networkLr: 0.001, protocol: 'mtt-no-zca' },
    },
  ],

  complete: (o, given) => mtt.complete?.({ ...o, trajectory }, given as never) ?? {},
  check: (o) => mtt.check?.({ ...o, trajectory }),
  describe: (o) => mtt.describe({ ...o, trajectory }),

  begin: (setting) => beginTrajectories('mct', setting, { ...setting.options, trajectory }),
});
