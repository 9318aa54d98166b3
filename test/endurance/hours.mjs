/**
 * A long run on `cpu` with evaluations beside it in one process: memory stays flat, and the event loop is hardly held up.
 * Arguments: minutes (120).
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export const about = 'a long run on cpu with evaluations beside it: hours [MINUTES]';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');

/** The slope of a line through points, by least squares. */
function slope(points) {
  const mean = (k) => points.reduce((sum, point) => sum + point[k], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const [products, squares] = points.reduce(
    ([p, s], [a, b]) => [p + (a - x) * (b - y), s + (a - x) ** 2],
    [0, 0],
  );
  return products / squares;
}

export async function run([minutes = '120']) {
  const { distill, evaluate, generateDigits, openDevice } = await import('../../dist/index.js');
  const data = generateDigits({ train: 2000, validation: 500, test: 500 });
  const device = await openDevice('cpu');
  const beside = await openDevice('cpu', { threads: 1 });
  const controller = new AbortController();
  const ends = performance.now() + 60_000 * Number(minutes);
  const delays = monitorEventLoopDelay({ resolution: 1 });
  const options = { network: 'lenet', iterations: 1_000_000, batch: 256, validateEvery: 50, patience: 0 };
  let [set, steps, evaluations] = [undefined, 0, 0];
  const memory = [];
  const begun = performance.now();
  const distilling = distill(device, data, options, {
    signal: controller.signal,
    onProgress: ({ iteration }) => {
      steps = iteration;
      if (performance.now() > ends) controller.abort();
    },
    onCheckpoint: ({ best }) => {
      set = best.set;
    },
  });
  const evaluating = (async () => {
    while (performance.now() < ends) {
      if (set) {
        await evaluate(beside, data, set, { networks: 2 });
        evaluations++;
      } else await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  // Start-up and planning are not what is measured.
  const settled = Math.min(60_000, 6_000 * Number(minutes));
  const watching = setInterval(
    () => {
      const elapsed = performance.now() - begun;
      if (elapsed < settled) return;
      delays.enable();
      gc();
      memory.push([elapsed / 3_600_000, process.memoryUsage().rss / 1e6]);
    },
    Math.max(1000, 100 * Number(minutes)),
  );
  await Promise.all([distilling, evaluating]);
  clearInterval(watching);
  delays.disable();
  await device.dispose();
  await beside.dispose();
  const [first, last] = [memory[0][1], memory.at(-1)[1]];
  const p99 = delays.percentile(99) / 1e6;
  const wrong = [];
  if (last > 1.1 * first + 16) wrong.push(`memory grew from ${first.toFixed(0)} to ${last.toFixed(0)} MB`);
  if (p99 >= 20) wrong.push(`the event loop was held up by ${p99.toFixed(1)} ms at the 99th percentile`);
  return {
    ...{ minutes: Number(minutes), steps, evaluations },
    megabytes: { first, last, most: Math.max(...memory.map(([, m]) => m)), perHour: slope(memory) },
    milliseconds: { p50: delays.percentile(50) / 1e6, p99, most: delays.max / 1e6 },
    wrong,
  };
}
