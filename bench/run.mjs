/**
 * `npm run bench`: times limbeck side by side with its peers; see bench/README.md.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { casesFor } from './kernels/cases.mjs';
import { runKernels } from './kernels/run.mjs';
import { peers, usualPeers } from './peers/index.mjs';
import { readArguments } from './suite/arguments.mjs';
import { WrongResult } from './suite/compare.mjs';
import { describeMachine } from './suite/machine.mjs';
import { runWorkload } from './suite/steps.mjs';
import { notesOf, stepsTable, writeBetweenMarkers } from './suite/table.mjs';
import { Watch } from './suite/watch.mjs';
import { workloads } from './workloads/index.mjs';

const { flags } = readArguments('npm run bench -- [options]', {
  only: {
    value: 'NAME',
    default: '',
    help: 'the workload NAME, or workloads and kernels with NAME in their name',
  },
  device: { value: 'NAME', default: 'cpu', help: "limbeck's engine" },
  precision: { value: 'P', help: 'of its products on a GPU: single, half' },
  passes: { value: 'A,B', help: 'what its cpu engine makes of programs; all unless given' },
  threads: { value: 'N', least: 1, default: availableParallelism(), help: 'of both sides' },
  peers: { value: 'A,B', help: `of ${Object.keys(peers).join(', ')}; "" for none` },
  modes: { value: 'A,B', help: 'of torch-modes, as in eager,graph; all unless given' },
  trials: { value: 'N', least: 1, help: 'a side; 5 unless given' },
  seconds: { value: 'S', least: 0, help: 'the length of a trial; 4 unless given' },
  quick: { help: 'small sizes, one trial: to see that everything works' },
  out: { value: 'FILE', help: 'also writes the tables between their markers in FILE' },
  json: { value: 'FILE', help: 'also writes the rows there, after every workload' },
});
const { threads, trials = flags.quick ? 1 : 5, seconds = flags.quick ? 0 : 4 } = flags;

const folder = mkdtempSync(join(tmpdir(), 'limbeck-bench-'));
const options = {
  folder,
  quick: flags.quick === true,
  device: flags.device,
  precision: flags.precision,
  passes: flags.passes,
  modes: flags.modes?.split(','),
  size: flags.quick ? 'small' : 'full',
  threads,
  trials,
  seconds,
};
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.once('SIGINT', () => process.exit(130));

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = error instanceof WrongResult ? 1 : 2;
}

async function main() {
  const { only } = flags;
  const onGpu = flags.device.startsWith('webgpu');
  const asked = flags.peers?.split(',').filter(Boolean) ?? usualPeers(flags.device);
  const unknown = asked.filter((name) => !peers[name]);
  if (unknown.length)
    throw new Error(`no peer ${unknown.join(', ')}; there are ${Object.keys(peers).join(', ')}`);
  const { present, versions } = await findPeers(asked);
  const passes = flags.passes === undefined ? '' : `, passes: ${flags.passes || 'none'}`;
  const head = [
    describeMachine(),
    `limbeck: ${flags.device}${flags.precision ? ` in ${flags.precision} precision` : ''}, threads: ${options.threads}${passes}; trials a side: ${options.trials}.`,
    ...versions,
  ].join('\n');
  const names = Object.hasOwn(workloads, only)
    ? [only]
    : Object.keys(workloads).filter(
        (name) => name.includes(only) && (onGpu || only || !workloads[name].forGpu),
      );
  const kernels = only === 'kernels' || casesFor(only, options).length > 0;
  if (!names.length && !kernels)
    throw new Error(
      `nothing is named ${only}; there are ${Object.keys(workloads).join(', ')}, kernels and every kernel's name`,
    );
  const rows = [];
  let kernelTable;
  const write = () =>
    flags.json && writeFileSync(flags.json, JSON.stringify({ head, rows, kernels: kernelTable }, null, 1));
  if (names.length) {
    const watch = onGpu || options.quick ? undefined : await Watch.open(options.threads);
    for (const name of names) {
      console.error(`${name} ...`);
      const watched = { ...options, watch };
      rows.push(...(await runWorkload(name, present, watched).catch((error) => [failed(name, error)])));
      // After every workload: whoever ends this too early keeps what there is.
      write();
    }
    await watch?.close();
    publish('steps', [head, stepsTable(rows), notesOf(rows).join('\n')]);
  }
  if (kernels) {
    console.error('kernels ...');
    kernelTable = await runKernels(only === 'kernels' ? '' : only, present.onednn, options);
    write();
    publish('kernels', [head, kernelTable]);
  }
  return rows.some((row) => row.wrong || row.failed) ? 1 : 0;
}

/** What cannot be run leaves a row that says so, and the others their numbers. */
function failed(name, { message }) {
  return { name, title: workloads[name].title, failed: true, note: message };
}

function publish(part, paragraphs) {
  const text = paragraphs.filter(Boolean).join('\n\n');
  console.log(`${text}\n`);
  if (flags.out) writeBetweenMarkers(flags.out, part, text);
}

/** Those of the peers asked for that this machine has, and a line about every one. */
async function findPeers(asked) {
  const present = {};
  const versions = [];
  for (const name of asked)
    try {
      versions.push(`${await peers[name].version(options)}.`);
      present[name] = peers[name];
    } catch (error) {
      versions.push(`${peers[name].name} is not there: ${error.message}`);
    }
  return { present, versions };
}
