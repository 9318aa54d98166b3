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
  [...new Set([threads, 1])].flatMap((count) =>
    ['contiguous', 'channels_last'].flatMap((layout) =>
      ['default', 'kept'].map((memory) => ({ threads: count, layout, memory })),
    ),
  );

/** What `line` prints by the first Python that can run it, which trials then take. */
async function versionBy(line) {
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
}

export const torch = {
  name: 'PyTorch',

  /** Name and version; throws where it is not installed. Comes before the first trial. */
  version: () => versionBy('import torch; print("PyTorch", torch.__version__, "CPU build")'),

  settings: ({ threads, quick }) => settingsOf(threads).slice(0, quick ? 1 : undefined),

  describe: ({ threads, layout, memory }) =>
    `${threads} thread${threads > 1 ? 's' : ''}, ${layout}, memory ${memory}`,

  trial({ inputs, results, seconds, repeats, longest }, { threads, layout, memory }) {
    const args = [script, ...flagsOf({ inputs, results, seconds, repeats, threads, layout })];
    const env = { OMP_NUM_THREADS: threads, OPENBLAS_NUM_THREADS: threads };
    return report(python, args, {
      env: memory === 'kept' ? { ...env, ...keepMemory } : env,
      seconds: longest,
    });
  },
};

/** The device that PyTorch computes on; `version` finds it out. */
let gpu;

/** Compilation of a long unrolled step can take minutes; what takes longer than this is said to. */
const longestTrial = 240;

const modesOf = ({ population, networks = population }) => {
  const ways = gpu ? ['eager', 'graph', 'compile'] : ['eager', 'compile'];
  const together = ways.map((way) => (way === 'eager' ? 'vmap' : `vmap+${way}`));
  return networks > 1 ? [...ways, ...together] : ways;
};

/**
 * Every way in which PyTorch runs a step, each a row of its own: operation by operation, as a CUDA graph, by
 * torch.compile, over all networks by vmap; on a GPU in float32 and with TF32 matrix units.
 */
export const torchModes = {
  name: 'PyTorch',
  each: true,

  version: async () => {
    const where = 'torch.cuda.get_device_name() if torch.cuda.is_available() else "the processor"';
    const version = await versionBy(`import torch; print("PyTorch", torch.__version__, "on", ${where})`);
    gpu = !version.endsWith('the processor');
    return version;
  },

  settings: ({ threads, modes }, sizes) =>
    (gpu ? [false, true] : [false]).flatMap((tf32) =>
      modesOf(sizes)
        .filter((mode) => !modes || modes.includes(mode))
        .map((mode) => ({ mode, tf32, device: gpu ? 'cuda' : 'cpu', threads: gpu ? undefined : threads })),
    ),

  describe: ({ mode, tf32, device }) => `${device}, ${mode}${tf32 ? ', TF32' : ''}`,

  /** TF32 keeps ten bits of each factor, and many steps multiply that: its error is shown, not judged, as long as it is one. */
  tolerance: ({ tf32 }) => (tf32 ? 1 : undefined),

  trial({ inputs, results, seconds }, { tf32, ...settings }) {
    const args = [script, ...flagsOf({ inputs, results, seconds, ...settings }), ...(tf32 ? ['--tf32'] : [])];
    return report(python, args, { seconds: longestTrial });
  },
};
