import type { Dataset } from '../data/dataset.js';
import { smallSplits } from '../data/inspect.js';
import type { EngineName } from '../engine/device.js';
import { findProtocol } from '../eval/find-protocol.js';
import { networkSpec, networkTitle } from '../networks/index.js';
import { firstPictures } from '../report/first-pictures.js';
import { RunFolder } from '../report/run-folder.js';
import { textLines } from '../report/texts-as-lines.js';
import { type BegunRun, type FolderRun, isFinished, type RunControl } from '../runs/folder-run.js';
import type { ResolvedOptions } from '../runs/options.js';
import { findMethod, optionsText } from '../runs/options.js';
import { type RunRecord, storedByOptions, testedOf } from '../runs/record.js';
import { LimbeckError } from '../util/errors.js';
import { bytesText, count, counted, duration, flopText, saidOf } from '../util/words.js';
import { Expectation } from './expectation.js';
import { listenForStop } from './interrupt.js';
import { type PictureChoice, picturesText } from './pictures/show.js';
import { Terminal } from './progress.js';
import { resultLine } from './result.js';
import { sourceText } from './sources.js';
import { accuracyTable } from './table.js';

export interface Run {
  readonly folder: string;
  readonly engine: EngineName;
  readonly json: boolean;
  readonly data: Dataset;
  /** Which pictures the terminal is to get. */
  readonly pictures?: PictureChoice;
}

/** Shows a run under way and what came out; what `distill` and `resume` have in common. Returns the status. */
export async function carryOut(run: Run, work: (control: RunControl) => Promise<FolderRun>): Promise<number> {
  const terminal = new Terminal(run.json);
  using stop = listenForStop(() => terminal.say('Stopping after this piece; once more to quit at once.'));
  const expected = new Expectation(terminal);
  try {
    const { record, set } = await work({
      signal: stop.signal,
      onBegin(begun) {
        announce(terminal, begun);
        expected.begin(begun);
      },
      onProgress(event) {
        expected.hear(event);
        terminal.progress(event);
      },
      onRollback: ({ iteration, factor, reason }) =>
        terminal.say(
          `Warning: ${reason}; going on from step ${count(iteration)} at ${factor} of the outer rates.`,
        ),
      onTest: ({ stage, done, total }) => {
        if (done < total) terminal.passing(`Testing networks on ${stage} (${done + 1} of ${total})`);
      },
    });
    terminal.clear();
    if (run.json) process.stdout.write(resultLine(record, run.folder));
    else conclude(terminal, run, { record, set });
    if (record.diverged !== undefined) throw new LimbeckError('ERR_DIVERGED', record.diverged);
    return isFinished(record) ? 0 : stop.status;
  } catch (error) {
    if (stop.signal.aborted && error === stop.signal.reason) {
      terminal.say('Stopped before the run began; nothing was written.');
      return stop.status;
    }
    throw withRemedy(error, run);
  } finally {
    terminal.clear();
  }
}

/** What to do when the device was lost or has no room: nothing that was saved is gone. */
function withRemedy(error: unknown, { folder, engine }: Run): unknown {
  if (!(error instanceof LimbeckError) || engine !== 'webgpu') return error;
  if (error.code !== 'ERR_DEVICE' && error.code !== 'ERR_OUT_OF_MEMORY') return error;
  const what = new RunFolder(folder).checkpoints.exist()
    ? `the checkpoint is whole: go on with limbeck resume ${folder}, or, if that fails too, with --device cpu`
    : 'nothing was saved yet: begin again, if that fails too with --device cpu';
  return new LimbeckError(error.code, `${error.message}; ${what}`, { cause: error });
}

function announce(terminal: Terminal, { engine, dataset, config, iteration, damage, plan }: BegunRun): void {
  const { name, splits, imageShape, classNames, text } = dataset;
  const { description, reason, processor, earlierProcessors } = engine;
  if (earlierProcessors)
    terminal.say(
      `Warning: this run was begun on ${earlierProcessors.join(', then ')} and goes on on ` +
        `${processor}; its bits will not be those of an uninterrupted run.`,
    );
  const source = config.dataset === 'digits' ? 'generated' : config.dataset;
  terminal.say(`Engine: ${description}${reason ? `: ${reason}` : ''}`);
  terminal.say(
    `Data: ${name} (${source}), ${count(splits.train)} training, ${count(splits.validation)} validation and ` +
      `${count(splits.test)} test ${saidOf(dataset, 'images')} of ${text ? counted(text.length, 'word') : imageShape.join(' x ')}`,
  );
  for (const warning of smallSplits(splits, dataset)) terminal.say(`Warning: ${warning}`);
  terminal.say(`Plan: ${planText(config.options, classNames.length, dataset)}`);
  const { device, disk, flops } = plan;
  terminal.say(
    `Needs: ${bytesText(device.total)} on the device, ${bytesText(disk.total)} on disk, ${flopText(flops.total)}` +
      (flops.test ? ` and ${flopText(flops.test)} for the test at the end` : ''),
  );
  for (const lack of plan.lacks) terminal.say(`Warning: ${lack}; it goes on all the same.`);
  if (config.preset) terminal.say(`Settings for ${name}: ${optionsText(config.preset)}`);
  if (damage !== undefined) terminal.say(`Warning: ${damage} It goes on from the checkpoint before that.`);
  if (config.fitted)
    terminal.say(
      `Fitted to ${counted(splits.train, saidOf(dataset, 'training image'))}, unless given: ${optionsText(config.fitted)}`,
    );
  if (iteration > 0) terminal.say(`Going on after outer step ${count(iteration)}`);
}

