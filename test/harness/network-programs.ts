/** Programs of whole networks, and what they give when they run on random numbers. */
import { winograd } from '../../src/engine/cpu/passes/winograd.js';
import type { Device } from '../../src/engine/device.js';
import { type Program, Recorder } from '../../src/engine/program.js';
import { createNetwork, type NetworkOptions } from '../../src/networks/index.js';
import { recordMetaGradient } from '../../src/train/calls/meta-gradient.js';
import { lossOf } from '../../src/train/loss.js';
import { Stream } from '../../src/util/random.js';

/** What all external slots hold after a run that began with random numbers. */
export async function results(on: Device, program: Program): Promise<Map<string, number[]>> {
  const external = program.slots.filter((slot) => slot.external);
  const tensors = Object.fromEntries(
    await Promise.all(
      external.map(async ({ name, dtype, length, id }) => {
        const stream = new Stream(5, id);
        const values = Float32Array.from({ length }, (_, i) => 0.5 * stream.normal(i));
        return [name, await on.tensor(dtype, length, values)] as const;
      }),
    ),
  );
  const executable = await on.load(program, tensors);
  await executable.run();
  const read = await Promise.all(
    external.map(async ({ name }) => [name, Array.from(await tensors[name].read())] as const),
  );
  executable.dispose();
  for (const tensor of Object.values(tensors)) tensor.dispose();
  return new Map(read);
}

/** The gradient of the loss of P networks with respect to their parameters and images. */
export function gradient(options: NetworkOptions, P: number, batch = 4): Program {
  const network = createNetwork(options);
  const r = new Recorder('gradient');
  const theta = r.external('theta', P, [network.count]);
  const x = r.external('x', 1, [batch, ...options.inputShape]);
  const y = r.external('y', 1, [batch, options.classes]);
  const passes = network.forward(r, x, theta);
  const zBar = lossOf('cross-entropy').forward(r, passes.z, y).backward(1);
  passes.backward(zBar, { thetaBar: r.external('thetaBar', P, [network.count]) });
  return winograd(r.program());
}

export const convnet = (options: Partial<NetworkOptions> = {}): NetworkOptions => ({
  ...{ name: 'convnet', inputShape: [3, 12, 20], classes: 4, width: 16, depth: 2 },
  ...options,
});
export const lenet: NetworkOptions = { name: 'lenet', inputShape: [1, 28, 28], classes: 10 };
export const metaGradient = (options: NetworkOptions, members: number) =>
  winograd(recordMetaGradient({ network: createNetwork(options), members, n: 2, B: 3, steps: 2, epochs: 2 }));
