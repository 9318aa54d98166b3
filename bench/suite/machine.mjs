import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { cpuInfo } from '../../dist/engine/cpu/device.js';

/** Where and when: one line for above the tables. */
export function describeMachine() {
  const cores = availableParallelism();
  const memory = Math.round(totalmem() / 2 ** 30);
  const date = new Date().toISOString().slice(0, 10);
  const { isas } = cpuInfo();
  return `${cpus()[0].model.trim()}, ${cores} cores, ${memory} GiB, best instruction set ${isas[0]}, Node ${process.versions.node}, limbeck ${commit()}, ${date}.`;
}

/** Of the checkout; a bundle, which is none, has it in a file. */
export function commit() {
  const noted = new URL('../../commit', import.meta.url);
  if (existsSync(noted)) return readFileSync(noted, 'utf8');
  try {
    const git = (...args) => execFileSync('git', args, { encoding: 'utf8', cwd: import.meta.dirname }).trim();
    return git('describe', '--always', '--dirty');
  } catch {
    return 'without git';
  }
}
