import { basename } from 'node:path';
import type { DistilledSet } from '../../data/distilled-set.js';
import { pixelsText } from '../../data/pixel-scale.js';
import type { Reading } from '../../data/reading.js';
import { storedNumbers } from '../../data/stored-numbers.js';
import { findMethod, optionsText, optionText } from '../../runs/options.js';
import type { RunRecord } from '../../runs/record.js';
import { bytesText, count, counted, duration, flagOf, saidOf, short, timesText } from '../../util/words.js';
import { escapeHtml } from '../figure.js';

const list = (rows: readonly (readonly [string, string])[]): string =>
  `<dl>${rows.map(([term, text]) => `<div><dt>${escapeHtml(term)}</dt><dd>${escapeHtml(text)}</dd></div>`).join('')}</dl>`;

/** How to use the set, here and elsewhere. */
export function useSection({ dataset, config, pretrained }: RunRecord): string {
  // A folder is named by its last part: the page may be passed on, the path is nobody's business.
  const where = config.dataset === 'digits' ? 'digits' : `path/to/${dataset.name}`;
  const { embeddings } = config.reading ?? {};
  const words =
    embeddings === undefined
      ? ''
      : ` --embeddings ${embeddings === 'wink' ? embeddings : `path/to/${basename(embeddings)}`}`;
  const size = config.digitsSize === undefined ? '' : ` --digits-size ${config.digitsSize}`;
  const networks = pretrained ? ` --init pretrained:path/to/networks-of-${pretrained.dataset}` : '';
  return (
    saidOf(
      dataset,
      '<section><h2>Use it</h2><p class="about">The file distilled.safetensors beside this page holds images, labels, ' +
        'learning rates and the protocol. To measure it on the test images:</p>',
    ) +
    `<pre>${escapeHtml(`npx limbeck evaluate distilled.safetensors --dataset ${where}${size}${words}${networks}`)}</pre>` +
    '<p class="about">To load it in Python:</p>' +
    `<pre>${escapeHtml(
      [
        'from safetensors.torch import load_file',
        'distilled = load_file("distilled.safetensors")',
        'images, labels = distilled["images"], distilled["labels"]',
      ].join('\n'),
    )}</pre><p class="about">${dataset.text ? 'Texts, called images there, are <code>[text, 1, word, number]</code>, in the numbers of the embeddings' : `Images are <code>[image, channel, row, column]</code>, ${normalisation(dataset)}`}; labels ` +
    saidOf(
      dataset,
      '<code>[image, class]</code>; learning rates, where the set has any, one per inner step, epoch after epoch, or one for ' +
        'all: inner step t takes the images of part t mod steps.</p></section>',
    )
  );
}

function normalisation(dataset: RunRecord['dataset']): string {
  const { mean, std, zca, range } = dataset;
  return zca
    ? `ZCA-whitened with ε = ${zca.epsilon} (<code>images_shown</code> has them as pictures, pixels mostly ${range ? `those of ${pixelsText(dataset)}` : 'in 0..1'})`
    : `normalised as (pixel − ${perChannel(mean)}) / ${perChannel(std)} of ${pixelsText(dataset)}`;
}

const perChannel = (values: readonly number[]): string =>
  values.length > 1 ? `[${values.map(short).join(', ')}]` : values.map(short).join();

/** How the files were read where they leave something open, as the options of the command line say it. */
function readingRow(reading: Reading): (readonly [string, string])[] {
  const given = Object.entries(reading).map(([name, value]: [string, unknown]) => {
    if (value === true) return flagOf(name);
    // A path is nobody's business.
    const text = name === 'embeddings' ? basename(String(value)) : value;
    return `${flagOf(name)} ${Array.isArray(text) ? text.join('x') : text}`;
  });
  return given.length ? [['Read with', given.join(' ')]] : [];
}

/** Data, machine and settings: what a second person needs to do it again. */
export function detailsSection(record: RunRecord, set: DistilledSet): string {
  const { dataset, engine, timings, outerSteps, config, versions, platform, testOpened, seed, stopped } =
    record;
  const { pretrained } = record;
  const { teacher } = set;
  const stored = storedNumbers(set);
  const { splits, imageShape, text } = dataset;
  const { median, min } = timings.stepMilliseconds;
  // The page is not written again when the file is evaluated later; the record is.
  const opened =
    testOpened === 0
      ? 'never'
      : `opened ${timesText(testOpened)}, after everything was chosen (later looks are counted in run.json)`;
  const { iterations, patience } = config.options;
  const early =
    !stopped && outerSteps < iterations ? `: ${counted(patience, 'look')} brought nothing better` : '';
  const method = findMethod(config.options.method);
  const perStep = method.realImages(config.options as never, dataset.classNames.length);
  const speed = outerSteps > 0 && timings.seconds > 0 ? (outerSteps * perStep) / timings.seconds : 0;
  return (
    '<section><h2>The record</h2><div class="card">' +
    list([
      ['Method', `${method.name}: ${method.source}`],
      ...(config.preset ? [['Settings for these data', optionsText(config.preset)] as const] : []),
      [
        'Data set',
        `${dataset.name}, ${saidOf(dataset, 'images')} of ${text ? `${text.length} words` : imageShape.join(' × ')}, ${dataset.classNames.length} classes`,
      ],
      ...(config.reading ? readingRow(config.reading) : []),
      ...(dataset.zca ? [['Whitening', `ZCA with ε = ${dataset.zca.epsilon}`] as const] : []),
      ...(text
        ? [
            ['Words', `${count(text.vocabulary)} known, parted by ${text.tokeniser}`] as const,
            ['Embeddings', `${text.width} numbers a word, of ${text.embeddings}`] as const,
          ]
        : []),
      [saidOf(dataset, 'Training images'), count(splits.train)],
      [saidOf(dataset, 'Validation images'), count(splits.validation)],
      [saidOf(dataset, 'Test images'), count(splits.test)],
      ['Test split', opened],
      ...(pretrained
        ? [
            [
              'Networks',
              `trained on ${pretrained.dataset} before: ${pretrained.train} were distilled for, ${pretrained.validation} chose the result, ${pretrained.test} tested it`,
            ] as const,
          ]
        : []),
      ...(teacher
        ? [
            [
              'Teacher',
              `${teacher.network}, checksum ${teacher.checksum}; labels at temperature ${teacher.temperature}`,
            ] as const,
          ]
        : []),
      [
        'Stored numbers',
        `${count(stored.items)} of ${saidOf(dataset, 'images')}${stored.labels ? `, ${count(stored.labels)} of soft labels` : ''}: ${bytesText(2 * (stored.items + stored.labels))} in half precision`,
      ],
      ['Engine', engine.description],
      ...(engine.earlierProcessors ? [['Begun on', engine.earlierProcessors.join(', ')] as const] : []),
      ['Outer steps', `${count(outerSteps)} of ${count(iterations)}${early}`],
      ['Time', `${duration(timings.seconds)} distilling, ${duration(timings.evaluationSeconds)} testing`],
      [
        'Time per outer step',
        median === null || min === null ? '–' : `${short(median)} ms median, ${short(min)} ms least`,
      ],
      [saidOf(dataset, 'Real images per second'), count(speed)],
      ['Seed', String(seed)],
      ['Versions', `limbeck ${versions.limbeck}, Node ${versions.node}`],
      ['Platform', platform],
      ['Data checksum', `${dataset.sha256.slice(0, 16)}…`],
    ]) +
    '</div><details><summary>Settings</summary>' +
    list(Object.entries(config.options).map(([name, value]) => [name, optionText(value)])) +
    '</details></section>'
  );
}
