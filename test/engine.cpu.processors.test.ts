/** How many threads fit: affinity, physical cores and quotas, from files as Linux has them on other machines than this. */
import { availableParallelism } from 'node:os';
import { describe, expect, test } from 'vitest';
import { findProcessors, type Processors, processorsText, threadsFor } from '../src/engine/cpu/processors.js';

/** A machine of so many cores with so many threads each, siblings `distance` apart, and the files beside it. */
function machine(
  {
    cores,
    perCore = 1,
    allowed = `0-${cores * perCore - 1}`,
  }: { cores: number; perCore?: number; allowed?: string },
  files: Readonly<Record<string, string>> = {},
): Processors {
  const all: Record<string, string> = {
    '/proc/self/status': `Name:\tnode\nCpus_allowed_list:\t${allowed}\n`,
    ...files,
  };
  for (let cpu = 0; cpu < cores * perCore; cpu++) {
    const siblings = Array.from({ length: perCore }, (_, i) => (cpu % cores) + i * cores);
    all[`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`] = `${siblings.join(',')}\n`;
  }
  return findProcessors((path) => all[path.replace(/\/+/g, '/')]);
}

describe('threads of the cpu engine', () => {
  test.each([
    ['one thread a core', machine({ cores: 2 }), { logical: 2, cores: 2 }, 2],
    ['two threads a core', machine({ cores: 4, perCore: 2 }), { logical: 8, cores: 4 }, 4],
    [
      'affinity to both threads of one core',
      machine({ cores: 4, perCore: 2, allowed: '1,5' }),
      { logical: 2, cores: 1 },
      1,
    ],
    ['affinity to some', machine({ cores: 8, allowed: '0-2,6' }), { logical: 4, cores: 4 }, 4],
    ['a large machine', machine({ cores: 64, perCore: 2 }), { logical: 128, cores: 64 }, 16],
  ] as const)('%s', (_, found, expected, threads) => {
    expect(found).toMatchObject(expected);
    expect(found.quota).toBeUndefined();
    expect(threadsFor(found)).toBe(threads);
  });

  const large = { cores: 32, perCore: 2 };
  test.each([
    ['version 2', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '200000 100000\n' }, 2],
    [
      'version 2, none',
      { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' },
      undefined,
    ],
    [
      'version 2, of a group further up',
      {
        '/proc/self/cgroup': '0::/system.slice/job.scope\n',
        '/sys/fs/cgroup/system.slice/job.scope/cpu.max': 'max 100000\n',
        '/sys/fs/cgroup/system.slice/cpu.max': '350000 100000\n',
      },
      3.5,
    ],
    ...[
      ['150000', '400000'],
      ['400000', '150000'],
    ].map(
      ([inside, around]) =>
        [
          `version 2, ${inside} inside ${around}: the smaller`,
          {
            '/proc/self/cgroup': '0::/system.slice/job.scope\n',
            '/sys/fs/cgroup/system.slice/job.scope/cpu.max': `${inside} 100000\n`,
            '/sys/fs/cgroup/system.slice/cpu.max': `${around} 100000\n`,
          },
          1.5,
        ] as const,
    ),
    [
      'version 1',
      {
        '/proc/self/cgroup': '4:memory:/docker/1f\n3:cpu,cpuacct:/docker/1f\n',
        '/sys/fs/cgroup/cpu,cpuacct/docker/1f/cpu.cfs_quota_us': '150000\n',
        '/sys/fs/cgroup/cpu,cpuacct/docker/1f/cpu.cfs_period_us': '50000\n',
      },
      3,
    ],
    [
      'version 1 in a container that sees its group as the root',
      {
        '/proc/self/cgroup': '3:cpu:/docker/1f\n',
        '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '50000\n',
        '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
      },
      0.5,
    ],
    [
      'version 1, none',
      {
        '/proc/self/cgroup': '3:cpu:/\n0::/\n',
        '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
        '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
      },
      undefined,
    ],
  ] as const)('quota: %s', (_, files, quota) => {
    const found = machine(large, files as Readonly<Record<string, string>>);
    expect(found.quota).toBe(quota);
    expect(threadsFor(found)).toBe(quota === undefined ? 16 : Math.max(1, Math.floor(quota)));
  });

  test('why there are fewer than processors is said', () => {
    expect(processorsText({ logical: 2, cores: 2 })).toBe('');
    expect(processorsText({ logical: 2, cores: 2, quota: 2 })).toBe('');
    expect(processorsText({ logical: 8, cores: 4 })).toBe('8 logical processors on 4 cores');
    expect(processorsText({ logical: 8, cores: 4, quota: 1.5 })).toBe(
      'a quota of 1.5 CPUs, 8 logical processors on 4 cores',
    );
  });

  test('where no file says anything every processor counts', () => {
    const all = availableParallelism();
    expect(findProcessors(() => undefined)).toEqual({ logical: all, cores: all });
  });
});
