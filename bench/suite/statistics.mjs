export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Calls `step` for as long as asked for and at least `repeats` times; milliseconds of each call. */
export async function time(step, { seconds, repeats }) {
  const times = [];
  const end = performance.now() + 1000 * seconds;
  while (times.length < repeats || performance.now() < end) {
    const start = performance.now();
    await step();
    times.push(performance.now() - start);
  }
  return times;
}
