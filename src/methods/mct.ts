import { oneOf } from '../util/option.js';
import { digitSets } from './datasets.js';
import { defineMethod } from './method.js';
import { method as mtt, options as ofMtt } from './mtt.js';
import { beginTrajectories } from './trajectories.js';

const options = {
  ...ofMtt,
  trajectory: oneOf(
    ['expert', 'line'],
    'line',
    'snapshots of an expert, or points between its first and its last',
  ),
};

const cifar10 = ['cifar10', 'cifar-10'];

/** Trajectory matching along the straight line from the first to the last snapshot of an expert, of which no other is read. */
export const method = defineMethod({
  ...mtt,
  name: 'mct',
  source: 'Zhong et al.: Towards Stable and Storage-efficient Dataset Distillation, 2025 (MCT)',
  summary: 'as mtt, on the straight line from the first to the last snapshot of an expert',
  options,
  presets: [
    { datasets: digitSets, options: { augmentation: 'dsa-digits', protocol: 'mtt-digits' } },
    {
      datasets: cifar10,
      ipc: 1,
      options: { innerSteps: 60, expertEpochs: 6, protocol: 'mtt-no-zca' },
    },
    { datasets: cifar10, ipc: 10, options: { innerSteps: 30, expertEpochs: 15 } },
  ],

  begin: (setting) => beginTrajectories('mct', setting, setting.options),
});
