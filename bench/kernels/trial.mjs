/**
 * One trial of limbeck's kernels, in a process of its own; with `--check` it holds their results to the float64 reference
 * instead. Prints one line of JSON: `times` in milliseconds, or `errors`, of every case by name, and with the times the
 * peak of all threads in `gigaflops`, where the engine measures it.
 */
import { parseArgs } from 'node:util';
import { openDevice } from '../../dist/index.js';
import { median, time } from '../suite/statistics.mjs';
import { cases } from './cases.mjs';
import { check, fill, load, resultsOf } from './check.mjs';

const { values: flags } = parseArgs({
  options: {
    device: { type: 'string' },
    threads: { type: 'string' },
    passes: { type: 'string' },
    only: { type: 'string' },
    seconds: { type: 'string' },
    check: { type: 'boolean' },
  },
});

const device = await openDevice(flags.device, {
  threads: Number(flags.threads),
  passes: flags.passes?.split(',').filter(Boolean),
});
const only = new Set(JSON.parse(flags.only));
const [times, errors] = [{}, {}];
const peak = flags.check ? undefined : await device.peak?.();
for (const opCase of cases) {
  if (!only.has(opCase.name)) continue;
  const filled = fill(opCase);
  const loaded = await load(device, opCase.program, filled);
  await loaded.executable.run();
  if (flags.check) errors[opCase.name] = await check(opCase, filled, await resultsOf(loaded, filled));
  else {
    const all = await time(() => loaded.executable.run(), { seconds: Number(flags.seconds), repeats: 3 });
    times[opCase.name] = median(all);
  }
  loaded.executable.dispose();
  for (const tensor of Object.values(loaded.tensors)) tensor.dispose();
}
console.log(JSON.stringify({ times, errors, gigaflops: peak && peak.flops[1] / 1e9 }));
await device.dispose();
