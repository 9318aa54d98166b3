import { LimbeckError } from '../../util/errors.js';
import { bindExternals, checkTimes, disposedError } from '../bindings.js';
import type { Executable, RunOptions, Tensor } from '../device.js';
import { planMemory } from '../memory.js';
import { elements, type Program, type Slot, type Step } from '../program.js';
import { createBuffers } from './buffers.js';
import { usage } from './constants.js';
import type { WebgpuDevice } from './device.js';
import { scoped } from './health.js';
import { tiled } from './passes/tiled.js';
import { gridOf } from './pipelines.js';
import { WebgpuTensor } from './tensor.js';

/** What one step is at run time: nothing is left to decide. */
interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly width: number;
  readonly height: number;
}

/** Every step's views, 256 bytes apart: the alignment uniform bindings need on every device. */
const viewsStride = 256;
const viewsBytes = 8 * 16;

/** A command buffer holds as many dispatches as take about this long, so that `signal` is heard in time. */
const patienceMs = 30;
/** What the first one holds, when nothing is known about their length; systems kill a GPU's work after seconds. */
const firstDispatches = 128;
/** And never more than this: encoding them blocks the event loop. */
const mostDispatches = 4096;

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

/** The uniform data of all steps: per operand its offset and member stride in elements. */
function viewTable(program: Program): Uint32Array<ArrayBuffer> {
  const table = new Uint32Array((program.steps.length * viewsStride) / 4);
  program.steps.forEach((step, index) => {
    Object.keys(step.kernel.operands).forEach((name, operand) => {
      const view = step.operands[name];
      if (view) table.set([view.offset, view.stride], (index * viewsStride) / 4 + 4 * operand);
    });
  });
  return table;
}

/** Buffers of a step in the order of its operands; the first read one stands in for an absent optional operand. */
function buffersOf(step: Step, bufferOf: BufferOf): GPUBuffer[] {
  const operands = Object.entries(step.kernel.operands);
  const [standIn] = operands.find(([name, access]) => access === 'read' && step.operands[name]) ?? [];
  return operands.map(([name]) => {
    const view = step.operands[name] ?? step.operands[standIn!]!;
    return bufferOf(view.slot);
  });
}

/** Plans memory, compiles what is new, binds: everything a run needs. */
export async function loadProgram(
  device: WebgpuDevice,
  recorded: Program,
  bindings: Readonly<Record<string, Tensor>>,
): Promise<WebgpuExecutable> {
  const { raw } = device;
  // Software pays for workgroup memory and barriers, in compilation and at every run.
  const program = device.pipelines.software ? recorded : tiled(recorded);
  const bound = bindExternals(
    program,
    bindings,
    (tensor): tensor is WebgpuTensor => tensor instanceof WebgpuTensor && tensor.device === device,
  );
  for (const tensor of bound.values()) tensor.checkAlive(program.name);
  const plan = planMemory(program);
  const blocks = await device.guard(
    createBuffers(raw, `memory of program ${program.name}`, [
      ...plan.blocks.map((size, block) => ({
        label: `${program.name} block ${block}`,
        size,
        usage: usage.storage,
      })),
      {
        label: `${program.name} views`,
        size: Math.max(program.steps.length, 1) * viewsStride,
        usage: usage.uniform | usage.copyDst,
      },
    ]),
  );
  try {
    const views = blocks[blocks.length - 1];
    const bufferOf: BufferOf = (slot) => bound.get(slot)?.buffer ?? blocks[plan.blockOf.get(slot)!];
    program.steps.forEach((step, index) => {
      checkStep(step, index, bufferOf);
    });
    const limit = raw.limits.maxComputeWorkgroupsPerDimension;
    const grids = program.steps.map((step) => gridOf(step, limit));
    const kernels = await device.guard(
      Promise.all(program.steps.map((step) => device.pipelines.kernel(step))),
    );
    const dispatches = await device.guard(
      scoped(raw, `bindings of program ${program.name}`, () => {
        if (program.steps.length) raw.queue.writeBuffer(views, 0, viewTable(program));
        return program.steps.map((step, index): Dispatch => {
          const { pipeline, layout, label } = kernels[index];
          const entries = buffersOf(step, bufferOf).map((buffer, operand) => ({
            binding: operand + 1,
            resource: { buffer },
          }));
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
  /** Dispatches per command buffer; what a run learns, the next one knows. */
  #together = firstDispatches;

  constructor(
    readonly device: WebgpuDevice,
    readonly program: Program,
    tensors: readonly WebgpuTensor[],
    blocks: readonly GPUBuffer[],
    dispatches: readonly Dispatch[],
  ) {
    this.#tensors = tensors;
    this.#blocks = blocks;
    this.#dispatches = dispatches;
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

  /**
   * Submits all runs and waits for all but the last part. Their dispatches are one long row, cut where time says:
   * quick runs share a command buffer and a long one takes several, which changes nothing in what is computed.
   */
  async #submitAll(times: number, signal?: AbortSignal): Promise<{ done: Promise<unknown> }> {
    const { raw } = this.device;
    const total = times * this.#dispatches.length;
    let from = 0;
    while (true) {
      signal?.throwIfAborted();
      if (from >= total) return { done: Promise.resolve() };
      const to = Math.min(from + this.#together, total);
      const start = performance.now();
      raw.queue.submit([this.#encode(from, to)]);
      const done = raw.queue.onSubmittedWorkDone();
      // A failure may come before the caller waits for it.
      done.catch(() => {});
      if (to >= total) return { done };
      await this.device.guard(done);
      const took = performance.now() - start;
      if (took < patienceMs / 2) this.#together = Math.min(2 * this.#together, mostDispatches);
      else if (took > patienceMs) this.#together = Math.max(1, this.#together >> 1);
      from = to;
    }
  }

  /** Dispatches `from` to `to` of the row. Command buffers can be used once: 1 to 2 microseconds a dispatch. */
  #encode(from: number, to: number): GPUCommandBuffer {
    const encoder = this.device.raw.createCommandEncoder({ label: this.program.name });
    // One pass is enough: dispatches of a pass see what earlier ones wrote.
    const pass = encoder.beginComputePass({ label: this.program.name });
    let current: GPUComputePipeline | undefined;
    for (let at = from; at < to; at++) {
      const { pipeline, group, width, height } = this.#dispatches[at % this.#dispatches.length];
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
}
