import type { Device, Tensor } from '../engine/device.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as random from '../engine/ops/random.js';
import { Recorder, slice, type View } from '../engine/program.js';
import type { Network } from '../networks/network.js';
import { owning } from '../util/owned.js';
import { randomState } from './streams.js';

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
    if (parameter.kind !== 'weight') {
      elementwise.fill(r, parameter.kind === 'scale' ? 1 : 0, view);
      return;
    }
    const gain = Math.sqrt(2 / (parameter.fanIn + parameter.fanOut));
    random.normal(r, { state }, { stream: firstStream + index, firstMember, gain }, view);
  });
}

/** Fills the tensor `theta` `[P, count]` with the networks of one draw; P follows from its length. */
export function drawNetworks(
  device: Device,
  network: Network,
  theta: Tensor,
  seed: number,
  firstStream: number,
  draw = 0,
): Promise<void> {
  const r = new Recorder('draw networks');
  const state = r.external('state', 1, [4], 'u32');
  const P = theta.length / network.count;
  recordInitialise(r, network, state, r.external('theta', P, [network.count]), { firstStream });
  return owning(async (owned) => {
    const tensor = owned.own(await device.tensor('u32', 4, randomState(seed, draw)));
    await owned.own(await device.load(r.program(), { state: tensor, theta })).run();
    owned.dispose();
  });
}
