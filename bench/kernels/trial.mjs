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
    precision: { type: 'string' },
    threads: { type: 'string' },
    passes: { type: 'string' },
    only: { type: 'string' },
    seconds: { type: 'string' },
    check: { type: 'boolean' },
  },
});

const device = await openDevice(flags.device, {
  precision: flags.precision,
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
  if (flags.check)
    errors[opCase.name] = await check(opCase, filled, await resultsOf(loaded, filled), flags.precision);
  else {
    const repeats = await runsAtOnce(loaded.executable);
    const step = () => loaded.executable.run({ times: repeats });
    times[opCase.name] = median(await time(step, { seconds: Number(flags.seconds), repeats: 3 })) / repeats;
  }
  loaded.executable.dispose();
  for (const tensor of Object.values(loaded.tensors)) tensor.dispose();
}
/** As many as take a GPU a hundredth of a second, so that the way there and back does not count; one on the processor. */
async function runsAtOnce(executable) {
  if (device.engine !== 'webgpu') return 1;
  const [first, second] = await time(() => executable.run(), { seconds: 0, repeats: 2 });
  return Math.ceil(10 / Math.min(first, second));
}

console.log(JSON.stringify({ times, errors, gigaflops: peak && peak.flops[1] / 1e9 }));
await device.dispose();
