/** Random calls of the native engine, a thousand sequences in a process. Arguments: how many in all (10,000), and the first seed (1). */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const about = 'random calls of the native engine, most of them wrong: misuse [SEQUENCES] [SEED]';

const root = new URL('../../', import.meta.url).pathname;

export async function run([sequences = '10000', seed = '1']) {
  const script = join(root, 'test/harness/misuse.mjs');
  const addon = join(root, 'build/Release/limbeck.node');
  const total = { sequences: 0, calls: 0, refused: 0, ran: 0 };
  const wrong = [];
  for (let first = 0; first < Number(sequences); first += 1000) {
    const count = Math.min(1000, Number(sequences) - first);
    const args = ['--expose-gc', script, addon, String(Number(seed) + first), String(count)];
    try {
      const { stdout } = await promisify(execFile)(process.execPath, args);
      const counts = JSON.parse(stdout);
      for (const name of Object.keys(total)) total[name] += counts[name];
    } catch (error) {
      wrong.push(`${count} sequences from seed ${args[3]}: ${error.signal ?? error.stdout ?? error.message}`);
    }
  }
  return { ...total, wrong };
}
