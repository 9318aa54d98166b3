/** Running the steps of the set-up: one line per step, the whole output only when a step fails. */
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** Something the person at the keyboard has to do; the message says what. */
export class SetupError extends Error {
  constructor(message, status = 2) {
    super(message);
    this.status = status;
  }
}

/** Runs a command to its end and gives back its status and everything it printed. Never throws. `onText`: what it prints, as it does. */
export function capture(command, args, { env = process.env, cwd = root, timeout, onText } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, timeout, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
      output += text;
      onText?.(text);
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    child.on('error', (error) => resolve({ status: 127, stdout, output: `${output}${error.message}\n` }));
    child.on('close', (status, signal) => {
      const ending = signal ? `ended by ${signal}\n` : '';
      resolve({ status: status ?? 1, stdout, output: output + ending });
    });
  });
}

/**
 * Runs a command as a step with a name; gives back whether it succeeded, and shows its output if it did not. With
 * `quiet` the step is one of several ways, and its failure is no news.
 */
export async function attempt(name, command, args, options = {}) {
  const start = performance.now();
  process.stdout.write(`${name} ... `);
  const onText = process.stdout.isTTY ? (text) => showShare(name, text) : undefined;
  const { status, output } = await capture(command, args, { onText, ...options });
  if (onText) process.stdout.write(`\r${name} ... `);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const log = join(root, 'build/logs', `${name.replace(/[^\w.-]+/g, '-')}.log`);
  mkdirSync(dirname(log), { recursive: true });
  writeFileSync(log, `$ ${[command, ...args].join(' ')}\n${output}`);
  if (status === 0) {
    process.stdout.write(`${seconds} s\n`);
    return true;
  }
  process.stdout.write(options.quiet ? 'no\n' : `failed after ${seconds} s (status ${status})\n`);
  if (!options.quiet) process.stdout.write(`${output.trimEnd()}\n(kept in ${relative(root, log)})\n`);
  return false;
}

/** On a terminal: how far make or ninja says that it is, behind the name of the step. */
function showShare(name, text) {
  const [, percent, done, all] = text.match(/^\[(?: *(\d+)%|(\d+)\/(\d+))\]/m) ?? [];
  const share = percent ?? (all && Math.floor((100 * done) / all));
  if (share !== undefined) process.stdout.write(`\r${name} ... ${share} %`);
}

/** A step without which nothing goes on. */
export async function step(name, command, args, options) {
  if (!(await attempt(name, command, args, options))) throw new SetupError(`${name} failed`, 1);
}

/** The command line of npm, also where `npm` itself is a script that cannot be spawned. */
export function npm(...args) {
  const script = process.env.npm_execpath;
  return script?.endsWith('.js') ? [process.execPath, [script, ...args]] : ['npm', args];
}

/** Where a program is on the PATH, or undefined. */
export function onPath(program) {
  const suffixes = process.platform === 'win32' ? ['.exe', '.cmd'] : [''];
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const suffix of suffixes) {
      const file = join(folder, program + suffix);
      try {
        accessSync(file, constants.X_OK);
        if (statSync(file).isFile()) return file;
      } catch {
        // not here
      }
    }
  }
  return undefined;
}

/** Runs a main function; a SetupError becomes its message and its status. */
export async function main(run) {
  try {
    process.exitCode = await run();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`\n${error.message}`);
    process.exitCode = error.status;
  }
}
