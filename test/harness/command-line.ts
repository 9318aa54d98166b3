import { execFile, spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { files, root } from './repository.js';

const program = join(root, 'dist/cli/main.js');

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

/** Builds `dist/` unless it is as new as every source. */
export async function buildWhereStale(): Promise<void> {
  const fresh = files('src').every((path) => {
    const built = join(root, path.replace(/^src/, 'dist').replace(/\.ts$/, '.js'));
    return existsSync(built) && statSync(built).mtimeMs >= statSync(join(root, path)).mtimeMs;
  });
  if (fresh) return;
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  await promisify(execFile)(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root });
}
