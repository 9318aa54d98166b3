import { LimbeckError } from '../../util/errors.js';
import { bindExternals, checkTimes, disposedError } from '../bindings.js';
import type { Executable, Needs, RunOptions, Tensor } from '../device.js';
import { keptAtFullest, livesOf, type MemoryPlan, planMemory, temporariesOf } from '../memory.js';
import { normPool } from '../passes/normpool.js';
import { bytesMoved } from '../profile.js';
import type { Program } from '../program.js';
import type { Step } from '../step.js';
import { bytesOf, elements, type Slot, type View } from '../view.js';
import { createBuffers, tooLarge } from './buffers.js';
import { usage } from './constants.js';
import { scoped } from './health.js';
import type { Sums } from './pace.js';
import { biased } from './passes/biased.js';
import { rectified } from './passes/rectified.js';
import { tiled } from './passes/tiled.js';
import { gridOf, placesOf } from './pipelines.js';
import type { DeviceQueue } from './queue.js';
import { paddedBytes, WebgpuTensor } from './tensor.js';
import { tilingOf } from './tiles.js';

/** A step at run time. */
interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly width: number;
  readonly height: number;
}

/** Every step's views, 256 bytes apart: the alignment uniform bindings need on every device. */
const viewsStride = 256;
const viewsBytes = 8 * 16;

type BufferOf = (slot: Slot) => GPUBuffer;

/** Throws unless the views of a step lie inside their slots and its operands may be bound together. */
function checkStep(step: Step, index: number, bufferOf: BufferOf): void {
  const where = `step ${index} (${step.kernel.name})`;
  const uses = new Map<GPUBuffer, { name: string; writes: boolean }>();
  for (const [name, access] of Object.entries(step.kernel.operands)) {
    const view = step.operands[name];
    if (!view) continue;
    const end = view.offset + (step.sizes.P - 1) * view.stride + elements(view.shape);
    if (view.offset < 0 || end > view.slot.length)
      throw new LimbeckError(
        'ERR_PROGRAM',
        `${where}: ${name} ends at element ${end} of ${view.slot.name}, which has ${view.slot.length}`,
      );
    const writes = access === 'write' || access === 'update';
    const buffer = bufferOf(view.slot);
    const other = uses.get(buffer);
    // WebGPU forbids it even where the ranges do not overlap.
    if (other && (writes || other.writes))
      throw new LimbeckError(
        'ERR_PROGRAM',
        `${where}: ${name} and ${other.name} are both in ${view.slot.name}, and a step that writes to a tensor can use it only once; give the result a slot of its own`,
      );
    uses.set(buffer, { name, writes });
  }
}

/** The part of a buffer that a step binds for an operand, in bytes. */
interface Binding<Buffer = GPUBuffer> {
  readonly buffer: Buffer;
  readonly offset: number;
  readonly size: number;
}

/**
 * A buffer as a whole where the device can bind that much, else the part that the view lies in: parameters of all inner
 * steps may be larger together than what one step may see. ERR_OUT_OF_MEMORY where even the part is too large.
 */
function bindingOf<Buffer extends { readonly size: number }>(
  step: Step,
  name: string,
  view: View,
  buffer: Buffer,
  limits: GPUSupportedLimits,
): Binding<Buffer> {
  const { maxStorageBufferBindingSize: largest, minStorageBufferOffsetAlignment: alignment } = limits;
  if (buffer.size <= largest) return { buffer, offset: 0, size: buffer.size };
  const bytes = bytesOf[view.slot.dtype];
  const offset = Math.floor((view.offset * bytes) / alignment) * alignment;
  const end = (view.offset + (step.sizes.P - 1) * view.stride + elements(view.shape)) * bytes;
  const size = Math.ceil((end - offset) / 4) * 4;
  if (size > largest)
    throw new LimbeckError(
      'ERR_OUT_OF_MEMORY',
      `webgpu: ${step.kernel.name}: ${name} is ${size} bytes of ${view.slot.name}, this device binds at most ${largest} (maxStorageBufferBindingSize); use a smaller batch or population`,
    );
  return { buffer, offset, size };
}

/** An operand of a step: its place, its view unless it is absent, and what is bound there. */
interface Bound {
  readonly place: number;
  readonly view: View | undefined;
  readonly resource: Binding;
}

/** What a step binds; the first operand that it reads stands in for an absent optional one. */
function bindingsOf(step: Step, bufferOf: BufferOf, limits: GPUSupportedLimits): Bound[] {
  const operands = placesOf(step.kernel);
  const standIn = operands.find(({ name, access }) => access === 'read' && step.operands[name]);
  return operands.map(({ name, place }) => {
    const view = step.operands[name];
    const there = view ?? step.operands[standIn!.name]!;
    return { place, view, resource: bindingOf(step, name, there, bufferOf(there.slot), limits) };
  });
}

