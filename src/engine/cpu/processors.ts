import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** What a process may use of the machine's processors. */
export interface Processors {
  /** Logical processors it may run on. */
  readonly logical: number;
  /** Physical cores these belong to: two threads on one core are slower than one. */
  readonly cores: number;
  /** Processors' worth of time that its container may spend; undefined without a quota. */
  readonly quota?: number;
}

/** The text of a file, undefined where there is none. */
export type ReadText = (path: string) => string | undefined;

/** More threads wait for each other longer than they help. */
const most = 16;

/** How many threads do best with them. */
export const threadsFor = ({ cores, quota = cores }: Processors): number =>
  Math.max(1, Math.min(most, cores, Math.floor(quota)));

/** Why there are fewer threads than processors: `a quota of 2 CPUs, 8 logical processors on 4 cores`; else empty. */
export function processorsText({ logical, cores, quota }: Processors): string {
  const reasons = [
    ...(quota !== undefined && quota < cores ? [`a quota of ${Number(quota.toFixed(2))} CPUs`] : []),
    ...(cores < logical ? [`${logical} logical processors on ${cores} cores`] : []),
  ];
  return reasons.join(', ');
}

/**
 * Linux says it in files: the affinity of the process, the siblings of every processor, and the quota of its control groups
 * (versions 1 and 2). Elsewhere every processor counts as a core.
 */
export function findProcessors(read: ReadText = readText): Processors {
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(read('/proc/self/status') ?? '')?.[1];
  if (!allowed) return { logical: availableParallelism(), cores: availableParallelism() };
  const processors = numbersIn(allowed);
  const siblings = processors.map(
    (cpu) => read(`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`)?.trim() ?? String(cpu),
  );
  return { logical: processors.length, cores: new Set(siblings).size, quota: quotaOf(read) };
}

/** `0-3,8` as numbers. */
function numbersIn(list: string): number[] {
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** The smallest quota of the group of this process and of those it lies in. */
function quotaOf(read: ReadText): number | undefined {
  const quotas = (read('/proc/self/cgroup') ?? '').split('\n').flatMap((line) => {
    const [, id, controllers, group] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (group === undefined) return [];
    const own = controllers.split(',');
    if (id !== '0' && !own.includes('cpu')) return [];
    // A container sees its own group as the root, whatever the line says.
    return ancestors(group).flatMap((path) => {
      const quota = id === '0' ? unified(read, path) : divided(read, own, path);
      return quota === undefined ? [] : [quota];
    });
  });
  return quotas.length ? Math.min(...quotas) : undefined;
}

/** `/a/b` as `/a/b`, `/a` and the root. */
function ancestors(group: string): string[] {
  const parts = group.split('/').filter(Boolean);
  return [...parts.keys(), parts.length].reverse().map((depth) => parts.slice(0, depth).join('/'));
}

/** Version 2: `max 100000`, or microseconds in each period of so many. */
const unified = (read: ReadText, group: string): number | undefined =>
  quotient(...((read(`/sys/fs/cgroup/${group}/cpu.max`) ?? '').trim().split(' ') as [string, string]));

/** Version 1: two files, and a quota of -1 is none. The folder is called by its controllers, or `cpu`. */
function divided(read: ReadText, controllers: readonly string[], group: string): number | undefined {
  for (const folder of new Set([controllers.join(','), 'cpu'])) {
    const at = (name: string) => (read(`/sys/fs/cgroup/${folder}/${group}/cpu.${name}`) ?? '').trim();
    const quota = quotient(at('cfs_quota_us'), at('cfs_period_us'));
    if (quota !== undefined) return quota;
  }
  return undefined;
}

function quotient(quota: string, period: string): number | undefined {
  const value = Number(quota) / Number(period);
  return value > 0 && Number.isFinite(value) ? value : undefined;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
