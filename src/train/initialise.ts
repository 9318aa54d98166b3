import type { Device, Tensor } from '../engine/device.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as random from '../engine/ops/random.js';
import { Recorder } from '../engine/program.js';
import { slice, type View } from '../engine/view.js';
import type { Network, WeightScheme } from '../networks/network.js';
import { owning } from '../util/owned.js';
import { randomState } from './streams.js';

/**
 * Fills theta `[count]` of every member with fresh weights, by the network's own scheme unless another is asked for:
 *
 *     xavier    weights normal, variance 2 / (fanIn + fanOut); biases 0  (Glorot & Bengio 2010, gain 1; Wang et al. 2018)
 *     kaiming   weights normal, variance 2 / fanIn; biases 0             (He et al. 2015)
 *     pytorch   weights and biases uniform within ±1 / sqrt(fanIn)       (PyTorch's default: Kaiming uniform, a = sqrt 5)
 *
 * and norms to 1 and 0. Member p of draw d is the same network wherever it is drawn; `state` holds seed and draw,
 * `firstStream` the streams to use.
 */
export function recordInitialise(
  r: Recorder,
  network: Network,
  state: View,
  theta: View,
  {
    firstStream,
    firstMember = 0,
    initialisation = network.weights,
  }: { firstStream: number; firstMember?: number; initialisation?: WeightScheme },
): void {
  network.parameters.forEach(({ kind, offset, shape, fanIn, fanOut }, index) => {
    const view = slice(theta, offset, shape);
    const draw = { stream: firstStream + index, firstMember };
    if (kind === 'scale' || kind === 'shift') elementwise.fill(r, kind === 'scale' ? 1 : 0, view);
    else if (initialisation === 'pytorch') {
      const limit = 1 / Math.sqrt(fanIn);
      random.uniformFill(r, { state }, { ...draw, gain: 2 * limit, shift: -limit }, view);
    } else if (kind === 'bias') elementwise.fill(r, 0, view);
    else {
      const variance = initialisation === 'xavier' ? 2 / (fanIn + fanOut) : 2 / fanIn;
      random.normal(r, { state }, { ...draw, gain: Math.sqrt(variance) }, view);
    }
  });
}

/** Fills the tensor `theta` `[P, count]` with networks `firstMember` and following of one draw; P follows from its length. */
export function drawNetworks(
  device: Device,
  network: Network,
  theta: Tensor,
  seed: number,
  firstStream: number,
  draw = 0,
  options: { firstMember?: number; initialisation?: WeightScheme } = {},
): Promise<void> {
  const r = new Recorder('draw networks');
  const state = r.external('state', 1, [4], 'u32');
  const P = theta.length / network.count;
  recordInitialise(r, network, state, r.external('theta', P, [network.count]), { firstStream, ...options });
  return owning(async (owned) => {
    const tensor = owned.own(await device.tensor('u32', 4, randomState(seed, draw)));
    await owned.own(await device.load(r.program(), { state: tensor, theta })).run();
    owned.dispose();
  });
}
