/**
 * What `run.sh` of a bundle starts: finds a driver, then holds the engine to the reference, times it, and does the main
 * job, each in a process with a time limit. Results of every stage stay whatever becomes of the others.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { runChild } from './child.mjs';
import { findDriver } from './driver.mjs';
import { stages } from './stages.mjs';

const help = `./run.sh [conformance] [half] [bench] [main] [all] [options]
  --out DIR          folder for the results [results]
  --limit S          most seconds of each stage [540]
  --device NAME      webgpu, cpu [webgpu]
  --precision P      bench and main: single, half [single]
  --driver FILE      icd.json of a Vulkan driver
  --software         the driver in the bundle that computes on the processor
  --members P,P      conformance: sizes of populations [1,3,20]
  --checks NAME      conformance: what has NAME in its name
  --only NAME        bench: the same, of workloads and kernels
  --trials N         bench: trials a side [3]
  --seconds S        bench: length of a trial [2]
  --quick            bench: small sizes, one trial
  --peers A,B        bench: see bench/README.md [torch-modes]
  --modes A,B        bench: of torch-modes, as in eager,graph [all]
  --iterations N     main: outer steps [2000]
  --labels KIND      main: hard, soft [hard]
  --data DIR         main: another data set, or digits [the one in the bundle, else generated digits]
  --distill='A B'    main: more options of limbeck distill`;

const text = (fallback) => ({ type: 'string', ...(fallback !== undefined && { default: fallback }) });
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: text('results'),
    limit: text('540'),
    device: text('webgpu'),
    precision: text(),
    driver: text(),
    software: { type: 'boolean' },
    members: text('1,3,20'),
    checks: text(),
    only: text(),
    trials: text('3'),
    seconds: text('2'),
    quick: { type: 'boolean' },
    peers: text(),
    modes: text(),
    iterations: text('2000'),
    labels: text('hard'),
    data: text(),
    distill: text(''),
    help: { type: 'boolean' },
  },
});

const bundle = new URL('../../../', import.meta.url).pathname;
const out = resolve(flags.out);
const all = Object.keys(stages);
const unknown = positionals.filter((name) => name !== 'all' && !all.includes(name));
const limit = Number(flags.limit);
if (flags.help || unknown.length || !(limit > 0)) {
  console.log(unknown.length ? `there is no stage ${unknown.join(', ')}\n${help}` : help);
  process.exit(flags.help ? 0 : 2);
}
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
  const { status, late } = await runChild(args(flags, out, dataset()), { env, seconds: limit, log });
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
