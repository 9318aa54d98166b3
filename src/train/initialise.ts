import * as elementwise from '../engine/ops/elementwise.js';
import * as random from '../engine/ops/random.js';
import { type Recorder, slice, type View } from '../engine/program.js';
import type { Network } from '../networks/network.js';

/**
 * Fills theta `[count]` of every member with fresh weights: Xavier normal of gain 1 (standard deviation
 * `sqrt(2 / (fanIn + fanOut))`, Glorot & Bengio 2010) and zero biases, as Wang et al. 2018 do. Member p of draw d is
 * the same network wherever it is drawn; `state` holds seed and draw, `firstStream` the streams to use.
 */
export function recordInitialise(
  r: Recorder,
  network: Network,
  state: View,
  theta: View,
  { firstStream, firstMember = 0 }: { firstStream: number; firstMember?: number },
): void {
  network.parameters.forEach((parameter, index) => {
    const view = slice(theta, parameter.offset, parameter.shape);
    if (parameter.kind === 'bias') {
      elementwise.fill(r, 0, view);
      return;
    }
    const gain = Math.sqrt(2 / (parameter.fanIn + parameter.fanOut));
    random.normal(r, { state }, { stream: firstStream + index, firstMember, gain }, view);
  });
}
