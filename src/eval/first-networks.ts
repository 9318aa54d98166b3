import type { Device, EngineName } from '../engine/device.js';
import { readFloats } from '../engine/load.js';
import type { Program } from '../engine/program.js';
import type { Network, WeightScheme } from '../networks/network.js';
import { drawNetworks } from '../train/initialise.js';
import { streams } from '../train/streams.js';

/**
 * Bytes that training a population may take, unless a single network takes more. A GPU wants many networks at once; to a
 * processor, where each thread trains one after the other, they are only memory.
 */
const trainingBytes: Record<EngineName, number> = { webgpu: 2 ** 30, cpu: 2 ** 26, reference: 2 ** 26 };

/** The first of the given numbers of members whose training fits into memory; the last one where none does. */
export function membersThatFit(
  { engine }: Device,
  choices: readonly number[],
  record: (members: number) => readonly Program[],
): number {
  const fits = (members: number) =>
    record(members).reduce((sum, program) => sum + program.bytes().total, 0) <= trainingBytes[engine];
  return choices.find(fits) ?? choices[choices.length - 1];
}

/**
 * Parameters `[members, count]` of networks that are never used in distillation; every draw gives others, and member 0 is
 * network `firstMember` of its draw.
 */
export async function heldOutNetworks(
  device: Device,
  network: Network,
  members: number,
  seed: number,
  draw: number,
  options: { firstMember?: number; initialisation?: WeightScheme } = {},
): Promise<Float32Array> {
  const theta = await device.tensor('f32', members * network.count);
  try {
    await drawNetworks(device, network, theta, seed, streams.heldOutNetworks, draw, options);
    return await readFloats(theta);
  } finally {
    theta.dispose();
  }
}

/** Which networks are trained. */
export interface FirstNetworksOptions {
  readonly network: Network;
  readonly seed: number;
  /** The network's own scheme unless there is one. */
  readonly initialisation?: WeightScheme;
  /** `[networks, count]`, where they are known ones. */
  readonly known?: Float32Array;
}

/** Held-out networks are drawn by tens: part of what network i is. */
const perDraw = 10;

/** Networks before they are trained, by number: the known ones, or fresh ones that are the same for the same seed. */
export class FirstNetworks {
  readonly #drawn = new Map<number, Float32Array>();

  constructor(
    readonly device: Device,
    readonly options: FirstNetworksOptions,
  ) {}

  /** `[numbers.length, count]` */
  async parameters(numbers: readonly number[], firstDraw = 0): Promise<Float32Array> {
    const { known, network } = this.options;
    const { count } = network;
    const all = new Float32Array(numbers.length * count);
    for (const [row, number] of numbers.entries()) {
      const i = known && number % (known.length / count);
      all.set(
        known?.subarray(i! * count, (i! + 1) * count) ?? (await this.#heldOut(number, firstDraw)),
        row * count,
      );
    }
    return all;
  }

  /** The parameters of one held-out network; a few are drawn together, and the latest few are kept. */
  async #heldOut(number: number, firstDraw: number): Promise<Float32Array> {
    const { network, seed, initialisation } = this.options;
    const together = network.count > 1e6 ? 1 : 5;
    const block = Math.floor(number / together);
    const key = firstDraw * perDraw + block;
    let drawn = this.#drawn.get(key);
    if (!drawn) {
      const first = block * together;
      const draw = firstDraw + Math.floor(first / perDraw);
      const options = { firstMember: first % perDraw, initialisation };
      drawn = await heldOutNetworks(this.device, network, together, seed, draw, options);
      if (this.#drawn.size > 3) this.#drawn.delete(this.#drawn.keys().next().value!);
      this.#drawn.set(key, drawn);
    }
    return drawn.subarray((number % together) * network.count, ((number % together) + 1) * network.count);
  }
}
