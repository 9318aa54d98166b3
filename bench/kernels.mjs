/**
 * Times the kernels of an engine on the cases marked `bench` in src/engine/ops, after checking that the results are
 * right: a wrong kernel is not timed.
 *
 *     node bench/kernels.mjs [--device cpu] [--threads n] [--only conv2d]
 */
import { parseArgs } from 'node:util';
import { ops } from '../dist/engine/ops/index.gen.js';
import { Recorder } from '../dist/engine/program.js';
import { ReferenceDevice } from '../dist/engine/reference.js';
import { openDevice } from '../dist/index.js';
import { Stream } from '../dist/util/random.js';

const { values: flags } = parseArgs({
  options: {
    device: { type: 'string', default: 'cpu' },
    threads: { type: 'string' },
    only: { type: 'string', default: '' },
    repeats: { type: 'string', default: '15' },
  },
});

const device = await openDevice(flags.device, { threads: flags.threads ? Number(flags.threads) : undefined });
const reference = new ReferenceDevice();
console.log(`${device.description}\n`);
console.log('| case | median ms | min ms | GFLOP/s |\n| --- | --- | --- | --- |');

/** Loads a case on a device with the same numbers everywhere. */
async function load(target, program) {
  const tensors = {};
  for (const slot of program.slots) {
    if (!slot.external) continue;
    const stream = new Stream(7, slot.id);
    const values = Float32Array.from({ length: slot.length }, (_, i) => stream.normal(i));
    tensors[slot.name] = await target.tensor(
      slot.dtype,
      slot.length,
      slot.dtype === 'f32' ? values : undefined,
    );
  }
  return { tensors, executable: await target.load(program, tensors) };
}

async function resultsOf({ tensors, executable }, program) {
  await executable.run();
  const written = new Set();
  for (const step of program.steps)
    for (const [name, access] of Object.entries(step.kernel.operands))
      if (access === 'write' && step.operands[name].slot.external) written.add(step.operands[name].slot.name);
  return Promise.all([...written].map((name) => tensors[name].read()));
}

for (const op of Object.values(ops))
  for (const opCase of op.cases) {
    if (!opCase.bench || !opCase.name.includes(flags.only)) continue;
    const recorder = new Recorder(opCase.name);
    opCase.record(recorder);
    const program = recorder.program();
    const expected = await resultsOf(await load(reference, program), program);
    await reference.dispose();
    const loaded = await load(device, program);
    const actual = await resultsOf(loaded, program);
    for (const [i, want] of expected.entries()) {
      const norm = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
      const error = norm(want.map((value, j) => value - actual[i][j])) / norm(want);
      if (!(error <= 1e-5))
        throw new Error(`${opCase.name}: relative error ${error}: wrong results are not timed`);
    }
    const times = [];
    for (let repeat = 0; repeat < Number(flags.repeats); repeat++) {
      const start = performance.now();
      await loaded.executable.run();
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    const median = times[times.length >> 1];
    console.log(
      `| ${opCase.name} | ${median.toFixed(3)} | ${times[0].toFixed(3)} | ${(program.flops() / median / 1e6).toFixed(1)} |`,
    );
    loaded.executable.dispose();
    for (const tensor of Object.values(loaded.tensors)) tensor.dispose();
  }
await device.dispose();
