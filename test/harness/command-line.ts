import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './repository.js';

/** The built program: `buildWhereStale` comes first. */
export const program = join(root, 'dist/cli/main.js');

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The built program, in a process of its own that runs in `folder`. */
export function commandLine(folder: string) {
  const start = (args: readonly string[]) => {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    const ended = new Promise<Ended>((resolve) =>
      child.on('close', (status) => resolve({ status, stdout, stderr })),
    );
    return { child, ended };
  };
  return { start, limbeck: (...args: string[]): Promise<Ended> => start(args).ended };
}

/** Builds `dist/` where a source has changed since; of several test files that ask at once, one does it. */
export async function buildWhereStale(): Promise<void> {
  const { buildTypescript } = await import(pathToFileURL(join(root, 'scripts/setup.mjs')).href);
  await buildTypescript();
}
