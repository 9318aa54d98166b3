/**
 * Holds an engine to the float64 reference, without a test runner: `node bench/conformance/run.mjs --device webgpu`.
 * Ends with status 1 where something differs. Needs what `npm run build` makes.
 */
import { writeFileSync } from 'node:fs';
import { openDevice } from '../../dist/index.js';
import { readArguments } from '../suite/arguments.mjs';
import { conform } from './conform.mjs';

const { flags } = readArguments('node bench/conformance/run.mjs [options]', {
  device: { value: 'NAME', default: 'webgpu', help: 'the engine' },
  precision: { value: 'P', default: 'single', help: 'single, half' },
  members: { value: 'P,P', default: '1,3,20', help: 'sizes of populations' },
  only: { value: 'NAME', default: '', help: 'checks with NAME in their name' },
  json: { value: 'FILE', help: 'also writes what was found there' },
});

const device = await open();
console.log(device.description);
const report = { device: device.description, agree: 0, differ: [], finished: false };
const members = flags.members.split(',').filter(Boolean).map(Number);
const write = () => flags.json && writeFileSync(flags.json, JSON.stringify(report, null, 1));

/** What cannot compute in half precision is no failure: the report says so. */
async function open() {
  try {
    return await openDevice(flags.device, { precision: flags.precision });
  } catch (error) {
    if (flags.precision !== 'half' || error.code !== 'ERR_DEVICE') throw error;
    // A device that cannot be opened at all is one.
    await (await openDevice(flags.device)).dispose();
    console.log(`not made: ${error.message}`);
    if (flags.json) writeFileSync(flags.json, JSON.stringify({ refused: error.message }, null, 1));
    process.exit(0);
  }
}

let written = 0;
await conform(device, { members, only: flags.only }, ({ name, error }) => {
  if (error === undefined) report.agree++;
  else {
    report.differ.push({ name, error });
    console.log(`DIFFERS: ${error}`);
  }
  // Whoever ends this too early keeps what was found.
  if (performance.now() - written > 1000) {
    write();
    written = performance.now();
  }
});
report.finished = true;
write();
const { agree, differ } = report;
console.log(`${agree} checks agree with the float64 reference, ${differ.length} differ`);
process.exitCode = differ.length || !agree ? 1 : 0;
await device.dispose();
