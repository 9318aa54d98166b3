import { fileURLToPath } from 'node:url';
import { flagsOf, output, report } from '../suite/process.mjs';

/** The first of these that has PyTorch: a system's own Python may have it where the one on the path does not. */
const pythons = ['python3', '/usr/bin/python3'];
let python;
const script = fileURLToPath(new URL('torch_steps.py', import.meta.url));

/** PyTorch keeps its memory rather than giving it back and faulting it in again in every step. */
const keepMemory = {
  MALLOC_TRIM_THRESHOLD_: '8589934592',
  MALLOC_MMAP_THRESHOLD_: '8589934592',
  MALLOC_TOP_PAD_: '268435456',
};

/** Every way to set PyTorch up that is tried before the trials; the fastest is the one that is compared with. */
const settingsOf = (threads) =>
  [...new Set([1, threads])].flatMap((count) =>
    ['contiguous', 'channels_last'].flatMap((layout) =>
      ['default', 'kept'].map((memory) => ({ threads: count, layout, memory })),
    ),
  );

export const torch = {
  name: 'PyTorch',

  /** Name and version; throws where it is not installed. Comes before the first trial. */
  async version() {
    const line = 'import torch; print("PyTorch", torch.__version__, "CPU build")';
    const failures = [];
    for (const command of pythons)
      try {
        const version = await output(command, ['-c', line]);
        python = command;
        return version.trim();
      } catch (error) {
        failures.push(error.message);
      }
    throw new Error(failures[0]);
  },

  settings: ({ threads, quick }) => settingsOf(threads).slice(0, quick ? 1 : undefined),

  describe: ({ threads, layout, memory }) =>
    `${threads} thread${threads > 1 ? 's' : ''}, ${layout}, memory ${memory}`,

  trial({ inputs, results, seconds }, { threads, layout, memory }) {
    const args = [script, ...flagsOf({ inputs, results, seconds, threads, layout })];
    const env = { OMP_NUM_THREADS: threads, OPENBLAS_NUM_THREADS: threads };
    return report(python, args, { env: memory === 'kept' ? { ...env, ...keepMemory } : env });
  },
};
