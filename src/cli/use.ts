import { accuracyText } from '../runs/record.js';
import { continual } from '../uses/continual.js';
import { fairness } from '../uses/fairness.js';
import { federated } from '../uses/federated.js';
import { privacy } from '../uses/privacy.js';
import { robustness } from '../uses/robustness.js';
import { search } from '../uses/search.js';
import { trainSubjects } from '../uses/subjects.js';
import { bytesText, count, short } from '../util/words.js';
import type { Values } from './arguments.js';
import { protocolAsked, protocolOptions } from './artefact.js';
import type { Command } from './command.js';
import { type Chosen, chosenKinds, type Kind, ofKinds, summaryOf } from './kinds.js';
import type * as shared from './options.js';
import { initOption } from './pretrained.js';
import { aligned } from './table.js';
import { type Found, givenOf, type OpenedSets, setsOptions, withSets } from './with-sets.js';

interface UseKind extends Kind {
  run(opened: OpenedSets, values: Values): Promise<Found>;
  /** Whether it asks the test split. */
  readonly tests: boolean;
  /** Whether it looks at networks of all three kinds, of the set's own architecture. */
  readonly shares?: boolean;
}

const table = (rows: readonly string[][]) => aligned(rows, [...rows[0].keys()].slice(1));
const points = (value: number) => value.toFixed(1);

const kinds: Readonly<Record<string, UseKind>> = {
  robustness: {
    summary: 'accuracy on corrupted and attacked images',
    options: ['images', 'epsilon', 'steps'],
    tests: true,
    shares: true,
    async run({ device, data, sets, follow }, { epsilon, ...values }) {
      const list = epsilon === undefined ? undefined : ([epsilon].flat() as number[]);
      const options = { ...values, ...following(follow), ...(list && { epsilon: list }) };
      const found = await robustness(device, data, sets[0].artefact, options);
      const rows = found.conditions.map((condition, i) => [
        condition,
        ...found.subjects.map(({ accuracy }) => accuracyText(accuracy[i])),
      ]);
      return { found: { robustness: found }, table: table([['test images', ...namesOf(found)], ...rows]) };
    },
  },
  fairness: {
    summary: 'accuracy by class, and on the worst one',
    options: [],
    tests: true,
    shares: true,
    async run({ device, data, sets, follow }, values) {
      const found = await fairness(device, data, sets[0].artefact, { ...values, ...following(follow) });
      const { groups, subjects } = found;
      const row = (name: string, of: (subject: (typeof subjects)[number]) => string) => [
        name,
        ...subjects.map(of),
      ];
      return {
        found: { fairness: found },
        table: table([
          ['test images', ...namesOf(found)],
          row('all', ({ accuracy }) => accuracyText(accuracy)),
          ...groups.map((name, g) => row(name, ({ perGroup }) => accuracyText(perGroup[g]))),
          row('worst class', ({ worst }) => accuracyText(worst)),
          row('best less worst', ({ gap }) => `${points(gap.mean)} ± ${points(gap.std)}`),
        ]),
      };
    },
  },
  privacy: {
    summary: 'how well training images are told from others',
    options: ['images'],
    tests: true,
    shares: true,
    async run({ device, data, sets, follow }, values) {
      const found = await privacy(device, data, sets[0].artefact, { ...values, ...following(follow) });
      const { training, test } = found.nearest;
      const nearer = training.filter(({ distance }, i) => distance < test[i].distance).length;
      const rows = found.subjects.map(({ name, area, foundAtOne }) => [
        name,
        accuracyText(area),
        accuracyText(foundAtOne),
      ]);
      const head = [
        'networks that learned from',
        'area under the curve (50: guessing)',
        'found, 1 % accused',
      ];
      const said =
        `${count(nearer)} of ${count(training.length)} distilled images are nearer to one of ${count(found.images)} training images than to any of as many ` +
        'test images.';
      return { found: { privacy: found }, table: `${table([head, ...rows])}\n\n${said}` };
    },
  },
  continual: {
    summary: 'classes that come one after another, with a memory of the set',
    options: ['stages'],
    tests: true,
    async run({ device, data, sets, follow }, values) {
      const found = await continual(device, data, sets[0].artefact, { ...values, ...following(follow) });
      const rows = found.classes.map((classes, i) => [
        count(classes),
        ...found.memories.map(({ accuracy }) => accuracyText(accuracy[i])),
      ]);
      const head = ['classes so far', ...found.memories.map(({ name }) => name)];
      return { found: { continual: found }, table: table([head, ...rows]) };
    },
  },
  federated: {
    summary: 'clients that each distil their own images, beside federated averaging',
    options: ['clients', 'classesEach', 'rounds'],
    tests: true,
    async run({ device, data, sets, follow }, { pretrained: _, ...values }) {
      const found = await federated(device, data, sets[0].artefact, { ...values, ...following(follow) });
      const rows = found.ways.map(({ name, bytes, accuracy }) => [
        name,
        bytesText(bytes),
        accuracyText(accuracy),
      ]);
      const classes = found.counts.map((counts) => counts.filter((images) => images > 0).length);
      const said = `${found.counts.length} clients with ${Math.min(...classes)} to ${Math.max(...classes)} classes each.`;
      return {
        found: { federated: found },
        table: `${table([['the server learns from', 'sent', 'test accuracy'], ...rows])}\n\n${said}`,
      };
    },
  },
  search: {
    summary: 'whether architectures come out in the same order',
    options: ['architectures'],
    // By the validation split.
    tests: false,
    async run({ device, data, sets, follow }, { architectures, ...values }) {
      const list = architectures === undefined ? undefined : String(architectures).split(',');
      const options = { ...values, ...following(follow), ...(list && { architectures: list }) };
      const found = await search(device, data, sets[0].artefact, options);
      const rows = found.architectures.map((name, i) => [
        name,
        ...found.subjects.map(({ accuracy }) => accuracyText(accuracy[i])),
      ]);
      const correlation = ['rank correlation', ...found.subjects.map((one) => short(one.correlation))];
      const regret = ['points behind the best', ...found.subjects.map((one) => points(one.regret))];
      return {
        found: { search: found },
        table: table([['architecture', ...namesOf(found)], ...rows, correlation, regret]),
      };
    },
  },
};

