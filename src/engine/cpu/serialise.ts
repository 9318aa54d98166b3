import type { InPieces } from '../../util/breathe.js';
import { LimbeckError } from '../../util/errors.js';
import { type KeptBytes, keptAtFullest, livesOf, planArena } from '../memory.js';
import type { Step } from '../step.js';
import { bytesOf, elements, type Slot, slotBytes, type View } from '../view.js';
import { accessesOf } from './accesses.js';
import type {
  GroupDescription,
  KernelSignature,
  NativeTensor,
  ProgramDescription,
  StepDescription,
} from './binding.js';
import { inPlace } from './in-place.js';
import type { PlannedUnit, StripPlan } from './strips.js';

type DescribedProgram = ProgramDescription & { readonly kept: KeptBytes };

/** Steps that are described before other work may run. */
const piece = 1000;

/**
 * A program as the addon takes it: slots as pieces of memory, kernels, operands and numbers by position; and what of its memory is
 * kept for a way back.
 */
export function* describeProgram(
  units: readonly PlannedUnit[],
  kernels: readonly KernelSignature[],
  tensors: ReadonlyMap<Slot, NativeTensor>,
): InPieces<DescribedProgram> {
  const inner = (view: View, strips?: StripPlan) => strips?.innerOffset(view) !== undefined;
  const memoryOf = inPlace(units, (view, { strips }) => inner(view, strips));
  const memory = (slot: Slot) => memoryOf.get(slot) ?? slot;
  yield;
  const moments = units.map(({ steps, strips }) =>
    steps.flatMap((step) =>
      accessesOf(step).flatMap(({ view }): [Slot, number][] =>
        view.slot.external || inner(view, strips) ? [] : [[memory(view.slot), slotBytes(view.slot)]],
      ),
    ),
  );
  yield;
  const lives = livesOf(moments);
  const arena = planArena(lives);
  yield;
  const storages: { tensor?: NativeTensor; offset: number; bytes: number }[] = [];
  const storageOf = new Map<Slot, number>();
  const storage = (slot: Slot): number => {
    let index = storageOf.get(slot);
    if (index === undefined) {
      index = storages.length;
      const bytes = slotBytes(slot);
      storages.push(
        slot.external
          ? { tensor: tensors.get(slot)!, offset: 0, bytes }
          : { offset: arena.offsetOf.get(memory(slot))!, bytes },
      );
      storageOf.set(slot, index);
    }
    return index;
  };

  const places = new Map(kernels.map((kernel, place) => [kernel.name, place]));
  const steps: StepDescription[] = [];
  const groups: GroupDescription[] = [];
  let described = 0;
  for (const { steps: together, strips } of units) {
    if (steps.length >= described + piece) {
      described = steps.length;
      yield;
    }
    if (strips) groups.push(describeGroup(strips, steps.length, kernels, places, storage));
    for (const step of together) {
      const place = places.get(step.kernel.name);
      if (place === undefined)
        throw new LimbeckError('ERR_PROGRAM', `the cpu engine has no kernel ${step.kernel.name}`);
      // What lives in a worker's strip memory has no storage.
      steps.push(
        describeStep(step, place, kernels[place], (view) => (inner(view, strips) ? -1 : storage(view.slot))),
      );
    }
  }
  return { storages, arenaBytes: arena.bytes, steps, groups, kept: keptAtFullest(lives) };
}

/** How the operands of a step are found for a strip; the numbers are those of native/strips.h. */
const kinds = { whole: 0, cut: 1, inner: 2, sum: 3, perChannel: 4, perImage: 5, channelSum: 6 } as const;

function describeGroup(
  strips: StripPlan,
  first: number,
  kernels: readonly KernelSignature[],
  places: ReadonlyMap<string, number>,
  storage: (slot: Slot) => number,
): GroupDescription {
  const { axis } = strips;
  const { parts, channels } = strips.sizes;
  const bytesOfPart = ({ shape, slot }: View, count: number) =>
    (elements(shape) / count) * bytesOf[slot.dtype];
  const begun = new Set<unknown>();
  const cuts = strips.steps.map((step) => {
    const signature = kernels[places.get(step.kernel.name)!];
    const accesses = new Map(accessesOf(step, axis).map((access) => [access.name, access]));
    let begins = false;
    const operands = signature.operands.flatMap((name): number[] => {
      const access = accesses.get(name);
      if (!access) return [kinds.whole, 0];
      const { view, role } = access;
      const offset = strips.innerOffset(view);
      if (offset !== undefined) return [kinds.inner, offset];
      if (role === 'whole' || role === 'placed') return [kinds.whole, 0];
      if (role === 'cut') return [kinds.cut, bytesOfPart(view, parts)];
      if (role === 'perChannel') return [kinds.perChannel, bytesOfPart(view, channels)];
      if (role === 'perImage') return [kinds.perImage, bytesOfPart(view, parts / channels)];
      const sum = strips.sumOf(view);
      begins = !begun.has(sum);
      begun.add(sum);
      return [kinds[role], sum.offset];
    });
    const cut = step.kernel.cuts![axis]!;
    const sizes = signature.sizes.map((name) => {
      if (cut.sizes?.includes(name)) return step.sizes[name] / parts;
      if (cut.channels?.includes(name)) return 1;
      return cut.images?.includes(name) ? -1 : 0;
    });
    return { operands, sizes, begins };
  });
  const sums = strips.sums.flatMap(({ view, offset, accumulate }) => [
    ...placeOf(view, storage(view.slot)),
    offset,
    accumulate ? 1 : 0,
  ]);
  return { ...strips.sizes, first, cuts, sums };
}

/** Five numbers: storage, offset, stride, members and bytes of a member. */
function placeOf({ slot, offset, stride, members, shape }: View, storage: number): number[] {
  const size = bytesOf[slot.dtype];
  return [storage, offset * size, stride * size, members, elements(shape) * size];
}

function describeStep(
  step: Step,
  place: number,
  signature: KernelSignature,
  storage: (view: View) => number,
): StepDescription {
  const number = (from: Readonly<Record<string, number>>, name: string): number => {
    if (from[name] === undefined)
      throw new LimbeckError(
        'ERR_PROGRAM',
        `${step.kernel.name}: the cpu engine's kernel reads ${name}, which the step lacks`,
      );
    return from[name];
  };
  for (const name of Object.keys(step.operands))
    if (step.operands[name] && !signature.operands.includes(name))
      throw new LimbeckError(
        'ERR_PROGRAM',
        `${step.kernel.name}: the cpu engine's kernel has no operand ${name}`,
      );
  return {
    kernel: place,
    operands: signature.operands.flatMap((name) => {
      const view = step.operands[name];
      if (!view) return [-1, 0, 0, 1, 0];
      return placeOf(view, storage(view));
    }),
    sizes: signature.sizes.map((name) => number(step.sizes, name)),
    constants: signature.constants.map((name) => number(step.constants, name)),
    accumulate: step.accumulate,
  };
}
