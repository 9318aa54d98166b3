import { readFileSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { type ControlGroup, controlGroups, type ReadText } from './control-groups.js';

/** Memory of the machine, or of the container that this process is in, in bytes. */
export interface HostMemory {
  /** What there is in all. */
  readonly total: number;
  /** What can still be taken. */
  readonly available: number;
  /** Whether a control group allows less than the machine has. */
  readonly limited: boolean;
}

/** What can be taken without swapping; on Linux within the limits of every control group above this process. */
export function findHostMemory(read: ReadText = readText): HostMemory {
  const kilobytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(read('/proc/meminfo') ?? '')?.[1]) * 1024;
  const [total, available] = [kilobytes('MemTotal'), kilobytes('MemAvailable')];
  const machine =
    total > 0 && available >= 0
      ? { total, available, limited: false }
      : { total: totalmem(), available: availableElsewhere(), limited: false };
  return controlGroups(read, 'memory').reduce((memory: HostMemory, group) => {
    const within = memoryOf(read, group);
    if (!within || within.total >= machine.total) return memory;
    return {
      total: Math.min(memory.total, within.total),
      available: Math.min(memory.available, within.available),
      limited: true,
    };
  }, machine);
}

/** What macOS calls free leaves out what its caches would give back: nothing is held against so small a number. */
const availableElsewhere = (): number => (process.platform === 'win32' ? freemem() : totalmem());

/** Limit and what is left of it; what the group holds of files that nobody uses is given back when it is needed. */
function memoryOf(read: ReadText, { version, folder }: ControlGroup) {
  const names =
    version === 2
      ? (['memory.max', 'memory.current', 'inactive_file'] as const)
      : (['memory.limit_in_bytes', 'memory.usage_in_bytes', 'total_inactive_file'] as const);
  const [limit, usage] = names.slice(0, 2).map((name) => wholeOf(read(`${folder}/${name}`)));
  if (limit === undefined || usage === undefined) return undefined;
  const stat = read(`${folder}/memory.stat`) ?? '';
  const files = wholeOf(new RegExp(`^${names[2]} (\\d+)$`, 'm').exec(stat)?.[1]) ?? 0;
  return { total: limit, available: Math.max(0, limit - Math.max(0, usage - files)) };
}

/** `max` and a missing file are no number. */
function wholeOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined;
}

/** A file of the system as text. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
