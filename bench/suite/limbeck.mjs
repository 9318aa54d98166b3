import { fileURLToPath } from 'node:url';
import { flagsOf, report } from './process.mjs';

const script = fileURLToPath(new URL('trial.mjs', import.meta.url));

/** The side that every peer is compared with; shaped like a peer of bench/peers. */
export const limbeck = {
  name: 'limbeck',
  settings: ({ device, precision, threads, passes }) => [{ device, precision, threads, passes }],
  trial: ({ workload, size, inputs, results, seconds }, settings) =>
    report(process.execPath, [
      ...['--expose-gc', script],
      ...flagsOf({ workload, size, inputs, results, seconds, ...settings }),
    ]),
};