/** `10 distilled images (1 per class) for lenet by unrolled: hard labels, …, 20,000 outer steps of 1,024 real images` */
export function planText(
  options: ResolvedOptions,
  classes: number,
  data: { readonly text?: unknown } = {},
): string {
  const { ipc, images, iterations, network, patience } = options;
  const method = findMethod(options.method);
  const end = patience > 0 ? `, fewer if ${counted(patience, 'look')} bring nothing better` : '';
  const { training } = findProtocol(options.protocol);
  const test =
    typeof training === 'object'
      ? `, tested by ${counted(options.networks, 'network')} of ${counted(training.epochs, 'epoch')} each`
      : '';
  return (
    `${storedByOptions(options, classes, saidOf(data, 'distilled image'))}${images ? '' : ` (${ipc} per class)`} for ${networkTitle(network)} by ${method.name}: ${method.describe(options as never)}, ` +
    `${counted(iterations, 'outer step')} of ${counted(method.realImages(options as never, classes), saidOf(data, 'real image'))}${end}${test}`
  );
}

/** A finished run in words. */
export function resultText(record: RunRecord): string | undefined {
  const { learningRate, protocol, config, dataset } = record;
  const tested = testedOf(record);
  if (!tested) return undefined;
  const stored = storedByOptions(
    config.options,
    dataset.classNames.length,
    saidOf(dataset, 'distilled image'),
  );
  return `${protocol}\n${accuracyTable(stored, { ...tested, learningRate })}\n`;
}

/** How to learn what all training images reach, beside the few that were distilled; undefined where no command reads the data. */
export function onAllText({ config, dataset }: Pick<RunRecord, 'config' | 'dataset'>): string | undefined {
  const network = networkSpec(config.options.network);
  // Layers in full are not for a command line.
  if (config.dataset === undefined || Object.values(network).some((value) => typeof value === 'object'))
    return undefined;
  const { digitsSize, reading } = config;
  const source = sourceText({ dataset: config.dataset, digitsSize, reading });
  return `What networks learn from all ${count(dataset.splits.train)} ${saidOf(dataset, 'training images')}: limbeck train ${source} --network ${networkTitle(network)}`;
}

/** Classes that a terminal shows an image of, at most. */
const classesShown = 20;

function conclude(terminal: Terminal, run: Run, { record, set }: FolderRun): void {
  const { folder, data, pictures } = run;
  const { paths } = new RunFolder(folder);
  const { outerSteps, timings, best, config } = record;
  terminal.say(
    `${counted(outerSteps, 'outer step')} in ${duration(timings.seconds)}; best validation accuracy ` +
      `${best.validationAccuracy.toFixed(1)} % after step ${count(best.iteration)}`,
  );
  if (isFinished(record)) {
    if (outerSteps < config.options.iterations)
      terminal.say(`It ended there: ${counted(config.options.patience, 'look')} brought nothing better.`);
    terminal.say(`\n${resultText(record)}`);
    const all = onAllText(record);
    if (all) terminal.say(`${all}\n`);
  } else if (record.diverged === undefined) {
    terminal.say(`Stopped before the end, so there is no test accuracy. To go on: limbeck resume ${folder}`);
  }
  const shown = () =>
    firstPictures(set, data, classesShown, data.zca).pictures.map(({ class: k, picture }) => ({
      name: data.classNames[k],
      picture,
    }));
  const lines = textLines(set, data, classesShown);
  if (data.text) terminal.say(`The nearest words, and how near they are\n  ${lines.join('\n  ')}\n`);
  else terminal.picture(picturesText(shown, process.stderr, pictures));
  for (const path of [paths.artefact, ...(data.text ? [] : [paths.sheet]), paths.record, paths.report])
    terminal.say(`Wrote ${path}`);
}
