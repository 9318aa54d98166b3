import { cpuInfo } from '../engine/cpu/device.js';
import type { Device } from '../engine/device.js';
import type { RunRecord } from './record.js';

/**
 * What the bits of a run depend on besides its options and data: on `cpu` the width of the vectors, which orders sums,
 * and the system's mathematical library; not the number of threads. On `webgpu` the adapter.
 */
export function processorOf({ engine, description }: Device): string {
  if (engine !== 'cpu') return description;
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  const library = header.glibcVersionRuntime ? `, glibc ${header.glibcVersionRuntime}` : '';
  return `cpu (${cpuInfo().isa}, ${process.platform} ${process.arch}${library})`;
}

/** The record of the engine of a run, or of a piece that goes on with what was `begun` elsewhere or here. */
export function engineRecord(
  device: Device,
  reason: string | undefined,
  begun?: RunRecord['engine'],
): RunRecord['engine'] {
  const processor = processorOf(device);
  // A checkpoint need not say its processor; then only another engine is known to be another.
  const before = begun?.processor ?? (begun?.name === device.engine ? undefined : begun?.description);
  const others = before === undefined || before === processor ? [] : [before];
  const earlier = [...(begun?.earlierProcessors ?? []), ...others];
  return {
    name: device.engine,
    description: device.description,
    reason: reason ?? (begun?.name === device.engine ? begun.reason : undefined),
    processor,
    earlierProcessors: earlier.length ? earlier : undefined,
  };
}
