import { trajectoryGradients } from '../train/trajectory-matching.js';
import { oneOf } from '../util/option.js';
import { defineMethod } from './method.js';
import { method as mtt, options as ofMtt } from './mtt.js';
import { beginTrajectories } from './trajectories.js';

const options = {
  ...ofMtt,
  gradient: oneOf(
    trajectoryGradients,
    'tesla',
    'tesla takes the gradients of later inner steps for constants',
  ),
};

/**
 * Trajectory matching by TESLA's gradient, for comparison: it leaves out what an inner step does to the gradients of later ones, and is
 * exact for the last step alone. The factor of two that the published program drops is in it, so that its rates mean those of `mtt`.
 */
export const method = defineMethod({
  ...mtt,
  name: 'tesla',
  source: 'Cui et al.: Scaling Up Dataset Distillation to ImageNet-1K with Constant Memory, 2023',
  summary: 'as mtt, by an approximation of its gradient that is exact for the last inner step alone',
  options,

  begin: (setting) => beginTrajectories('tesla', setting, setting.options),
});
