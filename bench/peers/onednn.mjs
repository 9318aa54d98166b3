import { compile } from '../suite/compile.mjs';
import { output } from '../suite/process.mjs';

let program;

/** oneDNN's own convolutions, compiled against the system's library when they are asked for. */
export const onednn = {
  name: 'oneDNN',

  /** Name and version; throws where it cannot be compiled. Comes before the first trial. */
  async version({ folder }) {
    program = await compile(new URL('onednn_conv.cc', import.meta.url), folder, '-ldnnl');
    return `oneDNN ${(await output(program, [])).trim()}`;
  },

  /** Milliseconds `{ direct, winograd }` of every convolution, null where there is none of the kind. */
  async convolutions(shapes, { threads, seconds }) {
    const env = { OMP_NUM_THREADS: threads };
    const text = await output(program, [seconds], { env, input: `${shapes.join('\n')}\n` });
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  },
};
