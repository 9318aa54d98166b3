import type { DistilledSet } from '../data/distilled-set.js';
import { storedNumbers } from '../data/stored-numbers.js';
import type { Precision } from '../engine/precision.js';
import { baselineNames, baselinesUnder, checkBaselines, softBaselines } from '../eval/baselines/index.js';
import { type Evaluation, evaluate, networksOf } from '../eval/evaluate.js';
import { checkLength, type Protocol } from '../eval/protocol.js';
import { methodOfOthers } from '../eval/set-of-images.js';
import { judgement } from '../eval/verdict.js';
import { createNetwork } from '../networks/index.js';
import { type NetworkSpec, networkTitle, parseNetworkSpec } from '../networks/spec.js';
import { storedText } from '../runs/record.js';
import { checkWritable, writeFileAtomic } from '../util/atomic-file.js';
import { LimbeckError } from '../util/errors.js';
import { bytesText, count, printable, saidOf } from '../util/words.js';
import { protocolAsked, protocolOptions, setFile } from './artefact.js';
import type { Command } from './command.js';
import { openEvaluated, plainOptions } from './evaluated.js';
import { listenForStop } from './interrupt.js';
import { openTestSplit } from './open-test-split.js';
import * as shared from './options.js';
import { initOption, teacherOption } from './pretrained.js';
import { Terminal } from './progress.js';
import { checkEngine, openEngine } from './sources.js';
import { accuracyTable, networksTable, perClassTable } from './table.js';

