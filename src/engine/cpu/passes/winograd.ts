import { elements, Program, type Sizes, type Slot, type Step, type View } from '../../program.js';
import { accessesOf } from '../accesses.js';
import {
  backwardInputKernel,
  backwardWeightKernel,
  forwardKernel,
  weightsKernel,
  weightsPoint,
} from '../ops/winograd.js';

/** Kernels that take the place of those of conv2d, with the operand that is made of w turned where it has to be. */
const replacements: Readonly<Record<string, { kernel: Step['kernel']; turned: boolean }>> = {
  'conv2d.forward': { kernel: forwardKernel, turned: false },
  'conv2d.backwardInput': { kernel: backwardInputKernel, turned: true },
  'conv2d.backwardWeight': { kernel: backwardWeightKernel, turned: false },
};

/** Bytes of transformed weights that are kept for later steps: those of one step of unrolled training of the usual network. */
const budget = 2 ** 24;

/**
 * A tile does 36 products in the place of nine for each of its pixels, which pays where tiles are not mostly border. Below 16 channels
 * the transforms cost as much as they save; with too few tiles those of the weights do.
 */
function pays(s: Sizes): boolean {
  const tiles = Math.ceil(s.OH / 4) * Math.ceil(s.OW / 4);
  return (
    s.KH === 3 &&
    s.KW === 3 &&
    s.stride === 1 &&
    s.dilation === 1 &&
    s.G === 1 &&
    Math.min(s.C, s.OC) >= 16 &&
    s.N * tiles >= 4 &&
    tiles <= 1024 &&
    2 * 36 * tiles <= 9 * s.OH * s.OW
  );
}

/** Transformed weights by the view that they were made of, the latest used last. */
class Transformed {
  readonly #views = new Map<string, { readonly of: Slot; readonly u: View }>();
  #bytes = 0;

  /** What `make` makes, unless it is still there. */
  of(w: View, turned: boolean, make: () => View): View {
    const key = [w.slot.id, w.offset, w.members, w.stride, ...w.shape, turned].join(' ');
    const found = this.#views.get(key);
    const u = found?.u ?? make();
    if (found) this.#views.delete(key);
    else this.#bytes += 4 * u.slot.length;
    this.#views.set(key, { of: w.slot, u });
    for (const oldest of this.#views.keys()) if (this.#bytes > budget && oldest !== key) this.#forget(oldest);
    return u;
  }

  /** To be called for everything that is written. */
  written(slot: Slot): void {
    for (const [key, { of }] of this.#views) if (of === slot) this.#forget(key);
  }

  #forget(key: string): void {
    this.#bytes -= 4 * this.#views.get(key)!.u.slot.length;
    this.#views.delete(key);
  }
}

/** The same program with Winograd's algorithm for the convolutions where it pays. */
export function winograd(program: Program): Program {
  const slots = [...program.slots];
  const steps: Step[] = [];
  const transformed = new Transformed();

  const transform = (w: View, turned: boolean): View =>
    transformed.of(w, turned, () => {
      const [OC, C] = w.shape;
      const shape = [36, turned ? weightsPoint(OC, C) : weightsPoint(C, OC)];
      const length = w.members * elements(shape);
      const slot: Slot = {
        id: slots.length,
        name: `${w.slot.name}, Winograd`,
        dtype: 'f32',
        length,
        external: false,
      };
      const u = { slot, offset: 0, members: w.members, stride: w.members > 1 ? elements(shape) : 0, shape };
      slots.push(slot);
      const sizes = { P: w.members, OC, C, turned: Number(turned) };
      steps.push({ kernel: weightsKernel, operands: { w, u }, sizes, constants: {}, accumulate: false });
      return u;
    });

  for (const step of program.steps) {
    const replacement = replacements[step.kernel.name];
    if (replacement && pays(step.sizes)) {
      const { w, w2, ...others } = step.operands;
      const { kernel, turned } = replacement;
      const { P, N, C, H, W, OC, OH, OW, padding } = step.sizes;
      const operands = {
        ...others,
        u: w && transform(w, turned),
        u2: w2 && transform(w2, turned),
      };
      steps.push({ ...step, kernel, operands, sizes: { P, N, C, H, W, OC, OH, OW, padding } });
    } else {
      steps.push(step);
    }
    for (const { view, writes } of accessesOf(step)) if (writes) transformed.written(view.slot);
  }
  return new Program(program.name, slots, steps);
}
