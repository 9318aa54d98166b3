import { backwardKernel, forwardKernel } from '../ops/normpool.js';
import { Program } from '../program.js';
import type { Step } from '../step.js';
import { elements, type Slot, sameElements, type View } from '../view.js';

/**
 * The same program with a norm per channel, ReLU and average pooling of 2 x 2 as one step, and their backward passes as another,
 * where nothing else reads what lies between: at first order, that is. The tangent passes read the masks of ReLU, and keep all apart.
 * On `cpu` results are the same bits. `memoryOf` is the same for slots that are bound to the same tensor.
 */
export function normPool(program: Program, memoryOf: (slot: Slot) => unknown = (slot) => slot): Program {
  const touching = new Touching(program.steps, memoryOf);
  const replaced = new Map<Step, Step | undefined>();
  for (const step of program.steps) {
    const block = step.kernel.name === 'norm.forward' ? blockOf(step, touching) : undefined;
    for (const [from, to] of block ?? []) replaced.set(from, to);
  }
  const steps = program.steps.flatMap((step) => {
    const to = replaced.has(step) ? replaced.get(step) : step;
    return to ? [to] : [];
  });
  return new Program(program.name, program.slots, steps);
}

/** Who reads and writes each slot, in the order of the program. */
class Touching {
  readonly #readers = new Map<unknown, Step[]>();
  readonly #writers = new Map<unknown, Step[]>();
  readonly #place = new Map<Step, number>();

  constructor(
    steps: readonly Step[],
    readonly memoryOf: (slot: Slot) => unknown,
  ) {
    steps.forEach((step, place) => {
      this.#place.set(step, place);
      for (const [name, access] of Object.entries(step.kernel.operands)) {
        const view = step.operands[name];
        if (!view) continue;
        const memory = memoryOf(view.slot);
        if (access === 'write' || access === 'update') append(this.#writers, memory, step);
        if (access !== 'write' || step.accumulate) append(this.#readers, memory, step);
      }
    });
  }

  /** Those who read what one step alone writes, as a whole; undefined where others write it, or see it from outside. */
  readersOf({ slot, offset, members, shape }: View): readonly Step[] | undefined {
    const whole = offset === 0 && slot.length === members * elements(shape);
    const memory = this.memoryOf(slot);
    if (slot.external || !whole || this.#writers.get(memory)?.length !== 1) return undefined;
    return this.#readers.get(memory) ?? [];
  }

  /** The one who wrote all of a view that `reader` alone reads. */
  writerFor(view: View, reader: Step): Step | undefined {
    const readers = this.readersOf(view);
    return readers?.length === 1 && readers[0] === reader
      ? this.#writers.get(this.memoryOf(view.slot))![0]
      : undefined;
  }

  /** Whether nobody writes a slot between two steps. */
  unchanged(slot: Slot, from: Step, to: Step): boolean {
    const [first, last] = [from, to].map((step) => this.#place.get(step)!);
    return !(this.#writers.get(this.memoryOf(slot)) ?? []).some((step) => {
      const place = this.#place.get(step)!;
      return place > first && place < last;
    });
  }
}

function append(to: Map<unknown, Step[]>, memory: unknown, step: Step): void {
  const steps = to.get(memory);
  if (!steps) to.set(memory, [step]);
  else if (steps.at(-1) !== step) steps.push(step);
}

/** The steps of a block by what takes their place, beginning with a norm; undefined where one of them has to stay. */
function blockOf(norm: Step, touching: Touching): Map<Step, Step | undefined> | undefined {
  const { x, y: n, saved, beta, gamma } = norm.operands;
  if (!isPerChannel(norm) || x!.shape.length !== 4 || !(saved && gamma && beta)) return undefined;
  const [N, C, H, W] = x!.shape;
  if (H % 2 || W % 2) return undefined;
  const sizes = { P: norm.sizes.P, N, C, H, W };

  const [relu, ...others] = touching.readersOf(n!) ?? [];
  if (relu?.kernel.name !== 'relu.forward' || others.length) return undefined;
  const y = relu.operands.y!;
  const readers = touching.readersOf(y) ?? [];
  const pools = readers.filter((step) => halves(step, 'avgpool2d.forward'));
  const masks = readers.filter(
    (step) => step.kernel.name === 'relu.mask' && step.operands.y!.slot === y.slot,
  );
  const pooled = pools[0]?.operands.y;
  if (pools.length !== 1 || pools.length + masks.length !== readers.length) return undefined;
  if (!touching.readersOf(pooled!)) return undefined;

  const block = new Map<Step, Step | undefined>([
    [norm, { ...norm, kernel: forwardKernel, operands: { x, gamma, beta, y: pooled, saved }, sizes }],
    [relu, undefined],
    [pools[0], undefined],
  ]);
  for (const mask of masks) {
    const pool = touching.writerFor(mask.operands.u!, mask);
    const [backward, ...more] = touching.readersOf(mask.operands.out!) ?? [];
    if (!pool || !halves(pool, 'avgpool2d.backward') || more.length) return undefined;
    if (backward?.kernel.name !== 'norm.backward' || !isPerChannel(backward)) return undefined;
    const { xBar, sums, ...read } = backward.operands;
    const { yBar } = pool.operands;
    const same =
      sameElements(read.x!, x!) && sameElements(read.saved!, saved) && backward.sizes.P === norm.sizes.P;
    const stays =
      touching.unchanged(beta.slot, norm, backward) && touching.unchanged(yBar!.slot, pool, backward);
    if (!same || !stays || touching.writerFor(mask.operands.out!, backward) !== mask) return undefined;
    const operands = { x, saved, beta, yBar, xBar, sums };
    block.set(backward, { ...backward, kernel: backwardKernel, operands, sizes });
    block.set(mask, undefined).set(pool, undefined);
  }
  return block;
}

/** Whether every channel of every image has statistics of its own, which are not given. */
const isPerChannel = ({ sizes: s }: Step): boolean => s.S === 1 && s.B === s.C && s.L === s.map && !s.frozen;

/** Whether a step of this kernel pools by windows of 2 x 2 side by side. */
const halves = ({ kernel, sizes: s }: Step, name: string): boolean =>
  kernel.name === name && s.KH === 2 && s.KW === 2 && s.stride === 2 && s.padding === 0;
