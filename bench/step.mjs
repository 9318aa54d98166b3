/**
 * Times one outer step of the main job: LeNet, ten images, 1 x 3 inner steps, batch of 1,024.
 *
 *     node bench/step.mjs [--device cpu] [--threads n] [--steps 1] [--epochs 3] [--batch 1024] [--population 1] [--optimizer sgd]
 */
import { parseArgs } from 'node:util';
import { SplitOnDevice } from '../dist/data/on-device.js';
import { outerLoopOptions, resolveOptions } from '../dist/eval/options.js';
import { generateDigits, openDevice } from '../dist/index.js';
import { OuterLoop } from '../dist/methods/outer-loop.js';

const number = (text, fallback) => ({ type: 'string', default: String(text ?? fallback) });
const { values: flags } = parseArgs({
  options: {
    device: { type: 'string', default: 'cpu' },
    threads: { type: 'string' },
    steps: number(1),
    epochs: number(3),
    batch: number(1024),
    population: number(1),
    repeats: number(60),
    optimizer: { type: 'string', default: 'sgd' },
  },
});

const device = await openDevice(flags.device, { threads: flags.threads ? Number(flags.threads) : undefined });
const dataset = generateDigits({ train: 2000, validation: 10, test: 10 });
const population = Number(flags.population);
const options = resolveOptions({
  steps: Number(flags.steps),
  epochs: Number(flags.epochs),
  batch: Number(flags.batch),
  population,
  init: population > 1 ? 'random' : 'fixed',
  iterations: 100_000,
  optimizer: flags.optimizer,
});
const split = await SplitOnDevice.upload(device, dataset, dataset.train);
const loop = await OuterLoop.create(device, outerLoopOptions(options, dataset), split);
const { program } = loop;
await loop.run(5);
const times = [];
for (let i = 0; i < Number(flags.repeats); i++) {
  const start = performance.now();
  await loop.run(1);
  times.push(performance.now() - start);
}
times.sort((a, b) => a - b);
const median = times[times.length >> 1];
const { temporary } = program.bytes();
console.log(
  `${device.description}: ${program.steps.length} ops, ${(program.flops() / 1e9).toFixed(2)} GFLOP, ${(temporary / 2 ** 20).toFixed(1)} MiB planned: ` +
    `median ${median.toFixed(2)} ms, min ${times[0].toFixed(2)} ms, ${(program.flops() / median / 1e6).toFixed(0)} GFLOP/s`,
);
loop.dispose();
split.dispose();
await device.dispose();
