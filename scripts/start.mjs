/** `npm start`: sets everything up and distils the embedded digits; arguments after `--` go to `limbeck distill`. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { main, root } from './setup/run.mjs';
import { setUp } from './setup.mjs';

/** What every first look has. */
const always = { '--dataset': 'digits', '--out': freeFolder('runs/digits') };
/** Digits that can be seen, in a minute or two: not the whole length of a run that is after the last percent. */
const toSee = {
  '--method': 'dm',
  '--network': 'convnet:width=32',
  '--iterations': '200',
  '--networks': '5',
};

/** A run is never written over: the second one goes to `runs/digits-2`. */
function freeFolder(name) {
  for (let n = 1; ; n++) {
    const folder = n === 1 ? name : `${name}-${n}`;
    if (!existsSync(join(root, folder))) return folder;
  }
}

await main(async () => {
  await setUp();
  const given = process.argv.slice(2);
  const has = (option) => given.some((word) => word === option || word.startsWith(`${option}=`));
  // Whoever names a method or a network knows better what suits it.
  const defaults = has('--method') || has('--network') ? always : { ...always, ...toSee };
  const added = Object.entries(defaults).flatMap(([option, value]) => (has(option) ? [] : [option, value]));
  const child = spawn(process.execPath, [join(root, 'dist/cli/main.js'), 'distill', ...added, ...given], {
    cwd: root,
    stdio: 'inherit',
  });
  // Ctrl-C reaches the child by itself; what follows it is the child's to decide, so wait for its end.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const status = await new Promise((resolve) => child.on('close', (status) => resolve(status ?? 1)));
  if (status === 0 && !has('--out'))
    console.log(
      `Open ${join(always['--out'], 'report.html')} in a browser: the digits, and what networks learn from them.`,
    );
  return status;
});
