import type { Device, Executable, Tensor } from '../engine/device.js';
import { type Program, Recorder } from '../engine/program.js';
import { copyInto } from '../train/groups.js';
import type { Owned } from '../util/owned.js';

type Tensors = Readonly<Record<string, Tensor>>;

/** Networks that are kept beside a run, each with the state of its optimiser, on the device. */
export class Pool {
  private constructor(
    readonly program: Program,
    /** The state of the pool, for checkpoints. */
    readonly tensors: Tensors,
    private readonly taking: readonly Executable[],
    private readonly putting: readonly Executable[],
  ) {}

  /** A pool of `size` places; by name, `from` is what a place is filled from and `to`, of the same lengths, what it is taken to. */
  static async create(
    device: Device,
    size: number,
    { from, to }: { from: Tensors; to: Tensors },
    owned: Owned,
  ): Promise<Pool> {
    const names = Object.keys(to);
    const r = new Recorder('copy networks');
    for (const name of names) {
      const shape = [to[name].length];
      copyInto(r, r.external(`${name}.from`, 1, shape), r.external(`${name}.to`, 1, shape));
    }
    const program = r.program();
    const copy = async (source: (name: string) => Tensor, target: (name: string) => Tensor) => {
      const ends = names.flatMap((name) => [
        [`${name}.from`, source(name)],
        [`${name}.to`, target(name)],
      ]);
      return owned.own(await device.load(program, Object.fromEntries(ends)));
    };
    const tensors: Record<string, Tensor> = {};
    const [taking, putting]: Executable[][] = [[], []];
    for (let i = 0; i < size; i++) {
      const place = (name: string) => tensors[`pool.${i}.${name}`];
      for (const name of names)
        tensors[`pool.${i}.${name}`] = owned.own(await device.tensor('f32', to[name].length));
      taking.push(await copy(place, (name) => to[name]));
      putting.push(await copy((name) => from[name], place));
    }
    return new Pool(program, tensors, taking, putting);
  }

  /** Goes on with the networks of a place. */
  take = (place: number, signal?: AbortSignal) => this.taking[place].run({ signal });

  /** Leaves them there. */
  put = (place: number, signal?: AbortSignal) => this.putting[place].run({ signal });
}
