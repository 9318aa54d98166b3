import type { Dataset } from '../data/dataset.js';
import { type Inspection, inspectDataset } from '../data/inspect.js';
import { unknownWord, wordsOfRows } from '../data/text/encoding.js';
import { sampleSheet, samples } from '../report/sample-sheet.js';
import { checkWritable, writeFileAtomic } from '../util/atomic-file.js';
import { LimbeckError } from '../util/errors.js';
import { encodePng } from '../util/png.js';
import { count, counted, printable, short } from '../util/words.js';
import type { Command } from './command.js';
import * as shared from './options.js';
import { pictures } from './pictures/protocol.js';
import { checkPictures, picturesText } from './pictures/show.js';
import { dataSource, openData, readingGiven } from './sources.js';
import { aligned } from './table.js';

export const command: Command = {
  name: 'data',
  summary: 'shows what is read from a data set, and what looks wrong with it, before anything is trained',
  positionals: ['PATH'],
  options: [
    { name: 'png', kind: 'text', value: 'FILE', help: 'write sixteen training images as a picture' },
    shared.digitsSize,
    ...shared.readingOptions,
    pictures,
    shared.json,
    shared.debug,
    shared.help,
  ],
  example: 'limbeck data pictures --png pictures.png',

  async run({ values, positionals }) {
    const [path] = positionals;
    if (path === undefined)
      throw new LimbeckError(
        'ERR_OPTION',
        'data needs a data set: limbeck data pictures, or limbeck data digits',
      );
    const { png, digitsSize } = values as { png?: string; digitsSize?: number };
    checkPictures(values.pictures);
    if (png !== undefined) await checkWritable(png);
    const source = dataSource({ dataset: path, digitsSize, reading: readingGiven(values) });
    // What is said while it is read stands in the table below.
    const data = await openData(source, true);
    const found = inspectDataset(data);
    if (png !== undefined && data.text)
      throw new LimbeckError(
        'ERR_OPTION',
        `--png is ${png}, but ${path} holds texts, not images: leave it out`,
      );
    if (png !== undefined) await writeFileAtomic(png, encodePng(sampleSheet(data)));
    process.stdout.write(
      values.json
        ? `${JSON.stringify({ name: data.name, ...found, png })}\n`
        : printable(inspectionText(data.name, found, png)) +
            (data.text
              ? printable(sampleTexts(data))
              : picturesText(() => samples(data), process.stdout, values.pictures)),
    );
    return 0;
  },
};

/** The first training texts of each class, as a network reads them. */
function sampleTexts({ text, train, classNames }: Dataset): string {
  const length = text!.length;
  const lines = classNames.flatMap((name, k) => {
    const rows = Array.from(train.labels.keys()).filter((row) => train.labels[row] === k);
    return rows.slice(0, textsShown).map((row) => {
      const words = wordsOfRows(text!, train.images.subarray(row * length, (row + 1) * length));
      const some = words.slice(0, wordsShown).join(' ');
      return `  ${name}: ${some}${words.length > wordsShown ? ' …' : ''}`;
    });
  });
  return `\nTraining texts as a network reads them (${unknownWord} is a word that is not known)\n${lines.slice(0, 16).join('\n')}\n`;
}

const textsShown = 2;
const wordsShown = 20;

function inspectionText(name: string, found: Inspection, png: string | undefined): string {
  const { imageShape, text, values, range, mean, std, splits, classes, notes, warnings } = found;
  const rounded = (numbers: readonly number[]) => numbers.map((value) => value.toFixed(4)).join(', ');
  const row = (title: string, of: Inspection['splits']) => [
    title,
    ...[of.train, of.validation, of.test].map(count),
  ];
  return `${[
    ...(text
      ? [
          `${name}: ${classes.length} classes, texts of ${counted(text.length, 'word')}`,
          `${count(text.vocabulary)} words are known, ${counted(text.width, 'number')} each: ${text.embeddings}; parted by ${text.tokeniser}`,
        ]
      : [
          `${name}: ${classes.length} classes, images of ${imageShape.join(' x ')} (channels, rows, columns)`,
          `${values === 'bytes' ? 'Bytes' : 'Floats'} from ${range.map(short).join(' to ')}; mean ${rounded(mean)}, deviation ${rounded(std)}${values === 'bytes' ? ' of 0 to 1' : ''}`,
        ]),
    '',
    aligned(
      [
        ['class', 'train', 'validation', 'test'],
        ...classes.map((one) => row(one.name, one)),
        row('all', splits),
      ],
      [1, 2, 3],
    ),
    ...(notes.length ? ['', ...notes.map((note) => `Note: ${note}`)] : []),
    ...(warnings.length ? ['', ...warnings.map((warning) => `Warning: ${warning}`)] : []),
    ...(png === undefined ? [] : ['', `Sixteen training images: ${png}`]),
  ].join('\n')}\n`;
}
