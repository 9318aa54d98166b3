import { readFileSync, writeFileSync } from 'node:fs';

/** MiB from Linux's account of this process; undefined elsewhere. */
function status(field) {
  try {
    return (
      Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024
    );
  } catch {
    return undefined;
  }
}

/** Forgets the peak so far; returns a function that tells the peak since, in MiB above what the process holds now. */
export function measureMemory() {
  globalThis.gc?.();
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // The peak then counts from the start of the process, and is too high rather than too low.
  }
  const before = status('VmRSS');
  return () => before && status('VmHWM') - before;
}
