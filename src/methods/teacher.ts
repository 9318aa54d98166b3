import type { TeacherRecord } from '../data/distilled-set.js';
import type { Device, Executable, Tensor } from '../engine/device.js';
import { loadWithTensors, readFloats } from '../engine/load.js';
import { type Program, Recorder } from '../engine/program.js';
import { elements } from '../engine/view.js';
import type { Network } from '../networks/network.js';
import { copyInto } from '../train/groups.js';
import { softmax } from '../train/softmax.js';
import { type Owned, owning } from '../util/owned.js';

/** A network that was trained. */
export interface TrainedNetwork {
  readonly network: Network;
  /** `[count]` */
  readonly parameters: Float32Array;
  /** `[statisticsCount]`: what its batch norm normalises by. */
  readonly statistics?: Float32Array;
}

/** One whose answers are labels. */
export interface Teacher extends TrainedNetwork {
  /** What a set says of it, but for the temperature. */
  readonly record: Omit<TeacherRecord, 'temperature'>;
}

/** Bytes that its activations may take. */
const bytesInFlight = 2 ** 28;

/** A teacher on a device: what it says of images, as many at once as memory allows. */
export class TeacherOnDevice {
  private constructor(
    readonly program: Program,
    readonly executable: Executable,
    private readonly tensors: Readonly<Record<'images' | 'logits', Tensor>>,
    private readonly network: Network,
    /** Images of one run. */
    private readonly n: number,
  ) {}

  /** For calls with `most` images or some more; `owned` gets what it takes. */
  static async create(
    device: Device,
    teacher: TrainedNetwork,
    most: number,
    owned: Owned,
  ): Promise<TeacherOnDevice> {
    const { network, parameters, statistics } = teacher;
    const fit = Math.floor(bytesInFlight / recordAnswers(network, 1).bytes().temporary);
    const n = Math.max(1, Math.min(most, fit));
    const program = recordAnswers(network, n);
    const { executable, tensors } = await loadWithTensors(device, program, owned);
    await tensors.theta.write(parameters);
    if (statistics) await tensors.statistics.write(statistics);
    return new TeacherOnDevice(program, executable, tensors as TeacherOnDevice['tensors'], network, n);
  }

  /** Logits `[N, K]` of normalised images `[N, C, H, W]`. */
  async logits(images: Float32Array, signal?: AbortSignal): Promise<Float32Array> {
    const { n } = this;
    const { classes: K, inputShape } = this.network;
    const size = elements(inputShape);
    const N = images.length / size;
    const all = new Float32Array(N * K);
    const piece = new Float32Array(n * size);
    for (let first = 0; first < N; first += n) {
      const rows = Math.min(n, N - first);
      piece.set(images.subarray(first * size, (first + rows) * size));
      await this.tensors.images.write(piece);
      await this.executable.run({ signal });
      all.set((await readFloats(this.tensors.logits)).subarray(0, rows * K), first * K);
    }
    return all;
  }

  /** Labels `[N, K]` of them: softmax(logits / temperature). */
  async labels(images: Float32Array, temperature: number, signal?: AbortSignal): Promise<Float32Array> {
    const logits = Float64Array.from(await this.logits(images, signal), (z) => z / temperature);
    return Float32Array.from(softmax(logits, this.network.classes));
  }
}

/** Labels `[N, K]` of images for a moment: a teacher goes to the device and comes back. */
export const labelsBy = (
  device: Device,
  teacher: TrainedNetwork,
  images: Float32Array,
  temperature: number,
  signal?: AbortSignal,
): Promise<Float32Array> =>
  owning(async (owned) => {
    const N = images.length / elements(teacher.network.inputShape);
    const on = await TeacherOnDevice.create(device, teacher, Math.min(N, 256), owned);
    const labels = await on.labels(images, temperature, signal);
    owned.dispose();
    return labels;
  });

/** The program that answers n images, batch norm by its own statistics. */
function recordAnswers(network: Network, n: number): Program {
  const r = new Recorder('answers of the teacher');
  const x = r.external('images', 1, [n, ...network.inputShape]);
  const theta = r.external('theta', 1, [network.count]);
  const { statisticsCount } = network;
  const frozen = statisticsCount ? r.external('statistics', 1, [statisticsCount]) : undefined;
  const { z } = network.forward(r, x, theta, { frozen });
  copyInto(r, z, r.external('logits', 1, z.shape));
  return r.program();
}
