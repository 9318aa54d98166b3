import { agreement } from '../analysis/agreement.js';
import { curvature } from '../analysis/curvature.js';
import { type Influence, type InfluenceOptions, influence } from '../analysis/influence.js';
import { mix } from '../analysis/mix.js';
import { recognise } from '../analysis/recognise.js';
import type { NamedSet } from '../analysis/sets.js';
import type { Dataset } from '../data/dataset.js';
import type { Device } from '../engine/device.js';
import { type Analysis, analysisPage } from '../report/analysis-page.js';
import { count } from '../util/words.js';
import { analysisTable } from './analysis-table.js';
import type { Values } from './arguments.js';
import type { Command } from './command.js';
import { chosenKinds, type Kind, ofKinds, summaryOf } from './kinds.js';
import type * as shared from './options.js';
import { analyseTheory, theoryKind, theoryOptions } from './theory.js';
import { type Follow, setsOptions, withSets } from './with-sets.js';

interface AnalysisKind extends Kind {
  /** Whether it asks the test split. */
  readonly tests?: boolean;
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

const kinds: Readonly<Record<string, AnalysisKind>> = {
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
    tests: true,
    async run(device, data, sets, { added, ...values }, { signal, say }) {
      const onProgress = ({ stage, done, total }: { stage: string; done: number; total: number }) =>
        say(`${done + 1}/${total} ${stage}`);
      const list = added === undefined ? undefined : ([added].flat() as number[]);
      return { mix: await mix(device, data, sets, { ...values, added: list, signal, onProgress }) };
    },
  },
  agreement: {
    summary: 'which networks answer like those that learned from them',
    options: ['network', 'steps', 'every', 'networks', 'images'],
    tests: true,
    run: async (device, data, sets, values, follow) => ({
      agreement: await agreement(device, data, sets, { ...values, ...along(follow) }),
    }),
  },
  influence: {
    summary: 'what each image teaches',
    options: ['network', 'steps', 'images', 'by', 'damping'],
    tests: true,
    async run(device, data, sets, values, { signal, say }) {
      const found: Influence[] = [];
      for (const [i, { name, set }] of sets.entries()) {
        say(`${i + 1}/${sets.length} ${name}`);
        found.push(await influence(device, data, set, { ...(values as InfluenceOptions), signal }));
      }
      return { influence: found };
    },
  },
};

const all: Readonly<Record<string, Kind>> = { ...kinds, theory: theoryKind };

const own: readonly shared.Option[] = ofKinds(all, [
  ...theoryOptions,
  {
    name: 'network',
    kind: 'text',
    value: 'NAME',
    help: 'what is trained',
    fallback: 'that of the first file; for influence of each file',
  },
  {
    name: 'steps',
    kind: 'whole',
    least: 1,
    value: 'N',
    help: 'training steps, of 256 real images or of all distilled ones',
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
  {
    name: 'images',
    kind: 'whole',
    least: 1,
    value: 'N',
    help: 'test images that are asked about',
    fallback: '2000, or 1000',
  },
  {
    name: 'by',
    kind: 'text',
    value: 'HOW',
    help: 'retraining without each image, or products with an inverse matrix',
    fallback: 'retraining',
  },
  {
    name: 'damping',
    kind: 'number',
    value: 'N',
    help: 'added to the diagonal of that matrix',
    fallback: 'by steps and rate',
  },
]);

export const command: Command = {
  name: 'analyse',
  summary: `what distilled sets hold: ${summaryOf(all)}`,
  positionals: ['KIND', 'FILE…'],
  options: [
    ...own,
    { name: 'seed', kind: 'whole', value: 'N', help: 'of everything random', fallback: '0' },
    {
      ...{ group: 'Output', name: 'out', kind: 'text', value: 'FILE' },
      ...{ help: 'page with charts: curvature.html', fallback: 'nothing is written' },
    } as shared.Option,
    ...setsOptions,
  ],
  example: 'limbeck analyse curvature runs/first/distilled.safetensors --steps 100 --out curvature.html',

  async run({ values, positionals }) {
    const [name, ...paths] = positionals;
    const [{ given }] = chosenKinds(
      {
        name: 'analyse',
        needs: 'one of KIND, and files, of which theory has none',
        example: 'limbeck analyse curvature runs/first/distilled.safetensors',
      },
      all,
      paths.length || name === 'theory' ? [name] : [],
      { own, common: ['seed'], values },
    );
    if (name === 'theory') return analyseTheory(values, given, paths);
    const kind = kinds[name];
    return withSets(
      values,
      paths,
      async ({ device, data, sets, follow }) => {
        const found = await kind.run(device, data, sets, given, follow);
        return {
          found,
          table: analysisTable(found, data, sets),
          page: () => analysisPage(data, sets, found),
        };
      },
      { tests: kind.tests },
    );
  },
};
