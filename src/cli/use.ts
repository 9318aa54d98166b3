import { accuracyText } from '../runs/record.js';
import { continual } from '../uses/continual.js';
import { fairness } from '../uses/fairness.js';
import { privacy } from '../uses/privacy.js';
import { robustness } from '../uses/robustness.js';
import { search } from '../uses/search.js';
import { LimbeckError } from '../util/errors.js';
import { count, short } from '../util/words.js';
import type { Values } from './arguments.js';
import type { Command } from './command.js';
import * as shared from './options.js';
import { aligned } from './table.js';
import { type Found, givenOf, type OpenedSets, setsOptions, withSets } from './with-sets.js';

/** A use: what it asks, and its options by name. */
interface Kind {
  readonly summary: string;
  readonly options: readonly string[];
  run(opened: OpenedSets, values: Values): Promise<Found>;
}

const table = (rows: readonly string[][]) => aligned(rows, [...rows[0].keys()].slice(1));
const points = (value: number) => value.toFixed(1);

const kinds: Readonly<Record<string, Kind>> = {
  robustness: {
    summary: 'accuracy on corrupted and attacked images',
    options: ['images', 'epsilon', 'steps'],
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
  search: {
    summary: 'whether architectures come out in the same order',
    options: ['architectures'],
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

const names = Object.keys(kinds);
const of = (option: string) => names.filter((name) => kinds[name].options.includes(option)).join(', ');

const own: readonly shared.Option[] = [
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
    name: 'architectures',
    kind: 'text',
    value: 'NAME,…',
    help: 'networks to put in order',
    fallback: 'twelve ConvNets',
  },
].map((option) => ({ ...option, help: `${option.help} (${of(option.name)})` }) as shared.Option);

export const command: Command = {
  name: 'use',
  summary: `what networks that learn from a set are good for, beside random and all real images: ${names.map((name) => `${kinds[name].summary} (${name})`).join('; ')}`,
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
    ...setsOptions,
  ],
  example: 'limbeck use robustness runs/first/distilled.safetensors',

  async run({ values, positionals }) {
    const [name, path, more] = positionals;
    if (name === undefined || !Object.hasOwn(kinds, name) || path === undefined || more !== undefined)
      throw new LimbeckError(
        'ERR_OPTION',
        `use needs one of ${names.join(', ')}, and a file: limbeck use robustness runs/first/distilled.safetensors`,
      );
    const kind = kinds[name];
    const other = own.find((option) => option.name in values && !kind.options.includes(option.name));
    if (other)
      throw new LimbeckError(
        'ERR_OPTION',
        `${shared.flagOf(other.name)} is ${values[other.name]}, which use ${name} does not have: leave it out`,
      );
    const given = givenOf(values, [...kind.options, 'networks', 'seed']);
    return withSets(values, [path], (opened) => kind.run(opened, given));
  },
};
