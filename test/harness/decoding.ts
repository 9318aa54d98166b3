import type { Device } from '../../src/engine/device.js';
import { loadWithTensors } from '../../src/engine/load.js';
import { add } from '../../src/engine/ops/elementwise.js';
import { Recorder } from '../../src/engine/program.js';
import type { Decoder } from '../../src/parametrisations/parametrisation.js';
import { owning } from '../../src/util/owned.js';
import { Stream } from '../../src/util/random.js';

export type Arrays = Record<string, ArrayLike<number>>;

/** Items `shape` of the given variables and, for `itemsBar`, the gradients of the variables. */
export async function decode(
  device: Device,
  decoder: Decoder,
  shape: readonly number[],
  stored: Arrays,
  itemsBar?: ArrayLike<number>,
): Promise<{ items: number[]; bars: Record<string, number[]> }> {
  return owning(async (owned) => {
    const r = new Recorder('decode');
    const views = (suffix: string) =>
      Object.fromEntries(
        Object.entries(decoder.variables).map(([name, of]) => [name, r.external(name + suffix, 1, of)]),
      );
    const decoded = decoder.decode(r, views(''), itemsBar && views('Bar'));
    add(r, { a: decoded.items, b: decoded.items }, 1, 0, r.external('items', 1, shape));
    if (decoded.itemsBar) {
      const given = r.external('given', 1, shape);
      add(r, { a: given, b: given }, 1, 0, decoded.itemsBar);
      decoded.backward();
    }
    const { tensors, executable } = await loadWithTensors(device, r.program(), owned);
    for (const [name, values] of Object.entries(stored)) await tensors[name].write(values);
    if (itemsBar) await tensors.given.write(itemsBar);
    await executable.run();
    const read = async (name: string) => Array.from(await tensors[name].read());
    const bars: Record<string, number[]> = {};
    if (itemsBar) for (const name of Object.keys(stored)) bars[name] = await read(`${name}Bar`);
    const items = await read('items');
    owned.dispose();
    return { items, bars };
  });
}

export function normals(count: number, stream: number): Float32Array {
  const source = new Stream(3, stream);
  return Float32Array.from({ length: count }, (_, i) => source.normal(i));
}

/** Waves of half a period along the height, the width or both, of `count` items. */
export const slowWaves = (count: number, [C, H, W]: readonly number[]): Float32Array =>
  Float32Array.from({ length: count * C * H * W }, (_, i) => {
    const [w, h] = [i % W, Math.floor(i / W) % H];
    const [c, item] = [Math.floor(i / (W * H)) % C, Math.floor(i / (W * H * C))];
    const [down, right] = [h / H, w / W].map((from, axis) => Math.cos(Math.PI * (from + 0.5 / [H, W][axis])));
    return item % 2 ? down * right : c % 2 ? right : down;
  });
