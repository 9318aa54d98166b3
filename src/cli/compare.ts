import { join } from 'node:path';
import type { CompareOptions } from '../analysis/compare/options.js';
import type { Compared } from '../analysis/compare/record.js';
import { type Row, rowsOf } from '../analysis/compare/rows.js';
import type { Precision } from '../engine/precision.js';
import { baselineNames, softBaselines } from '../eval/baselines/index.js';
import type { DistillOptions } from '../methods/index.js';
import { parseNetworkSpec } from '../networks/spec.js';
import { compareMethods } from '../report/compare-folder.js';
import { findMethod } from '../runs/options.js';
import { LimbeckError } from '../util/errors.js';
import { count, duration, printable } from '../util/words.js';
import { parseArguments } from './arguments.js';
import { protocolOptions } from './artefact.js';
import { secondsOf } from './budget.js';
import type { Command } from './command.js';
import { checkedOptions } from './distill.js';
import { listenForStop } from './interrupt.js';
import * as shared from './options.js';
import { Terminal } from './progress.js';
import {
  checkEngine,
  dataSource,
  openData,
  openEngine,
  placeOf,
  readingGiven,
  refuseAmongData,
} from './sources.js';
import { aligned } from './table.js';

const compared: readonly shared.Option[] = [
  {
    name: 'methods',
    kind: 'text',
    value: 'NAME,…',
    help: 'methods, each with options of its own where it needs some: dm,dc:iterations=100,mtt:experts=DIR',
  },
  { name: 'ipc', kind: 'numbers', value: 'N,…', help: 'images per class: 1,10', fallback: '1' },
  {
    name: 'network',
    kind: 'text',
    value: 'NAME',
    help: 'what the sets are made for and scored with',
    fallback: 'convnet',
  },
  {
    name: 'seeds',
    kind: 'whole',
    least: 1,
    value: 'N',
    help: 'runs of each method, --seed and those after it',
    fallback: '1',
  },
  { name: 'seed', kind: 'whole', value: 'N', help: 'the first seed', fallback: '0' },
  {
    name: 'budget',
    kind: 'text',
    value: 'TIME',
    help: 'for distilling, shared among the runs that are not finished: 90s, 20m, 2h',
    fallback: 'as long as they take',
  },
].map((option) => ({ ...option, group: 'What is compared' }) as shared.Option);

const scored: readonly shared.Option[] = [
  {
    ...protocolOptions[0],
    help: 'how networks are trained on every set; one of training in minibatches',
    fallback: 'dc',
  },
  {
    ...protocolOptions[1],
    help: 'scores every set with this augmentation, too',
    fallback: 'only as the protocol says',
  },
  {
    name: 'networks',
    kind: 'whole',
    least: 1,
    value: 'N',
    help: 'networks for each set',
    fallback: 'as the protocol says; fewer on fewer than 10,000 training images',
  },
  {
    name: 'networksOf',
    kind: 'text',
    value: 'NAME,…',
    help: 'other architectures to train as well: lenet,mlp:width=64',
  },
  {
    name: 'baselines',
    kind: 'text',
    value: 'NAME,…',
    help: `what stands beside, of ${[...baselineNames, ...softBaselines].join(', ')}`,
    fallback: 'all',
  },
  {
    name: 'teacher',
    kind: 'text',
    value: 'DIR',
    help: 'a network trained on the data, as limbeck train --out leaves it: for methods that need one, and for random images with its labels',
  },
  {
    name: 'fullEpochs',
    kind: 'whole',
    value: 'N',
    help: 'epochs on all training images, to measure the sets against; 0 for none',
    fallback: '3, more on small splits',
  },
].map((option) => ({ ...option, group: 'How it is scored' }) as shared.Option);

