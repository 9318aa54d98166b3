/**
 * `npm run test:endurance`: the long jobs, each a file in `test/endurance/`.
 *
 *     npm run test:endurance                                     all of them
 *     npm run test:endurance -- readers                          one
 *     npm run test:endurance -- readers --only npz,mat --count 5000 --from 100000 --seed 7     a part of it
 *
 * What follows the names of jobs is theirs: `--only npz` reaches them as ENDURANCE_ONLY.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { main, root, SetupError } from './setup/run.mjs';
import { vitest } from './setup/vitest.mjs';
import { setUp } from './setup.mjs';

const ending = '.test.ts';
const jobs = readdirSync(join(root, 'test/endurance'))
  .filter((name) => name.endsWith(ending))
  .map((name) => name.slice(0, -ending.length));
const options = ['only', 'count', 'from', 'seed'];

await main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: Object.fromEntries(options.map((name) => [name, { type: 'string' }])),
  });
  const unknown = positionals.filter((name) => !jobs.includes(name));
  if (unknown.length)
    throw new SetupError(`there is no job ${unknown.join(', ')}; there are: ${jobs.join(', ')}`);
  await setUp();
  const environment = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`ENDURANCE_${name.toUpperCase()}`, value]),
  );
  const chosen = positionals.length ? positionals : jobs;
  return vitest(
    ['--config', 'vitest.endurance.config.ts', ...chosen.map((name) => `test/endurance/${name}${ending}`)],
    environment,
  );
});