const namesOf = ({ subjects }: { readonly subjects: readonly { readonly name: string }[] }) =>
  subjects.map(({ name }) => name);

const following = ({ signal, say }: OpenedSets['follow']) => ({
  signal,
  onProgress: ({ training }: { readonly training: string }) => say(`Training on ${training}`),
});

/** What says how networks are trained. */
const ofTraining = ['networks', 'protocol'];

const own: readonly shared.Option[] = ofKinds(kinds, [
  {
    name: 'images',
    kind: 'whole',
    least: 1,
    value: 'N',
    help: 'images that are asked about',
    fallback: '500, or 1000',
  },
  {
    name: 'epsilon',
    kind: 'numbers',
    value: 'N,…',
    help: 'by how much an attack may change a pixel of 0 to 1',
    fallback: '0.02,0.1',
  },
  { name: 'steps', kind: 'whole', least: 1, value: 'N', help: 'of the stronger attack', fallback: '10' },
  {
    name: 'stages',
    kind: 'whole',
    least: 1,
    value: 'N',
    help: 'parts in which the classes come',
    fallback: '5',
  },
  {
    name: 'clients',
    kind: 'whole',
    least: 2,
    value: 'N',
    help: 'that share the training images',
    fallback: '5',
  },
  {
    name: 'classesEach',
    kind: 'whole',
    least: 0,
    value: 'N',
    help: 'classes that each client has, about; 0 for all',
    fallback: '2',
  },
  { name: 'rounds', kind: 'whole', least: 1, value: 'N', help: 'of federated averaging', fallback: '5' },
  {
    name: 'architectures',
    kind: 'text',
    value: 'NAME,…',
    help: 'networks to put in order',
    fallback: 'twelve ConvNets',
  },
]);

export const command: Command = {
  name: 'use',
  summary: `what networks that learn from a set are good for, beside random and all real images: ${summaryOf(kinds)}; several with commas between train their networks once`,
  positionals: ['KIND', 'FILE'],
  options: [
    ...own,
    {
      name: 'networks',
      kind: 'whole',
      least: 1,
      value: 'N',
      help: 'networks of each kind',
      fallback: '5, or the known ones',
    },
    { name: 'seed', kind: 'whole', value: 'N', help: 'of everything random', fallback: '0' },
    { ...protocolOptions[0], fallback: 'that of the method it was made by' },
    initOption,
    ...setsOptions,
  ],
  example: 'limbeck use robustness runs/first/distilled.safetensors',

  async run({ values, positionals }) {
    const [list, path, more] = positionals;
    const chosen = chosenKinds(
      {
        name: 'use',
        needs: 'one of KIND, or several with commas between, and a file',
        example: 'limbeck use robustness,fairness runs/first/distilled.safetensors',
      },
      kinds,
      path === undefined || more !== undefined ? [] : list.split(','),
      { own, common: [...ofTraining, 'seed'], values },
    );
    protocolAsked(values);
    return withSets(values, [path], (opened) => usedFor(opened, chosen), {
      pretrained: true,
      tests: chosen.some(({ kind }) => kind.tests),
    });
  },
};

/** All that was asked, one after another; what looks at the same networks shares them. */
async function usedFor(opened: OpenedSets, chosen: readonly Chosen<UseKind>[]): Promise<Found> {
  const { device, data, sets, follow } = opened;
  const [{ artefact, pretrained }] = sets;
  const sharing = chosen.filter(({ kind }) => kind.shares);
  const subjects =
    sharing.length > 1
      ? await trainSubjects(device, data, artefact, {
          ...givenOf(sharing[0].given, [...ofTraining, 'seed']),
          pretrained,
          ...following(follow),
        })
      : undefined;
  const found: Found[] = [];
  for (const { kind, given } of chosen) {
    const { networks: _, protocol: __, ...own } = given;
    found.push(
      await kind.run(opened, subjects && kind.shares ? { ...own, subjects } : { ...given, pretrained }),
    );
  }
  const titled = chosen.map(({ kind }, i) => (chosen.length > 1 ? `${kind.summary}\n` : '') + found[i].table);
  return { found: Object.assign({}, ...found.map((one) => one.found)), table: titled.join('\n\n') };
}
