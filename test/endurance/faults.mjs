/**
 * A disk that fails at every call of a run that writes a checkpoint, a result and a report, and a process that is killed there.
 * Arguments: every how many calls (1), and the errors.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const about =
  'a disk that fails, or a process that is killed, at every call of a run: faults [EVERY] [ERROR …]';

const root = new URL('../../', import.meta.url).pathname;
const run_ = promisify(execFile);

/** An error, and whether the disk stays like that. */
const errors = { ENOSPC: ['0', '1'], EIO: ['0'], EROFS: ['1'], kill: [] };

/** Two classes of waves, 4 x 4. */
function images() {
  const names = ['label', ...Array.from({ length: 16 }, (_, i) => `p${i}`)];
  const row = (r) => [
    r % 2,
    ...Array.from({ length: 16 }, (_, i) => Math.round(127 + 100 * Math.sin(17 * r + i * i * (1 + (r % 2))))),
  ];
  return [names, ...Array.from({ length: 20 }, (_, r) => row(r))].join('\n');
}

export async function run([every = '1', ...chosen], folder) {
  writeFileSync(join(folder, 'images.csv'), images());
  const shim = join(folder, 'fault-shim.so');
  const flags = ['-O1', '-fPIC', '-shared'];
  await run_(process.env.CC ?? 'cc', [...flags, join(root, 'test/harness/fault-shim.c'), '-o', shim, '-ldl']);
  const counts = { points: 0, faults: 0, told: 0, kills: 0 };
  const wrong = [];
  /** What a process of its own says, in a folder of its own; undefined where it was killed. */
  const work = async (name, ...args) => {
    const own = join(folder, name);
    mkdirSync(own, { recursive: true });
    try {
      const env = { ...process.env, LD_PRELOAD: shim, FAULT_FOLDER: own, UV_USE_IO_URING: '0' };
      const script = join(root, 'test/harness/faulty-run.mjs');
      return JSON.parse((await run_(process.execPath, [script, own, ...args], { env })).stdout);
    } catch (error) {
      if (error.signal === 'SIGKILL') return undefined;
      throw error;
    }
  };
  for (const name of chosen.length ? chosen : Object.keys(errors))
    for (const lasting of errors[name]) {
      const found = await work('walk', 'walk', name, lasting, every);
      counts.points = found.points;
      counts.faults += found.walked;
      counts.told += found.told;
      wrong.push(...found.wrong);
    }
  if (chosen.length && !chosen.includes('kill')) return { ...counts, wrong };
  rmSync(join(folder, 'kill'), { recursive: true, force: true });
  const { artefact } = await work('kill', 'kill', '-1');
  for (let point = 1; ; point += Number(every)) {
    rmSync(join(folder, 'kill'), { recursive: true, force: true });
    if (await work('kill', 'kill', String(point))) break;
    counts.kills++;
    try {
      const resumed = await work('kill', 'resume');
      if (resumed.artefact !== artefact) wrong.push(`killed at call ${point}: the result differs`);
    } catch (error) {
      wrong.push(`killed at call ${point}: lost, ${error.message}`);
    }
  }
  return { ...counts, wrong };
}
