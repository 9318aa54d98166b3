import { LimbeckError } from '../../util/errors.js';
import { planMemory } from '../memory.js';
import { bytesOf, elements, type Program, type Slot, type Step } from '../program.js';
import type { KernelSignature, NativeTensor, ProgramDescription, StepDescription } from './binding.js';

/** A program as the addon takes it: slots as pieces of memory, kernels, operands and numbers by position. */
export function describeProgram(
  program: Program,
  kernels: readonly KernelSignature[],
  tensors: ReadonlyMap<Slot, NativeTensor>,
): ProgramDescription {
  const plan = planMemory(program);
  const blockStart: number[] = [];
  let arenaBytes = 0;
  for (const bytes of plan.blocks) {
    blockStart.push(arenaBytes);
    arenaBytes += bytes;
  }

  const storages: { tensor?: NativeTensor; offset: number; bytes: number }[] = [];
  const storageOf = new Map<Slot, number>();
  const storage = (slot: Slot): number => {
    let index = storageOf.get(slot);
    if (index === undefined) {
      index = storages.length;
      const bytes = slot.length * bytesOf[slot.dtype];
      storages.push(
        slot.external
          ? { tensor: tensors.get(slot)!, offset: 0, bytes }
          : { offset: blockStart[plan.blockOf.get(slot)!], bytes },
      );
      storageOf.set(slot, index);
    }
    return index;
  };

  const places = new Map(kernels.map((kernel, place) => [kernel.name, place]));
  const steps = program.steps.map((step): StepDescription => {
    const place = places.get(step.kernel.name);
    if (place === undefined)
      throw new LimbeckError('ERR_PROGRAM', `the cpu engine has no kernel ${step.kernel.name}`);
    return describeStep(step, place, kernels[place], storage);
  });
  return { storages, arenaBytes, steps };
}

function describeStep(
  step: Step,
  place: number,
  signature: KernelSignature,
  storage: (slot: Slot) => number,
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
      const size = bytesOf[view.slot.dtype];
      return [
        storage(view.slot),
        view.offset * size,
        view.stride * size,
        view.members,
        elements(view.shape) * size,
      ];
    }),
    sizes: signature.sizes.map((name) => number(step.sizes, name)),
    constants: signature.constants.map((name) => number(step.constants, name)),
    accumulate: step.accumulate,
  };
}
