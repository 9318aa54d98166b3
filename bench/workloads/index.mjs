import gradient from './convnet-gradient-256.mjs';
import train from './convnet-train-20.mjs';
import trajectory from './convnet-trajectory.mjs';
import lenet from './lenet-1x3.mjs';
import lenetMany from './lenet-1x3-p32.mjs';
import lenetRun from './lenet-1x3-run.mjs';
import lenetPopulation from './lenet-10x3-p4.mjs';
import lstm from './lstm-1x2.mjs';
import { dc, dm } from './matching.mjs';
import { population } from './population.mjs';

/**
 * By name. `sizes.full` is what is timed, `sizes.checked` what is compared with peers first where that is another one, and
 * `sizes.small` what the float64 reference can compute as well. `inputs(size)` gives arrays, `prepare(device, size, arrays)`
 * a `step` to time and its `results`; `kind` tells a peer what to do. What takes in real `images` is also counted by them;
 * a step takes at least three `repeats` in a trial unless it says otherwise. What is `forGpu` is left out on other engines unless it is
 * asked for.
 */
export const workloads = {
  'lenet-1x3': lenet,
  'lenet-1x3-p32': lenetMany,
  'lenet-10x3-p4': lenetPopulation,
  'lstm-1x2': lstm,
  'convnet-trajectory': trajectory,
  'convnet-gradient-256': gradient,
  'convnet-train-20': train,
  'dc-step': dc,
  'dm-step': dm,
  ...Object.fromEntries(
    [64, 128].flatMap((width) => [1, 8, 16].map((P) => [`population-w${width}-p${P}`, population(width, P)])),
  ),
  'lenet-1x3-run': lenetRun,
};
