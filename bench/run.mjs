/**
 * `npm run bench`: times limbeck side by side with its peers; see bench/README.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { peers } from './peers/index.mjs';
import { describeMachine } from './suite/machine.mjs';
import { runWorkload } from './suite/steps.mjs';
import { notesOf, stepsTable, writeBetweenMarkers } from './suite/table.mjs';
import { workloads } from './workloads/index.mjs';

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    device: { type: 'string', default: 'cpu' },
    threads: { type: 'string', default: String(availableParallelism()) },
    peers: { type: 'string', default: Object.keys(peers).join(',') },
    trials: { type: 'string' },
    seconds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});

const folder = mkdtempSync(join(tmpdir(), 'limbeck-bench-'));
const options = {
  folder,
  quick: flags.quick,
  device: flags.device,
  threads: Number(flags.threads),
  size: flags.quick ? 'small' : 'full',
  trials: Number(flags.trials ?? (flags.quick ? 1 : 5)),
  seconds: Number(flags.seconds ?? (flags.quick ? 0 : 4)),
};

try {
  process.exitCode = await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function main() {
  const asked = flags.peers.split(',').filter(Boolean);
  const unknown = asked.filter((name) => !peers[name]);
  if (unknown.length)
    throw new Error(`no peer ${unknown.join(', ')}; there are ${Object.keys(peers).join(', ')}`);
  const names = Object.keys(workloads).filter((name) => name.includes(flags.only));
  if (!names.length)
    throw new Error(`no workload ${flags.only}; there are ${Object.keys(workloads).join(', ')}`);

  const versions = await Promise.all(asked.map(versionOf));
  const rows = [];
  for (const name of names) {
    console.error(`${name} ...`);
    rows.push(
      ...(await runWorkload(name, Object.fromEntries(asked.map((peer) => [peer, peers[peer]])), options)),
    );
  }
  const head = [describeMachine(), ...versions, `limbeck: ${flags.device}, ${flags.threads} threads.`].join(
    '\n',
  );
  const notes = notesOf(rows);
  const text = [head, stepsTable(rows), ...(notes.length ? [notes.join('\n')] : [])].join('\n\n');
  console.log(text);
  if (flags.out) writeBetweenMarkers(flags.out, 'steps', text);
  return rows.some(({ wrong }) => wrong) ? 1 : 0;
}

async function versionOf(name) {
  try {
    return `${await peers[name].version()}.`;
  } catch (error) {
    return `${peers[name].name} is not there: ${error.message}.`;
  }
}
