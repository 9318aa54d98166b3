/**
 * `node bench/host.mjs`: what a run of a recorded program costs the host on the WebGPU engine. Dawn's null backend computes
 * nothing, so all that is left is encoding and submitting; no driver is needed. `--toggle NAME` turns one of Dawn's toggles on.
 */
import { create } from 'webgpu';
import { loadWithTensors } from '../dist/engine/load.js';
import { openWebgpuDevice } from '../dist/engine/webgpu/device.js';
import { createNetwork } from '../dist/networks/index.js';
import { recordMetaGradient } from '../dist/train/calls/meta-gradient.js';
import { Owned } from '../dist/util/owned.js';
import { readArguments } from './suite/arguments.mjs';
import { describeMachine } from './suite/machine.mjs';
import { median } from './suite/statistics.mjs';

const { flags } = readArguments('node bench/host.mjs [options]', {
  trials: { value: 'N', least: 1, default: 30, help: 'of each measurement' },
  toggle: { value: 'A,B', default: '', help: "Dawn's toggles that are turned on" },
});
const { trials } = flags;

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

const counted = ['setPipeline', 'setBindGroup', 'dispatchWorkgroups'];

/** The calls of a compute pass that a run makes, in their order: name and arguments. */
async function callsOf({ raw }, action) {
  const calls = [];
  const prototype = Object.getPrototypeOf(raw.createCommandEncoder().beginComputePass());
  const originals = counted.map((name) => prototype[name]);
  counted.forEach((name, i) => {
    prototype[name] = function (...values) {
      calls.push({ name, values });
      return originals[i].apply(this, values);
    };
  });
  await action();
  counted.forEach((name, i) => {
    prototype[name] = originals[i];
  });
  return calls;
}

/** A pass of one kind of a run's calls alone. */
function only({ raw }, calls, kind) {
  const values = calls.filter(({ name }) => name === kind).map((call) => call.values);
  return pass(raw, (encoder) => {
    if (kind === 'setPipeline') for (const [pipeline] of values) encoder.setPipeline(pipeline);
    else for (const [index, group] of values) encoder.setBindGroup(index, group);
  });
}

function pass(raw, encode) {
  return async () => {
    const encoder = raw.createCommandEncoder();
    const encoded = encoder.beginComputePass();
    encode(encoded);
    encoded.end();
    raw.queue.submit([encoder.finish()]);
    await raw.queue.onSubmittedWorkDone();
  };
}

/** The same calls with one pipeline and one set of bindings: what WebGPU in Node costs at least. */
function bare({ raw }, dispatches) {
  const code =
    '@group(0) @binding(0) var<storage, read_write> a: array<f32>; @compute @workgroup_size(1) fn f() { a[0] = 1; }';
  const compute = { module: raw.createShaderModule({ code }) };
  const pipeline = raw.createComputePipeline({ layout: 'auto', compute });
  const buffer = raw.createBuffer({ size: 4, usage: 0x80 });
  const entries = [{ binding: 0, resource: { buffer } }];
  const group = raw.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  return pass(raw, (encoder) => {
    for (let i = 0; i < dispatches; i++) {
      encoder.setPipeline(pipeline);
      encoder.setBindGroup(0, group);
      encoder.dispatchWorkgroups(1, 1);
    }
  });
}

console.log(`${describeMachine()}\n`);
console.log(
  '| program | dispatches | pipelines | load, ms | run | setPipeline | setBindGroup | the three calls, bare |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
for (const [name, recorded] of Object.entries(programs)) {
  const toggles = flags.toggle ? [`enable-dawn-features=${flags.toggle}`] : [];
  const device = await openWebgpuDevice(create(['backend=null', ...toggles]));
  let executable;
  const load = await timed(async () => {
    ({ executable } = await loadWithTensors(device, recorded, new Owned()));
  });
  const calls = await callsOf(device, () => executable.run());
  const dispatches = calls.filter((call) => call.name === 'dispatchWorkgroups').length;
  const kinds = [
    () => executable.run(),
    only(device, calls, 'setPipeline'),
    only(device, calls, 'setBindGroup'),
    bare(device, dispatches),
  ];
  const columns = kinds.map(() => []);
  // In turns, so that what else the machine does meets all; the first few warm up.
  for (let trial = -5; trial < trials; trial++)
    for (const [i, work] of kinds.entries()) {
      const { processor } = await timed(work);
      if (trial >= 0) columns[i].push(processor / dispatches);
    }
  const cells = columns.map((list) => `${median(list).toFixed(2)} (${Math.min(...list).toFixed(2)})`);
  const loaded = (load.wall / 1000).toFixed(0);
  console.log(`| ${name} | ${dispatches} | ${device.pipelines.size} | ${loaded} | ${cells.join(' | ')} |`);
  await device.dispose();
}
console.log(`\nMicroseconds of processor time a dispatch: median (least) of ${trials} runs.`);
