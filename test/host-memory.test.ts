/** How much memory there is: of the machine, and within control groups, from files as Linux has them on other machines than this. */
import { describe, expect, test } from 'vitest';
import { findHostMemory } from '../src/util/host-memory.js';

const GB = 2 ** 30;
const meminfo = `MemTotal:       ${(16 * GB) / 1024} kB\nMemFree:  1 kB\nMemAvailable:   ${(12 * GB) / 1024} kB\n`;

const memory = (files: Readonly<Record<string, string>>) => {
  const all: Record<string, string> = { '/proc/meminfo': meminfo, ...files };
  return findHostMemory((path) => all[path.replace(/\/+/g, '/')]);
};

describe('memory of the machine', () => {
  test.each([
    ['no control group', {}, [16, 12, false]],
    [
      'version 2',
      {
        '/proc/self/cgroup': '0::/\n',
        '/sys/fs/cgroup/memory.max': `${4 * GB}\n`,
        '/sys/fs/cgroup/memory.current': `${1 * GB}\n`,
      },
      [4, 3, true],
    ],
    [
      'version 2, files that nobody uses do not count',
      {
        '/proc/self/cgroup': '0::/\n',
        '/sys/fs/cgroup/memory.max': `${4 * GB}\n`,
        '/sys/fs/cgroup/memory.current': `${3 * GB}\n`,
        '/sys/fs/cgroup/memory.stat': `anon 7\nactive_file 5\ninactive_file ${2 * GB}\n`,
      },
      [4, 3, true],
    ],
    [
      'version 2 without a limit',
      {
        '/proc/self/cgroup': '0::/\n',
        '/sys/fs/cgroup/memory.max': 'max\n',
        '/sys/fs/cgroup/memory.current': '5\n',
      },
      [16, 12, false],
    ],
    [
      'version 2, a group further up is the narrowest',
      {
        '/proc/self/cgroup': '0::/system.slice/job.scope\n',
        '/sys/fs/cgroup/system.slice/job.scope/memory.max': `${8 * GB}\n`,
        '/sys/fs/cgroup/system.slice/job.scope/memory.current': `${1 * GB}\n`,
        '/sys/fs/cgroup/system.slice/memory.max': `${6 * GB}\n`,
        '/sys/fs/cgroup/system.slice/memory.current': `${5 * GB}\n`,
      },
      [6, 1, true],
    ],
    [
      'version 1',
      {
        '/proc/self/cgroup': '4:memory:/docker/1f\n3:cpu,cpuacct:/docker/1f\n',
        '/sys/fs/cgroup/memory/docker/1f/memory.limit_in_bytes': `${2 * GB}\n`,
        '/sys/fs/cgroup/memory/docker/1f/memory.usage_in_bytes': `${GB}\n`,
        '/sys/fs/cgroup/memory/docker/1f/memory.stat': `inactive_file 1\ntotal_inactive_file ${GB / 2}\n`,
      },
      [2, 1.5, true],
    ],
    [
      'version 1 in a container that sees its group as the root',
      {
        '/proc/self/cgroup': '4:memory:/docker/1f\n',
        '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${2 * GB}\n`,
        '/sys/fs/cgroup/memory/memory.usage_in_bytes': `${3 * GB}\n`,
      },
      [2, 0, true],
    ],
    [
      'version 1 without a limit, which is a very large number',
      {
        '/proc/self/cgroup': '4:memory:/\n0::/\n',
        '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
        '/sys/fs/cgroup/memory/memory.usage_in_bytes': '5\n',
      },
      [16, 12, false],
    ],
    [
      'more left in the group than the machine has available',
      {
        '/proc/self/cgroup': '0::/\n',
        '/sys/fs/cgroup/memory.max': `${15 * GB}\n`,
        '/sys/fs/cgroup/memory.current': `${GB}\n`,
      },
      [15, 12, true],
    ],
  ] as const)('%s', (_, files, [total, available, limited]) => {
    expect(memory(files as Readonly<Record<string, string>>)).toEqual({
      total: total * GB,
      available: available * GB,
      limited,
    });
  });

  test('where no file says anything the system is asked', () => {
    const { total, available, limited } = findHostMemory(() => undefined);
    expect(available).toBeGreaterThan(0);
    expect(available).toBeLessThanOrEqual(total);
    expect(limited).toBe(false);
  });
});
