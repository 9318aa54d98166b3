/**
 * What limbeck costs the process it runs in, on the built package:
 *
 *     node bench/embedding.mjs [--engines cpu,webgpu] [--cycles 1000] [--seconds 20] [--batch 1024]
 *
 * The delay of the event loop while a run is going, beside that of an idle process; and resident memory over many cycles of
 * open, run and dispose. Prints one line of JSON per measurement.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { distill, generateDigits, metaGradient, openDevice } from '../dist/index.js';
import { readArguments } from './suite/arguments.mjs';

const { flags } = readArguments('node bench/embedding.mjs [options]', {
  engines: { value: 'A,B', default: 'cpu', help: 'of cpu, webgpu, reference' },
  cycles: { value: 'N', least: 1, default: 1000, help: 'of open, run and dispose' },
  seconds: { value: 'S', least: 1, default: 20, help: 'for which the event loop is watched' },
  batch: { value: 'N', least: 1, default: 1024, help: 'real images of a step' },
});
const milliseconds = 1000 * flags.seconds;
const print = (result) => console.log(JSON.stringify(result));

/** How late timers are while `work` goes on; the function it is given ends one stretch, of which it returns the percentiles. */
async function watchLoop(work) {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  const lap = () => {
    const [p50, p99, max] = [histogram.percentile(50), histogram.percentile(99), histogram.max];
    histogram.reset();
    return Object.fromEntries(
      Object.entries({ p50, p99, max }).map(([name, value]) => [name, Number((value / 1e6).toFixed(2))]),
    );
  };
  histogram.enable();
  // The first delay that counts is that of its second tick.
  await setTimeout(10);
  await work(lap);
  histogram.disable();
}

/** Recording and planning a program happen on the main thread, once, before the first step: a stretch of their own. */
async function delayWhileRunning(engine, network) {
  const device = await openDevice(engine);
  const data = generateDigits({ train: 2000, validation: 200, test: 200 });
  const controller = new AbortController();
  // More outer steps than there is time for; a table of their rates is made beforehand.
  const options = { network, iterations: 20_000, validateEvery: 100, batch: flags.batch };
  await watchLoop(async (lap) => {
    let preparing;
    const onProgress = () => {
      if (preparing) return;
      preparing = lap();
      globalThis.setTimeout(() => controller.abort(), milliseconds);
    };
    const { outerSteps } = await distill(device, data, options, { signal: controller.signal, onProgress });
    const running = lap();
    print({
      what: 'event loop delay, ms',
      engine: device.description,
      network,
      outerSteps,
      running,
      preparing,
    });
  });
  await device.dispose();
}

const network = { name: 'mlp', inputShape: [1, 8, 8], classes: 10, width: 32 };
const random = (count) => Float32Array.from({ length: count }, (_, i) => Math.sin(i * i));

/** A device, a meta-gradient, and everything given back. */
async function cycle(engine) {
  const device = await openDevice(engine, engine === 'cpu' ? { threads: 2 } : {});
  await metaGradient(device, {
    network,
    parameters: random(64 * 32 + 32 + 32 * 32 + 32 + 32 * 10 + 10),
    images: random(10 * 64),
    labels: Float32Array.from({ length: 100 }, (_, i) => (i % 11 === 0 ? 1 : 0)),
    learningRates: [0.1],
    steps: 1,
    epochs: 2,
    realImages: random(20 * 64),
    realLabels: Float32Array.from({ length: 200 }, (_, i) => (i % 11 === 0 ? 1 : 0)),
  });
  await device.dispose();
  const { tensors, executables, bytes } = device.memory();
  if (tensors || executables || bytes) throw new Error(`${engine}: ${bytes} bytes are left after dispose`);
}

async function memoryOverCycles(engine) {
  const { cycles } = flags;
  const mebibytes = [];
  for (let i = 0; i <= cycles; i++) {
    if (i % Math.ceil(cycles / 10) === 0) {
      globalThis.gc?.();
      mebibytes.push(Number((process.memoryUsage.rss() / 2 ** 20).toFixed(1)));
    }
    if (i < cycles) await cycle(engine);
  }
  print({ what: 'resident memory, MiB, at every tenth', engine, cycles, mebibytes });
}

await watchLoop(async (lap) => {
  await setTimeout(milliseconds / 4);
  print({ what: 'event loop delay, ms', engine: 'idle', running: lap() });
});
for (const engine of flags.engines.split(',')) {
  for (const name of ['lenet', 'convnet:width=32']) await delayWhileRunning(engine, name);
  await memoryOverCycles(engine);
}
