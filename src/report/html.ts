import { isAsPublished } from '../data/catalogue.js';
import type { DistilledSet } from '../data/distilled-set.js';
import type { ShownTexts } from '../data/text/shown.js';
import { testError } from '../eval/statistics.js';
import { isGuessing, verdict } from '../eval/verdict.js';
import { type NetworkSpec, networkTitle } from '../networks/index.js';
import type { Frame } from '../runs/film.js';
import { accuracyText, type RunRecord, storedByOptions, testedOf } from '../runs/record.js';
import { checkRecord } from '../runs/record-file.js';
import type { PngImage } from '../util/png.js';
import { asGiven } from '../util/stored-fields.js';
import { count, counted, saidOf, timesText } from '../util/words.js';
import { escapeHtml } from './figure.js';
import { attackSection } from './page/attack.js';
import { perClassSection } from './page/classes.js';
import { confusionSection } from './page/confusion.js';
import { curvesSection } from './page/curves.js';
import { detailsSection, useSection } from './page/details.js';
import { evaluationsSection } from './page/evaluations.js';
import { filmSection } from './page/film.js';
import { framed } from './page/frame.js';
import { imagesSection } from './page/images.js';
import { resultsSection } from './page/results.js';
import { textsSection } from './page/texts.js';

const networkTitles: Readonly<Record<string, string>> = {
  lenet: 'LeNet',
  mlp: 'MLP',
  alexnet: 'AlexNet',
  alexcifarnet: 'AlexCifarNet',
  convnet: 'ConvNet',
  textconvnet: 'TextConvNet',
  rnn: 'RNN',
  lstm: 'LSTM',
  convlstm: 'ConvLSTM',
  ...Object.fromEntries([11, 13, 16, 19].map((layers) => [`vgg${layers}`, `VGG-${layers}`])),
  ...Object.fromEntries([18, 34, 50].map((layers) => [`resnet${layers}`, `ResNet-${layers}`])),
};
const datasetTitles: Readonly<Record<string, string>> = {
  digits: 'the generated digits',
  mnist: 'MNIST',
  'fashion-mnist': 'Fashion-MNIST',
  cifar10: 'CIFAR-10',
  cifar100: 'CIFAR-100',
  svhn: 'SVHN',
  usps: 'USPS',
};

/** What a page may show beside a run's record and its set. */
export interface ReportPictures {
  /** A real picture of each class, `[K]`, to stand beside the distilled ones: {@link classExamples}. */
  readonly examples?: readonly (PngImage | undefined)[];
  /** What the images were at earlier looks: {@link RunFolder}'s `film`. */
  readonly film?: readonly Frame[];
  /** Of a set of texts, in the place of both: what the texts are as words. */
  readonly texts?: ShownTexts;
}

/** `report.html`: everything about a run on one page that needs nothing but itself. */
export function reportHtml(
  record: RunRecord,
  set: DistilledSet,
  { examples, film = [], texts }: ReportPictures = {},
): string {
  asGiven(() => checkRecord('reportHtml', record));
  const { plain, marked } = headline(record, set);
  return framed(plain, [
    `<header><p class="kicker">limbeck · a distilled data set</p><h1>${marked}</h1><p class="lead">${lead(record, set)}</p>`,
    verdictNote(record),
    stoppedNote(record),
    rollbacksNote(record),
    '</header>',
    ...(texts || record.dataset.text
      ? [texts ? textsSection(record, set, texts) : '']
      : [imagesSection(record, set, examples), filmSection(record, set, film)]),
    attackSection(record),
    resultsSection(record),
    perClassSection(record),
    confusionSection(record),
    evaluationsSection(record),
    curvesSection(record, set),
    useSection(record),
    detailsSection(record, set),
    `<footer>Written by limbeck ${escapeHtml(record.versions.limbeck)}.</footer>`,
  ]);
}

const titleOf = (titles: Readonly<Record<string, string>>, name: string, other = name): string =>
  escapeHtml(Object.hasOwn(titles, name) ? titles[name] : other);

/** `ConvNet (width=32)` */
function networkName(spec: NetworkSpec | string): string {
  const [name, ...options] = networkTitle(spec).split(':');
  return `${titleOf(networkTitles, name)}${options.length ? ` (${escapeHtml(options.join(', '))})` : ''}`;
}

