import { fileURLToPath } from 'node:url';
import { flagsOf, report } from '../suite/process.mjs';
import { installed } from './install.mjs';

const script = fileURLToPath(new URL('jaxjs_steps.mjs', import.meta.url));

export const jaxjs = {
  name: 'jax-js',
  version: async () => `jax-js ${await installed('@jax-js/jax')}`,
  // Its cpu backend interprets, "only meant for debugging" in its own words.
  settings: () => [{ backend: 'wasm' }],
  describe: ({ backend }) => backend,
  trial: ({ inputs, results, seconds }, { backend }) =>
    report(process.execPath, ['--expose-gc', script, ...flagsOf({ inputs, results, seconds, backend })]),
};
