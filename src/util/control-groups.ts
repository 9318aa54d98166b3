/** What Linux says of the control groups of a process, versions 1 and 2, in files. */

/** The text of a file, undefined where there is none. */
export type ReadText = (path: string) => string | undefined;

/** A group that a process is in, as a controller sees it. */
export interface ControlGroup {
  readonly version: 1 | 2;
  /** The folder of its files. */
  readonly folder: string;
}

/** The groups that one controller (`cpu`, `memory`) of this process answers to: its own and those that one lies in. */
export function controlGroups(read: ReadText, controller: string): ControlGroup[] {
  return (read('/proc/self/cgroup') ?? '').split('\n').flatMap((line) => {
    const [, id, controllers, group] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (group === undefined) return [];
    // A container sees its own group as the root, whatever the line says.
    const paths = ancestors(group);
    if (id === '0')
      return paths.map((path): ControlGroup => ({ version: 2, folder: `/sys/fs/cgroup/${path}` }));
    if (!controllers.split(',').includes(controller)) return [];
    // The folder is called by its controllers, or by the one.
    const names = [...new Set([controllers, controller])];
    return paths.flatMap((path) =>
      names.map((name): ControlGroup => ({ version: 1, folder: `/sys/fs/cgroup/${name}/${path}` })),
    );
  });
}

/** `/a/b` as `/a/b`, `/a` and the root. */
function ancestors(group: string): string[] {
  const parts = group.split('/').filter(Boolean);
  return [...parts.keys(), parts.length].reverse().map((depth) => parts.slice(0, depth).join('/'));
}