/** The result in one sentence. */
function headline(record: RunRecord, set: DistilledSet): { plain: string; marked: string } {
  const { config, dataset, testAccuracy, best } = record;
  const { network } = config.options;
  const images = storedByOptions(config.options, dataset.classNames.length, saidOf(dataset, 'image'));
  const name = networkName(network);
  const { pretrained } = set;
  const learner =
    set.use.kind === 'learned-steps' && set.use.init === 'fixed'
      ? `this ${name}`
      : pretrained
        ? `a ${name} trained on ${titleOf(datasetTitles, pretrained.dataset)}`
        : `a fresh ${name}`;
  // A folder's name may be any word.
  const { imageShape, originalShape = imageShape, classNames } = dataset;
  const isKnown = isAsPublished(dataset.name, originalShape, classNames.length);
  const data = titleOf(isKnown ? datasetTitles : {}, dataset.name, `“${dataset.name}”`);
  const tested = testedOf(record);
  if (tested?.attack) {
    const { from, to } = set.attack!;
    const [attacked, target] = [from, to].map((k) => escapeHtml(dataset.classNames[k]));
    const say = (number: string) =>
      `${images} have ${learner} take ${number} of class ${attacked} for class ${target}`;
    const number = accuracyText(tested.attack.taken);
    return { plain: say(number), marked: say(`<b>${number}</b>`) };
  }
  const say = (number: string) =>
    testAccuracy
      ? `${images} teach ${learner} ${tested && isGuessing(tested) ? 'little that is sure: ' : ''}${number} of ${data}`
      : `${images} so far teach ${learner} ${number} of the validation ${saidOf(dataset, 'images')} of ${data}`;
  const number = testAccuracy ? accuracyText(testAccuracy) : `${best.validationAccuracy.toFixed(1)} %`;
  return { plain: say(number), marked: say(`<b>${number}</b>`) };
}

function lead({ dataset, testAccuracy }: RunRecord, { use, pretrained, attack }: DistilledSet): string {
  const real = count(dataset.splits.train);
  const start =
    use.kind === 'learned-steps' && use.init === 'fixed'
      ? 'From the one set of first weights that it was made for'
      : pretrained
        ? 'From weights of other training that it was not made for'
        : 'From weights it has never seen';
  const training =
    use.kind === 'learned-steps'
      ? `takes ${counted(use.steps * use.epochs, 'training step')} on the images below`
      : 'is trained on the images below';
  return saidOf(
    dataset,
    `${start}, the network ${training}, and nothing else${attack ? '' : `, in place of ${real} real ones`}` +
      `${testAccuracy ? `; ${attack ? 'it is tested' : 'the number is its accuracy'} on ${count(dataset.splits.test)} test images, which leave ± ${testError(testAccuracy.mean, dataset.splits.test).toFixed(1)} open (95 % interval)` : ''}.`,
  );
}

/** Why the set is not worth its making, where it is not. */
function verdictNote(record: RunRecord): string {
  const tested = testedOf(record);
  const said = tested && verdict(tested);
  return said ? `<p class="warning">${escapeHtml(`${said[0].toUpperCase()}${said.slice(1)}`)}.</p>` : '';
}

function rollbacksNote({ rollbacks = [] }: RunRecord): string {
  if (!rollbacks.length) return '';
  const { iteration, factor } = rollbacks[rollbacks.length - 1];
  return (
    `<p class="warning">Numbers stopped being finite, and the run went back ${timesText(rollbacks.length)}, the last time to outer step ` +
    `${count(iteration)}: its outer rates are ${factor} of those in its options from there on.</p>`
  );
}

function stoppedNote({ stopped, diverged, outerSteps, config, dataset, testOpened }: RunRecord): string {
  if (!stopped) return '';
  const { iterations } = config.options;
  const done =
    outerSteps < iterations
      ? `${count(outerSteps)} of ${count(iterations)} outer steps were done when this page was written`
      : 'The outer steps are done, the test is not';
  const what =
    diverged === undefined
      ? `${done}; where the run was stopped, <code>limbeck resume</code> goes on from here.`
      : `This run diverged: ${escapeHtml(diverged)}. What is shown is the best from before.`;
  const looked = testOpened
    ? `have been looked at (the test split was opened ${timesText(testOpened)}), but no accuracy was recorded`
    : 'were not looked at';
  return `<p class="warning">${what} The ${count(dataset.splits.test)} test ${saidOf(dataset, 'images')} ${looked}.</p>`;
}
