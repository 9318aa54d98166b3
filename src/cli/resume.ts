import { chooseDevice } from '../engine/open.js';
import type { Precision } from '../engine/precision.js';
import { RunFolder, readRun, resumeFolder } from '../report/run-folder.js';
import { isFinished } from '../runs/folder-run.js';
import { LimbeckError } from '../util/errors.js';
import { printable } from '../util/words.js';
import type { Command } from './command.js';
import {
  debug,
  device as deviceOption,
  help,
  json,
  precision as precisionOption,
  threads as threadsOption,
} from './options.js';
import { pictures } from './pictures/protocol.js';
import { checkPictures, type PictureChoice } from './pictures/show.js';
import { resultLine } from './result.js';
import { carryOut, resultText } from './run.js';
import { checkEngine, openData, openEngine } from './sources.js';

export const command: Command = {
  name: 'resume',
  summary:
    'goes on with a stopped or killed run; on the same engine and processor, to the same bits as if it had never stopped',
  positionals: ['DIR'],
  options: [
    {
      name: 'iterations',
      kind: 'whole',
      least: 1,
      value: 'N',
      help: 'outer steps in all, where they are to be others than it was begun with; a finished run goes on, too',
      fallback: 'as it was begun with',
    },
    { ...deviceOption, fallback: 'the engine it was begun on' },
    { ...threadsOption, fallback: 'as many as it was begun with' },
    { ...precisionOption, fallback: 'the one it was begun with, where the engine has it' },
    pictures,
    json,
    debug,
    help,
  ],
  example: 'limbeck resume runs/first',

  async run({ values, positionals }) {
    checkPictures(values.pictures);
    const [folder] = positionals;
    if (folder === undefined)
      throw new LimbeckError('ERR_OPTION', 'resume needs the folder of a run: limbeck resume DIR');
    const record = await new RunFolder(folder).readRecord();
    if (record && isFinished(record) && values.iterations === undefined) {
      if (values.json) process.stdout.write(resultLine(record, folder));
      else process.stderr.write(printable(`This run is finished.\n${resultText(record)}`));
      return 0;
    }
    return goOn(folder, values);
  },
};

async function goOn(
  folder: string,
  values: {
    readonly device?: string;
    readonly threads?: number;
    readonly precision?: Precision;
    readonly iterations?: number;
    readonly json?: boolean;
    readonly pictures?: PictureChoice;
  },
): Promise<number> {
  const { config, engine: begun } = await readRun(folder);
  const { dataset, device: choiceThen } = config;
  const same = choiceThen.startsWith(`${begun.name}:`) ? choiceThen : begun.name;
  const { device: choice = same, iterations, json = false } = values;
  // Whoever goes on elsewhere because a GPU failed need not know what it was begun with.
  const { engine } = choice === 'auto' ? await chooseDevice() : { engine: choice.split(':')[0] };
  const { precision = engine === 'webgpu' ? config.precision : undefined } = values;
  const threads = values.threads ?? (engine === 'cpu' ? config.threads : undefined);
  checkEngine(choice, { threads: values.threads, precision });
  if (dataset === undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      `the run in ${folder} was begun by a program on data of its own: go on with it there, by resumeFolder`,
    );
  const data = await openData({ ...config, dataset }, json, () => true);
  const { device, reason } = await openEngine(choice, { threads, precision });
  try {
    const run = { folder, engine: device.engine, json, data, pictures: values.pictures };
    return await carryOut(run, (control) =>
      resumeFolder(device, data, folder, { ...control, reason, iterations }),
    );
  } finally {
    await device.dispose();
  }
}
