/**
 * `node bench/host.mjs`: what a run of a recorded program costs the host on the WebGPU engine. Dawn's null backend computes
 * nothing, so all that is left is encoding and submitting; no driver is needed.
 */
import { parseArgs } from 'node:util';
import { loadWithTensors } from '../dist/engine/load.js';
import { openDawnDevice } from '../dist/engine/webgpu/dawn.js';
import { createNetwork } from '../dist/networks/index.js';
import { recordMetaGradient } from '../dist/train/meta-gradient.js';
import { Owned } from '../dist/util/owned.js';
import { describeMachine } from './suite/machine.mjs';
import { median } from './suite/statistics.mjs';

const { values } = parseArgs({ options: { trials: { type: 'string', default: '30' } } });
const trials = Number(values.trials);

const network = createNetwork({ name: 'lenet', inputShape: [1, 28, 28], classes: 10 });
const program = (steps, epochs, members) =>
  recordMetaGradient({ network, members, n: 10, B: 1024, steps, epochs });
const programs = { 'LeNet 1 x 3': program(1, 3, 1), 'LeNet 10 x 3, 4 networks': program(10, 3, 4) };

/** Wall and processor time of `work`, in microseconds. */
async function timed(work) {
  const processor = process.cpuUsage();
  const wall = performance.now();
  await work();
  const { user, system } = process.cpuUsage(processor);
  return { wall: (performance.now() - wall) * 1000, processor: user + system };
}

/** The same calls with one pipeline and one set of bindings: what WebGPU in Node costs at least. */
function bare({ raw }) {
  const code =
    '@group(0) @binding(0) var<storage, read_write> a: array<f32>; @compute @workgroup_size(1) fn f() { a[0] = 1; }';
  const compute = { module: raw.createShaderModule({ code }) };
  const pipeline = raw.createComputePipeline({ layout: 'auto', compute });
  const buffer = raw.createBuffer({ size: 4, usage: 0x80 });
  const entries = [{ binding: 0, resource: { buffer } }];
  const group = raw.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  return async (dispatches) => {
    const encoder = raw.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < dispatches; i++) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(1, 1);
    }
    pass.end();
    raw.queue.submit([encoder.finish()]);
    await raw.queue.onSubmittedWorkDone();
  };
}

console.log(`${describeMachine()}\n`);
console.log('| program | dispatches | pipelines | load, ms | wall | processor | processor, bare calls |');
console.log('| --- | --- | --- | --- | --- | --- | --- |');
for (const [name, recorded] of Object.entries(programs)) {
  const device = await openDawnDevice({ backend: 'null' });
  const dispatches = recorded.steps.length;
  let executable;
  const load = await timed(async () => {
    ({ executable } = await loadWithTensors(device, recorded, new Owned()));
  });
  const floor = bare(device);
  const columns = { wall: [], processor: [], bare: [] };
  // In turns, so that what else the machine does meets both; the first few warm up.
  for (let trial = -5; trial < trials; trial++) {
    const own = await timed(() => executable.run());
    const least = await timed(() => floor(dispatches));
    if (trial < 0) continue;
    columns.wall.push(own.wall / dispatches);
    columns.processor.push(own.processor / dispatches);
    columns.bare.push(least.processor / dispatches);
  }
  const cell = (list) => `${median(list).toFixed(2)} (${Math.min(...list).toFixed(2)})`;
  const { wall, processor, bare: least } = columns;
  console.log(
    `| ${name} | ${dispatches} | ${device.pipelines.size} | ${(load.wall / 1000).toFixed(0)} | ${cell(wall)} | ${cell(processor)} | ${cell(least)} |`,
  );
  await device.dispose();
}
console.log(`\nMicroseconds a dispatch: median (least) of ${trials} runs.`);
