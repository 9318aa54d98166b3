/**
 * `npm run test:endurance -- NAME [ARGUMENTS]`: a long job of `test/endurance/`, one file each, which exports what it is `about` and
 * `run(arguments, folder)`; the folder, `build/endurance/NAME`, is its own and stays. It returns what it counted, and in `wrong` what it
 * found. Without a name: the list. The status is 1 where something was found.
 */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { refuse } from '../bench/suite/arguments.mjs';
import { main, root } from './setup/run.mjs';
import { buildTypescript } from './setup.mjs';

const jobs = join(root, 'test/endurance');
const names = readdirSync(jobs)
  .filter((name) => name.endsWith('.mjs'))
  .map((name) => name.slice(0, -4));
const load = (name) => import(pathToFileURL(join(jobs, `${name}.mjs`)));

await main(async () => {
  const [name, ...rest] = process.argv.slice(2);
  if (name === undefined || name === '--help') {
    for (const each of names) console.log(`${each.padEnd(10)} ${(await load(each)).about}`);
    return 0;
  }
  if (!names.includes(name)) refuse(`there is no job ${name}, expected one of ${names.join(', ')}`);
  await buildTypescript();
  const folder = join(root, 'build/endurance', name);
  mkdirSync(folder, { recursive: true });
  const { wrong, ...counts } = await (await load(name)).run(rest, folder);
  console.log(JSON.stringify({ job: name, ...counts, wrong }));
  return wrong.length ? 1 : 0;
});
