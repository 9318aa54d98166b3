import { LimbeckError, shapeText } from '../util/errors.js';
import { planMemory } from './memory.js';
import { Ranges } from './ranges.js';
import type { Step } from './step.js';
import { type DType, elements, type Kept, type Slot, slotBytes, type View } from './view.js';

/**
 * A program is a list of steps over named slots, recorded once and run many times by any engine. Shapes are checked when a
 * step is recorded; a run checks nothing. Whatever changes between runs lives in a slot, never in a JavaScript number.
 */

/** What the slots of a program take. */
export interface ProgramBytes {
  /** Tensors that the caller binds. */
  external: number;
  /** Temporaries, as planned. */
  temporary: number;
  /** Both. */
  total: number;
}

/** A recorded program: a list of steps over named slots, which any engine can load and run many times. */
export class Program {
  /** A recorder makes them. */
  constructor(
    /** For people. */
    readonly name: string,
    /** What its steps read and write. */
    readonly slots: readonly Slot[],
    /** What is done, in order. */
    readonly steps: readonly Step[],
  ) {}

  /** Floating-point operations of one run (a multiply-add counts as two). */
  flops(): number {
    return this.steps.reduce((sum, step) => sum + step.kernel.flops(step.sizes, step.operands), 0);
  }

  /**
   * Bytes that the slots need at most. The `webgpu` engine may replace steps and need less; on `cpu` temporaries are packed more
   * tightly (see `planArena`).
   */
  bytes(): ProgramBytes {
    const external = this.slots
      .filter((slot) => slot.external)
      .reduce((sum, slot) => sum + slotBytes(slot), 0);
    const temporary = planMemory(this.steps).bytes;
    return { external, temporary, total: external + temporary };
  }

  /** One line per step, for people. */
  print(): string {
    const text = (view: View) =>
      `${view.slot.name}${view.members > 1 ? `(${view.members})` : ''}${shapeText(view.shape)}${view.offset ? `+${view.offset}` : ''}`;
    const lines = this.steps.map((step, index) => {
      const operands = Object.entries(step.operands).filter(([, view]) => view) as [string, View][];
      const numbers = Object.entries(step.constants).map(([name, value]) => ` ${name}=${value}`);
      return (
        `${String(index).padStart(5)}  ${step.kernel.name.padEnd(26)}` +
        `${operands.map(([name, view]) => `${name}=${text(view)}`).join(' ')}${numbers.join('')}${step.accumulate ? ' +=' : ''}`
      );
    });
    const { external, temporary } = this.bytes();
    const head = `program ${this.name}: ${this.steps.length} steps, ${this.flops()} FLOP, ${external} bytes bound, ${temporary} bytes planned`;
    return [head, ...lines].join('\n');
  }

  /** Throws when a step reads a temporary (or adds to one) before every element it touches was written. */
  validate(): void {
    const written = new Map<Slot, Ranges>();
    this.steps.forEach((step, index) => {
      for (const phase of ['read', 'write'] as const) {
        for (const [name, access] of Object.entries(step.kernel.operands)) {
          const view = step.operands[name];
          if (!view || view.slot.external) continue;
          const ranges = written.get(view.slot) ?? new Ranges();
          written.set(view.slot, ranges);
          const reads = access !== 'write' || step.accumulate;
          for (let p = 0; p < view.members; p++) {
            const from = view.offset + p * view.stride;
            const to = from + elements(view.shape);
            if (phase === 'read' && reads && !ranges.covers(from, to))
              throw new LimbeckError(
                'ERR_PROGRAM',
                `step ${index} (${step.kernel.name}) reads ${name}=${view.slot.name} member ${p} before it was written`,
              );
            if (phase === 'write' && access !== 'read' && access !== 'optional') ranges.add(from, to);
          }
        }
      }
    });
  }
}

