import { execFile } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';

export interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd: string;
  /** Instead of the PATH of this process. */
  readonly path?: string;
  /** Kills it and fails; default: none. */
  readonly timeout?: number;
}

/** Runs a command as a user would: what npm and vitest put into the environment of this process is left out. */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<Result> {
  const { cwd, path, timeout } = options;
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_|VITEST|NODE_ENV$|INIT_CWD$|VK_|LD_LIBRARY_PATH$)/.test(name),
    ),
  );
  if (path) env.PATH = path;
  try {
    return {
      status: 0,
      ...(await promisify(execFile)(command, args, { cwd, env, timeout, maxBuffer: 1 << 26 })),
    };
  } catch (error) {
    const {
      code,
      signal,
      stdout = '',
      stderr = '',
      message,
    } = error as Error & Partial<Result> & { code: unknown; signal?: string };
    const why = signal ? `${stderr}\nended by ${signal}` : stderr || message;
    return { status: typeof code === 'number' ? code : 1, stdout, stderr: why };
  }
}

/** Throws with everything a command said when it did not end well. */
export async function succeed(...given: Parameters<typeof run>): Promise<Result> {
  const result = await run(...given);
  if (result.status === 0) return result;
  throw new Error(`${given[0]} ${given[1].join(' ')}: ${result.status}\n${result.stdout}\n${result.stderr}`);
}

/** The one line of JSON that a command prints. */
export async function answer(...given: Parameters<typeof run>): Promise<unknown> {
  const { stdout } = await succeed(...given);
  const lines = stdout.trim().split('\n');
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0]);
}

/** npm's or npx's script, to be run with this Node. */
export function npmScript(name: 'npm' | 'npx'): string {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const npm = process.env.npm_execpath?.endsWith('npm-cli.js')
    ? process.env.npm_execpath
    : folders.map((path) => join(path, 'npm')).find((path) => existsSync(path));
  if (!npm) throw new Error('npm is not on the PATH');
  return join(dirname(realpathSync(npm)), `${name}-cli.js`);
}

/** Installs a tarball as a user does who wants no scripts, no optional packages and has no compiler. */
export function installTarball(tarball: string, cwd: string, path: string): Promise<Result> {
  const options = ['--ignore-scripts', '--omit=optional', '--prefer-offline', '--no-audit', '--no-fund'];
  const args = [npmScript('npm'), 'install', ...options, '--loglevel=error', tarball];
  return succeed(process.execPath, args, { cwd, path });
}
