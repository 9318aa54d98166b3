/** `npm start`: sets everything up and distils the embedded digits; arguments after `--` go to `limbeck distill`. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { main, root } from './setup/run.mjs';
import { setUp } from './setup.mjs';

const defaults = { '--dataset': 'digits', '--out': 'runs/digits' };

await main(async () => {
  await setUp();
  const given = process.argv.slice(2);
  const has = (option) => given.some((word) => word === option || word.startsWith(`${option}=`));
  const added = Object.entries(defaults).flatMap(([option, value]) => (has(option) ? [] : [option, value]));
  const child = spawn(process.execPath, [join(root, 'dist/cli/main.js'), 'distill', ...added, ...given], {
    cwd: root,
    stdio: 'inherit',
  });
  // Ctrl-C reaches the child by itself; what follows it is the child's to decide, so wait for its end.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve) => child.on('close', (status) => resolve(status ?? 1)));
});
