import type { Device, Numbers, Tensor } from '../../src/engine/device.js';
import * as op from '../../src/engine/ops/augment.js';
import { COLUMNS, WARP } from '../../src/engine/ops/augment.js';
import type { Strategy } from '../../src/engine/ops/augmentdraw.js';
import * as augmentdraw from '../../src/engine/ops/augmentdraw.js';
import { Recorder } from '../../src/engine/program.js';
import { randomState } from '../../src/train/streams.js';
import { Stream } from '../../src/util/random.js';

/** Runs a recording; external slots hold what `fill` says, and normal numbers where it says nothing. */
export async function run(
  device: Device,
  record: (r: Recorder) => void,
  fill: Record<string, ArrayLike<number>> = {},
): Promise<Record<string, Numbers>> {
  const r = new Recorder('augmentation');
  record(r);
  const program = r.program();
  const tensors: Record<string, Tensor> = {};
  for (const slot of program.slots.filter(({ external }) => external))
    tensors[slot.name] = await device.tensor(
      slot.dtype,
      slot.length,
      fill[slot.name] ?? normals(slot.length, slot.id),
    );
  const executable = await device.load(program, tensors);
  await executable.run();
  const out: Record<string, Numbers> = {};
  for (const [name, tensor] of Object.entries(tensors)) out[name] = await tensor.read();
  executable.dispose();
  for (const tensor of Object.values(tensors)) tensor.dispose();
  return out;
}

export const normals = (length: number, stream: number) => {
  const draws = new Stream(21, stream);
  return Float32Array.from({ length }, (_, i) => draws.normal(i));
};
export const table = (rows: readonly (readonly number[])[]) =>
  rows.flatMap((row) => Array.from({ length: COLUMNS }, (_, k) => row[k] ?? 0));

/** What rows do to images `[C, H, W]`, one each. */
export async function apply(
  device: Device,
  rows: readonly (readonly number[])[],
  shape: readonly number[],
  x: ArrayLike<number>,
) {
  const N = rows.length;
  const { y } = await run(
    device,
    (r) => {
      const operands = { x: r.external('x', 1, [N, ...shape]), draws: r.external('draws', 1, [N, COLUMNS]) };
      op.forward(r, operands, { into: r.external('y', 1, [N, ...shape]) });
    },
    { x, draws: table(rows) },
  );
  return y;
}

/** The draws of a strategy for images of `height` x `width`. */
export async function draw(
  device: Device,
  strategy: Strategy,
  R: number,
  seed = 5,
  members = 1,
  where: { height: number; width: number; stream?: number; step?: number } = { height: 32, width: 32 },
): Promise<Numbers> {
  const { step = 0, stream = 3, ...size } = where;
  const { draws } = await run(
    device,
    (r) => {
      const options = { strategy, stream, ...size, members, R };
      const into = r.external('draws', members, [R, COLUMNS]);
      augmentdraw.rows(r, { state: r.external('state', 1, [4], 'u32') }, options, { into });
    },
    { state: randomState(seed, step) },
  );
  return draws;
}
export const rowsOf = (draws: Numbers) =>
  Array.from({ length: draws.length / COLUMNS }, (_, n) =>
    Array.from(draws.slice(n * COLUMNS, (n + 1) * COLUMNS)),
  );

export const identity = [WARP, 1, 0, 0, 0, 1, 0];
export const flip = [WARP, 1, 0, 0, 0, -1, 0];
export const turn = (degrees: number) => {
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  return [WARP, cos, sin, 0, -sin, cos, 0];
};