/** The uniform data of all steps: per operand its offset from what is bound, and its member stride, in elements. */
function viewTable(bindings: readonly Bound[][]): Uint32Array<ArrayBuffer> {
  const table = new Uint32Array((bindings.length * viewsStride) / 4);
  bindings.forEach((operands, index) => {
    for (const { place, view, resource } of operands) {
      if (!view) continue;
      const bound = resource.offset / bytesOf[view.slot.dtype];
      table.set([view.offset - bound, view.stride], (index * viewsStride) / 4 + 4 * place);
    }
  });
  return table;
}

/** The cost of a dispatch itself, beside its arithmetic and bytes. */
const dispatchWork = 2 ** 14;

/** Work before each step, and in all: a rough measure by which runs are cut. */
function workOf(program: Program): Sums {
  const sums = new Float64Array(program.steps.length + 1);
  program.steps.forEach((step, index) => {
    const { kernel, sizes, operands } = step;
    sums[index + 1] = sums[index] + dispatchWork + kernel.flops(sizes, operands) + bytesMoved(step);
  });
  return sums;
}

/** The name of the largest temporary of a block. */
function largestIn({ blockOf }: MemoryPlan, block: number): string {
  for (const [slot, its] of blockOf) if (its === block) return slot.name;
  return `block ${block}`;
}

/** The program that a device runs for a recorded one, and where its temporaries live; `memoryOf` says what is bound. */
function planned(
  { pipelines: { software, abilities } }: Pick<DeviceQueue, 'pipelines'>,
  recorded: Program,
  memoryOf: (slot: Slot) => unknown,
): { program: Program; plan: MemoryPlan } {
  // Software pays for workgroup memory and barriers, in compilation and at every run.
  const plain = software && !abilities.matrices;
  const memory = (slot: Slot) => memoryOf(slot) ?? slot;
  // A tile in f16 has one scale, so the ones that stand for a bias would cost small numbers their digits.
  const joined = biased(normPool(recorded, memory), { ones: !abilities.matrices });
  const program = rectified(plain ? joined : tiled(joined, (step) => tilingOf(step, abilities)), memory);
  return { program, plan: planMemory(program.steps) };
}

/** The buffers that a program has beside those of its tensors: one for each block, and one for the views. */
const buffersOf = (program: Program, plan: MemoryPlan) => [
  ...plan.blocks.map((size, block) => ({
    label: `${program.name}: ${largestIn(plan, block)}`,
    size,
    usage: usage.storage,
  })),
  {
    label: `${program.name} views`,
    size: Math.max(program.steps.length, 1) * viewsStride,
    usage: usage.uniform | usage.copyDst,
  },
];

/** What a device would take, and what its limits forbid. */
export const needsOf = (device: DeviceQueue): Needs => ({
  ofHost: device.pipelines.software,
  tensor(dtype, length) {
    const bytes = paddedBytes(dtype, length);
    return { bytes, refused: tooLarge(device.raw, { label: `tensor of ${length} ${dtype}`, size: bytes }) };
  },
  async program(recorded, bindings) {
    const { program, plan } = planned(device, recorded, (slot) => bindings[slot.name]);
    const buffers = buffersOf(program, plan);
    const sizeOf = (slot: Slot) =>
      slot.external ? paddedBytes(slot.dtype, slot.length) : plan.blocks[plan.blockOf.get(slot)!];
    return {
      bytes: buffers.reduce((sum, { size }) => sum + size, 0),
      running: 0,
      kept: keptAtFullest(livesOf(temporariesOf(program.steps))),
      refused:
        buffers.flatMap((buffer) => tooLarge(device.raw, buffer) ?? [])[0] ??
        refusedBinding(program, sizeOf, device.raw.limits),
    };
  },
});

/** Why a step cannot bind one of its operands, where one cannot. */
function refusedBinding(
  { steps }: Program,
  sizeOf: (slot: Slot) => number,
  limits: GPUSupportedLimits,
): string | undefined {
  try {
    for (const step of steps)
      for (const [name, view] of Object.entries(step.operands))
        if (view) bindingOf(step, name, view, { size: sizeOf(view.slot) }, limits);
  } catch (error) {
    return (error as Error).message;
  }
}

