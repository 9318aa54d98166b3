import { basename, dirname } from 'node:path';
import { curvature } from '../analysis/curvature.js';
import { mix } from '../analysis/mix.js';
import { recognise } from '../analysis/recognise.js';
import type { NamedSet } from '../analysis/sets.js';
import type { Dataset } from '../data/dataset.js';
import type { Device } from '../engine/device.js';
import type { Precision } from '../engine/precision.js';
import type { Artefact } from '../eval/artefact.js';
import { findProtocol } from '../eval/find-protocol.js';
import { protocolOf } from '../eval/protocol-name.js';
import { type Analysis, analysisPage } from '../report/analysis-page.js';
import { accuracyText } from '../runs/record.js';
import { checkWritable, writeFileAtomic } from '../util/atomic-file.js';
import { LimbeckError } from '../util/errors.js';
import { count, printable, short } from '../util/words.js';
import type { Values } from './arguments.js';
import { checkWhitening, readArtefact, sourceFor } from './artefact.js';
import type { Command } from './command.js';
import { listenForStop } from './interrupt.js';
import * as shared from './options.js';
import { Terminal } from './progress.js';
import { checkEngine, openData, openEngine, readingGiven } from './sources.js';
import { aligned } from './table.js';

type Follow = { readonly signal: AbortSignal; readonly say: (text: string) => void };

/** An analysis: what it does, and its options by name. */
interface Kind {
  readonly summary: string;
  readonly options: readonly string[];
  run(
    device: Device,
    data: Dataset,
    sets: readonly NamedSet[],
    values: Values,
    follow: Follow,
  ): Promise<Analysis>;
}

const along = ({ signal, say }: Follow) => ({
  signal,
  onProgress: ({ step, steps }: { step: number; steps: number }) =>
    say(`Step ${count(step)} of ${count(steps)}`),
});

const kinds: Readonly<Record<string, Kind>> = {
  recognise: {
    summary: 'whether networks that learn from real images recognise them',
    options: ['network', 'steps', 'every', 'networks'],
    run: async (device, data, sets, values, follow) => ({
      recognise: await recognise(device, data, sets, { ...values, ...along(follow) }),
    }),
  },
  curvature: {
    summary: 'the curvature of the loss on them along training on real images',
    options: ['network', 'steps', 'every', 'vectors', 'real'],
    run: async (device, data, sets, values, follow) => ({
      curvature: await curvature(device, data, sets, { ...values, ...along(follow) }),
    }),
  },
  mix: {
    summary: 'whether real images help beside them',
    options: ['added', 'networks'],
    async run(device, data, sets, { added, ...values }, { signal, say }) {
      const onProgress = ({ stage, done, total }: { stage: string; done: number; total: number }) =>
        say(`${done + 1}/${total} ${stage}`);
      const list = added === undefined ? undefined : ([added].flat() as number[]);
      return { mix: await mix(device, data, sets, { ...values, added: list, signal, onProgress }) };
    },
  },
};

const names = Object.keys(kinds);
const of = (option: string) => names.filter((name) => kinds[name].options.includes(option)).join(', ');

const own: readonly shared.Option[] = [
  {
    name: 'network',
    kind: 'text',
    value: 'NAME',
    help: 'what is trained',
    fallback: 'that of the first file',
  },
  {
    name: 'steps',
    kind: 'whole',
    least: 1,
    value: 'N',
    help: 'training steps of 256 real images',
    fallback: '300',
  },
  {
    name: 'every',
    kind: 'whole',
    least: 1,
    value: 'N',
    help: 'steps from one look to the next',
    fallback: 'a tenth of them',
  },
  {
    name: 'networks',
    kind: 'whole',
    least: 1,
    value: 'N',
    help: 'networks that are asked, or trained',
    fallback: '5',
  },
  {
    name: 'vectors',
    kind: 'whole',
    least: 2,
    value: 'N',
    help: 'random directions for a trace',
    fallback: '32',
  },
  {
    name: 'real',
    kind: 'whole',
    least: 1,
    value: 'N',
    help: 'real images that stand for all',
    fallback: '1000',
  },
  {
    name: 'added',
    kind: 'numbers',
    value: 'N,…',
    help: 'real images of each class that are added',
    fallback: '0,2,10,50,250',
  },
].map((option) => ({ ...option, help: `${option.help} (${of(option.name)})` }) as shared.Option);

