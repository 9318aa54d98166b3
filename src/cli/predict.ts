import { readLooseImages } from '../data/loose-images.js';
import type { Reading } from '../data/reading.js';
import { embedTexts } from '../data/text/encoding.js';
import { readLooseTexts } from '../data/text/loose.js';
import { tokenise } from '../data/text/tokenise.js';
import { type Model, networksIn } from '../eval/model.js';
import { type Predictions, predict } from '../eval/predict.js';
import { createNetwork } from '../networks/index.js';
import { readModel } from '../runs/network-folder.js';
import { LimbeckError } from '../util/errors.js';
import { counted, printable, saidOf } from '../util/words.js';
import type { Command } from './command.js';
import { listenForStop } from './interrupt.js';
import * as shared from './options.js';
import { Terminal } from './progress.js';
import { checkEngine, openEngine, readingGiven } from './sources.js';
import { aligned } from './table.js';

const fallbacks = { badImages: 'refuse', background: 'that of the training images, else white' };
const ofReading = Object.entries(fallbacks).map(([name, fallback]) => ({
  ...shared.readingOptions.find((option) => option.name === name)!,
  ...{ group: undefined, fallback },
}));

export const command: Command = {
  name: 'predict',
  summary:
    'what a trained network says of images (files, folders of them, .npy or IDX files) or of texts (in quotes, or files with one on every line)',
  positionals: ['NET', 'IMAGE…'],
  options: [...ofReading, shared.device, shared.threads, shared.json, shared.debug, shared.help],
  example: 'limbeck predict net seven.png drawings/',

  async run({ values, positionals }) {
    const [path, ...paths] = positionals;
    if (path === undefined || !paths.length)
      throw new LimbeckError(
        'ERR_OPTION',
        'predict needs a network and images or texts: limbeck predict net seven.png',
      );
    const { device: choice = 'auto', threads } = values as { device?: string; threads?: number };
    checkEngine(choice, { threads });
    const reading = readingGiven(values);
    const model = await readModel(path);
    const { found, notes } = await itemsFor(model, path, paths, reading);
    const { device, reason } = await openEngine(choice, { threads });
    const terminal = new Terminal(Boolean(values.json));
    using stop = listenForStop(() => terminal.say('Stopping.'));
    try {
      terminal.say(`Engine: ${device.description}${reason ? `: ${reason}` : ''}`);
      for (const note of notes) terminal.say(`Note: ${note}`);
      const rows: Row[] = [];
      for (const { names, images } of found)
        rows.push(...rowsOf(names, model, await predict(device, model, images, { signal: stop.signal })));
      process.stdout.write(
        values.json ? `${JSON.stringify(jsonOf(path, model, rows))}\n` : printable(tableOf(model, rows)),
      );
      return 0;
    } catch (error) {
      if (stop.signal.aborted) return stop.status;
      throw error;
    } finally {
      await device.dispose();
    }
  },
};

/** What was given, as the network takes it. */
async function itemsFor(
  { network, normalisation }: Model,
  path: string,
  given: readonly string[],
  reading?: Pick<Reading, 'badImages' | 'background'>,
): Promise<Awaited<ReturnType<typeof readLooseImages>>> {
  const { text, range, divisor, background } = normalisation;
  if (!text)
    return readLooseImages(given, network.inputShape, { ...{ background, ...reading }, range, divisor });
  const { names, texts } = await readLooseTexts(given);
  const known = texts.map((one) => tokenise(one).some((word) => text.words.includes(word)));
  const strange = known.indexOf(false);
  return {
    found: [{ names, images: embedTexts(text, texts) }],
    notes: strange < 0 ? [] : [`no word of ${names[strange]} is known to ${path}: its scores say nothing`],
  };
}

/** One image: its name, the class with the largest score, and the scores of all. */
interface Row {
  readonly image: string;
  readonly kind: Predictions['kind'];
  readonly class: string;
  readonly scores: readonly number[];
}

function rowsOf(
  names: readonly string[],
  { classNames }: Model,
  { kind, scores, classes }: Predictions,
): Row[] {
  const K = classNames.length;
  return names.map((image, i) => ({
    ...{ image, kind, class: classNames[classes[i]] },
    scores: Array.from(scores.subarray(i * K, (i + 1) * K)),
  }));
}

function jsonOf(file: string, { classNames, notes, normalisation }: Model, rows: readonly Row[]) {
  const predictions = rows.map(({ image, kind, class: name, scores }) => ({
    ...{ [saidOf(normalisation, 'image')]: image, class: name },
    [kind]: Object.fromEntries(classNames.map((name, k) => [name, scores[k]])),
  }));
  return { file, protocol: notes.protocol, predictions };
}

/** The best class of every image, and the next two. */
function tableOf(model: Model, rows: readonly Row[]): string {
  const { classNames, notes } = model;
  const network = createNetwork(model.network);
  const networks = networksIn(model, network);
  const scoreText = (kind: Row['kind'], score: number) =>
    kind === 'probabilities' ? `${(100 * score).toFixed(1)} %` : score.toFixed(3);
  const lines = rows.map(({ image, kind, scores }) => {
    const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a] || a - b).slice(0, 3);
    const [best, ...next] = order.map((k) => [classNames[k], scoreText(kind, scores[k])]);
    return [image, ...best, next.map((one) => one.join(' ')).join(', ')];
  });
  const measured = notes.testAccuracy
    ? `, right on ${notes.testAccuracy.mean.toFixed(1)} % of the test ${saidOf(model.normalisation, 'images')}`
    : '';
  const heading = [
    saidOf(model.normalisation, 'image'),
    'class',
    rows[0].kind === 'probabilities' ? 'probability' : 'output',
    'then',
  ];
  return `${notes.trainedOn} of ${notes.dataset}, ${networks > 1 ? `${counted(networks, 'network')} of ` : ''}${counted(network.count, 'parameter')}${measured}\n${aligned([heading, ...lines], [2])}\n`;
}
