import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from './run.mjs';

/** Runs vitest in the open; by another Node where one is named; a promise of its status. */
export function vitest(args, environment = {}, node = process.execPath) {
  const child = spawn(node, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  return new Promise((resolve) => child.on('close', (status) => resolve(status ?? 1)));
}
