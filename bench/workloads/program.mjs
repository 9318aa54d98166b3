import { loadWithTensors } from '../../dist/engine/load.js';
import { Owned } from '../../dist/util/owned.js';

/** A workload that is one program: `arrays` fill its inputs, `names` are its results. */
export async function prepareProgram(device, program, arrays, names) {
  const { tensors, executable } = await loadWithTensors(device, program, new Owned());
  for (const [name, { data }] of Object.entries(arrays)) await tensors[name]?.write(data);
  return {
    gflop: program.flops() / 1e9,
    step: () => executable.run(),
    async results() {
      const entries = names.map(async (name) => [name, await tensors[name].read()]);
      return Object.fromEntries(await Promise.all(entries));
    },
  };
}
