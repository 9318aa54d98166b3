/** Every reader on 100,000 files each: `readers.test.ts`, with what it is told in the environment. */
import { parseArgs } from 'node:util';
import { vitest } from '../../scripts/setup/vitest.mjs';
import { setUp } from '../../scripts/setup.mjs';

export const about =
  'damaged and made-up files for every reader: readers [--only npz,mat] [--count 100000] [--from 0] [--seed 22]';

export async function run(args) {
  const options = Object.fromEntries(
    ['only', 'count', 'from', 'seed'].map((name) => [name, { type: 'string' }]),
  );
  const given = Object.entries(parseArgs({ args, options }).values);
  const environment = Object.fromEntries(
    given.map(([name, value]) => [`ENDURANCE_${name.toUpperCase()}`, value]),
  );
  await setUp();
  const status = await vitest(['--config', 'vitest.endurance.config.ts'], environment);
  return { wrong: status === 0 ? [] : ['see above'] };
}
