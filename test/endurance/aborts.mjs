/**
 * Runs that are started and aborted at random moments in one process: memory, open files and whatever keeps the process alive stay
 * level. Arguments: how many runs (1,000).
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export const about = 'runs that are started and aborted at random moments in one process: aborts [RUNS]';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');

export async function run([runs = '1000'], folder) {
  const { distillToFolder, generateDigits, openDevice } = await import('../../dist/index.js');
  const data = generateDigits({ train: 60, validation: 20, test: 20, size: 16 });
  const options = { network: 'lenet', iterations: 40, batch: 16, validateEvery: 4, epochs: 1, networks: 1 };
  const wrong = [];
  const counts = { finished: 0, stopped: 0, before: 0 };
  const once = async (milliseconds) => {
    const out = join(folder, 'run');
    rmSync(out, { recursive: true, force: true });
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), milliseconds);
    const device = await openDevice('cpu', { threads: 2 });
    try {
      const { record } = await distillToFolder(device, data, out, options, { signal: controller.signal });
      counts[record.stopped ? 'stopped' : 'finished']++;
    } catch (error) {
      if (error !== controller.signal.reason) throw error;
      counts.before++;
    } finally {
      clearTimeout(timer);
      const { tensors, executables } = device.memory();
      if (tensors || executables) wrong.push(`a run left ${tensors} tensors and ${executables} programs`);
      await device.dispose();
    }
  };
  const level = () => {
    gc();
    const megabytes = (bytes) => Math.round(bytes / 1e5) / 10;
    const { rss, heapUsed, external } = process.memoryUsage();
    return {
      rss: megabytes(rss),
      heap: megabytes(heapUsed),
      external: megabytes(external),
      files: readdirSync('/proc/self/fd').length,
      threads: readdirSync('/proc/self/task').length,
      resources: process.getActiveResourcesInfo().length,
    };
  };
  const begun = performance.now();
  await once(1e6);
  const whole = performance.now() - begun;
  const levels = [];
  const every = Math.max(1, Math.floor(Number(runs) / 10));
  for (let i = 1; i <= Number(runs); i++) {
    await once(whole * 1.1 * Math.random());
    if (i % every === 0) levels.push({ runs: i, ...level() });
  }
  // The first tenth fills caches and pools.
  const [first, last] = [levels[0], levels.at(-1)];
  for (const name of ['files', 'threads', 'resources'])
    if (last[name] > first[name]) wrong.push(`${name} grew from ${first[name]} to ${last[name]}`);
  for (const name of ['rss', 'heap', 'external'])
    if (last[name] > 1.1 * first[name] + 8)
      wrong.push(`${name} grew from ${first[name]} to ${last[name]} MB`);
  return { ...counts, levels, wrong };
}