export const command: Command = {
  name: 'evaluate',
  summary:
    'test accuracy of a distilled set (or of the run in a folder), or of any images and labels, beside real images of the same number',
  positionals: ['FILE'],
  options: [
    {
      ...shared.dataset,
      fallback: 'digits, if the file was made from them; else the data of the run it lies in',
    },
    { ...shared.digitsSize, fallback: 'as the file was made, else 10000' },
    ...shared.readingOptions.map((option) => ({ ...option, fallback: 'as the file was made' })),
    {
      name: 'networks',
      kind: 'whole',
      least: 1,
      value: 'N',
      help: 'fresh networks to train (random initialisation)',
      fallback: 'as at the end of its run, or as the protocol says',
    },
    initOption,
    teacherOption,
    ...protocolOptions,
    ...(
      [
        ['epochs', 'whole', 'N', 'passes over the images'],
        ['batch', 'whole', 'N', 'images per step, at most'],
        ['lr', 'number', 'X', 'first learning rate'],
      ] as const
    ).map(([name, kind, value, help]) => ({ name, kind, value, help, fallback: 'as the protocol says' })),
    {
      name: 'networksOf',
      kind: 'text',
      value: 'NAME,…',
      help: 'other architectures to train as well: lenet,mlp:width=64',
    },
    { name: 'perClass', kind: 'switch', help: 'also the accuracy of each class' },
    {
      name: 'baselines',
      kind: 'text',
      value: 'NAME,…|all',
      help: `what to compare with, of ${[...baselineNames, ...softBaselines].join(', ')}`,
      fallback: 'the quick ones',
    },
    { name: 'noBaselines', kind: 'switch', help: 'only the distilled images' },
    ...plainOptions,
    { group: 'Output', name: 'out', kind: 'text', value: 'FILE', help: 'write the results as JSON, too' },
    shared.device,
    shared.threads,
    shared.precision,
    shared.json,
    shared.debug,
    shared.help,
  ],
  example: 'limbeck evaluate runs/first/distilled.safetensors --dataset digits',

  async run({ values, positionals }) {
    const [named] = positionals;
    if (named === undefined)
      throw new LimbeckError(
        'ERR_OPTION',
        'evaluate needs a file or the folder of a run: limbeck evaluate runs/first',
      );
    const path = setFile(named);
    const {
      networks,
      noBaselines,
      perClass,
      threads,
      precision,
      device: choice = 'auto',
    } = values as {
      networks?: number;
      noBaselines?: boolean;
      perClass?: boolean;
      threads?: number;
      precision?: Precision;
      device?: string;
    };
    const { changes } = protocolAsked(values);
    const baselines = baselinesOf(values.baselines as string | undefined, noBaselines);
    checkEngine(choice, { threads, precision });
    const out = values.out as string | undefined;
    if (out !== undefined) await checkWritable(out);
    let architectures: NetworkSpec[] = [];
    const { set, data, opened, protocol, networksThen, sameData, notes, pretrained, teacher } =
      await openEvaluated(path, values, (set, protocol) => {
        checkNetworks(set, protocol, networks);
        checkLength(protocol, set.classes.length);
        architectures = architecturesOf(values.networksOf as string | undefined, set);
      });
    const { device, reason } = await openEngine(choice, { threads, precision });
    const terminal = new Terminal(Boolean(values.json));
    using stop = listenForStop(() => terminal.say('Stopping.'));
    try {
      terminal.say(`Engine: ${device.description}${reason ? `: ${reason}` : ''}`);
      for (const note of notes) terminal.say(`Note: ${note}`);
      const folder = await openTestSplit(path, sameData, terminal);
      const evaluation = await evaluate(device, data, set, {
        networks: networks ?? networksThen,
        protocol: protocol.name,
        ...changes,
        architectures,
        ...{ pretrained, teacher },
        withBaselines: !noBaselines,
        baselines: baselines === 'all' ? baselinesUnder(protocol, teacher !== undefined) : baselines,
        signal: stop.signal,
        onProgress: ({ stage, done, total }) => {
          if (done < total) terminal.passing(`Testing networks on ${stage} (${done + 1} of ${total})`);
        },
      });
      terminal.clear();
      const { accuracy: testAccuracy, ...rest } = evaluation;
      const tested = { ...evaluation, images: data.test.count, classes: data.classes, text: data.text };
      const results = {
        ...{ testAccuracy, ...judgement(tested), ...rest },
        ...{ engine: device.engine, file: path, sameData },
      };
      if (out !== undefined) await writeFileAtomic(out, `${JSON.stringify(results, null, 1)}\n`);
      const unrecorded = await folder?.addEvaluation({ ...evaluation, sameData }, set, opened);
      if (unrecorded) terminal.say(`Warning: the result is not recorded: ${unrecorded}`);
      if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`);
      else {
        const { pictures, parametrisation } = set.stored;
        const images = saidOf(data, set.method === methodOfOthers ? 'given image' : 'distilled image');
        const tables = [
          accuracyTable(storedText(pictures, parametrisation.name, images), tested),
          ...(evaluation.others.length
            ? [networksTable(networkTitle(set.network), `${images}s`, evaluation)]
            : []),
          ...(perClass ? [perClassTable(data.classNames, `${images}s`, evaluation.perClass)] : []),
        ];
        const asked = relabellingText(evaluation, set);
        process.stdout.write(printable(`${evaluation.protocol}\n${asked}${tables.join('\n\n')}\n`));
      }
      return 0;
    } catch (error) {
      if (stop.signal.aborted) return stop.status;
      throw error;
    } finally {
      terminal.clear();
      await device.dispose();
    }
  },
};

/** What labels of every batch would take beside what is stored; nothing where there are none. */
function relabellingText({ relabelling }: Evaluation, set: DistilledSet): string {
  if (!relabelling) return '';
  const { images, numbers, bytes } = relabelling;
  return (
    `The teacher labels ${count(images)} images of ${set.network.classes} classes on the way: ${count(numbers)} numbers, ${bytesText(bytes)} in half precision, ` +
    `that the set does not hold; it stores ${bytesText(storedNumbers(set).bytes)}\n`
  );
}

function checkNetworks(set: DistilledSet, protocol: Protocol, asked?: number): void {
  const known = set.use.kind === 'learned-steps' && set.use.init === 'fixed';
  if (!known || protocol.training !== 'learned-steps' || asked === undefined) return;
  const stored = networksOf(set);
  if (asked !== stored)
    throw new LimbeckError(
      'ERR_OPTION',
      `--networks is ${asked}, but these images were made for ${stored === 1 ? 'one known network' : `${stored} known networks`}, ` +
        'stored with them; others would learn little from them. Leave it out, or distil with --init random',
    );
}

/** Undefined for the default ones. */
function baselinesOf(given: string | undefined, none = false): readonly string[] | 'all' | undefined {
  if (given === undefined) return undefined;
  if (none)
    throw new LimbeckError(
      'ERR_OPTION',
      `--baselines is ${given}, but --no-baselines asks for none: leave one of them out`,
    );
  if (given === 'all') return given;
  const names = given.split(',');
  checkBaselines(names);
  return names;
}

/** Built once, so that a wrong name is known before anything is trained. */
function architecturesOf(given: string | undefined, set: DistilledSet): NetworkSpec[] {
  const specs = given === undefined ? [] : given.split(',').map(parseNetworkSpec);
  const { inputShape, classes } = set.network;
  for (const spec of specs) createNetwork({ ...spec, inputShape, classes });
  return specs;
}
