import { SplitOnDevice } from '../data/on-device.js';
import type { Executable, StepTimes } from '../engine/device.js';
import { betterOf, profileOf } from '../engine/profile.js';
import { outerLoopOptions, type ResolvedOptions } from '../eval/options.js';
import { OuterLoop } from '../methods/outer-loop.js';
import { networkTitle } from '../networks/index.js';
import { count, counted, imageCount } from '../report/record.js';
import { LimbeckError } from '../util/errors.js';
import type { Command } from './command.js';
import { checkedOptions } from './distill.js';
import { listenForStop, stoppedStatus } from './interrupt.js';
import * as shared from './options.js';
import { profileText, type StepProfile, type Times } from './profile-table.js';
import { Terminal } from './progress.js';
import { checkEngine, dataSource, openData, openEngine, readingGiven } from './sources.js';

const warmUp = 3;
/** A step takes as long with any number of images to draw its batch from. */
const fewDigits = 2000;

const device: shared.Option = { ...shared.device, help: 'engine; only cpu times each step', fallback: 'cpu' };
const repeats: shared.Option = {
  name: 'repeats',
  kind: 'whole',
  least: 1,
  value: 'N',
  help: 'runs that are measured, as many again without timing the steps',
  fallback: '20',
};
const digitsSize: shared.Option = { ...shared.digitsSize, fallback: String(fewDigits) };
const all: shared.Option = { name: 'all', kind: 'switch', help: 'every row instead of the longest' };

export const command: Command = {
  name: 'profile',
  summary: 'where the time of an outer step goes; takes the options of distill',
  positionals: [],
  options: [
    repeats,
    all,
    shared.dataset,
    digitsSize,
    ...shared.readingOptions,
    ...shared.distillOptions,
    device,
    shared.threads,
    shared.json,
    shared.debug,
    shared.help,
  ],
  example: 'limbeck profile --network convnet --batch 256',

  async run({ values }) {
    const {
      device: choice = 'cpu',
      repeats = 20,
      dataset = 'digits',
      digitsSize = dataset === 'digits' ? fewDigits : undefined,
      threads,
    } = values as {
      device?: string;
      repeats?: number;
      dataset?: string;
      digitsSize?: number;
      threads?: number;
    };
    checkEngine(choice, threads);
    const given = checkedOptions(values, shared.flagOf);
    // Every run is an outer step of its own, and each needs its row in the table of rates.
    const options = { ...given, iterations: Math.max(given.iterations, warmUp + 2 * repeats) };
    const source = dataSource({ dataset, digitsSize, reading: readingGiven(values) });
    const { device, reason } = await openEngine(choice, threads);
    const terminal = new Terminal(Boolean(values.json));
    using stop = listenForStop(() => terminal.say('Stopping.'));
    try {
      if (!device.peak)
        throw new LimbeckError(
          'ERR_DEVICE',
          `the device is ${device.description}${reason ? ` (${reason})` : ''}, and only cpu times each step: leave out --device`,
        );
      const data = await openData(source, Boolean(values.json));
      const loopOptions = outerLoopOptions(options, data);
      terminal.say(`Measuring ${counted(repeats, 'run')} with every op timed, and as many without.`);
      const split = await SplitOnDevice.upload(device, data, data.train);
      const loop = await OuterLoop.create(device, loopOptions, split);
      const before = await device.peak();
      const { steps, ...times } = await measure(loop.executable, repeats, stop.signal);
      const peak = betterOf(before, await device.peak());
      const { bytes } = device.memory();
      const { external } = loop.program.bytes();
      const step: StepProfile = {
        engine: device.description,
        plan: planText(options, data.classes),
        peak,
        runs: repeats,
        memory: { external, temporary: bytes - external },
        ...times,
        ...profileOf(steps, peak),
      };
      terminal.clear();
      process.stdout.write(
        values.json ? `${JSON.stringify({ options, ...step })}\n` : profileText(step, Boolean(values.all)),
      );
      return 0;
    } catch (error) {
      if (stop.signal.aborted) return stoppedStatus;
      throw error;
    } finally {
      terminal.clear();
      await device.dispose();
    }
  },
};

/** `lenet, 10 distilled images, 1 step x 3 epochs of sgd, 1,024 real images` */
function planText(options: ResolvedOptions, classes: number): string {
  const { network, population, steps, epochs, optimizer, batch } = options;
  return [
    `${population > 1 ? `${count(population)} x ` : ''}${networkTitle(network)}`,
    counted(imageCount(options, classes), 'distilled image'),
    `${counted(steps, 'step')} x ${counted(epochs, 'epoch')} of ${optimizer}`,
    counted(batch, 'real image'),
  ].join(', ');
}

/**
 * Runs with and without timing the ops take turns, so that whatever else the machine does meets both alike. Each op counts
 * with its fastest run: others only ever add time.
 */
async function measure(
  executable: Executable,
  repeats: number,
  signal: AbortSignal,
): Promise<{ run: Times; timedRun: Times; steps: StepTimes }> {
  await executable.run({ times: warmUp, signal });
  const [run, timedRun]: number[][] = [[], []];
  const timed = async (work: () => Promise<unknown>, times: number[]) => {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  };
  let best: StepTimes | undefined;
  for (let i = 0; i < repeats; i++) {
    await timed(() => executable.run({ signal }), run);
    await timed(async () => {
      const times = await executable.profile!({ signal });
      const least = best?.nanoseconds ?? times.nanoseconds;
      best = { ...times, nanoseconds: Array.from(least, (time, i) => Math.min(time, times.nanoseconds[i])) };
    }, timedRun);
  }
  return { run: timesOf(run), timedRun: timesOf(timedRun), steps: best! };
}

function timesOf(milliseconds: number[]): Times {
  milliseconds.sort((a, b) => a - b);
  return { median: milliseconds[milliseconds.length >> 1], min: milliseconds[0] };
}
