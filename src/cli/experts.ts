import type { Precision } from '../engine/precision.js';
import { parseNetworkSpec } from '../networks/index.js';
import type { BegunExperts, ExpertProgress, TrainedExpert, TrainedExperts } from '../runs/experts/control.js';
import { type ExpertOptions, resolveExpertOptions } from '../runs/experts/options.js';
import { trainExperts } from '../runs/experts/train.js';
import { strategies } from '../train/augmentation.js';
import { LimbeckError } from '../util/errors.js';
import { bytesText, count, counted, duration, flopText } from '../util/words.js';
import type { Command } from './command.js';
import { listenForStop } from './interrupt.js';
import * as shared from './options.js';
import { Terminal } from './progress.js';
import { checkEngine, dataSource, openData, openEngine, readingGiven, refuseAmongData } from './sources.js';
import { text, trainingGiven, trainingOptions, whole } from './training-options.js';

export const command: Command = {
  name: 'experts',
  summary:
    'trains networks for trajectory matching, with a snapshot after every epoch; goes on where it was stopped',
  positionals: [],
  options: [
    shared.dataset,
    shared.digitsSize,
    ...shared.readingOptions,
    text('network', 'NAME', 'network to train, with its options: convnet:width=64', 'convnet'),
    whole('count', 1, 'experts that the folder shall hold', '20'),
    ...trainingOptions({
      ...{ epochs: '50', batch: '256', optimizer: 'sgd', lr: '0.01, 0.001 for adam and adamw' },
      ...{ weightDecay: '0', schedule: 'constant' },
    }),
    text(
      'augmentation',
      `${Object.keys(strategies).join('|')}|FAMILY_…|none`,
      'what is done to every training image',
      'dsa; dsa-digits, which mirrors nothing, for digits, mnist, usps and svhn',
    ),
    {
      name: 'flat',
      kind: 'number',
      value: 'X',
      help: 'take each gradient so far uphill: sharpness-aware training, for flat minima; twice the work',
      fallback: '0',
    },
    {
      name: 'gap',
      kind: 'number',
      value: 'X',
      help: 'with --flat: take away so much of the part of the gradient that is across the one uphill (GSAM)',
      fallback: '0',
    },
    {
      name: 'mean',
      kind: 'switch',
      help: 'keep the mean of the parameters over each epoch, not those after its last step',
    },
    whole(
      'population',
      1,
      'experts trained at once; on cpu their bits do not depend on it',
      'what fits into memory, at most 10',
    ),
    { group: 'Output', name: 'out', kind: 'text', value: 'DIR', help: 'folder for the experts; needed' },
    shared.device,
    shared.threads,
    shared.precision,
    shared.json,
    shared.debug,
    shared.help,
  ],
  example: 'limbeck experts --dataset data/cifar10 --zca --out runs/experts',

  async run({ values }) {
    const {
      dataset,
      digitsSize,
      device: choice = 'auto',
      network,
      out,
      threads,
      precision,
    } = values as {
      dataset?: string;
      digitsSize?: number;
      device?: string;
      network?: string;
      out?: string;
      threads?: number;
      precision?: Precision;
    };
    const { count, augmentation, flat, gap, mean, population } = values as ExpertOptions;
    if (out === undefined)
      throw new LimbeckError(
        'ERR_OPTION',
        'experts needs a folder to write into: limbeck experts --out runs/experts',
      );
    const given: ExpertOptions = {
      ...trainingGiven(values, { kind: 'sgd' }),
      ...{
        count,
        augmentation,
        flat,
        gap,
        mean,
        population,
        network: parseNetworkSpec(network ?? 'convnet'),
      },
    };
    checkEngine(choice, { threads, precision });
    resolveExpertOptions('', given);
    const json = Boolean(values.json);
    const source = dataSource({ dataset, digitsSize, reading: readingGiven(values) });
    refuseAmongData(out, source);
    const data = await openData(source, json);
    const { device, reason } = await openEngine(choice, { threads, precision });
    const terminal = new Terminal(json);
    using stop = listenForStop(() =>
      terminal.say('Stopping after this epoch; once more to quit at once, which loses what is done of it.'),
    );
    try {
      terminal.say(`Engine: ${device.description}${reason ? `: ${reason}` : ''}`);
      const result = await trainExperts(device, data, out, given, {
        signal: stop.signal,
        onBegin: (begun) => announce(terminal, begun),
        onTrained: (event) => terminal.say(trainedText(event)),
        onProgress: (event) => terminal.working(event.steps, event.allSteps, () => progressText(event)),
      });
      terminal.clear();
      conclude(terminal, result, json);
      return result.stopped ? stop.status : 0;
    } finally {
      terminal.clear();
      await device.dispose();
    }
  },
};

/** `experts 3 to 5` */
const numbers = (first: number, members: number): string =>
  members === 1 ? `expert ${first}` : `experts ${first} to ${first + members - 1}`;

function announce(terminal: Terminal, begun: BegunExperts): void {
  const { dataset, protocol, finished, population, earlierProcessors } = begun;
  terminal.say(`Data: ${dataset.name}`);
  terminal.say(`Plan: ${counted(begun.count, 'expert')}, ${protocol}; ${population} at once`);
  if (finished === begun.count) return;
  terminal.say(
    `Needs: ${bytesText(begun.bytesOnDisk)} on disk (${bytesText(begun.bytesFree)} are free), ${bytesText(begun.bytesOnDevice)} on the ` +
      `device, ${flopText(begun.flops)}, about ${duration(begun.seconds)} (${(begun.seconds / 3600).toFixed(1)} hours)`,
  );
  if (earlierProcessors.length)
    terminal.say(
      `Warning: some of these experts were begun on ${earlierProcessors.join(', ')}; their bits will not be those of an uninterrupted training.`,
    );
  if (finished)
    terminal.say(`${counted(finished, 'expert')} of them ${finished === 1 ? 'is' : 'are'} there already.`);
  for (const { expert, epoch } of begun.begun) terminal.say(`Expert ${expert} goes on after epoch ${epoch}.`);
}

function progressText({ expert, members, count: all, epoch, epochs, secondsLeft }: ExpertProgress): string {
  return `${numbers(expert, members)} of ${count(all)}  epoch ${epoch + 1}/${epochs}  ${duration(secondsLeft)} left`;
}

const trainedText = ({ expert, validationAccuracy }: TrainedExpert): string =>
  `Expert ${expert} is trained${validationAccuracy === undefined ? '' : `, validation accuracy ${validationAccuracy.toFixed(1)} %`}.`;

function conclude(terminal: Terminal, result: TrainedExperts, json: boolean): void {
  const { folder, finished, stopped, seconds, protocol } = result;
  if (json) {
    const { epochs } = result.training;
    process.stdout.write(`${JSON.stringify({ folder, protocol, finished, epochs, stopped, seconds })}\n`);
    return;
  }
  terminal.say(`${counted(finished, 'expert')} in ${folder}, ${duration(seconds)}.`);
  if (stopped) terminal.say('Stopped before the end. To go on, give the same command again.');
}
