import { LimbeckError } from '../../util/errors.js';
import type { Access, Kernel, Sizes } from '../kernel.js';
import type { Step } from '../step.js';
import { type Abilities, plain } from './abilities.js';
import { computeStage } from './constants.js';
import { scoped } from './health.js';
import { moduleOf, moduleText } from './modules.js';
import { maskOperand } from './ops/rectified.js';
import { type ShaderEntry, shaders } from './shaders.gen.js';

/** A kernel specialised to the geometry of a step. */
export interface SpecialisedKernel {
  readonly label: string;
  readonly entry: ShaderEntry;
  readonly layout: GPUBindGroupLayout;
  readonly pipeline: GPUComputePipeline;
}

/** The module and entry point of a kernel: `conv2d.forward` is `forward` in `conv2d.wgsl`. */
export function entryOf(kernel: string): { op: string; entry: ShaderEntry } {
  const [op, name] = kernel.split('.');
  const entry = shaders[moduleOf(op)]?.entries[name];
  if (!entry)
    throw new LimbeckError('ERR_PROGRAM', `${kernel}: there is no such entry point in shaders/${op}.wgsl`);
  return { op, entry };
}

/** The operands of a kernel in order, each with the index of its view; its binding is one more. A mask always has the last index. */
export const placesOf = ({ operands }: Kernel): { name: string; access: Access; place: number }[] =>
  Object.entries(operands).map(([name, access], index) => ({
    name,
    access,
    place: name === maskOperand ? 7 : index,
  }));

const complement = /^ONE_MINUS_(.*)$/;

/**
 * The side of the square of lanes that shares a sum. Most sums are short (ten distilled images), and long ones want
 * more lanes. Software adapters compute four lanes at a time and pay for each barrier as often as there are fours in
 * a workgroup: four lanes are six times as fast there as 64.
 */
function sideFor(terms: number, software: boolean): number {
  if (software) return terms > 4096 ? 8 : 2;
  return terms > 2048 ? 16 : 8;
}

/** The sizes of a step, with those that only some steps of this engine have. */
const sizesOf = ({ sizes }: Step): Sizes => ({ BIAS: 0, SETS: 1, ...sizes });

/** The values of the overrides of a step's entry point. */
function overridesOf(step: Step, software: boolean): Record<string, number> {
  const { entry } = entryOf(step.kernel.name);
  const sizes = sizesOf(step);
  const values: Record<string, number> = {};
  for (const name of entry.overrides) {
    const constant = complement.exec(name)?.[1];
    let value: number | undefined;
    if (name === 'SIDE') value = sideFor(entry.terms!(sizes), software);
    else if (name === 'ACCUMULATE') value = Number(step.accumulate);
    else if (name.startsWith('HAS_')) value = Number(step.operands[name.slice('HAS_'.length)] !== undefined);
    else if (constant) value = 1 - step.constants[constant];
    else value = sizes[name] ?? step.constants[name];
    if (value === undefined || Number.isNaN(value))
      throw new LimbeckError('ERR_PROGRAM', `${step.kernel.name}: the step has no value for ${name}`);
    values[name] = value;
  }
  if (step.accumulate && !entry.overrides.includes('ACCUMULATE'))
    throw new LimbeckError('ERR_PROGRAM', `${step.kernel.name} cannot add to its result (accumulate)`);
  return values;
}

/** The name of a specialisation, for people and as the key of the cache. */
function labelOf(kernel: string, overrides: Readonly<Record<string, number>>): string {
  const values = Object.entries(overrides).map(([name, value]) => `${name}=${value}`);
  return [kernel, ...values].join(' ');
}

/**
 * Workgroups of a step as a grid: one dimension ends at 65,535. Kernels compute their linear index from the
 * width of the grid and return past the end.
 */
export function gridOf(step: Step, limit: number): [number, number] {
  const { entry } = entryOf(step.kernel.name);
  const count = entry.count(sizesOf(step));
  const size = entry.workgroupSize ?? 256;
  const groups = entry.counts === 'workgroups' ? count : Math.ceil(count / size);
  const height = Math.ceil(groups / limit);
  const width = Math.ceil(groups / height);
  // Indices are 32 bits wide, those past the end included.
  if (height > limit || width * height * size > 0xffffffff)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${step.kernel.name}: ${count} ${entry.counts} are more than one dispatch can have; use a smaller batch or population`,
    );
  return [width, height];
}

/**
 * Pipelines of a device, compiled once per entry point and geometry. There is no cache on disk in Dawn's Node
 * binding, so the number of specialisations is what a program costs to load.
 */
export class Pipelines {
  readonly #device: GPUDevice;
  readonly #modules = new Map<string, Promise<GPUShaderModule>>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  readonly #kernels = new Map<string, Promise<SpecialisedKernel>>();

  constructor(
    device: GPUDevice,
    /** Whether the adapter computes on the processor. */
    readonly software: boolean,
    readonly abilities: Abilities = plain,
  ) {
    this.#device = device;
  }

  /** How many there are: a second load of a program must not add to it. */
  get size(): number {
    return this.#kernels.size;
  }

  /** The kernel of a step; compiled when it is asked for the first time, all of a program in parallel. */
  kernel(step: Step): Promise<SpecialisedKernel> {
    const overrides = overridesOf(step, this.software);
    const label = labelOf(step.kernel.name, overrides);
    return this.#once(this.#kernels, label, () => this.#compile(step.kernel, label, overrides));
  }

  #once<T>(cache: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
    let made = cache.get(key);
    if (!made) {
      made = make();
      cache.set(key, made);
      // A failure is reported to whoever asked and not kept.
      made.catch(() => cache.delete(key));
    }
    return made;
  }

  #module(op: string): Promise<GPUShaderModule> {
    return this.#once(this.#modules, op, () =>
      scoped(this.#device, `shaders/${op}.wgsl`, () =>
        this.#device.createShaderModule({
          label: `shaders/${op}.wgsl`,
          code: moduleText(op, this.abilities),
        }),
      ),
    );
  }

  /** Explicit, not `auto`: an operand that is absent from a specialisation keeps its place. */
  #layout(kernel: Kernel): GPUBindGroupLayout {
    let layout = this.#layouts.get(kernel.name);
    if (!layout) {
      layout = this.#device.createBindGroupLayout({
        label: kernel.name,
        entries: [
          { binding: 0, visibility: computeStage, buffer: { type: 'uniform' } },
          ...placesOf(kernel).map(
            ({ access, place }): GPUBindGroupLayoutEntry => ({
              binding: place + 1,
              visibility: computeStage,
              buffer: { type: access === 'read' || access === 'optional' ? 'read-only-storage' : 'storage' },
            }),
          ),
        ],
      });
      this.#layouts.set(kernel.name, layout);
    }
    return layout;
  }

  async #compile(
    kernel: Kernel,
    label: string,
    overrides: Record<string, number>,
  ): Promise<SpecialisedKernel> {
    const { op, entry } = entryOf(kernel.name);
    const module = await this.#module(op);
    const layout = this.#layout(kernel);
    try {
      const pipeline = await this.#device.createComputePipelineAsync({
        label,
        layout: this.#device.createPipelineLayout({ label: kernel.name, bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: entry.functionName, constants: overrides },
      });
      return { label, entry, layout, pipeline };
    } catch (error) {
      throw new LimbeckError('ERR_PROGRAM', `webgpu: ${label}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}
