import { Recorder } from '../../dist/engine/program.js';
import { ReferenceDevice } from '../../dist/engine/reference.js';
import { Stream } from '../../dist/util/random.js';
import { refuseWrong } from '../suite/compare.mjs';

/** The largest relative error of a kernel: in half precision a factor is off by 2.4e-4 of itself on average. */
const tolerance = { single: 1e-5, half: 1e-3 };

/** Every external slot as `{ slot, shape, values, written }` by name; what is written afresh holds NaN. */
export function fill({ program, fill = {} }) {
  const tensors = {};
  for (const step of program.steps)
    for (const [name, access] of Object.entries(step.kernel.operands)) {
      const view = step.operands[name];
      if (!view?.slot.external) continue;
      const { slot, shape } = view;
      const written = access === 'write' || access === 'update';
      const afresh = access === 'write' && !step.accumulate;
      tensors[slot.name] ??= { slot, shape, values: afresh ? poison(slot) : numbers(slot, fill) };
      tensors[slot.name].written ||= written;
    }
  return tensors;
}

function poison({ dtype, length }) {
  return dtype === 'f32'
    ? new Float32Array(length).fill(Number.NaN)
    : new Uint32Array(length).fill(0xffffffff);
}

function numbers({ name, id, length }, fill) {
  const kind = fill[name]?.kind ?? 'normal';
  // As the device holds them: the reference would see digits that float32 does not have.
  if (kind === 'values') return Float32Array.from(fill[name].values());
  if (kind !== 'normal') throw new Error(`${name}: the benchmark does not know the fill ${kind}`);
  const stream = new Stream(7, id);
  return Float32Array.from({ length }, (_, i) => stream.normal(i));
}

export async function load(device, program, filled) {
  const tensors = {};
  for (const [name, { slot, values }] of Object.entries(filled))
    tensors[name] = await device.tensor(slot.dtype, slot.length, values);
  return { tensors, executable: await device.load(program, tensors) };
}

export async function resultsOf({ tensors }, filled) {
  const entries = Object.entries(filled).filter(([, { written }]) => written);
  return Object.fromEntries(
    await Promise.all(entries.map(async ([name]) => [name, await tensors[name].read()])),
  );
}

/** Throws where what a device computed is not what the float64 reference computes. */
export async function check(opCase, filled, actual, precision = 'single') {
  const small = smallerOf(opCase, filled, actual);
  const device = new ReferenceDevice();
  const reference = await load(device, small.program, small.filled);
  await reference.executable.run();
  const expected = await resultsOf(reference, small.filled);
  await device.dispose();
  return refuseWrong(opCase.name, small.actual, expected, tolerance[precision]);
}

/** The axes of the operands of a convolution, and those along which a piece of it is a convolution of pieces. */
const axes = {
  x: ['N', 'C', 'H', 'W'],
  xBar: ['N', 'C', 'H', 'W'],
  w: ['OC', 'C', 'KH', 'KW'],
  wBar: ['OC', 'C', 'KH', 'KW'],
  b: ['OC'],
  y: ['N', 'OC', 'OH', 'OW'],
  yBar: ['N', 'OC', 'OH', 'OW'],
};
for (const second of ['x', 'w', 'yBar']) axes[`${second}2`] = axes[second];
const independent = {
  'conv2d.forward': ['N', 'OC'],
  'conv2d.backwardInput': ['N', 'C'],
  'conv2d.backwardWeight': ['OC', 'C'],
};

/**
 * A convolution takes the reference minutes, so it computes a piece: the first and the last index of the axes that no sum
 * runs over. Every other case is computed whole.
 */
function smallerOf({ name, program }, filled, actual) {
  const [step] = program.steps;
  const cut = independent[step.kernel.name];
  if (!cut || step.sizes.G > 1) return { program, filled, actual };
  const { sizes } = step;
  const kept = (axis) => {
    const all = [...Array(sizes[axis]).keys()];
    return cut.includes(axis) ? [...new Set([all[0], all.at(-1)])] : all;
  };
  const piece = (operand, values) =>
    take(
      values,
      axes[operand].map((axis) => [sizes[axis], kept(axis)]),
    );
  const r = new Recorder(name);
  const views = {};
  const pieces = {};
  for (const [operand, view] of Object.entries(step.operands)) {
    if (!view) continue;
    const shape = axes[operand].map((axis) => kept(axis).length);
    views[operand] = r.external(operand, 1, shape);
    const { values, written } = filled[view.slot.name];
    pieces[operand] = { slot: views[operand].slot, shape, written, values: piece(operand, values) };
  }
  const cutSizes = Object.fromEntries(cut.map((axis) => [axis, kept(axis).length]));
  r.push({ ...step, operands: views, sizes: { ...sizes, ...cutSizes } });
  const cutActual = Object.entries(actual).map(([operand, values]) => [operand, piece(operand, values)]);
  return { program: r.program(), filled: pieces, actual: Object.fromEntries(cutActual) };
}

/** The elements whose index along every axis is among those kept; an axis is `[size, kept]`. */
function take(values, [[size, kept], ...rest]) {
  const stride = values.length / size;
  const parts = kept.map((i) => {
    const part = values.subarray(i * stride, (i + 1) * stride);
    return rest.length ? take(part, rest) : part;
  });
  const out = new values.constructor(parts.length * parts[0].length);
  for (const [i, part] of parts.entries()) out.set(part, i * part.length);
  return out;
}
