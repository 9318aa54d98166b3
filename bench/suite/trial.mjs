/**
 * One trial of limbeck, in a process of its own: prepares a workload, does one step, writes its results where asked to,
 * then times steps. Prints one line of JSON. The peers' trials take and print the same.
 */
import { parseArgs } from 'node:util';
import { openDevice } from '../../dist/index.js';
import { workloads } from '../workloads/index.mjs';
import { readArrays, writeResults } from './arrays.mjs';
import { measureMemory } from './memory.mjs';
import { median, time } from './statistics.mjs';

const { values: flags } = parseArgs({
  options: {
    workload: { type: 'string' },
    size: { type: 'string' },
    inputs: { type: 'string' },
    results: { type: 'string' },
    device: { type: 'string' },
    precision: { type: 'string' },
    threads: { type: 'string' },
    passes: { type: 'string' },
    seconds: { type: 'string' },
  },
});

const workload = workloads[flags.workload];
const device = await openDevice(flags.device, {
  precision: flags.precision,
  threads: Number(flags.threads),
  passes: flags.passes?.split(',').filter(Boolean),
});
const arrays = readArrays(flags.inputs);
const peak = measureMemory();
const prepared = await workload.prepare(device, workload.sizes[flags.size], arrays);
await prepared.step();
const report = { settings: device.description, gflop: prepared.gflop, images: prepared.images };
if (flags.results) writeResults(flags.results, await prepared.results());
else
  report.ms = median(
    await time(prepared.step, { seconds: Number(flags.seconds), repeats: prepared.repeats ?? 3 }),
  );
console.log(JSON.stringify({ ...report, memory: peak() }));
await device.dispose();
