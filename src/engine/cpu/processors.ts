import { availableParallelism } from 'node:os';
import { type ControlGroup, controlGroups, type ReadText } from '../../util/control-groups.js';
import { readText } from '../../util/host-memory.js';

/** What a process may use of the machine's processors. */
export interface Processors {
  /** Logical processors it may run on. */
  readonly logical: number;
  /** Physical cores these belong to: two threads on one core are slower than one. */
  readonly cores: number;
  /** Processors' worth of time that its container may spend; undefined without a quota. */
  readonly quota?: number;
}

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
  const quotas = controlGroups(read, 'cpu').flatMap((group) => quotaWithin(read, group) ?? []);
  return quotas.length ? Math.min(...quotas) : undefined;
}

/** Microseconds in each period of so many; version 2 says both in one file, and `max` for none, version 1 in two, and -1. */
function quotaWithin(read: ReadText, { version, folder }: ControlGroup): number | undefined {
  const at = (name: string) => (read(`${folder}/${name}`) ?? '').trim();
  const [quota, period] =
    version === 2 ? at('cpu.max').split(' ') : [at('cpu.cfs_quota_us'), at('cpu.cfs_period_us')];
  const value = Number(quota) / Number(period);
  return value > 0 && Number.isFinite(value) ? value : undefined;
}
