import type { Device, Numbers, Tensor } from '../../src/engine/device.js';
import type { Fill, OpCase } from '../../src/engine/op.js';
import { type Program, Recorder } from '../../src/engine/program.js';
import { ReferenceDevice } from '../../src/engine/reference.js';
import type { Slot, View } from '../../src/engine/view.js';
import { Stream } from '../../src/util/random.js';
import { eps32, expectClose } from './close.js';

/** A device that loads programs in the caller's way, and is the given one in all else. */
export function loadingBy(device: Device, load: Device['load']): Device {
  const changed = Object.create(device) as Device;
  changed.tensor = (...values) => device.tensor(...values);
  changed.load = load;
  return changed;
}

/** The same device, whose new tensors hold NaN where they were to be of zeros: what is not written shows. */
export function poisoning(device: Device): Device {
  const poisoned = loadingBy(device, (...program) => device.load(...program));
  poisoned.tensor = (dtype, length, values) =>
    device.tensor(
      dtype,
      length,
      values ?? (dtype === 'f32' ? new Float32Array(length).fill(Number.NaN) : undefined),
    );
  return poisoned;
}

/** A case recorded and filled: the same numbers for every engine. */
export interface PreparedCase {
  readonly program: Program;
  /** What each external slot holds before the run; pure outputs hold poison (NaN, or 0xffffffff). */
  readonly inputs: ReadonlyMap<Slot, Numbers>;
  /** External slots that some step writes. */
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
  if (fill?.kind === 'values') {
    values.set(fill.values());
    return values;
  }
  for (let i = 0; i < slot.length; i++) {
    if (fill?.kind === 'below') values[i] = stream.u32(i) % fill.limit;
    else if (fill?.kind === 'sparse') values[i] = stream.u32(i) % 4 ? 0 : stream.normal(i);
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
  change: (values: Numbers, slot: Slot) => ArrayLike<number> = (values) => values,
): Promise<Map<Slot, Numbers>> {
  const tensors: Record<string, Tensor> = {};
  for (const [slot, values] of inputs)
    tensors[slot.name] = await device.tensor(slot.dtype, slot.length, change(values, slot));
  const executable = await device.load(program, tensors);
  await executable.run();
  const results = new Map<Slot, Numbers>();
  for (const slot of outputs) results.set(slot, await tensors[slot.name].read());
  executable.dispose();
  for (const tensor of Object.values(tensors)) tensor.dispose();
  return results;
}

const reference = new ReferenceDevice();

/** The same program with other constants. */
function withConstants(program: Program, change: (value: number) => number): Program {
  const steps = program.steps.map((step) => ({
    ...step,
    constants: Object.fromEntries(
      Object.entries(step.constants).map(([name, value]) => [name, change(value)]),
    ),
  }));
  return Object.create(program, { steps: { value: steps } });
}

/** What the outputs would be if nothing cancelled: every input and constant by its absolute value. */
function absoluteSums(prepared: PreparedCase): Promise<Map<Slot, Numbers>> {
  const program = withConstants(prepared.program, Math.abs);
  return runCase(reference, { ...prepared, program }, (values) => Float64Array.from(values, Math.abs));
}

/**
 * How far each output moves, per unit, when every real input and constant moves by one unit of itself up or down:
 * the largest of several draws of signs. For `a - b` that is `|a| + |b|`, however close they are to each other.
 */
async function conditions(
  prepared: PreparedCase,
  expected: ReadonlyMap<Slot, Numbers>,
): Promise<Map<Slot, Float64Array>> {
  const unit = 2 ** -24;
  const largest = new Map(prepared.outputs.map((slot) => [slot, new Float64Array(slot.length)]));
  for (let draw = 0; draw < 8; draw++) {
    const signs = new Stream(11, draw);
    let next = 0;
    const moved = (value: number) => value * (1 + (signs.u32(next++) & 1 ? unit : -unit));
    const program = withConstants(prepared.program, moved);
    const results = await runCase(reference, { ...prepared, program }, (values, { dtype }) =>
      dtype === 'f32' ? Float64Array.from(values, moved) : values,
    );
    for (const [slot, sizes] of largest) {
      const [result, want] = [results.get(slot)!, expected.get(slot)!];
      for (let i = 0; i < sizes.length; i++)
        sizes[i] = Math.max(sizes[i], Math.abs(result[i] - want[i]) / unit || 0);
    }
  }
  return largest;
}

/** A case and what is expected of it, which is the same for every device. */
interface Expectation {
  readonly prepared: PreparedCase;
  readonly expected: ReadonlyMap<Slot, Numbers>;
  /** What the tolerance is a multiple of, by output. */
  readonly magnitudes: ReadonlyMap<Slot, ArrayLike<number>>;
  readonly exact: boolean;
  /** Terms of the sum, where the case is one multilinear kernel. */
  readonly terms?: number;
}

const expectations = new WeakMap<OpCase, Promise<Expectation>>();

/** The reference is slow: a case that several devices are held to asks it once. */
function expectationOf(opCase: OpCase): Promise<Expectation> {
  const known = expectations.get(opCase) ?? expectation(opCase);
  expectations.set(opCase, known);
  return known;
}

async function expectation(opCase: OpCase): Promise<Expectation> {
  const prepared = prepareCase(opCase);
  const { steps } = prepared.program;
  const expected = await runCase(reference, prepared);
  if (steps.every(({ kernel }) => kernel.kind === 'exact'))
    return { prepared, expected, magnitudes: expected, exact: true };
  // What is exact only moves or selects what came before; before the sum itself it might select something else.
  const inexact = steps.filter(({ kernel }) => kernel.kind !== 'exact');
  const before = steps.slice(0, steps.indexOf(inexact[0]));
  const selects = before.some(({ kernel }) =>
    Object.values(kernel.operands).some((access) => access !== 'write'),
  );
  if (inexact.length === 1 && inexact[0].kernel.kind === 'multilinear' && !selects) {
    const [{ kernel, sizes, operands }] = inexact;
    const terms = kernel.reduction(sizes, operands);
    return { prepared, expected, magnitudes: await absoluteSums(prepared), exact: false, terms };
  }
  return { prepared, expected, magnitudes: await conditions(prepared, expected), exact: false };
}

/**
 * Runs a case on `device` and on the reference, and compares element i of each output to a tolerance that comes from
 * what the kernels are. With `eps = 2^-24` and `want_i` the reference's value:
 *
 *     exact               0: the same bits
 *     multilinear         eps (reduction + 4) times the same sum of absolute values, also where exact ones follow
 *     nonlinear, chains   eps ulps max(|want_i|, condition_i, scale / 64)
 *
 * where `condition_i` is what changes of the inputs by one unit each do to it (above), so that cancellation is
 * allowed for where it happens and nowhere else, and `scale` the largest |want|: below 1/64 of it an intermediate
 * value that is the same for many elements (the sum of a softmax) may cost more than the element is worth.
 *
 * Where both factors of a product are rounded to less than float32 first, by at most `rounding` of themselves, a multilinear
 * kernel may be off by `(1 + rounding)^2 - 1` of the same sum as well.
 */
export async function expectCaseAgrees(
  device: Device,
  opCase: OpCase,
  { ulps = 32, rounding = 0 } = {},
): Promise<void> {
  const { prepared, expected, magnitudes, exact, terms } = await expectationOf(opCase);
  const actual = await runCase(device, prepared);
  for (const slot of prepared.outputs) {
    const want = expected.get(slot)!;
    const magnitude = magnitudes.get(slot)!;
    let scale = 0;
    for (const value of want) scale = Math.max(scale, Math.abs(value) || 0);
    expectClose(`${device.description}: ${opCase.name}: ${slot.name}`, actual.get(slot)!, want, (i) => {
      if (exact || slot.dtype !== 'f32') return 0;
      if (terms !== undefined) return (eps32 * (terms + 4) + (1 + rounding) ** 2 - 1) * magnitude[i];
      return eps32 * ulps * Math.max(Math.abs(want[i]), magnitude[i], scale / 64);
    });
  }
}