export const command: Command = {
  name: 'compare',
  summary:
    'methods side by side on one data set, with fair baselines, on one page; the same command goes on where it was stopped',
  positionals: [],
  options: [
    ...compared,
    ...scored,
    shared.dataset,
    shared.digitsSize,
    ...shared.readingOptions,
    shared.device,
    shared.threads,
    shared.precision,
    { ...shared.out, fallback: 'runs/compare-<dataset>' },
    shared.json,
    shared.debug,
    shared.help,
  ],
  example: 'limbeck compare --methods dm,unrolled --dataset digits --ipc 1 --networks 3 --budget 2m',

  async run({ values }) {
    const {
      device: choice = 'auto',
      threads,
      precision,
    } = values as {
      device?: string;
      threads?: number;
      precision?: Precision;
    };
    checkEngine(choice, { threads, precision });
    const options = optionsOf(values);
    const { dataset, digitsSize } = values as { dataset?: string; digitsSize?: number };
    const source = dataSource({ dataset, digitsSize, reading: readingGiven(values) });
    const json = Boolean(values.json);
    const { out } = values as { out?: string };
    refuseAmongData(out ?? 'runs', source);
    const data = await openData(source, json);
    const folder = out ?? join('runs', `compare-${data.name}`);
    const { device, reason } = await openEngine(choice, { threads, precision });
    const terminal = new Terminal(json);
    using stop = listenForStop(() => terminal.say('Stopping after this piece; the same command goes on.'));
    try {
      terminal.say(`Engine: ${device.description}${reason ? `: ${reason}` : ''}`);
      const result = await compareMethods(device, data, folder, options, {
        signal: stop.signal,
        origin: {
          ...source,
          dataset: placeOf(source),
          device: choice,
          threads,
          precision,
        },
        onProgress: ({ stage, done, total, step }) =>
          terminal.passing(
            `${done + 1}/${total} ${stage}${step ? `, step ${count(step.iteration)} of ${count(step.iterations)}` : ''}`,
          ),
      });
      terminal.clear();
      if (json) process.stdout.write(`${JSON.stringify({ ...result, rows: rowsOf(result).map(bare) })}\n`);
      else {
        process.stdout.write(printable(`${result.protocol}\n${comparisonTable(result)}\n`));
        for (const file of ['compare.html', 'compare.json']) terminal.say(`Wrote ${join(folder, file)}`);
      }
      return 0;
    } catch (error) {
      if (stop.signal.aborted && error === stop.signal.reason) return stop.status;
      throw error;
    } finally {
      terminal.clear();
      await device.dispose();
    }
  },
};

/** The runs of a row stand in the record already. */
const bare = ({ runs: _, ...row }: Row) => row;

function optionsOf(values: Readonly<Record<string, unknown>>): CompareOptions {
  const { methods, budget, networksOf, baselines, teacher, ...rest } = values as Record<
    string,
    string | undefined
  >;
  if (methods === undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      'compare needs methods: limbeck compare --methods dm,unrolled --dataset digits',
    );
  const { network, ipc, seeds, seed, protocol, augmentation, networks, fullEpochs } = rest;
  return {
    ...({
      network,
      ipc,
      seeds,
      seed,
      protocol,
      augmentation,
      networks,
      fullEpochs,
    } as Partial<CompareOptions>),
    methods: methods.split(',').map(methodOf),
    architectures: networksOf?.split(',').map(parseNetworkSpec),
    teacher,
    baselines: baselines === 'all' ? undefined : baselines?.split(','),
    seconds: budget === undefined ? undefined : secondsOf(budget),
  };
}

/** `dm:iterations=500`: a method with options, as the command line of `distill` takes them. */
function methodOf(text: string): DistillOptions {
  const [name, ...pieces] = text.split(':');
  const method = findMethod(name).name;
  const known = shared.distillOptions.filter(
    (option) => option.method === undefined || option.method === method,
  );
  const flags = pieces.flatMap((piece) => {
    const at = piece.indexOf('=');
    return at < 0 ? [shared.flagOf(piece)] : [shared.flagOf(piece.slice(0, at)), piece.slice(at + 1)];
  });
  const { values } = parseArguments('compare', flags, known, []);
  return checkedOptions({ ...values, method }, (option) => `--methods ${text}: ${option}`);
}

/** For a terminal: the best first, by images per class. */
function comparisonTable(result: Compared): string {
  const points = (value?: number) => (value === undefined ? '–' : value.toFixed(1));
  const rows = rowsOf(result).map((row) => [
    String(row.ipc),
    row.title,
    `${row.accuracy.mean.toFixed(1)} ± ${row.accuracy.std.toFixed(1)} %`,
    row.own ? `${row.own.mean.toFixed(1)} %` : '–',
    ...[row.randomTeacher, row.noDistillation].map((one) => (one ? `${one.mean.toFixed(1)} %` : '–')),
    points(row.hlr),
    points(row.ior),
    row.lrs === undefined ? '–' : row.lrs.toFixed(3),
    row.seconds === undefined ? '–' : duration(row.seconds),
  ]);
  const head = [
    'per class',
    'trained on',
    'test accuracy',
    'its own way',
    'random + teacher',
    'no distillation',
    'HLR',
    'IOR',
    'LRS',
    'time',
  ];
  const notes = [
    ...(result.full ? [`All training images: ${result.full.accuracy.mean.toFixed(1)} %.`] : []),
    ...(result.cut.length ? [`Cut beside published settings: ${result.cut.join('; ')}.`] : []),
  ];
  return [aligned([head, ...rows], [0, 2, 3, 4, 5, 6, 7, 8, 9]), ...notes].join('\n');
}
