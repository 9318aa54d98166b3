import { Program } from '../../program.js';
import type { Step } from '../../step.js';
import { elements, type Slot, type View } from '../../view.js';
import { sumKernel } from '../ops/pieces.js';
import { halfKernels, tiledKernels } from '../ops/tiled.js';
import type { Tiling } from '../tiles.js';

/**
 * The same program with matrix products in tiles where `choose` wants them. A gradient whose sum is cut becomes two
 * steps, with the pieces in a temporary between them.
 */
export function tiled(program: Program, choose: (step: Step) => Tiling | undefined): Program {
  const slots = [...program.slots];

  const piecesOf = (wBar: View, members: number, split: number): View => {
    const length = split * elements(wBar.shape);
    const slot: Slot = {
      id: slots.length,
      name: `${wBar.slot.name}, pieces`,
      dtype: 'f32',
      length: members * length,
      external: false,
    };
    slots.push(slot);
    return { slot, offset: 0, members, stride: members > 1 ? length : 0, shape: [split, ...wBar.shape] };
  };

  const steps = program.steps.flatMap((step): Step[] => {
    if (!Object.hasOwn(halfKernels, step.kernel.name)) return [step];
    const tiling = choose(step);
    if (!tiling) return [step];
    const { tile, split, half } = tiling;
    const kernels: Readonly<Record<string, Step['kernel']>> = half ? halfKernels : tiledKernels;
    const kernel = kernels[step.kernel.name];
    const { wBar } = step.operands;
    if (!wBar) return [{ ...step, kernel, sizes: { ...step.sizes, ...tile } }];
    const sizes = { ...step.sizes, ...tile, SPLIT: split };
    if (split === 1) return [{ ...step, kernel, sizes }];
    const { P } = step.sizes;
    const parts = piecesOf(wBar, P, split);
    return [
      { ...step, kernel, sizes, operands: { ...step.operands, wBar: parts }, accumulate: false },
      {
        kernel: sumKernel,
        operands: { parts, out: wBar },
        sizes: { P, S: split, M: elements(wBar.shape) },
        constants: {},
        accumulate: step.accumulate,
      },
    ];
  });
  return new Program(program.name, slots, steps);
}
