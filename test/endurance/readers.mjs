/** Every reader on 100,000 files each: `readers.test.ts`, with what it is told in the environment. */
import { readArguments } from '../../bench/suite/arguments.mjs';
import { vitest } from '../../scripts/setup/vitest.mjs';
import { setUp } from '../../scripts/setup.mjs';

export const about =
  'damaged and made-up files for every reader: readers [--only npz,mat] [--count 100000] [--from 0] [--seed 22]';

export async function run(args) {
  const options = {
    only: { value: 'A,B', help: 'these readers alone' },
    count: { value: 'N', help: 'files a reader' },
    from: { value: 'N', help: 'the first of them' },
    seed: { value: 'N', help: 'of what is damaged' },
  };
  const { flags } = readArguments('npm run test:endurance -- readers [options]', options, { args });
  const environment = Object.fromEntries(
    Object.entries(flags)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [`ENDURANCE_${name.toUpperCase()}`, value]),
  );
  await setUp();
  const status = await vitest(['--config', 'vitest.endurance.config.ts'], environment);
  return { wrong: status === 0 ? [] : ['see above'] };
}
