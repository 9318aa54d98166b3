import type { Device, Tensor } from '../engine/device.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as orthonormalise from '../engine/ops/orthonormalise.js';
import * as random from '../engine/ops/random.js';
import { Recorder } from '../engine/program.js';
import { slice, type View } from '../engine/view.js';
import type { Network, Parameter, WeightScheme } from '../networks/network.js';
import { owning } from '../util/owned.js';
import { randomState } from './streams.js';

/**
 * Fills theta `[count]` of every member with fresh weights, by the network's own scheme and gain unless another scheme, then with its
 * usual gain, is asked for:
 *
 *     xavier           normal, variance gain² 2 / (fanIn + fanOut)                 (Glorot & Bengio 2010)
 *     xavier-uniform   uniform of the same variance
 *     kaiming          normal, variance gain² / fanIn                              (He et al. 2015)
 *     kaiming-uniform  uniform of the same variance
 *     orthogonal       gain times a random matrix with orthonormal rows or columns (Saxe et al. 2014)
 *     pytorch          weights and biases uniform within ±1 / sqrt(fanIn)          (PyTorch's default: Kaiming uniform, a = sqrt 5)
 *
 * with biases 0, except pytorch's, and norms 1 and 0. The usual gain is the root of 2 for Kaiming's, which are for ReLU, else 1.
 * Member p of draw d is the same network wherever it is drawn; `state` holds seed and draw, `firstStream` the streams to use.
 */
export function recordInitialise(
  r: Recorder,
  network: Network,
  state: View,
  theta: View,
  {
    firstStream,
    firstMember = 0,
    initialisation,
  }: { firstStream: number; firstMember?: number; initialisation?: WeightScheme },
): void {
  const scheme = initialisation ?? network.weights;
  const gain = (initialisation ? undefined : network.gain) ?? (scheme.startsWith('kaiming') ? Math.SQRT2 : 1);
  network.parameters.forEach((parameter, index) => {
    const { kind, offset, shape, fanIn } = parameter;
    const view = slice(theta, offset, shape);
    const draw = { stream: firstStream + index, firstMember };
    const uniform = (limit: number) =>
      random.uniformFill(r, { state }, { ...draw, gain: 2 * limit, shift: -limit }, view);
    if (kind === 'scale' || kind === 'shift') elementwise.fill(r, kind === 'scale' ? 1 : 0, view);
    else if (scheme === 'pytorch') uniform(1 / Math.sqrt(fanIn));
    else if (kind === 'bias') elementwise.fill(r, 0, view);
    else if (scheme === 'orthogonal') {
      random.normal(r, { state }, draw, view);
      orthonormalise.inPlace(r, { w: view }, gain);
    } else {
      const deviation = gain * deviationOf(scheme, parameter);
      if (scheme.endsWith('uniform')) uniform(Math.sqrt(3) * deviation);
      else random.normal(r, { state }, { ...draw, gain: deviation }, view);
    }
  });
}

/** Standard deviation of weights by Xavier's or Kaiming's scheme with gain 1. */
const deviationOf = (scheme: WeightScheme, { fanIn, fanOut }: Parameter): number =>
  scheme.startsWith('xavier') ? Math.sqrt(2 / (fanIn + fanOut)) : 1 / Math.sqrt(fanIn);

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
