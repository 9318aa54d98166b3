import type { Device, Numbers, Tensor } from '../../src/engine/device.js';
import type { Fill, OpCase } from '../../src/engine/kernel.js';
import { elements, type Program, Recorder, type Slot, type View } from '../../src/engine/program.js';
import { ReferenceDevice } from '../../src/engine/reference.js';
import { Stream } from '../../src/util/random.js';
import { eps32, expectClose } from './close.js';

/** A case recorded and filled: the same numbers for every engine. */
export interface PreparedCase {
  readonly program: Program;
  /** What each external slot holds before the run; pure outputs hold poison (NaN, or 0xffffffff). */
  readonly inputs: ReadonlyMap<Slot, Numbers>;
  /** External slots that some step writes, with the loosest tolerance class of the steps. */
  readonly outputs: readonly Slot[];
}

function fillValues(slot: Slot, shape: readonly number[], fill: Fill | undefined, stream: Stream): Numbers {
  const values = slot.dtype === 'f32' ? new Float32Array(slot.length) : new Uint32Array(slot.length);
  if (fill?.kind === 'simplex') {
    const K = shape[shape.length - 1];
    for (let row = 0; row < slot.length; row += K) {
      let total = 0;
      for (let k = 0; k < K; k++) total += values[row + k] = stream.uniform(row + k);
      for (let k = 0; k < K; k++) values[row + k] /= total;
    }
    return values;
  }
  for (let i = 0; i < slot.length; i++) {
    if (fill?.kind === 'values') values[i] = fill.values[i];
    else if (fill?.kind === 'below') values[i] = stream.u32(i) % fill.limit;
    else if (fill?.kind === 'positive') values[i] = Math.abs(stream.normal(i));
    else values[i] = stream.normal(i);
  }
  return values;
}

export function prepareCase(opCase: OpCase): PreparedCase {
  const recorder = new Recorder(opCase.name);
  opCase.record(recorder);
  const program = recorder.program();
  const inputs = new Map<Slot, Numbers>();
  const written = new Set<Slot>();
  const shapes = new Map<Slot, View>();
  const needsInput = new Set<Slot>();
  for (const step of program.steps)
    for (const [name, access] of Object.entries(step.kernel.operands)) {
      const view = step.operands[name];
      if (!view?.slot.external) continue;
      shapes.set(view.slot, view);
      if (access === 'write' || access === 'update') written.add(view.slot);
      if (access !== 'write' || step.accumulate) needsInput.add(view.slot);
    }
  for (const [slot, view] of shapes) {
    const stream = new Stream(7, slot.id);
    const poison =
      slot.dtype === 'f32'
        ? new Float32Array(slot.length).fill(Number.NaN)
        : new Uint32Array(slot.length).fill(0xffffffff);
    inputs.set(
      slot,
      needsInput.has(slot) ? fillValues(slot, view.shape, opCase.fill?.[slot.name], stream) : poison,
    );
  }
  return { program, inputs, outputs: [...written] };
}

/** Runs a prepared case on a device and returns what its outputs hold afterwards. */
export async function runCase(
  device: Device,
  { program, inputs, outputs }: PreparedCase,
  change: (values: Numbers) => ArrayLike<number> = (values) => values,
): Promise<Map<Slot, Numbers>> {
  const tensors: Record<string, Tensor> = {};
  for (const [slot, values] of inputs)
    tensors[slot.name] = await device.tensor(slot.dtype, slot.length, change(values));
  const executable = await device.load(program, tensors);
  await executable.run();
  const results = new Map<Slot, Numbers>();
  for (const slot of outputs) results.set(slot, await tensors[slot.name].read());
  executable.dispose();
  for (const tensor of Object.values(tensors)) tensor.dispose();
  return results;
}

const reference = new ReferenceDevice();

/**
 * Runs a case on `device` and on the reference, and compares. The tolerance comes from what the kernels are:
 * exact ones must agree to the bit; multilinear ones to `eps (reduction + 4)` times the same sum of absolute
 * values; the others to a number of units in the last place of the largest value, `ulps`.
 */
export async function expectCaseAgrees(device: Device, opCase: OpCase, ulps = 32): Promise<void> {
  const prepared = prepareCase(opCase);
  const { program } = prepared;
  const expected = await runCase(reference, prepared);
  const actual = await runCase(device, prepared);
  const last = program.steps[program.steps.length - 1];
  const onlyExact = program.steps.every((step) => step.kernel.kind === 'exact');
  const onlyMultilinear = program.steps.every((step) => step.kernel.kind !== 'nonlinear');
  let bound: Map<Slot, Numbers> | undefined;
  if (!onlyExact && onlyMultilinear && program.steps.length === 1) {
    const constants = Object.fromEntries(
      Object.entries(last.constants).map(([name, value]) => [name, Math.abs(value)]),
    );
    const absolute = {
      ...prepared,
      program: Object.create(program, { steps: { value: [{ ...last, constants }] } }),
    };
    bound = await runCase(reference, absolute, (values) => Float64Array.from(values, Math.abs));
  }
  for (const slot of prepared.outputs) {
    const want = expected.get(slot)!;
    let scale = 0;
    for (const value of want) scale = Math.max(scale, Math.abs(value));
    const magnitude = bound?.get(slot);
    expectClose(`${device.description}: ${opCase.name}: ${slot.name}`, actual.get(slot)!, want, (i) => {
      if (onlyExact || slot.dtype !== 'f32') return 0;
      if (magnitude) return eps32 * (last.kernel.reduction(last.sizes) + 4) * magnitude[i];
      return eps32 * ulps * Math.max(scale, 1);
    });
  }
}

/** Number of elements of one member of a view: for tests that index by hand. */
export const memberLength = (view: View): number => elements(view.shape);