export class Recorder {
  readonly #slots: Slot[] = [];
  readonly #steps: Step[] = [];
  #temporaryBytes = 0;
  #kept: Kept | undefined;

  constructor(readonly name: string) {}

  #slot(
    name: string,
    dtype: DType,
    members: number,
    shape: readonly number[],
    { external, values }: Pick<Slot, 'external' | 'values'>,
  ): View {
    for (const size of [members, ...shape])
      if (!Number.isSafeInteger(size) || size < 1)
        throw new LimbeckError(
          'ERR_SHAPE',
          `${name}: ${members} members of ${shapeText(shape)}: sizes must be whole and positive`,
        );
    const length = members * elements(shape);
    if (length > 0x7fffffff)
      throw new LimbeckError(
        'ERR_SHAPE',
        `${name}: ${length} elements are more than one tensor can hold (2^31 - 1)`,
      );
    const kept = external ? undefined : this.#kept;
    const more = { ...(kept && { kept }), ...(values && { values }) };
    const slot: Slot = { id: this.#slots.length, name, dtype, length, external, ...more };
    this.#slots.push(slot);
    return { slot, offset: 0, members, stride: members > 1 ? elements(shape) : 0, shape };
  }

  /** A tensor the caller owns and binds by `name`: `[members, ...shape]`. */
  external(name: string, members: number, shape: readonly number[], dtype: DType = 'f32'): View {
    return this.#external(name, dtype, members, shape);
  }

  /** A table of numbers that the program reads, shared by all members: external, and filled where `loadWithTensors` makes its tensor. */
  constant(name: string, shape: readonly number[], values: ArrayLike<number>): View {
    if (values.length !== elements(shape))
      throw new LimbeckError(
        'ERR_SHAPE',
        `${name}: ${values.length} values, expected ${elements(shape)} for ${shapeText(shape)}`,
      );
    return this.#external(name, 'f32', 1, shape, values);
  }

  #external(
    name: string,
    dtype: DType,
    members: number,
    shape: readonly number[],
    values?: ArrayLike<number>,
  ): View {
    if (this.#slots.some((slot) => slot.external && slot.name === name))
      throw new LimbeckError('ERR_PROGRAM', `${this.name}: there is already an external slot named ${name}`);
    return this.#slot(name, dtype, members, shape, { external: true, values });
  }

  /** A tensor that lives inside one run; its memory is shared with others whose lives do not overlap. */
  temporary(name: string, members: number, shape: readonly number[], dtype: DType = 'f32'): View {
    const view = this.#slot(name, dtype, members, shape, { external: false });
    this.#temporaryBytes += slotBytes(view.slot);
    return view;
  }

  /** Does `record`, whose temporaries are such as are kept. */
  keeping<T>(kept: Kept, record: () => T): T {
    const before = this.#kept;
    this.#kept = kept;
    try {
      return record();
    } finally {
      this.#kept = before;
    }
  }

  /** What all temporaries so far would take if none shared memory. */
  get temporaryBytes(): number {
    return this.#temporaryBytes;
  }

  /** Steps so far. */
  get stepCount(): number {
    return this.#steps.length;
  }

  /** Appends a step. Kernels call this after their shape rule; see `engine/ops`. */
  push(step: Step): void {
    for (const [name, access] of Object.entries(step.kernel.operands)) {
      const view = step.operands[name];
      if (!view && access !== 'optional')
        throw new LimbeckError('ERR_PROGRAM', `${step.kernel.name}: operand ${name} is missing`);
      if (view && view.members !== 1 && view.members !== step.sizes.P)
        throw new LimbeckError(
          'ERR_SHAPE',
          `${step.kernel.name}: ${name} has ${view.members} members, expected 1 (shared) or ${step.sizes.P}`,
        );
    }
    this.#steps.push(step);
  }

  /** Ends the recording. */
  program(): Program {
    const program = new Program(this.name, [...this.#slots], [...this.#steps]);
    program.validate();
    return program;
  }
}
