import { basename, dirname, join } from 'node:path';
import { type Curvature, curvature } from '../analysis/curvature.js';
import { type Recognised, recognise } from '../analysis/recognise.js';
import type { NamedSet } from '../analysis/sets.js';
import type { Precision } from '../engine/precision.js';
import { findProtocol } from '../eval/find-protocol.js';
import { protocolOf } from '../eval/protocol-name.js';
import { analysisPage } from '../report/analysis-page.js';
import { checkWritable, writeFileAtomic } from '../util/atomic-file.js';
import { LimbeckError } from '../util/errors.js';
import { count, printable, short } from '../util/words.js';
import { checkWhitening, readArtefact, sourceFor } from './artefact.js';
import type { Command } from './command.js';
import { listenForStop } from './interrupt.js';
import * as shared from './options.js';
import { Terminal } from './progress.js';
import { checkEngine, openData, openEngine, readingGiven } from './sources.js';
import { aligned } from './table.js';

const kinds = ['recognise', 'curvature'] as const;

export const command: Command = {
  name: 'analyse',
  summary:
    'what distilled sets hold, along training on real images: whether networks recognise their images (recognise), and the curvature of the loss on them (curvature)',
  positionals: ['KIND', 'FILE…'],
  options: [
    { ...shared.dataset, fallback: 'digits, if the file was made from them' },
    shared.digitsSize,
    ...shared.readingOptions.map((option) => ({ ...option, fallback: 'as the file was made' })),
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
      help: 'networks that are asked (recognise)',
      fallback: '5',
    },
    {
      name: 'vectors',
      kind: 'whole',
      least: 2,
      value: 'N',
      help: 'random directions for a trace (curvature)',
      fallback: '32',
    },
    {
      name: 'real',
      kind: 'whole',
      least: 1,
      value: 'N',
      help: 'real images that stand for all (curvature)',
      fallback: '1000',
    },
    { name: 'seed', kind: 'whole', value: 'N', help: 'of everything random', fallback: '0' },
    {
      group: 'Output',
      name: 'out',
      kind: 'text',
      value: 'FILE',
      help: 'page with charts: curvature.html',
      fallback: 'nothing is written',
    },
    shared.device,
    shared.threads,
    shared.precision,
    shared.json,
    shared.debug,
    shared.help,
  ],
  example: 'limbeck analyse curvature runs/first/distilled.safetensors --steps 100 --out curvature.html',

  async run({ values, positionals }) {
    const [kind, ...paths] = positionals;
    if (!kinds.includes(kind as (typeof kinds)[number]) || !paths.length)
      throw new LimbeckError(
        'ERR_OPTION',
        `analyse needs one of ${kinds.join(', ')}, and files: limbeck analyse curvature runs/first/distilled.safetensors`,
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
    const own = kind === 'recognise' ? ['networks'] : ['vectors', 'real'];
    const other = ['networks', 'vectors', 'real'].find(
      (name) => values[name] !== undefined && !own.includes(name),
    );
    if (other)
      throw new LimbeckError(
        'ERR_OPTION',
        `--${other} is ${values[other]}, which analyse ${kind} does not have: leave it out`,
      );
    checkEngine(choice, { threads, precision });
    if (out !== undefined) await checkWritable(out);
    const artefacts = [];
    for (const path of paths) artefacts.push({ path, ...(await readArtefact(path)) });
    const { dataset, digitsSize } = values as { dataset?: string; digitsSize?: number };
    const source = sourceFor(paths[0], artefacts[0], { dataset, digitsSize, reading: readingGiven(values) });
    for (const one of artefacts)
      checkWhitening(one.path, one, source, findProtocol(protocolOf(one.set).name));
    const data = await openData(source, Boolean(values.json));
    const sets: NamedSet[] = artefacts.map(({ path, set }) => ({ name: nameOf(path, paths), set }));
    const { device, reason } = await openEngine(choice, { threads, precision });
    const terminal = new Terminal(Boolean(values.json));
    using stop = listenForStop(() => terminal.say('Stopping.'));
    try {
      terminal.say(`Engine: ${device.description}${reason ? `: ${reason}` : ''}`);
      const { network, steps, every, seed, networks, vectors, real } = values as Record<string, never>;
      const along = {
        ...{ network, steps, every, seed, signal: stop.signal },
        onProgress: ({ step, steps }: { step: number; steps: number }) =>
          terminal.passing(`Step ${count(step)} of ${count(steps)}`),
      };
      const found =
        kind === 'recognise'
          ? {
              recognise: await recognise(device, { ...data, ...normalisedAs(artefacts[0].notes) }, sets, {
                ...along,
                networks,
              }),
            }
          : {
              curvature: await curvature(device, { ...data, ...normalisedAs(artefacts[0].notes) }, sets, {
                ...along,
                vectors,
                real,
              }),
            };
      terminal.clear();
      const result = { dataset: data.name, ...found };
      if (out !== undefined) await writeFileAtomic(out, analysisPage(result));
      process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : printable(`${tableOf(found)}\n`));
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

/** Real images beside distilled ones are normalised as these are. */
const normalisedAs = ({ mean, std }: { mean: readonly number[]; std: readonly number[] }) => ({ mean, std });

/** The folder of a run, or the file; the whole path where that does not tell them apart. */
function nameOf(path: string, all: readonly string[]): string {
  const own = (one: string) =>
    basename(one) === 'distilled.safetensors' ? basename(dirname(join('.', one))) : basename(one);
  return all.filter((one) => own(one) === own(path)).length > 1 ? path : own(path);
}

function tableOf(found: { recognise?: Recognised; curvature?: Curvature }): string {
  if (found.recognise) {
    const { steps, real, sets } = found.recognise;
    const columns = [{ name: 'real images', accuracy: real }, ...sets];
    return aligned(
      [
        ['steps', ...columns.map(({ name }) => name)],
        ...steps.map((step, i) => [
          count(step),
          ...columns.map(
            ({ accuracy }) => `${accuracy[i].mean.toFixed(1)} ± ${accuracy[i].std.toFixed(1)} %`,
          ),
        ]),
      ],
      [0, ...columns.keys()].map((_, i) => i),
    );
  }
  const { steps, losses } = found.curvature!;
  return aligned(
    [
      ['steps', ...losses.flatMap(({ name }) => [`trace, ${name}`, 'largest'])],
      ...steps.map((step, i) => [
        count(step),
        ...losses.flatMap(({ trace, largest }) => [
          `${short(trace[i].trace)} ± ${short(trace[i].error)}`,
          short(largest[i]),
        ]),
      ]),
    ],
    Array.from({ length: 1 + 2 * losses.length }, (_, i) => i),
  );
}
