/**
 * What `run.sh` of a bundle starts: finds a driver, then holds the engine to the reference, times it, and does the main
 * job, each in a process with a time limit. Results of every stage stay whatever becomes of the others.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { readArguments, refuse } from '../suite/arguments.mjs';
import { runChild } from './child.mjs';
import { findDriver } from './driver.mjs';
import { stages } from './stages.mjs';

const all = Object.keys(stages);
const { flags, positionals } = readArguments(
  './run.sh [conformance] [half] [bench] [main] [all] [options]',
  {
    out: { value: 'DIR', default: 'results', help: 'folder for the results' },
    limit: { value: 'S', least: 1, default: 540, help: 'most seconds of each stage' },
    device: { value: 'NAME', default: 'webgpu', help: 'webgpu, cpu' },
    precision: { value: 'P', help: 'bench and main: single, half [single]' },
    driver: { value: 'FILE', help: 'icd.json of a Vulkan driver' },
    software: { help: 'the driver in the bundle that computes on the processor' },
    members: { value: 'P,P', default: '1,3,20', help: 'conformance: sizes of populations' },
    checks: { value: 'NAME', help: 'conformance: what has NAME in its name' },
    only: { value: 'NAME', help: 'bench: the same, of workloads and kernels' },
    trials: { value: 'N', default: '3', help: 'bench: trials a side' },
    seconds: { value: 'S', default: '2', help: 'bench: length of a trial' },
    quick: { help: 'bench: small sizes, one trial' },
    peers: { value: 'A,B', help: 'bench: see bench/README.md [torch-modes]' },
    modes: { value: 'A,B', help: 'bench: of torch-modes, as in eager,graph [all]' },
    iterations: { value: 'N', default: '2000', help: 'main: outer steps' },
    labels: { value: 'KIND', default: 'hard', help: 'main: hard, soft' },
    data: { value: 'DIR', help: 'main: another data set, or digits [the one in the bundle, else digits]' },
    distill: { value: "'A B'", default: '', help: 'main: more options, as in --distill=...' },
  },
  { most: all.length + 1 },
);

const bundle = new URL('../../../', import.meta.url).pathname;
const out = resolve(flags.out);
const unknown = positionals.filter((name) => name !== 'all' && !all.includes(name));
if (unknown.length)
  refuse(`there is no stage ${unknown.join(', ')}, expected some of ${[...all, 'all'].join(', ')}`);
// Half precision is of GPUs alone.
const usual = all.filter((name) => name !== 'half' || flags.device.startsWith('webgpu'));
const chosen = positionals.length && !positionals.includes('all') ? positionals : usual;

mkdirSync(out, { recursive: true });
const summary = { date: new Date().toISOString(), processor: cpus()[0].model.trim(), stages: {} };
const env = await environment();
for (const name of chosen) await run(name);
process.exitCode = Object.values(summary.stages).every(({ status }) => status === 0) ? 0 : 1;
console.log(`\nWrote ${join(out, 'results.md')} and ${join(out, 'results.json')}`);

async function environment() {
  if (flags.device !== 'webgpu') return process.env;
  try {
    const { env, adapters, way } = await findDriver(bundle, out, flags);
    summary.driver = way;
    summary.adapters = adapters;
    console.log(
      `Adapter: ${adapters.map(({ name, software }) => `${name}${software ? ' (software)' : ''}`).join(', ')}`,
    );
    console.log(`Driver: ${way}\n`);
    return env;
  } catch (error) {
    console.log(`${error.message}\nThe processor alone: --device cpu`);
    process.exit(3);
  }
}

function dataset() {
  if (flags.data) return flags.data === 'digits' ? 'digits' : resolve(flags.data);
  const folder = join(bundle, 'data');
  const [name] = existsSync(folder) ? readdirSync(folder) : [];
  return name ? join(folder, name) : 'digits';
}

async function run(name) {
  const { title, args, results } = stages[name];
  console.log(`== ${title}`);
  const before = performance.now();
  const log = join(out, `${name}.log`);
  const { status, late } = await runChild(args(flags, out, dataset()), { env, seconds: flags.limit, log });
  const seconds = (performance.now() - before) / 1000;
  summary.stages[name] = { status, late, seconds, results: results(out) };
  writeFileSync(join(out, 'results.json'), JSON.stringify(summary, null, 1));
  writeFileSync(join(out, 'results.md'), markdown());
  console.log(ending(summary.stages[name]), '\n');
}

function ending({ status, late, seconds }) {
  if (late) return `Stopped after ${seconds.toFixed(0)} s: the time was over.`;
  return `Ended with status ${status} after ${seconds.toFixed(0)} s.`;
}

function markdown() {
  const { date, processor, adapters = [], driver } = summary;
  const head = [
    `# limbeck on ${adapters.map(({ name }) => name).join(', ') || processor}`,
    `${date}, ${processor}${driver ? `, driver: ${driver}` : ''}`,
  ];
  const parts = Object.entries(summary.stages).flatMap(([name, stage]) => [
    `## ${stages[name].title}`,
    stage.results ? stages[name].markdown(stage.results) : 'No results.',
    ending(stage),
  ]);
  return `${[...head, ...parts].join('\n\n')}\n`;
}