/** Plans memory, compiles what is new, binds: everything a run needs. */
export async function loadProgram(
  device: DeviceQueue,
  recorded: Program,
  bindings: Readonly<Record<string, Tensor>>,
): Promise<WebgpuExecutable> {
  const { raw } = device;
  const bound = bindExternals(
    recorded,
    bindings,
    (tensor): tensor is WebgpuTensor => tensor instanceof WebgpuTensor && tensor.device === device,
  );
  const { program, plan } = planned(device, recorded, (slot) => bound.get(slot)?.buffer);
  for (const tensor of bound.values()) tensor.checkAlive(program.name);
  const blocks = await device.guard(
    createBuffers(raw, `memory of program ${program.name}`, buffersOf(program, plan)),
  );
  try {
    const views = blocks[blocks.length - 1];
    const bufferOf: BufferOf = (slot) => bound.get(slot)?.buffer ?? blocks[plan.blockOf.get(slot)!];
    program.steps.forEach((step, index) => {
      checkStep(step, index, bufferOf);
    });
    const bindings = program.steps.map((step) => bindingsOf(step, bufferOf, raw.limits));
    const limit = raw.limits.maxComputeWorkgroupsPerDimension;
    const grids = program.steps.map((step) => gridOf(step, limit));
    const kernels = await device.guard(
      Promise.all(program.steps.map((step) => device.pipelines.kernel(step))),
    );
    const dispatches = await device.guard(
      scoped(raw, `bindings of program ${program.name}`, () => {
        if (program.steps.length) raw.queue.writeBuffer(views, 0, viewTable(bindings));
        return bindings.map((operands, index): Dispatch => {
          const { pipeline, layout, label } = kernels[index];
          const entries = operands.map(({ place, resource }) => ({ binding: place + 1, resource }));
          const own = { buffer: views, offset: index * viewsStride, size: viewsBytes };
          const group = raw.createBindGroup({
            label,
            layout,
            entries: [{ binding: 0, resource: own }, ...entries],
          });
          const [width, height] = grids[index];
          return { pipeline, group, width, height };
        });
      }),
    );
    const tensors = [...bound.values()];
    return new WebgpuExecutable(device, program, tensors, blocks, dispatches);
  } catch (error) {
    for (const block of blocks) block.destroy();
    throw error;
  }
}

export class WebgpuExecutable implements Executable {
  readonly bytes: number;
  readonly #tensors: readonly WebgpuTensor[];
  readonly #blocks: readonly GPUBuffer[];
  readonly #dispatches: readonly Dispatch[];
  readonly #work: Sums;

  constructor(
    readonly device: DeviceQueue,
    readonly program: Program,
    tensors: readonly WebgpuTensor[],
    blocks: readonly GPUBuffer[],
    dispatches: readonly Dispatch[],
  ) {
    this.#tensors = tensors;
    this.#blocks = blocks;
    this.#dispatches = dispatches;
    this.#work = workOf(program);
    this.bytes = blocks.reduce((sum, block) => sum + block.size, 0);
    device.executables.add(this);
  }

  async run({ times = 1, signal }: RunOptions = {}): Promise<void> {
    this.#check();
    checkTimes(times);
    const last = await this.device.inTurn(() => this.#submitAll(times, signal));
    // Out of turn: what is asked for next may be submitted while the last part of this still runs.
    await this.device.guard(last.done);
  }

  /** Submits all runs, one after another without waiting for their end: a run is one command buffer, a long one several. */
  async #submitAll(times: number, signal?: AbortSignal): Promise<{ done: Promise<unknown> }> {
    const { pace, raw } = this.device;
    const length = this.#dispatches.length;
    let done: Promise<unknown> = Promise.resolve();
    signal?.throwIfAborted();
    for (let run = 0; run < times; run++)
      for (let from = 0, to: number; from < length; from = to) {
        await this.device.guard(pace.room());
        signal?.throwIfAborted();
        to = pace.end(this.#work, from);
        raw.queue.submit([this.#encode(from, to)]);
        done = raw.queue.onSubmittedWorkDone();
        pace.submitted(this.#work[to] - this.#work[from], done);
      }
    return { done };
  }

  /** Dispatches `from` to `to`. Command buffers can be used once, so this is what a run costs the host. */
  #encode(from: number, to: number): GPUCommandBuffer {
    const encoder = this.device.raw.createCommandEncoder({ label: this.program.name });
    // One pass is enough: dispatches of a pass see what earlier ones wrote.
    const pass = encoder.beginComputePass({ label: this.program.name });
    let current: GPUComputePipeline | undefined;
    for (let at = from; at < to; at++) {
      const { pipeline, group, width, height } = this.#dispatches[at];
      if (pipeline !== current) pass.setPipeline(pipeline);
      current = pipeline;
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(width, height);
    }
    pass.end();
    return encoder.finish();
  }

  /** A destroyed buffer in a submit is an uncaptured error, which would end the whole device. */
  #check(): void {
    this.device.check();
    if (!this.device.executables.has(this)) throw disposedError(`the program ${this.program.name}`);
    for (const tensor of this.#tensors) tensor.checkAlive(this.program.name);
  }

  dispose(): void {
    if (!this.device.executables.delete(this)) return;
    this.device.afterwards(() => {
      for (const block of this.#blocks) block.destroy();
    });
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
