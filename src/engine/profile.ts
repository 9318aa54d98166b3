import type { Peak, StepTimes } from './device.js';
import type { Step } from './step.js';
import { bytesOf, elements, type View } from './view.js';

/** The better of two measurements: other load on the machine can only lower a peak. */
export function betterOf(a: Peak, b: Peak): Peak {
  const best = (of: keyof Peak) => [Math.max(a[of][0], b[of][0]), Math.max(a[of][1], b[of][1])] as const;
  return { flops: best('flops'), bytes: best('bytes') };
}

/** What some steps of a program cost in one run, and how near they come to the two limits of the processor. */
export interface Cost {
  /** Steps. */
  readonly calls: number;
  /** Of one run, all its steps together. */
  readonly milliseconds: number;
  /** Of the time of the program, 0 to 1. */
  readonly share: number;
  /** Floating-point operations; a multiply-add counts as two. */
  readonly flops: number;
  /** Operands read and written, each once. */
  readonly bytes: number;
  /** 10^9 of those per second. */
  readonly gigaflopsPerSecond: number;
  /** 10^9 bytes of operands per second. */
  readonly gigabytesPerSecond: number;
  /**
   * Share of the peak of all threads. Above 1 where a kernel needs fewer operations than the op's definition (Winograd), or where the
   * processor was busy when its peak was measured.
   */
  readonly ofPeak: number;
  /** Share of what all threads can read from memory; above 1 where operands come from a cache. */
  readonly ofMemory: number;
  /** The nearer of the two peaks; `neither` below a tenth of both. */
  readonly limit: 'compute' | 'memory' | 'neither';
}

/** What all steps of a kernel cost. */
export interface KernelCost extends Cost {
  /** `conv2d.forward` and the like. */
  readonly kernel: string;
}

/** What all steps of a kernel on operands of one shape cost. */
export interface ShapeCost extends KernelCost {
  /** `1024x6x14x14, 16x6x5x5 → 1024x16x10x10` */
  readonly shape: string;
}

export interface Profile extends Cost {
  /** By kernel and by kernel and shape, the longest first. */
  readonly kernels: readonly KernelCost[];
  /** By kernel and shape. */
  readonly shapes: readonly ShapeCost[];
}

/** The costs of steps by kernel and shape, from how long each took in one run. */
export function profileOf({ steps, nanoseconds }: StepTimes, peak: Peak): Profile {
  const measured = steps.map((step, i): Measured => {
    const { kernel, sizes } = step;
    const [flops, bytes] = [kernel.flops(sizes, step.operands), bytesMoved(step)];
    return { kernel: kernel.name, shape: shapeOf(step), calls: 1, nanoseconds: nanoseconds[i], flops, bytes };
  });
  const total = measured.reduce((sum, step) => sum + step.nanoseconds, 0);
  const costOf = (steps: readonly Measured[]) => cost(steps, total, peak);
  const grouped = (keyOf: (step: Measured) => string) =>
    [...groups(measured, keyOf).values()]
      .map((steps) => ({ kernel: steps[0].kernel, shape: steps[0].shape, ...costOf(steps) }))
      .sort((a, b) => b.milliseconds - a.milliseconds);
  return {
    ...costOf(measured),
    kernels: grouped(({ kernel }) => kernel).map(({ shape, ...row }) => row),
    shapes: grouped(({ kernel, shape }) => `${kernel} ${shape}`),
  };
}

interface Measured {
  readonly kernel: string;
  readonly shape: string;
  readonly calls: number;
  readonly nanoseconds: number;
  readonly flops: number;
  readonly bytes: number;
}

function groups<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const map = new Map<string, T[]>();
  for (const item of items) map.set(keyOf(item), [...(map.get(keyOf(item)) ?? []), item]);
  return map;
}

/** Rates are 0 where nothing took any time. */
function cost(
  parts: readonly Omit<Measured, 'kernel' | 'shape'>[],
  totalNanoseconds: number,
  peak: Peak,
): Cost {
  const sum = (of: 'calls' | 'nanoseconds' | 'flops' | 'bytes') =>
    parts.reduce((total, part) => total + part[of], 0);
  const [calls, nanoseconds, flops, bytes] = [sum('calls'), sum('nanoseconds'), sum('flops'), sum('bytes')];
  const perNanosecond = (amount: number) => (nanoseconds > 0 ? amount / nanoseconds : 0);
  const ofPeak = perNanosecond(flops) / (peak.flops[1] / 1e9);
  const ofMemory = perNanosecond(bytes) / (peak.bytes[1] / 1e9);
  return {
    calls,
    milliseconds: nanoseconds / 1e6,
    share: totalNanoseconds > 0 ? nanoseconds / totalNanoseconds : 0,
    flops,
    bytes,
    gigaflopsPerSecond: perNanosecond(flops),
    gigabytesPerSecond: perNanosecond(bytes),
    ofPeak,
    ofMemory,
    limit: Math.max(ofPeak, ofMemory) < 0.1 ? 'neither' : ofPeak > ofMemory ? 'compute' : 'memory',
  };
}

/** The sum of several costs: the rows that a table leaves out. */
export function together(costs: readonly Cost[], whole: Cost, peak: Peak): Cost {
  const parts = costs.map((part) => ({ ...part, nanoseconds: part.milliseconds * 1e6 }));
  return cost(parts, whole.milliseconds * 1e6, peak);
}

/** Bytes a step reads and writes: operands that are shared or given twice count once, a result that is added to twice. */
export function bytesMoved({ kernel, operands, sizes, accumulate }: Step): number {
  const parts = kernel.parts?.(sizes) ?? {};
  const seen = new Set<string>();
  let bytes = 0;
  for (const [name, access] of Object.entries(kernel.operands)) {
    const view = operands[name];
    if (!view) continue;
    const size = (parts[name] ?? view.members * elements(view.shape)) * bytesOf[view.slot.dtype];
    const place = `${view.slot.id} ${view.offset} ${size}`;
    const writes = access === 'write' || access === 'update';
    if ((access !== 'write' || accumulate) && !seen.has(place)) bytes += size;
    if (writes) bytes += size;
    seen.add(place);
  }
  return bytes;
}

/** Shapes of the operands, each once; vectors only where there is nothing else. Members stand in front where there are several. */
function shapeOf({ kernel, operands }: Step): string {
  const views = (written: boolean) =>
    Object.entries(kernel.operands)
      .filter(([, access]) => (access === 'write') === written)
      .flatMap(([name]) => operands[name] ?? []);
  const [inputs, outputs] = [views(false), views(true)];
  const matrices = [...inputs, ...outputs].some(({ shape }) => shape.length > 1);
  const texts = (list: readonly View[]) =>
    list
      .filter(({ shape }) => !matrices || shape.length > 1)
      .map(({ members, shape }) => `${members > 1 ? `${members}·` : ''}${shape.join('x')}`);
  const from = [...new Set(texts(inputs))];
  const to = [...new Set(texts(outputs))].filter((text) => !from.includes(text));
  return [from.join(', '), to.join(', ')].filter(Boolean).join(' → ');
}