export const command: Command = {
  name: 'analyse',
  summary: `what distilled sets hold: ${names.map((name) => `${kinds[name].summary} (${name})`).join('; ')}`,
  positionals: ['KIND', 'FILE…'],
  options: [
    ...own,
    { name: 'seed', kind: 'whole', value: 'N', help: 'of everything random', fallback: '0' },
    { ...shared.dataset, fallback: 'digits, if the file was made from them' },
    shared.digitsSize,
    ...shared.readingOptions.map((option) => ({ ...option, fallback: 'as the file was made' })),
    {
      ...{ group: 'Output', name: 'out', kind: 'text', value: 'FILE' },
      ...{ help: 'page with charts: curvature.html', fallback: 'nothing is written' },
    } as shared.Option,
    shared.device,
    shared.threads,
    shared.precision,
    shared.json,
    shared.debug,
    shared.help,
  ],
  example: 'limbeck analyse curvature runs/first/distilled.safetensors --steps 100 --out curvature.html',

  async run({ values, positionals }) {
    const [name, ...paths] = positionals;
    if (name === undefined || !Object.hasOwn(kinds, name) || !paths.length)
      throw new LimbeckError(
        'ERR_OPTION',
        `analyse needs one of ${names.join(', ')}, and files: limbeck analyse curvature runs/first/distilled.safetensors`,
      );
    const kind = kinds[name];
    const other = own.find((option) => option.name in values && !kind.options.includes(option.name));
    if (other)
      throw new LimbeckError(
        'ERR_OPTION',
        `${shared.flagOf(other.name)} is ${values[other.name]}, which analyse ${name} does not have: leave it out`,
      );
    const {
      device: choice = 'auto',
      threads,
      precision,
      out,
    } = values as {
      device?: string;
      threads?: number;
      precision?: Precision;
      out?: string;
    };
    checkEngine(choice, { threads, precision });
    if (out !== undefined) await checkWritable(out);
    const artefacts: { path: string; artefact: Artefact }[] = [];
    for (const path of paths) artefacts.push({ path, artefact: await readArtefact(path) });
    const [first] = artefacts;
    const { dataset, digitsSize } = values as { dataset?: string; digitsSize?: number };
    const source = sourceFor(first.path, first.artefact, {
      dataset,
      digitsSize,
      reading: readingGiven(values),
    });
    for (const { path, artefact } of artefacts)
      checkWhitening(path, artefact, source, findProtocol(protocolOf(artefact.set).name));
    const { mean, std } = first.artefact.notes;
    // Real images beside distilled ones are normalised as these are.
    const data = { ...(await openData(source, Boolean(values.json))), mean, std };
    const sets = artefacts.map(({ path, artefact: { set } }) => ({ name: titleOf(path, paths), set }));
    const given = Object.fromEntries(
      [...kind.options, 'seed']
        .filter((option) => option in values)
        .map((option) => [option, values[option]]),
    );
    const { device, reason } = await openEngine(choice, { threads, precision });
    const terminal = new Terminal(Boolean(values.json));
    using stop = listenForStop(() => terminal.say('Stopping.'));
    try {
      terminal.say(`Engine: ${device.description}${reason ? `: ${reason}` : ''}`);
      const follow = { signal: stop.signal, say: (text: string) => terminal.passing(text) };
      const found = await kind.run(device, data, sets, given, follow);
      terminal.clear();
      if (out !== undefined) await writeFileAtomic(out, analysisPage(data.name, found));
      const line = JSON.stringify({ dataset: data.name, ...found });
      process.stdout.write(values.json ? `${line}\n` : printable(`${tableOf(found)}\n`));
      if (out !== undefined) terminal.say(`Wrote ${out}`);
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

/** The folder of a run, or the file; the whole path where that does not tell them apart. */
function titleOf(path: string, all: readonly string[]): string {
  const short = (one: string) => basename(basename(one) === 'distilled.safetensors' ? dirname(one) : one);
  return all.filter((one) => short(one) === short(path)).length > 1 ? path : short(path);
}

function tableOf({ recognise, curvature, mix }: Analysis): string {
  const numbers = ([head, ...rows]: string[][]) => aligned([head, ...rows], [...head.keys()]);
  const rowsOf = (first: readonly number[], cells: (i: number) => string[]) =>
    first.map((one, i) => [count(one), ...cells(i)]);
  if (recognise) {
    const { steps, real, sets } = recognise;
    const all = [{ name: 'real images', accuracy: real }, ...sets];
    const cells = (i: number) => all.map(({ accuracy }) => accuracyText(accuracy[i]));
    return numbers([['steps', ...all.map(({ name }) => name)], ...rowsOf(steps, cells)]);
  }
  if (mix) {
    const heads = mix.sets.flatMap(({ name }) => [name, `random for ${name}`]);
    const cells = (i: number) =>
      mix.sets.flatMap(({ accuracy, control }) => [accuracyText(accuracy[i]), accuracyText(control[i])]);
    return `${mix.protocol}\n${numbers([['added per class', ...heads], ...rowsOf(mix.added, cells)])}`;
  }
  const { steps, losses } = curvature!;
  const cells = (i: number) =>
    losses.flatMap(({ trace, largest }) => [
      `${short(trace[i].trace)} ± ${short(trace[i].error)}`,
      short(largest[i]),
    ]);
  const heads = losses.flatMap(({ name }) => [`trace, ${name}`, 'largest']);
  return numbers([['steps', ...heads], ...rowsOf(steps, cells)]);
}
