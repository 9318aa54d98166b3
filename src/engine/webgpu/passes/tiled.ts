import { elements, Program, type Slot, type Step, type View } from '../../program.js';
import { sumKernel } from '../ops/pieces.js';
import { tiledKernels } from '../ops/tiled.js';
import { type Tiling, tilingOf } from '../tiles.js';

/**
 * The same program with matrix products in tiles where `choose` wants them. A gradient whose sum is cut becomes two
 * steps, with the pieces in a temporary between them.
 */
export function tiled(program: Program, choose: (step: Step) => Tiling | undefined = tilingOf): Program {
  const slots = [...program.slots];
  const kernels: Readonly<Record<string, Step['kernel']>> = tiledKernels;

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
    const kernel = kernels[step.kernel.name];
    const tiling = kernel && choose(step);
    if (!tiling) return [step];
    const { tile, split } = tiling;
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
