import { fileURLToPath } from 'node:url';
import { flagsOf, report } from '../suite/process.mjs';
import { installed } from './install.mjs';

const script = fileURLToPath(new URL('tfjs_steps.mjs', import.meta.url));

export const tfjs = {
  name: 'tfjs',
  version: async () => `tfjs ${await installed('@tensorflow/tfjs')}`,
  // Its cpu backend is an order of magnitude slower.
  settings: () => [{ backend: 'wasm' }],
  describe: ({ backend }) => `${backend}, convolution by im2col`,
  trial: ({ inputs, results, seconds }, { backend }) =>
    report(process.execPath, ['--expose-gc', script, ...flagsOf({ inputs, results, seconds, backend })]),
};
